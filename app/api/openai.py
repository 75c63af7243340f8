"""The interface that OpenAI's clients speak: assistants are models, embedding models are what they are.

A client keeps its conversation itself and sends all of it each time. What is asked goes through the same service as
everywhere, as a conversation that is forgotten once it is answered, unless the client asks to `store` it. Sources, and the
ids of what is stored, are in the field `samrad`.
"""

import array
import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import STREAM_HEADERS, failed, pieces
from app.api.base import AccessEnd, Caller, Ending, Running, Use
from app.bootstrap import Runtime
from app.realtime.access import unless_ended
from domain.assistants.service import AssistantView
from domain.conversations.context import Exchange
from domain.conversations.entities import AnswerState, Message, MessageSource
from domain.conversations.views import Asked, Dialogue
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Invalid, NotFound
from domain.models.choice import EmbeddingChoice
from domain.services import Services
from pages.i18n import reason

router = APIRouter(prefix="/v1", tags=["openai"])
MOST_MESSAGES = 2_000
TEXT_ONLY = N_("Only text can be sent here.")
NOT_OFFERED = N_("“{name}” is not offered here.")
NO_MODEL = N_("The model was not found. GET /v1/models tells which there are.")
REFUSED = (
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "response_format",
    "logprobs",
    "audio",
    "modalities",
    "stop",
)
"""What would silently be left out, and must not be."""


class Part(BaseModel):
    """A piece of a message."""

    type: str
    text: str = ""


class ChatMessage(BaseModel):
    """A message of the conversation that the client keeps."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None = None

    def plain(self) -> str:
        """What it says."""
        if isinstance(self.content, list):
            if any(part.type != "text" for part in self.content):
                raise Invalid(TEXT_ONLY, field="messages")
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream holds besides the text."""

    include_usage: bool = False


class ChatBody(BaseModel):
    """A request for an answer. `model` is the id of an assistant."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(max_length=100)
    messages: list[ChatMessage] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    reasoning_effort: str | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: int | None = None
    store: bool | None = None

    def dialogue(self, assistant_id: UUID) -> Dialogue:
        """As the domain takes it."""
        for name in REFUSED:
            if (self.model_extra or {}).get(name) not in (None, [], {}, "none", {"type": "text"}):
                raise Invalid(NOT_OFFERED, field=name, name=name)
        if self.n not in (None, 1):
            raise Invalid(NOT_OFFERED, field="n", name="n")
        if self.messages[-1].role != "user":
            raise Invalid(N_("The last message must be the user's."), field="messages")
        instruction = [m.plain() for m in self.messages if m.role in ("system", "developer")]
        settings = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "reasoning_effort")
        return Dialogue(
            assistant_id,
            self.messages[-1].plain(),
            exchanges(self.messages[:-1]),
            "\n\n".join(text for text in instruction if text),
            {name: value for name in settings if (value := getattr(self, name)) is not None},
            self.max_completion_tokens or self.max_tokens,
            bool(self.store),
        )


def exchanges(messages: Sequence[ChatMessage]) -> list[Exchange]:
    """Questions with their answers; what several messages in a row say belongs together."""
    found: list[Exchange] = []
    for message in messages:
        text = message.plain()
        if message.role == "user":
            if found and not found[-1].answer:
                found[-1] = Exchange(f"{found[-1].question}\n\n{text}", "")
            else:
                found.append(Exchange(text, ""))
        elif message.role == "assistant":
            last = found.pop() if found else Exchange("", "")
            found.append(Exchange(last.question, f"{last.answer}\n\n{text}".strip()))
    return found


class EmbeddingBody(BaseModel):
    """Texts to embed. `model` is the id or the name of an embedding model; `input_type` says what they are for."""

    model: str = Field(max_length=255)
    input: str | list[str]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    input_type: Literal["query", "passage"] = "passage"


def _identifier(model: str) -> UUID:
    try:
        return UUID(model)
    except ValueError:
        raise NotFound(NO_MODEL, field="model") from None


def _assistant(view: AssistantView) -> dict[str, Any]:
    assistant = view.assistant
    model = view.model.model.nickname if view.model else None
    about = {"kind": "assistant", "name": assistant.name, "description": assistant.description, "model": model}
    return _model(str(assistant.id), int(assistant.created_at.timestamp()), about)


def _embedding(choice: EmbeddingChoice) -> dict[str, Any]:
    model = choice.model
    about = {"kind": "embedding", "name": model.name, "dimensions": model.dimensions}
    return _model(str(model.id), int(model.created_at.timestamp()), about)


def _model(key: str, created: int, about: dict[str, Any]) -> dict[str, Any]:
    return {"id": key, "object": "model", "created": created, "owned_by": "samrad", "samrad": about}


@router.get("/models")
async def models(
    actor: Caller, use: Use, limit: Annotated[int, Query(ge=1, le=200)] = 200, after: str | None = None
) -> Any:
    """The assistants that the caller may ask, and the embedding models; those after `after`, if there are more."""
    last = _identifier(after) if after else None
    if actor.key is not None and actor.key.assistant_id is not None:
        found = [_assistant(await use.assistants.get(actor, actor.key.assistant_id))]
    else:
        found = [_assistant(view) for view in await use.assistants.askable(actor, after=last, limit=limit + 1)]
        found += [_embedding(choice) for choice in await use.models.embedding_models(actor) if choice.usable]
    rest = sorted((each for each in found if last is None or each["id"] > str(last)), key=lambda each: each["id"])
    return {"object": "list", "data": rest[:limit], "has_more": len(rest) > limit}


@router.get("/models/{model}")
async def model(model: str, actor: Caller, use: Use) -> Any:
    """One assistant or embedding model."""
    key = _identifier(model)
    if actor.key is None or actor.key.assistant_id is None:
        for choice in await use.models.embedding_models(actor):
            if choice.model.id == key and choice.usable:
                return _embedding(choice)
    return _assistant(await use.assistants.get(actor, key))


@router.post("/chat/completions", responses={200: {"content": {"text/event-stream": {}}}})
async def chat(body: ChatBody, actor: Caller, running: Running, ending: AccessEnd) -> Any:
    """An answer of an assistant, at once or as a stream."""
    use = running.services
    asked = await use.conversations.converse(actor, body.dialogue(_identifier(body.model)))
    answer = Completion(running, actor, asked, body)
    if body.stream:
        return StreamingResponse(answer.stream(ending), media_type="text/event-stream", headers=STREAM_HEADERS)
    return await answer.whole(ending)


class Completion:
    """An answer on its way to an OpenAI client."""

    def __init__(self, running: Runtime, actor: Actor, asked: Asked, body: ChatBody) -> None:
        self._use, self._actor, self._asked, self._body = running.services, actor, asked, body
        self._head = {
            "id": f"chatcmpl-{asked.message.id.hex}",
            "created": int(asked.message.created_at.timestamp()),
            "model": body.model,
        }

    async def whole(self, ending: Ending) -> dict[str, Any]:
        """All of it at once."""
        try:
            return await unless_ended(self._whole(), ending)
        finally:
            await self._forget()

    async def _whole(self) -> dict[str, Any]:
        conversations, key = self._use.conversations, self._asked.message.id
        async for _ in conversations.follow(self._actor, key):
            continue
        view = await conversations.message(self._actor, key)
        message = view.message
        if message.state == AnswerState.FAILED and not message.answer:
            raise failed(message)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": message.answer, "refusal": None} | _thought(message),
            "finish_reason": _reason(message.state),
            "logprobs": None,
        }
        usage, about = _usage(message), self._about(message, view.sources)
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": usage, "samrad": about}

    async def stream(self, ending: Ending) -> AsyncIterator[bytes]:
        """Piece by piece as it grows. When the client goes away, or its right does, the answer is stopped."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(256)
        producer = asyncio.create_task(self._produce(queue))
        guard = asyncio.ensure_future(ending())
        guard.add_done_callback(lambda _: producer.cancel())
        try:
            async for item in pieces(queue, b": ping\n\n", guard.done):
                yield item
        finally:
            producer.cancel()
            guard.cancel()
            await asyncio.gather(producer, guard, return_exceptions=True)
            await asyncio.shield(self._forget())

    async def _produce(self, queue: "asyncio.Queue[bytes | None]") -> None:
        conversations, message = self._use.conversations, self._asked.message
        try:
            await queue.put(self._chunk({"role": "assistant", "content": ""}))
            async for news in conversations.follow(self._actor, message.id):
                if news.thought:
                    await queue.put(self._chunk({"reasoning_content": news.thought}))
                elif news.text:
                    await queue.put(self._chunk({"content": news.text}))
            view = await conversations.message(self._actor, message.id)
            await self._end(queue, view.message, view.sources)
        finally:
            await queue.put(None)

    async def _end(
        self, queue: "asyncio.Queue[bytes | None]", message: Message, sources: Sequence[MessageSource]
    ) -> None:
        if sentence := reason(message, self._actor.language):
            code = str(message.trace.get("error_code", ""))
            await queue.put(
                _data({"error": {"message": sentence, "type": "server_error", "param": None, "code": code}})
            )
            return
        await queue.put(self._chunk({}, _reason(message.state), samrad=self._about(message, sources)))
        if self._body.stream_options and self._body.stream_options.include_usage:
            head = {**self._head, "object": "chat.completion.chunk"}
            await queue.put(_data({**head, "choices": [], "usage": _usage(message)}))
        await queue.put(b"data: [DONE]\n\n")

    def _chunk(self, delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return _data({**self._head, "object": "chat.completion.chunk", "choices": [choice], **more})

    def _about(self, message: Message, sources: Sequence[MessageSource]) -> dict[str, Any]:
        kept = {"conversation_id": message.conversation_id, "message_id": message.id} if self._body.store else {}
        return {
            **kept,
            "citations": message.citations,
            "sources": [
                {
                    "number": source.number,
                    "title": source.title,
                    "document_id": source.document_id,
                    "url": source.url,
                    "page": source.page_from,
                    "headings": source.heading_path,
                    "text": source.text,
                    "score": source.score,
                    "cited": source.cited,
                }
                for source in sources
            ],
        }

    async def _forget(self) -> None:
        """Stop what is under way, and delete the conversation unless it is to be kept."""
        conversations, message = self._use.conversations, self._asked.message
        if conversations.runs.get(message.id) is not None:
            await conversations.stop(self._actor, message.id)
        if not self._body.store:
            await conversations.delete(self._actor, self._asked.conversation.id)


def _reason(state: str) -> str:
    return "stop" if state == AnswerState.DONE else "length"


def _thought(message: Message) -> dict[str, str]:
    """What the model thought, by the name that programs know from other servers."""
    return {"reasoning_content": message.thought} if message.thought else {}


def _usage(message: Message) -> dict[str, Any]:
    read, written = message.tokens_question, message.tokens_answer
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _data(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, default=str, ensure_ascii=False)}\n\n".encode()


@router.post("/embeddings")
async def embeddings(body: EmbeddingBody, actor: Caller, use: Use) -> Any:
    """Vectors of texts, by one of the organisation's embedding models."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    choice = await _chosen(use, actor, body)
    vectors, tokens = await use.embeddings.embed(actor, choice, texts, body.input_type)
    data = [
        {"object": "embedding", "index": number, "embedding": _encoded(vector, body.encoding_format)}
        for number, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body.model, "usage": usage}


async def _chosen(use: Services, actor: Actor, body: EmbeddingBody) -> EmbeddingChoice:
    for choice in await use.models.embedding_models(actor):
        if choice.usable and body.model in (str(choice.model.id), choice.model.name):
            if body.dimensions not in (None, choice.model.dimensions):
                raise Invalid(NOT_OFFERED, field="dimensions", name="dimensions")
            return choice
    raise NotFound(NO_MODEL, field="model")


def _encoded(vector: bytes, form: str) -> str | list[float]:
    return base64.b64encode(vector).decode() if form == "base64" else list(array.array("f", vector))
