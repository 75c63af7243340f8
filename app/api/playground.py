"""Trying the search of a space, and the questions that found nothing."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api import wire
from app.api.base import Caller, Use
from app.api.knowledge import FoundPassage, found_passage
from domain.knowledge.explaining import Followed

router = APIRouter(prefix="/api/v1/spaces", tags=["spaces"])


class TrialRequest(BaseModel):
    """A search to try, in all collections of the space or in some."""

    query: str = Field(examples=["Hur ansöker jag om bygglov?"])
    collection_ids: list[UUID] | None = None
    mode: Literal["hybrid", "vector", "text"] = "hybrid"
    limit: int = Field(10, ge=1, le=50)
    filter: wire.Narrowed = wire.Narrowed()


class TrialPublic(BaseModel):
    """Both legs of a search, the order after fusion, and the passages that come of it."""

    search: Followed
    passages: list[FoundPassage]


class UnansweredPublic(BaseModel):
    """A question that nothing in the knowledge fits."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    assistant_id: UUID
    question: str
    count: int
    created_at: datetime
    last_asked_at: datetime


class UnansweredPage(BaseModel):
    """Questions, the newest first."""

    items: list[UnansweredPublic]
    count: int
    next_cursor: str | None
    total_count: int | None


@router.post("/{id}/searches/", response_model=TrialPublic)
async def try_search(id: UUID, body: TrialRequest, actor: Caller, use: Use) -> Any:
    """Try the search in a space: what each leg finds, how they are fused, scores and time."""
    trial = await use.playground.search(
        actor,
        id,
        body.query,
        collection_ids=body.collection_ids,
        mode=body.mode,
        limit=body.limit,
        narrowed=body.filter.read(),
    )
    passages = [found_passage(rank, passage) for rank, passage in enumerate(trial.passages, 1)]
    return {"search": trial.followed.to_dict(), "passages": passages}


@router.get("/{id}/unanswered-questions/", response_model=UnansweredPage)
async def unanswered(
    id: UUID,
    actor: Caller,
    use: Use,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
) -> Any:
    """What people asked assistants of the space that nothing in their knowledge fits, for those who may change it."""
    page = await use.unanswered.page(actor, id, limit=limit, cursor=cursor)
    return {
        "items": page.items,
        "count": len(page.items),
        "next_cursor": page.next_cursor,
        "total_count": page.total,
    }


@router.delete("/{id}/unanswered-questions/{question_id}/", status_code=204, response_class=Response)
async def delete_unanswered(id: UUID, question_id: UUID, actor: Caller, use: Use) -> None:
    """Take a question off the list."""
    await use.unanswered.delete(actor, id, question_id)
