"""Conversations (on the wire: sessions): asking, following the answer, looking back."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from app.api import present, wire
from app.api.base import AccessEnd, Caller, Ending, Running, Use
from app.api.users import cursor_page
from app.bootstrap import Runtime
from app.realtime.access import unless_ended
from domain.conversations.entities import AnswerState, Message, MessageSource
from domain.conversations.evidence import cited_numbers
from domain.conversations.places import Place
from domain.conversations.views import Asked, ConversationView, Question
from domain.kernel.actor import Actor
from domain.kernel.errors import (
    N_,
    BadRequest,
    BudgetExhausted,
    Failure,
    Invalid,
    NotFound,
    ProviderFailed,
    ProviderKeyMissing,
)
from domain.services import Services
from pages.i18n import translate

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])
legacy = APIRouter(prefix="/api/v1/assistants", tags=["assistants"])
PING_SECONDS = 15.0
_CITATION = re.compile(r"\[(\d{1,3})\]")
_MENTION_TAG = re.compile(r"<intric-at-tag: @[^>\n]{0,300}>")
_UNFINISHED = re.compile(r"\[\d{0,3}$")
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def tagged(answer: str, sources: Sequence[MessageSource], version: int) -> str:
    """The answer as clients of `version` expect citations: `[n]`, or a tag with the document's id in version 2."""
    if version < 2:
        return answer
    by_number = {source.number: source.document_id.hex[:8] for source in sources}

    def tag(match: re.Match[str]) -> str:
        found = by_number.get(int(match[1]))
        return f'<inref id="{found}"/>' if found else match[0]

    return _CITATION.sub(tag, answer)


def typed(question: str) -> str:
    """A question without the tags by which older programs mark in its text whom they mention."""
    return _MENTION_TAG.sub("", question).strip() if "<intric-at-tag:" in question else question


def mentioned_in(tools: wire.UseTools | None) -> UUID | None:
    """The assistant that a question names to be answered by."""
    return tools.assistants[0].id if tools and tools.assistants else None


def event(name: str, data: dict[str, Any], offset: int | None = None) -> bytes:
    """One server-sent event; its id is the position in the answer from which to go on."""
    return _framed(name, _json(data), offset)


def _json(data: Any) -> str:
    return json.dumps(data, default=str, ensure_ascii=False)


def _framed(name: str, data: str, offset: int | None) -> bytes:
    position = "" if offset is None else f"id: {offset}\r\n"
    return f"{position}event: {name}\r\ndata: {data}\r\n\r\n".encode()


class AnswerStream:
    """An answer as server-sent events."""

    def __init__(
        self,
        runtime: Runtime,
        actor: Actor,
        conversation_id: UUID,
        message_id: UUID,
        version: int,
        asked: Asked | None = None,
        ending: Ending | None = None,
    ) -> None:
        self._use, self._actor, self._asked = runtime.services, actor, asked
        self._ending, self._cut = ending, False
        self._conversation_id, self._message_id, self._version = conversation_id, message_id, version
        self._sources: Sequence[MessageSource] = ()
        self._cited: list[int] = []
        self._references: dict[int, str] = {}

    def _base(self) -> dict[str, Any]:
        return {"session_id": self._conversation_id}

    async def events(self, offset: int = 0) -> AsyncIterator[bytes]:
        """The first chunk, the text as it grows, and the end. Silence is filled with comments.

        It breaks off when the right to it ends; the answer itself goes on.
        """
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(256)
        producer = asyncio.create_task(self._produce(queue, offset))
        guard = asyncio.create_task(self._guard(producer))
        try:
            while not self._cut:
                try:
                    async with asyncio.timeout(PING_SECONDS):
                        item = await queue.get()
                except TimeoutError:
                    yield b": ping\r\n\r\n"
                    continue
                if item is None or self._cut:
                    return
                yield item
        finally:
            producer.cancel()
            guard.cancel()
            await asyncio.gather(producer, guard, return_exceptions=True)

    async def _guard(self, producer: "asyncio.Task[None]") -> None:
        if self._ending is not None:
            await self._ending()
            self._cut = True
            producer.cancel()

    async def _produce(self, queue: "asyncio.Queue[bytes | None]", offset: int) -> None:
        conversations = self._use.conversations
        try:
            self._sources = await conversations.sources_ready(self._actor, self._message_id)
            if offset == 0:
                await queue.put(event("first_chunk", await self._first(), 0))
            held = ""
            if offset:
                message = (await conversations.message(self._actor, self._message_id)).message
                self._cited = cited_numbers(message.answer[:offset], len(self._sources))
            async for news in conversations.follow(self._actor, self._message_id, offset):
                if news.final:
                    await queue.put(self._text(held, offset)) if held else None
                    await self._end(queue, news.state, offset)
                    return
                if news.thought:
                    thought = {**self._base(), "thought": news.thought, "from": news.thought_from}
                    await queue.put(event("thought", thought, offset))
                    continue
                held += news.text
                # A citation is sent whole, so that it can be turned into a tag.
                open_part = _UNFINISHED.search(held) if self._version >= 2 else None
                ready = held[: open_part.start()] if open_part else held
                held = held[len(ready) :]
                offset = news.offset + len(news.text) - len(held)
                if ready:
                    await queue.put(self._text(ready, offset))
        finally:
            await queue.put(None)

    async def _first(self) -> dict[str, Any]:
        view = self._asked or await self._use.conversations.message(self._actor, self._message_id)
        return {
            **self._base(),
            "id": self._message_id,
            "question": view.message.question,
            "answer": "",
            "files": [present.file(f) for f in view.files],
            "generated_files": [],
            "references": present.references(self._sources, cited_only=False),
            "tools": present.answerer(view.message),
            "web_search_references": [],
            "completion_model": {"id": view.message.completion_model_id, "name": view.message.model_name},
            "created_at": view.message.created_at,
        }

    def _text(self, piece: str, offset: int) -> bytes:
        data = _json({**self._base(), "answer": tagged(piece, self._sources, self._version)})
        return _framed("text", f'{data[:-1]}, "references": {self._references_json(piece)}}}', offset)

    def _references_json(self, piece: str) -> str:
        """All sources in version 1; from version 2 on those cited so far. Written out once for each new citation."""
        if self._version >= 2:
            found = cited_numbers(piece, len(self._sources))
            self._cited += [number for number in found if number not in self._cited]
        known = self._references.get(len(self._cited))
        if known is None:
            by_number = {source.number: source for source in self._sources}
            chosen = [by_number[n] for n in self._cited] if self._version >= 2 else self._sources
            known = _json(present.references(chosen, cited_only=False))
            self._references[len(self._cited)] = known
        return known

    async def _end(self, queue: "asyncio.Queue[bytes | None]", state: str, offset: int) -> None:
        if self._asked is None:
            view = await self._use.conversations.message(self._actor, self._message_id)
            message, sources = view.message, view.sources
        else:
            # The run was in this process: its outcome stands in the very message that was asked.
            message, sources = self._asked.message, self._sources
        if message.error:
            sentence = translate(message.error, self._actor.language, **message.error_params)
            await queue.put(
                event("error", {**self._base(), "error": sentence, "error_code": _error_code(message)}, offset)
            )
        done = {
            **self._base(),
            "id": self._message_id,
            "state": state,
            "tokens": {"question": message.tokens_question, "answer": message.tokens_answer},
            "references": present.references(sources, cited_only=True),
            "unread": message.trace.get("unread", []),
            "words_only": message.trace.get("words_only", False),
            "citations": message.citations,
            "attempts": message.trace.get("attempts", []),
            "reused": message.trace.get("reused"),
        }
        await queue.put(event("done", done, offset))


def streamed(stream: AnswerStream, start: int = 0) -> StreamingResponse:
    """An answer from a character on, as server-sent events."""
    return StreamingResponse(stream.events(start), media_type="text/event-stream", headers=STREAM_HEADERS)


async def answer(
    running: Runtime, actor: Actor, question: Question, ending: Ending, *, stream: bool, version: int
) -> StreamingResponse | dict[str, Any]:
    """Ask, and answer as a stream or at once."""
    asked = await running.services.conversations.ask(actor, question)
    if stream:
        made = AnswerStream(running, actor, asked.conversation.id, asked.message.id, version, asked, ending)
        return streamed(made)
    return await unless_ended(_whole(running.services, actor, asked, version), ending)


def _error_code(message: Message) -> int:
    """The code of why an answer failed."""
    return int(message.trace.get("error_code", ProviderFailed.code))


def failed(message: Message) -> Failure:
    """Why there is no answer, as an error."""
    kinds: dict[int, type[Failure]] = {
        ProviderKeyMissing.code: ProviderKeyMissing,
        BudgetExhausted.code: BudgetExhausted,
    }
    return kinds.get(_error_code(message), BadRequest)(message.error, **message.error_params)


async def _whole(use: Services, actor: Actor, asked: Asked, version: int) -> dict[str, Any]:
    async for _ in use.conversations.follow(actor, asked.message.id):
        continue
    view = await use.conversations.message(actor, asked.message.id)
    message = view.message
    if message.state == AnswerState.FAILED and not message.answer:
        raise failed(message)
    models = await _models(use, actor)
    return {
        "id": message.id,
        "session_id": asked.conversation.id,
        "question": message.question,
        "answer": tagged(message.answer, view.sources, version),
        "thought": message.thought,
        "files": [present.file(f) for f in view.files],
        "generated_files": [],
        "references": present.references(view.sources, cited_only=version >= 2),
        "unread": message.trace.get("unread", []),
        "words_only": message.trace.get("words_only", False),
        "tools": present.answerer(message),
        "web_search_references": [],
        "model": models.get(message.completion_model_id),
        "state": message.state,
        "citations": message.citations,
        "attempts": message.trace.get("attempts", []),
        "reused": message.trace.get("reused"),
        "error": translate(message.error, actor.language, **message.error_params) if message.error else None,
    }


async def _models(use: Services, actor: Actor) -> dict[UUID | None, dict[str, Any]]:
    return {c.model.id: present.completion_model(c) for c in await use.models.completion_models(actor)}


async def shown(use: Services, actor: Actor, view: ConversationView) -> dict[str, Any]:
    """A conversation with its messages, citations as tags."""
    answers = [tagged(m.message.answer, m.sources, 2) for m in view.messages]
    return present.conversation(view, answers, await _models(use, actor))


@router.post("/", response_model=wire.AskResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def ask(
    body: wire.ConversationRequest, actor: Caller, running: Running, ending: AccessEnd, version: int = 1
) -> Any:
    """Ask in a conversation, or begin one with an assistant. With `stream` the answer comes as server-sent events.

    The first of `tools.assistants` answers in place of the conversation's own assistant, this once.
    `replaces` names an earlier question of the conversation that is asked in other words: a branch begins beside it, and
    the former one is kept. A `temporary` conversation is in no list; whoever made it deletes it, or the program in a day.
    `collection_ids` (of the assistant's) and `filter` narrow where the answer is sought, for this question.
    """
    if body.session_id is None and body.assistant_id is None:
        raise Invalid(N_("Say which conversation or assistant the question is for."), field="assistant_id")
    assistant_id = None if body.session_id else body.assistant_id
    files = [f.id for f in body.files]
    question = Question(
        typed(body.question),
        body.session_id,
        assistant_id,
        files,
        replaces=body.replaces,
        mentioned=mentioned_in(body.tools),
        temporary=body.temporary,
        collection_ids=body.collection_ids or (),
        documents=body.filter.read() if body.filter else None,
    )
    return await answer(running, actor, question, ending, stream=body.stream, version=version)


@router.get("/", response_model=wire.CursorPageOfSessionMetadataPublic)
async def mine(
    actor: Caller,
    use: Use,
    assistant_id: UUID | None = None,
    group_chat_id: UUID | None = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
    previous: bool = False,
    search: str = "",
    pinned: bool | None = None,
) -> Any:
    """The caller's conversations, with one assistant or with all, newest first; `pinned` chooses those that are, or not."""
    if group_chat_id is not None:
        raise NotFound
    page = await use.conversations.page(
        actor, assistant_id=assistant_id, search=search, limit=limit, cursor=cursor, pinned=pinned
    )
    items = [present.conversation_head(c) for c in page.items]
    return cursor_page(items, page.next_cursor, page.total, limit, cursor)


@router.get("/{session_id}/", response_model=wire.SessionPublic)
async def get(session_id: UUID, actor: Caller, use: Use) -> Any:
    """A conversation with its messages."""
    return await shown(use, actor, await use.conversations.get(actor, session_id))


@router.patch("/{session_id}/", response_model=wire.SessionMetadataPublic)
async def change(session_id: UUID, body: wire.SessionUpdate, actor: Caller, use: Use) -> Any:
    """Give a conversation another name, or let it stand before the others (`pinned`)."""
    if body.name is not None:
        await use.conversations.rename(actor, session_id, body.name)
    if body.pinned is not None:
        await use.conversations.pin(actor, session_id, pinned=body.pinned)
    return present.conversation_head((await use.conversations.get(actor, session_id, limit=1)).conversation)


@router.put("/{session_id}/branch/", response_model=wire.SessionPublic)
async def branch(session_id: UUID, body: wire.BranchChoice, actor: Caller, use: Use) -> Any:
    """Show the branch that a message is part of: questions that follow go on there."""
    await _message(use, actor, session_id, body.message_id)
    await use.conversations.show(actor, body.message_id)
    return await shown(use, actor, await use.conversations.get(actor, session_id))


@router.delete("/{session_id}/", status_code=204, response_class=Response)
async def delete(session_id: UUID, actor: Caller, use: Use) -> None:
    """Delete a conversation."""
    await use.conversations.delete(actor, session_id)


@router.post("/{session_id}/feedback/", response_model=wire.SessionPublic)
async def feedback(session_id: UUID, body: wire.SessionFeedback, actor: Caller, use: Use) -> Any:
    """Thumbs up or down for a conversation."""
    await use.conversations.rate(actor, int(body.value), body.text, conversation_id=session_id)
    return await shown(use, actor, await use.conversations.get(actor, session_id))


@router.post("/{session_id}/title/", response_model=wire.SessionPublic)
async def title(session_id: UUID, actor: Caller, use: Use) -> Any:
    """The conversation under the title it has; it is made from the first question."""
    return await shown(use, actor, await use.conversations.get(actor, session_id))


async def _message(use: Services, actor: Actor, session_id: UUID, message_id: UUID) -> None:
    """Raise `NotFound` unless this is a message of that conversation of the actor's."""
    view = await use.conversations.message(actor, message_id)
    if view.message.conversation_id != session_id:
        raise NotFound


@router.get("/{session_id}/messages/{message_id}/stream/", response_class=StreamingResponse)
async def follow(
    session_id: UUID,
    message_id: UUID,
    actor: Caller,
    running: Running,
    ending: AccessEnd,
    version: int = 2,
    last_event_id: Annotated[int | None, Header()] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> StreamingResponse:
    """Follow an answer from any position, on any device; `Last-Event-ID` resumes where the stream broke."""
    await _message(running.services, actor, session_id, message_id)
    stream = AnswerStream(running, actor, session_id, message_id, version, ending=ending)
    start = offset if last_event_id is None else max(0, last_event_id)
    return streamed(stream, start)


@router.post("/{session_id}/messages/{message_id}/continue/", response_class=StreamingResponse)
async def resume(
    session_id: UUID,
    message_id: UUID,
    actor: Caller,
    running: Running,
    ending: AccessEnd,
    version: int = 2,
    elsewhere: bool = False,
) -> StreamingResponse:
    """Go on with an answer that did not come to its end; `elsewhere` lets the model that stands in for the first do so.

    The stream begins with what is new.
    """
    await _message(running.services, actor, session_id, message_id)
    asked = await running.services.conversations.resume(actor, message_id, elsewhere=elsewhere)
    stream = AnswerStream(running, actor, session_id, message_id, version, ending=ending)
    return streamed(stream, len(asked.message.answer))


@router.post("/{session_id}/messages/{message_id}/regenerate/", response_class=StreamingResponse)
async def regenerate(
    session_id: UUID,
    message_id: UUID,
    actor: Caller,
    running: Running,
    ending: AccessEnd,
    version: int = 2,
    easy_language: bool = False,
) -> StreamingResponse:
    """Answer a question again, in `easy_language` if wanted; the former answer is kept as a branch.

    The stream is that of the new answer.
    """
    await _message(running.services, actor, session_id, message_id)
    asked = await running.services.conversations.regenerate(actor, message_id, easy=easy_language)
    made = AnswerStream(running, actor, session_id, asked.message.id, version, asked, ending)
    return streamed(made)


@router.post("/{session_id}/messages/{message_id}/stop/", status_code=204, response_class=Response)
async def stop(session_id: UUID, message_id: UUID, actor: Caller, use: Use) -> None:
    """Stop an answer; what has arrived is kept."""
    await _message(use, actor, session_id, message_id)
    await use.conversations.stop(actor, message_id)


@router.get("/{session_id}/messages/{message_id}/sources/{number}/page/", response_class=Response)
async def source_page(
    session_id: UUID,
    message_id: UUID,
    number: int,
    actor: Caller,
    running: Running,
    page: int | None = None,
    citation: Annotated[int | None, Query(ge=0)] = None,
    width: Annotated[int, Query(ge=200, le=2000)] = 1000,
) -> Response:
    """The page of a cited PDF as a picture, in the version that was cited, with what supports the answer highlighted.

    With `citation`, the place of a marker among those of the answer, only what supports that one.
    """
    await _message(running.services, actor, session_id, message_id)
    place = await running.services.conversations.place(actor, message_id, number, citation)
    picture = await draw_source(running, actor, place, page, width)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


async def draw_source(running: Runtime, actor: Actor, place: Place, page: int | None, width: int) -> bytes:
    """The picture of a page of a source."""
    wanted = page or place.page
    if not place.pictured or place.blob is None or wanted is None:
        raise NotFound(N_("This document has no pages to show."))
    if not 1 <= wanted <= (place.version.page_count or 0):
        raise NotFound(N_("The document has no such page."))
    async with running.contents.on_disk(actor.tenant_id, place.blob.name) as path:
        return await running.parser.draw_page(path, wanted, place.quotes, width)


class Mark(BaseModel):
    """A part of a text."""

    start: int
    end: int


class PlacePublic(BaseModel):
    """A cited passage in its document as it was cited: `text` is the passage with what stands around it.

    `replaced` when the document has a newer version, `changed` when somebody has changed the passage by hand.
    """

    number: int
    title: str
    document_id: UUID
    version_id: UUID
    version: int
    replaced: bool
    changed: bool
    page: int | None
    text: str
    marks: list[Mark]


@router.get("/{session_id}/messages/{message_id}/sources/{number}/text/", response_model=PlacePublic)
async def source_text(
    session_id: UUID,
    message_id: UUID,
    number: int,
    actor: Caller,
    use: Use,
    citation: Annotated[int | None, Query(ge=0)] = None,
) -> Any:
    """A cited passage in the text of its document, in the version that was cited, with what supports the answer marked."""
    await _message(use, actor, session_id, message_id)
    place = await use.conversations.place(actor, message_id, number, citation)
    source = place.source
    return {
        "number": number,
        "title": source.title,
        "document_id": source.document_id,
        "version_id": source.version_id,
        "version": place.version.number,
        "replaced": place.replaced,
        "changed": place.changed,
        "page": place.page,
        "text": place.text,
        "marks": [{"start": start, "end": end} for start, end in place.marks],
    }


@legacy.post("/{id}/sessions/", response_model=wire.AskResponse)
async def ask_assistant(
    id: UUID, body: wire.AskAssistant, actor: Caller, running: Running, ending: AccessEnd, version: int = 1
) -> Any:
    """Begin a conversation. Prefer POST /conversations/."""
    files = [f.id for f in body.files]
    question = Question(typed(body.question), None, id, files, mentioned=mentioned_in(body.tools))
    return await answer(running, actor, question, ending, stream=body.stream, version=version)


@legacy.post("/{id}/sessions/{session_id}/", response_model=wire.AskResponse)
async def ask_further(
    id: UUID,
    session_id: UUID,
    body: wire.AskAssistant,
    actor: Caller,
    running: Running,
    ending: AccessEnd,
    version: int = 1,
) -> Any:
    """Go on with a conversation. Prefer POST /conversations/."""
    files = [f.id for f in body.files]
    question = Question(typed(body.question), session_id, id, files, mentioned=mentioned_in(body.tools))
    return await answer(running, actor, question, ending, stream=body.stream, version=version)


async def _of_assistant(use: Services, actor: Actor, assistant_id: UUID, session_id: UUID) -> ConversationView:
    view = await use.conversations.get(actor, session_id)
    if view.conversation.assistant_id != assistant_id:
        raise NotFound(N_("The conversation was not found."))
    return view


@legacy.get("/{id}/sessions/{session_id}/", response_model=wire.SessionPublic)
async def get_of_assistant(id: UUID, session_id: UUID, actor: Caller, use: Use) -> Any:
    """A conversation with this assistant."""
    return await shown(use, actor, await _of_assistant(use, actor, id, session_id))


@legacy.delete("/{id}/sessions/{session_id}/", response_model=wire.SessionPublic)
async def delete_of_assistant(id: UUID, session_id: UUID, actor: Caller, use: Use) -> Any:
    """Delete a conversation with this assistant."""
    gone = await shown(use, actor, await _of_assistant(use, actor, id, session_id))
    await use.conversations.delete(actor, session_id)
    return gone


@legacy.post("/{id}/sessions/{session_id}/feedback/", response_model=wire.SessionPublic)
async def feedback_of_assistant(id: UUID, session_id: UUID, body: wire.SessionFeedback, actor: Caller, use: Use) -> Any:
    """Thumbs up or down for a conversation with this assistant."""
    await _of_assistant(use, actor, id, session_id)
    return await feedback(session_id, body, actor, use)
