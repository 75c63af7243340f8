"""Security classifications of one tenant, and what they bear upon."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.assistants.entities import Assistant, AssistantCollection
from domain.classifications.entities import SecurityClassification
from domain.classifications.repository import Holding
from domain.knowledge.entities import Collection, CollectionShare
from domain.models.entities import CompletionModel, EmbeddingModel, RerankModel, TranscriptionModel
from domain.spaces.entities import Space
from storage.tables.assistants import assistant_collections, assistants
from storage.tables.classifications import security_classifications
from storage.tables.knowledge import collection_shares, collections
from storage.tables.models import completion_models, embedding_models, rerank_models, transcription_models
from storage.tables.spaces import spaces

ASSISTANT = "assistant"


class ClassificationRepository:
    """See `domain.classifications.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self) -> Sequence[SecurityClassification]:
        """All of them, the lowest level first."""
        order = (security_classifications.c.level, security_classifications.c.id)
        return (await self._session.scalars(select(SecurityClassification).order_by(*order))).all()

    async def spaces_of(self, classification_id: UUID) -> Sequence[Space]:
        """The spaces that have it, in order of name."""
        having = spaces.c.security_classification_id == classification_id
        return (await self._session.scalars(select(Space).where(having).order_by(spaces.c.name))).all()

    async def models_of(self, classification_id: UUID) -> Sequence[str]:
        """The names of the models that have it, in order."""
        names = (
            (CompletionModel, completion_models, completion_models.c.nickname),
            (EmbeddingModel, embedding_models, embedding_models.c.name),
            (TranscriptionModel, transcription_models, transcription_models.c.nickname),
            (RerankModel, rerank_models, rerank_models.c.nickname),
        )
        having = [
            select(name.label("name")).select_from(kind).where(t.c.security_classification_id == classification_id)
            for kind, t, name in names
        ]
        return sorted((await self._session.scalars(union_all(*having))).all())

    async def demanding(self, space_id: UUID | None) -> Sequence[Space]:
        """The one space, or all that demand something."""
        return (await self._session.scalars(select(Space).where(_bearing(Space, space_id)))).all()

    async def assistants(self, space_id: UUID | None) -> Sequence[Holding]:
        """The assistants with their models."""
        table = assistants.c
        statement = (
            select(table.id, table.name, table.space_id, table.completion_model_id, table.is_default)
            .select_from(Assistant)
            .join(Space, spaces.c.id == table.space_id)
            .where(_bearing(Space, space_id), table.completion_model_id.is_not(None))
            .order_by(table.is_default.desc(), table.name, table.id)
        )
        rows = await self._session.execute(statement)
        return [Holding(ASSISTANT, *row[:4], is_default=row[4]) for row in rows]

    async def collections(self, space_id: UUID | None) -> Sequence[Holding]:
        """The collections and websites with their embedding models."""
        table = collections.c
        statement = (
            select(table.kind, table.id, table.name, table.space_id, table.embedding_model_id)
            .select_from(Collection)
            .join(Space, spaces.c.id == table.space_id)
            .where(_bearing(Space, space_id))
            .order_by(table.name, table.id)
        )
        return [Holding(*row) for row in await self._session.execute(statement)]

    async def borrowed(self, space_id: UUID | None) -> Sequence[Holding]:
        """The assistants that use collections of another space, with the embedding models of these."""
        home, table = aliased(Space), assistants.c
        used = (collections.c.embedding_model_id, collections.c.space_id, table.is_default)
        columns = (table.id, table.name, table.space_id, *used)
        statement = (
            select(*columns)
            .select_from(Assistant)
            .join(AssistantCollection, assistant_collections.c.assistant_id == table.id)
            .join(Collection, collections.c.id == assistant_collections.c.collection_id)
            .join(Space, spaces.c.id == table.space_id)
            .join(home, _is(home, collections.c.space_id))
            .where(collections.c.space_id != table.space_id)
            .where(or_(_bearing(Space, space_id), _bearing(home, space_id)))
            .order_by(table.name, table.id)
        )
        return [Holding(ASSISTANT, *row) for row in await self._session.execute(statement)]

    async def shared(self, space_id: UUID | None) -> Sequence[Holding]:
        """The collections that are shared with a space."""
        home, table = aliased(Space), collections.c
        columns = (
            table.kind,
            table.id,
            table.name,
            collection_shares.c.space_id,
            table.embedding_model_id,
            table.space_id,
        )
        statement = (
            select(*columns)
            .select_from(CollectionShare)
            .join(Collection, table.id == collection_shares.c.collection_id)
            .join(Space, spaces.c.id == collection_shares.c.space_id)
            .join(home, _is(home, table.space_id))
            .where(or_(_bearing(Space, space_id), _bearing(home, space_id)))
            .order_by(table.name, table.id)
        )
        return [Holding(*row) for row in await self._session.execute(statement)]


def _is(space: Any, space_id: Any) -> ColumnElement[bool]:
    is_it: ColumnElement[bool] = space.id == space_id
    return is_it


def _bearing(space: Any, space_id: UUID | None) -> ColumnElement[bool]:
    """That it is the one space, or one that demands something."""
    if space_id is not None:
        return _is(space, space_id)
    return or_(space.security_classification_id.is_not(None), space.allowed_models.is_not(None))
