"""Another embedding model for a collection (on the wire: group), for all of a space, or wherever a model is used."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel

from app.api import present, wire
from app.api.base import Caller, Use
from domain.knowledge.embedding_changes import ChangeScope, ChangeView
from pages.i18n import reason

router = APIRouter(prefix="/api/v1", tags=["embedding-models"])
PLACES = {
    "/groups/{id}/embedding-model": "collection_id",
    "/spaces/{id}/embedding-model": "space_id",
    "/embedding-models/{id}/replacement": "model_id",
}
"""Where changes of the three scopes are."""


class NewModel(BaseModel):
    """The model to change to."""

    embedding_model: wire.ModelId


class Cost(BaseModel):
    """What a change takes: the collections that have another model now, and what is embedded anew."""

    collections: int
    documents: int
    chunks: int
    tokens: int


class EmbeddingChangePublic(BaseModel):
    """How the change of a collection is doing; `done` of `total` chunks have their new vectors.

    Those of a failed change are kept: beginning it once more goes on with them.
    """

    group_id: UUID
    name: str
    embedding_model: wire.ModelId
    model_name: str
    state: str
    done: int
    total: int
    error: str | None
    job_id: UUID
    created_at: datetime


class EmbeddingChanges(BaseModel):
    """Changes that are going on, or that ended without success."""

    items: list[EmbeddingChangePublic]
    count: int


def _shown(view: ChangeView, language: str) -> EmbeddingChangePublic:
    change = view.change
    return EmbeddingChangePublic(
        group_id=change.collection_id,
        name=view.collection.name,
        embedding_model=wire.ModelId(id=change.model_id),
        model_name=view.model.name,
        state=change.state,
        done=change.done,
        total=change.total,
        error=reason(change, language),
        job_id=change.job_id,
        created_at=change.created_at,
    )


def _serve(path: str, name: str) -> None:
    """The three operations of one scope."""

    @router.get(f"{path}/", response_model=EmbeddingChanges, name=f"changes_by_{name}")
    async def changes(id: UUID, actor: Caller, use: Use) -> Any:
        """The changes that are going on, or that ended without success."""
        found = await use.embedding_changes.running(actor, ChangeScope(**{name: id}))
        return EmbeddingChanges(items=[_shown(view, actor.language) for view in found], count=len(found))

    @router.get(f"{path}/cost/", response_model=Cost, name=f"cost_by_{name}")
    async def cost(id: UUID, embedding_model_id: UUID, actor: Caller, use: Use) -> Any:
        """What a change to this model would take."""
        found = await use.embedding_changes.preview(actor, ChangeScope(**{name: id}), embedding_model_id)
        volume = found.volume
        return Cost(
            collections=len(found.collections), documents=volume.documents, chunks=volume.chunks, tokens=volume.tokens
        )

    @router.post(f"{path}/", response_model=wire.JobPublic, status_code=202, name=f"change_by_{name}")
    async def change(id: UUID, body: NewModel, actor: Caller, use: Use) -> Any:
        """Change to another model, as a job; the present one answers until all is embedded."""
        return present.job(
            await use.embedding_changes.start(actor, ChangeScope(**{name: id}), body.embedding_model.id), actor.language
        )


for _path, _name in PLACES.items():
    _serve(_path, _name)


@router.delete("/groups/{id}/embedding-model/", response_model=wire.JobPublic)
async def cancel(id: UUID, actor: Caller, use: Use) -> Any:
    """Stop the job that changes the model of this collection."""
    return present.job(await use.embedding_changes.cancel(actor, id), actor.language)


@router.delete("/groups/{id}/embedding-model/failed/", status_code=204, response_class=Response)
async def give_up(id: UUID, actor: Caller, use: Use) -> None:
    """Forget a change that has failed, and what it has left for another attempt."""
    await use.embedding_changes.give_up(actor, id)
