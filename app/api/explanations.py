"""Why an answer is as it is: for the person who asked."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel

from app.api import present_conversations, wire
from app.api.answers import models_by_id, tagged
from app.api.base import Caller, Use
from domain.conversations.citations import Citation
from domain.conversations.explaining import Explained
from domain.conversations.narrowing import narrowed
from domain.kernel.actor import Actor
from domain.kernel.errors import NotFound
from domain.knowledge.explaining import Followed
from domain.services import Services
from domain.usage.service import cost_of

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])
logging = APIRouter(prefix="/api/v1/logging", tags=["logging"])


class GivenPassage(BaseModel):
    """A passage that was found; `number` is the n of its [n], null when it had to stay out for want of room."""

    number: int | None
    title: str
    page: int | None
    headings: list[str]
    score: float
    tokens: int


class ModelUse(BaseModel):
    """The model that answered. `cost` is null where no price is set."""

    name: str
    provider: str
    settings: dict[str, Any]
    max_tokens: int | None
    tokens_question: int
    tokens_answer: int
    tokens_estimated: bool
    cost: float | None
    currency: str | None


class ExplanationPublic(BaseModel):
    """How an answer came about. `narrowed` says to what the question was narrowed, null where it was not.

    `search` is null where nothing was searched; `milliseconds` counts from the question on.

    `kept` is false for answers from before such things were kept: then only what stands with the message is there.
    """

    message_id: UUID
    question: str
    kept: bool
    narrowed: dict[str, Any] | None
    search: Followed | None
    passages: list[GivenPassage]
    left_out: dict[str, int]
    model: ModelUse
    milliseconds: dict[str, float]
    citations: list[Citation] | None


async def _explained(use: Services, actor: Actor, session_id: UUID, message_id: UUID) -> Explained:
    found = await use.conversations.explained(actor, message_id)
    if found.message.conversation_id != session_id:
        raise NotFound
    return found


@router.get("/{session_id}/messages/{message_id}/explanation/", response_model=ExplanationPublic)
async def explanation(session_id: UUID, message_id: UUID, actor: Caller, use: Use) -> Any:
    """How one of the caller's answers came about: the search, what was left out, model, tokens, time, checked citations."""
    explained = await _explained(use, actor, session_id, message_id)
    message, found = explained.message, explained.found
    cost = cost_of((await use.usage.of_messages(actor, [message_id])).get(message_id, ()))
    return {
        "message_id": message.id,
        "question": message.question,
        "kept": explained.kept is not None,
        "narrowed": narrowed(message) or None,
        "search": found.get("search"),
        "passages": found.get("passages", []),
        "left_out": found.get("left_out", {}),
        "model": {
            "name": message.model_name,
            "provider": message.provider_name,
            "settings": found.get("settings", {}),
            "max_tokens": found.get("max_tokens"),
            "tokens_question": message.tokens_question,
            "tokens_answer": message.tokens_answer,
            "tokens_estimated": message.tokens_estimated,
            "cost": cost[0] if cost else None,
            "currency": cost[1] if cost else None,
        },
        "milliseconds": explained.steps,
        "citations": message.citations,
    }


@router.get("/{session_id}/messages/{message_id}/context/", response_class=Response)
async def context(session_id: UUID, message_id: UUID, actor: Caller, use: Use) -> Response:
    """The very messages that the model was sent for one of the caller's answers, byte for byte."""
    explained = await _explained(use, actor, session_id, message_id)
    if explained.kept is None:
        raise NotFound
    headers = {
        "Content-Disposition": f'attachment; filename="context-{message_id}.json"',
        "Cache-Control": "private, no-store",
    }
    return Response(explained.sent, media_type="application/json", headers=headers)


@logging.get("/{message_id}/", response_model=wire.MessageLogging)
async def logged(message_id: UUID, actor: Caller, use: Use) -> Any:
    """One of the caller's answers with what its model was sent, where its assistant has `logging_enabled`."""
    view, kept = await use.conversations.logged(actor, message_id)
    answer = tagged(view.message.answer, view.sources, 2)
    instruction = [str(each["content"]) for each in kept.messages if each["role"] == "system"]
    return {
        **present_conversations.message(view, answer, await models_by_id(use, actor), actor.language),
        "logging_details": {
            "context": "\n\n".join(instruction) or None,
            "model_kwargs": kept.found.get("settings", {}),
            "json_body": kept.messages,
        },
    }
