"""What everybody who may ask an assistant may know of it."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.base import Caller, Use
from domain.conversations.reuse import Reuse
from domain.models.choice import CompletionChoice

router = APIRouter(prefix="/api/v1/assistants", tags=["assistants"])


class Responsible(BaseModel):
    """Who answers for the assistant: who made it, and whom it names."""

    owner: str | None
    contact: str | None


class WhereItRuns(BaseModel):
    """The model that writes the answers; `hosting` is the region it runs in, `provider` who is sent the questions."""

    name: str
    org: str | None
    hosting: str
    provider: str
    usable: bool


class SourceRead(BaseModel):
    """A source that answers may rest on."""

    name: str
    url: str | None = None


class TransparencyPublic(BaseModel):
    """An assistant as it presents itself.

    `stand_ins` may answer when the model does not. Conversations are deleted `keep_days` after their last question; null:
    when their author deletes them. Only their author reads them. With `keeps_unanswered`, questions that nothing fits are
    kept without who asked, for the space's editors; with `gives_answers_again`, others who ask the same may get an answer
    that was given before, without whom it was given to.
    """

    id: UUID
    name: str
    description: str | None
    space: str
    responsible: Responsible
    model: WhereItRuns | None
    stand_ins: list[WhereItRuns]
    collections: list[SourceRead]
    websites: list[SourceRead]
    attachments: list[SourceRead]
    keep_days: int | None
    readable_by_others: bool = False
    keeps_unanswered: bool
    gives_answers_again: bool


def _where(choice: CompletionChoice) -> WhereItRuns:
    return WhereItRuns(
        name=choice.model.nickname,
        org=choice.model.org,
        hosting=choice.model.hosting,
        provider=choice.provider.name,
        usable=choice.usable,
    )


@router.get("/{id}/transparency/", response_model=TransparencyPublic)
async def transparency(id: UUID, actor: Caller, use: Use) -> Any:
    """Who answers for an assistant, which model it uses, what it reads, and what is kept of conversations."""
    card = await use.transparency.card(actor, id)
    assistant = card.assistant
    return TransparencyPublic(
        id=assistant.id,
        name=assistant.name,
        description=assistant.description,
        space=card.space.name,
        responsible=Responsible(owner=card.owner and card.owner.display_name, contact=assistant.contact),
        model=card.model and _where(card.model),
        stand_ins=[_where(choice) for choice in card.stand_ins],
        collections=[SourceRead(name=c.name) for c in card.collections],
        websites=[SourceRead(name=w.title, url=w.url) for w in card.websites],
        attachments=[SourceRead(name=f.name) for f in card.files],
        keep_days=card.keep_days,
        keeps_unanswered=assistant.insight_enabled,
        gives_answers_again=assistant.answer_reuse != Reuse.OFF,
    )
