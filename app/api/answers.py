"""An answer on the wire: as server-sent events while it grows, or whole."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from json.encoder import encode_basestring
from time import monotonic
from typing import Any
from uuid import UUID

from fastapi.responses import StreamingResponse

from app.api import present, present_conversations, present_models
from app.api.base import Ending
from app.bootstrap import Runtime
from app.realtime.access import unless_ended
from domain.conversations.entities import AnswerState, Message, MessageSource
from domain.conversations.evidence import cited_numbers
from domain.conversations.views import Asked, Question
from domain.kernel.actor import Actor
from domain.kernel.errors import (
    BadRequest,
    BudgetExhausted,
    Failure,
    ProviderFailed,
    ProviderKeyMissing,
)
from domain.services import Services
from pages.i18n import reason

PING_SECONDS = 15.0
ALLOWED_SECONDS = 0.2
"""How long the right to ask holds unlooked at, for an answer that was asked for in this request."""
_CITATION = re.compile(r"\[(\d{1,3})\]")
_UNFINISHED = re.compile(r"\[\d{0,3}$")
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def pieces(queue: "asyncio.Queue[bytes | None]", ping: bytes, cut: Callable[[], bool]) -> AsyncIterator[bytes]:
    """What is put into the queue, until None comes or it is cut off; silence is filled with `ping`."""
    loop, came = asyncio.get_running_loop(), monotonic()
    timer: asyncio.TimerHandle

    def look() -> None:
        # One timer for a stream, and not one for each piece.
        nonlocal timer, came
        silent = monotonic() - came
        if silent >= PING_SECONDS:
            if queue.empty():
                queue.put_nowait(ping)
            silent, came = 0.0, monotonic()
        timer = loop.call_later(PING_SECONDS - silent, look)

    timer = loop.call_later(PING_SECONDS, look)
    try:
        while not cut():
            item = await queue.get()
            came = monotonic()
            if item is None or cut():
                return
            yield item
    finally:
        timer.cancel()


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
            async for item in pieces(queue, b": ping\r\n\r\n", lambda: self._cut):
                yield item
        finally:
            producer.cancel()
            guard.cancel()
            await asyncio.gather(producer, guard, return_exceptions=True)

    async def _guard(self, producer: "asyncio.Task[None]") -> None:
        if self._ending is not None:
            if self._asked is not None:
                # The right to it was looked at just now, when it was asked: the answer goes first.
                await asyncio.sleep(ALLOWED_SECONDS)
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
            "references": present_conversations.references(self._sources, cited_only=False),
            "tools": present_conversations.answerer(view.message),
            "web_search_references": [],
            "completion_model": {"id": view.message.completion_model_id, "name": view.message.model_name},
            "created_at": view.message.created_at,
        }

    def _text(self, piece: str, offset: int) -> bytes:
        words = encode_basestring(tagged(piece, self._sources, self._version))
        references = self._references_json(piece)
        data = f'{{"session_id": "{self._conversation_id}", "answer": {words}, "references": {references}}}'
        return _framed("text", data, offset)

    def _references_json(self, piece: str) -> str:
        """All sources in version 1; from version 2 on those cited so far. Written out once for each new citation."""
        if self._version >= 2:
            found = cited_numbers(piece, len(self._sources))
            self._cited += [number for number in found if number not in self._cited]
        known = self._references.get(len(self._cited))
        if known is None:
            by_number = {source.number: source for source in self._sources}
            chosen = [by_number[n] for n in self._cited] if self._version >= 2 else self._sources
            known = _json(present_conversations.references(chosen, cited_only=False))
            self._references[len(self._cited)] = known
        return known

    async def _end(self, queue: "asyncio.Queue[bytes | None]", state: str, offset: int) -> None:
        if self._asked is None:
            view = await self._use.conversations.message(self._actor, self._message_id)
            message, sources = view.message, view.sources
        else:
            # The run was in this process: its outcome stands in the very message that was asked.
            message, sources = self._asked.message, self._sources
        if sentence := reason(message, self._actor.language):
            await queue.put(
                event("error", {**self._base(), "error": sentence, "error_code": _error_code(message)}, offset)
            )
        done = {
            **self._base(),
            "id": self._message_id,
            "state": state,
            "tokens": {"question": message.tokens_question, "answer": message.tokens_answer},
            "references": present_conversations.references(sources, cited_only=True),
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


def failed(message: Message) -> Failure:
    """Why there is no answer, as an error."""
    kinds: dict[int, type[Failure]] = {
        ProviderKeyMissing.code: ProviderKeyMissing,
        BudgetExhausted.code: BudgetExhausted,
    }
    return kinds.get(_error_code(message), BadRequest)(message.error, **message.error_params)


def _error_code(message: Message) -> int:
    """The code of why an answer failed."""
    return int(message.trace.get("error_code", ProviderFailed.code))


async def _whole(use: Services, actor: Actor, asked: Asked, version: int) -> dict[str, Any]:
    async for _ in use.conversations.follow(actor, asked.message.id):
        continue
    view = await use.conversations.message(actor, asked.message.id)
    message = view.message
    if message.state == AnswerState.FAILED and not message.answer:
        raise failed(message)
    models = await models_by_id(use, actor)
    return {
        "id": message.id,
        "session_id": asked.conversation.id,
        "question": message.question,
        "answer": tagged(message.answer, view.sources, version),
        "thought": message.thought,
        "files": [present.file(f) for f in view.files],
        "generated_files": [],
        "references": present_conversations.references(view.sources, cited_only=version >= 2),
        "unread": message.trace.get("unread", []),
        "words_only": message.trace.get("words_only", False),
        "tools": present_conversations.answerer(message),
        "web_search_references": [],
        "model": models.get(message.completion_model_id),
        "state": message.state,
        "citations": message.citations,
        "attempts": message.trace.get("attempts", []),
        "reused": message.trace.get("reused"),
        "error": reason(message, actor.language),
    }


def tagged(answer: str, sources: Sequence[MessageSource], version: int) -> str:
    """The answer as clients of `version` expect citations: `[n]`, or a tag with the document's id in version 2."""
    if version < 2:
        return answer
    by_number = {source.number: source.document_id.hex[:8] for source in sources}

    def tag(match: re.Match[str]) -> str:
        found = by_number.get(int(match[1]))
        return f'<inref id="{found}"/>' if found else match[0]

    return _CITATION.sub(tag, answer)


async def models_by_id(use: Services, actor: Actor) -> dict[UUID | None, dict[str, Any]]:
    """The models that the caller may see, as answers name them."""
    return {c.model.id: present_models.completion_model(c) for c in await use.models.completion_models(actor)}


def event(name: str, data: dict[str, Any], offset: int | None = None) -> bytes:
    """One server-sent event; its id is the position in the answer from which to go on."""
    return _framed(name, _json(data), offset)


def _json(data: Any) -> str:
    return json.dumps(data, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> str:
    """A moment or an id as it is written in every other answer."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def _framed(name: str, data: str, offset: int | None) -> bytes:
    position = "" if offset is None else f"id: {offset}\r\n"
    return f"{position}event: {name}\r\ndata: {data}\r\n\r\n".encode()
