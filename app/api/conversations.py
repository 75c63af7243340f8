"""Conversations (on the wire: sessions): asking, following the answer, looking back. Answers themselves: `answers.py`."""

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from app.api import present_conversations, wire
from app.api.answers import AnswerStream, answer, models_by_id, streamed, tagged
from app.api.base import AccessEnd, Caller, Running, Use
from app.api.users import cursor_page
from app.bootstrap import Runtime
from domain.conversations.places import Place
from domain.conversations.views import ConversationView, Question
from domain.kernel.actor import Actor
from domain.kernel.errors import (
    N_,
    Invalid,
    NotFound,
)
from domain.services import Services

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])
legacy = APIRouter(prefix="/api/v1/assistants", tags=["assistants"])
_MENTION_TAG = re.compile(r"<intric-at-tag: @[^>\n]{0,300}>")


def typed(question: str) -> str:
    """A question without the tags by which older programs mark in its text whom they mention."""
    return _MENTION_TAG.sub("", question).strip() if "<intric-at-tag:" in question else question


def mentioned_in(tools: wire.UseTools | None) -> UUID | None:
    """The assistant that a question names to be answered by."""
    return tools.assistants[0].id if tools and tools.assistants else None


async def shown(use: Services, actor: Actor, view: ConversationView) -> dict[str, Any]:
    """A conversation with its messages, citations as tags."""
    answers = [tagged(m.message.answer, m.sources, 2) for m in view.messages]
    return present_conversations.conversation(view, answers, await models_by_id(use, actor), actor.language)


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
    items = [present_conversations.conversation_head(c) for c in page.items]
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
    return present_conversations.conversation_head(
        (await use.conversations.get(actor, session_id, limit=1)).conversation
    )


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
    """Thumbs up or down for one answer (`message_id`), or for the whole conversation."""
    if body.message_id is not None:
        await _message(use, actor, session_id, body.message_id)
    await use.conversations.rate(
        actor, int(body.value), body.text, conversation_id=session_id, message_id=body.message_id
    )
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
