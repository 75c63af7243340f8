"""What models ask of storage."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from domain.models.entities import CompletionModel, EmbeddingModel, ModelProvider, TranscriptionModel


class ModelRepository(Protocol):
    """Providers and models of the transaction's tenant."""

    async def providers(self) -> Sequence[ModelProvider]:
        """All providers in order of name."""

    async def completion_models(self) -> Sequence[CompletionModel]:
        """All completion models, the default first, then by nickname."""

    async def completion_model(self, model_id: UUID) -> tuple[CompletionModel, ModelProvider] | None:
        """A completion model with its provider."""

    async def embedding_models(self) -> Sequence[EmbeddingModel]:
        """All embedding models, the default first, then by name."""

    async def transcription_models(self) -> Sequence[TranscriptionModel]:
        """All transcription models, the default first, then by nickname."""

    async def clear_default(
        self, kind: type[CompletionModel] | type[EmbeddingModel] | type[TranscriptionModel]
    ) -> None:
        """No model of this kind is the default any more."""

    async def in_use(self, provider_id: UUID, model_id: UUID | None = None) -> int:
        """How many assistants and collections depend on the provider's models, or on one of them."""
