"""Model providers and models of one tenant."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import and_, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.assistants.entities import Assistant
from domain.budgets.entities import Budget
from domain.kernel.paging import Page
from domain.knowledge.entities import ChangeState, Collection, EmbeddingChange
from domain.models.entities import (
    AnyModel,
    CompletionModel,
    EmbeddingModel,
    ModelKind,
    ModelPrice,
    ModelProvider,
    RerankModel,
    TranscriptionModel,
)
from domain.models.migration import ModelMigration, ModelUse, ModelUser
from domain.spaces.entities import Space, SpaceKind
from domain.usage.entities import ModelCall
from domain.users.entities import User
from storage.guard import standing
from storage.repositories.paging import decode, encode, identifier
from storage.tables.assistants import assistants
from storage.tables.budgets import budgets
from storage.tables.knowledge import collections, embedding_changes
from storage.tables.models import (
    completion_models,
    embedding_models,
    model_migrations,
    model_prices,
    model_providers,
    rerank_models,
    transcription_models,
)
from storage.tables.spaces import spaces
from storage.tables.usage import model_calls
from storage.tables.users import users

_COMPLETION_MODEL = standing(
    select(CompletionModel, ModelProvider, ModelPrice, select(budgets.c.id).select_from(Budget).exists())
    .join(ModelProvider, model_providers.c.id == completion_models.c.provider_id)
    .outerjoin(
        ModelPrice,
        and_(model_prices.c.completion_id == completion_models.c.id, model_prices.c.valid_from <= bindparam("day")),
    )
    .where(completion_models.c.id == bindparam("id"))
    .order_by(model_prices.c.valid_from.desc())
    .limit(1)
)

_EMBEDDING_MODELS = standing(
    select(EmbeddingModel, ModelProvider)
    .join(ModelProvider, model_providers.c.id == embedding_models.c.provider_id)
    .where(embedding_models.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(embedding_models.c.id)
)

_RERANKERS = standing(
    select(RerankModel, ModelProvider)
    .join(ModelProvider, model_providers.c.id == rerank_models.c.provider_id)
    .where(rerank_models.c.enabled)
    .order_by(rerank_models.c.is_default.desc(), rerank_models.c.nickname, rerank_models.c.id)
)

_OF_MODEL = tuple(model_prices.c[f"{kind}_id"] for kind in ModelKind)


class ModelRepository:
    """See `domain.models.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def providers(self) -> Sequence[ModelProvider]:
        """All providers in order of name."""
        return (await self._session.scalars(select(ModelProvider).order_by(model_providers.c.name))).all()

    async def completion_models(self) -> Sequence[CompletionModel]:
        """All completion models, the default first."""
        order = (completion_models.c.is_default.desc(), completion_models.c.nickname, completion_models.c.id)
        return (await self._session.scalars(select(CompletionModel).order_by(*order))).all()

    async def completion_model(
        self, model_id: UUID, day: date
    ) -> tuple[CompletionModel, ModelProvider, ModelPrice | None, bool] | None:
        """A completion model with its provider, its price on a day, and whether there are budgets at all."""
        found = (await self._session.execute(_COMPLETION_MODEL, {"id": model_id, "day": day})).first()
        return (found[0], found[1], found[2], bool(found[3])) if found else None

    async def embedding_models(self) -> Sequence[EmbeddingModel]:
        """All embedding models, the default first."""
        order = (embedding_models.c.is_default.desc(), embedding_models.c.name, embedding_models.c.id)
        return (await self._session.scalars(select(EmbeddingModel).order_by(*order))).all()

    async def embedding_models_by_id(self, ids: Iterable[UUID]) -> Sequence[tuple[EmbeddingModel, ModelProvider]]:
        """Embedding models by their ids, with their providers."""
        rows = await self._session.execute(_EMBEDDING_MODELS, {"ids": list(ids)})
        return [(model, provider) for model, provider in rows]

    async def transcription_models(self) -> Sequence[TranscriptionModel]:
        """All transcription models, the default first."""
        order = (transcription_models.c.is_default.desc(), transcription_models.c.nickname, transcription_models.c.id)
        return (await self._session.scalars(select(TranscriptionModel).order_by(*order))).all()

    async def rerankers(self) -> Sequence[tuple[RerankModel, ModelProvider]]:
        """The rerank models that are switched on, with their providers, the default first."""
        return [(model, provider) for model, provider in await self._session.execute(_RERANKERS)]

    async def rerank_models(self) -> Sequence[RerankModel]:
        """All rerank models, the default first."""
        order = (rerank_models.c.is_default.desc(), rerank_models.c.nickname, rerank_models.c.id)
        return (await self._session.scalars(select(RerankModel).order_by(*order))).all()

    async def clear_default(self, kind: type[AnyModel]) -> None:
        """No model of this kind is the default any more."""
        await self._session.execute(update(kind).values(is_default=False))

    async def in_use(self, provider_id: UUID, model_id: UUID | None = None) -> int:
        """How many assistants and collections depend on the models."""
        by_assistants = (
            select(func.count())
            .select_from(Assistant)
            .join(CompletionModel, completion_models.c.id == assistants.c.completion_model_id)
            .where(completion_models.c.provider_id == provider_id)
        )
        by_collections = (
            select(func.count())
            .select_from(Collection)
            .join(EmbeddingModel, embedding_models.c.id == collections.c.embedding_model_id)
            .where(embedding_models.c.provider_id == provider_id)
        )
        if model_id is not None:
            by_assistants = by_assistants.where(completion_models.c.id == model_id)
            by_collections = by_collections.where(embedding_models.c.id == model_id)
        by_changes = (
            select(func.count())
            .select_from(EmbeddingChange)
            .join(EmbeddingModel, embedding_models.c.id == embedding_changes.c.model_id)
            .where(
                embedding_models.c.provider_id == provider_id,
                embedding_changes.c.state.in_([state for state in ChangeState if state.open]),
            )
        )
        if model_id is not None:
            by_changes = by_changes.where(embedding_models.c.id == model_id)
        used = await self._session.scalar(by_assistants) or 0
        used += await self._session.scalar(by_changes) or 0
        return used + (await self._session.scalar(by_collections) or 0)

    async def prices(self, model_id: UUID, limit: int) -> Sequence[ModelPrice]:
        """The prices of a model, the newest first."""
        statement = select(ModelPrice).where(or_(*(column == model_id for column in _OF_MODEL)))
        return (await self._session.scalars(statement.order_by(model_prices.c.valid_from.desc()).limit(limit))).all()

    async def price(self, model_id: UUID, day: date) -> ModelPrice | None:
        """The price of a model on a day."""
        statement = select(ModelPrice).where(or_(*(c == model_id for c in _OF_MODEL)), model_prices.c.valid_from <= day)
        return await self._session.scalar(statement.order_by(model_prices.c.valid_from.desc()).limit(1))

    async def prices_on(self, day: date) -> Mapping[UUID, ModelPrice]:
        """The price of each model that has one on this day."""
        statement = select(ModelPrice).where(model_prices.c.valid_from <= day).order_by(model_prices.c.valid_from)
        return {price.model_id: price for price in await self._session.scalars(statement) if price.model_id}

    async def currency(self) -> str | None:
        """The currency of the organisation's prices; None as long as there are none."""
        return await self._session.scalar(select(model_prices.c.currency).select_from(ModelPrice).limit(1))

    async def uses(self, models: Sequence[CompletionModel]) -> Sequence[ModelUse]:
        """How much depends on each of these models, in this order."""
        ids = [model.id for model in models]
        columns = (assistants.c.completion_model_id, func.count(), func.count(assistants.c.space_id.distinct()))
        by_assistants = (
            select(*columns)
            .select_from(Assistant)
            .where(assistants.c.completion_model_id.in_(ids))
            .group_by(assistants.c.completion_model_id)
        )
        answered = (
            select(model_calls.c.model_id, func.count())
            .select_from(ModelCall)
            .where(model_calls.c.model_id.in_(ids))
            .group_by(model_calls.c.model_id)
        )
        used = {row[0]: (row[1], row[2]) for row in await self._session.execute(by_assistants)}
        answers = {row[0]: row[1] for row in await self._session.execute(answered)}
        return [ModelUse(m, *used.get(m.id, (0, 0)), answers.get(m.id, 0)) for m in models]

    async def users(self, model_id: UUID, *, limit: int, cursor: str | None) -> Page[ModelUser]:
        """The assistants that use a model, in the order in which they were made."""
        wanted = [assistants.c.completion_model_id == model_id]
        total = await self._session.scalar(select(func.count()).select_from(Assistant).where(*wanted))
        after = decode(cursor, 1)
        if after is not None:
            wanted.append(assistants.c.id > identifier(after[0]))
        statement = (
            select(Assistant, Space)
            .join(Space, spaces.c.id == assistants.c.space_id)
            .where(*wanted)
            .order_by(assistants.c.id)
            .limit(limit + 1)
        )
        rows = [_user(*row) for row in await self._session.execute(statement)]
        return Page(rows[:limit], encode(rows[limit - 1].assistant_id) if len(rows) > limit else None, total)

    async def assistants_with(self, what: str, model_id: UUID, limit: int) -> Sequence[Assistant]:
        """Some of the assistants that have a model as their own (`completion_model_id`) or as their fallback."""
        statement = select(Assistant).where(assistants.c[what] == model_id)
        return (await self._session.scalars(statement.order_by(assistants.c.id).limit(limit))).all()

    async def migrations(
        self, model_id: UUID | None, *, limit: int, offset: int
    ) -> Sequence[tuple[ModelMigration, str]]:
        """Moves with the address of who made them, the newest first; those from or to one model."""
        table = model_migrations.c
        statement = select(ModelMigration, users.c.email).outerjoin(User, users.c.id == table.user_id)
        if model_id is not None:
            statement = statement.where(or_(table.from_model_id == model_id, table.to_model_id == model_id))
        rows = await self._session.execute(statement.order_by(table.id.desc()).limit(limit).offset(offset))
        return [(row[0], row[1] or "") for row in rows]


def _user(assistant: Assistant, space: Space) -> ModelUser:
    personal = space.kind == SpaceKind.PERSONAL
    name, place = ("", "") if personal else (assistant.name, space.name)
    return ModelUser(assistant.id, name, space.id, place, assistant.created_at)
