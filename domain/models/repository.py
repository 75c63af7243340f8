"""What models ask of storage."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from domain.kernel.paging import Page
from domain.models.entities import (
    AnyModel,
    CompletionModel,
    EmbeddingModel,
    ModelPrice,
    ModelProvider,
    RerankModel,
    TranscriptionModel,
)

if TYPE_CHECKING:
    from domain.assistants.entities import Assistant
    from domain.models.migration import ModelMigration, ModelUse, ModelUser


class ModelRepository(Protocol):
    """Providers and models of the transaction's tenant."""

    async def providers(self) -> Sequence[ModelProvider]:
        """All providers in order of name."""

    async def completion_models(self) -> Sequence[CompletionModel]:
        """All completion models, the default first, then by nickname."""

    async def completion_model(
        self, model_id: UUID, day: date
    ) -> tuple[CompletionModel, ModelProvider, ModelPrice | None, bool] | None:
        """A completion model with its provider, its price on a day, and whether there are budgets at all."""

    async def embedding_models(self) -> Sequence[EmbeddingModel]:
        """All embedding models, the default first, then by name."""

    async def embedding_models_by_id(self, ids: Iterable[UUID]) -> Sequence[tuple[EmbeddingModel, ModelProvider]]:
        """Embedding models by their ids, with their providers."""

    async def transcription_models(self) -> Sequence[TranscriptionModel]:
        """All transcription models, the default first, then by nickname."""

    async def rerankers(self) -> Sequence[tuple[RerankModel, ModelProvider]]:
        """The rerank models that are switched on, with their providers, the default first."""

    async def rerank_models(self) -> Sequence[RerankModel]:
        """All rerank models, the default first, then by nickname."""

    async def clear_default(self, kind: type[AnyModel]) -> None:
        """No model of this kind is the default any more."""

    async def in_use(self, provider_id: UUID, model_id: UUID | None = None) -> int:
        """How many assistants and collections depend on the provider's models, or on one of them."""

    async def prices(self, model_id: UUID, limit: int) -> Sequence[ModelPrice]:
        """The prices of a model, the newest first."""

    async def uses(self, models: Sequence[CompletionModel]) -> "Sequence[ModelUse]":
        """How much depends on each of these models, in this order."""

    async def users(self, model_id: UUID, *, limit: int, cursor: str | None) -> "Page[ModelUser]":
        """The assistants that use a model, in the order in which they were made."""

    async def assistants_with(self, what: str, model_id: UUID, limit: int) -> "Sequence[Assistant]":
        """Some of the assistants that have a model as their own (`completion_model_id`) or as their fallback."""

    async def migrations(
        self, model_id: UUID | None, *, limit: int, offset: int
    ) -> "Sequence[tuple[ModelMigration, str]]":
        """Moves with the address of who made them, the newest first; those from or to one model."""

    async def price(self, model_id: UUID, day: date) -> ModelPrice | None:
        """The price of a model on a day."""

    async def prices_on(self, day: date) -> Mapping[UUID, ModelPrice]:
        """The price of each model that has one on this day."""

    async def currency(self) -> str | None:
        """The currency of the organisation's prices; None as long as there are none."""
