"""Embedding models behind the domain's port: the built-in one, or a provider's."""

import array
from collections.abc import Sequence
from typing import Literal, Protocol

from app.ai import litellm_client
from app.ai.chat import address_of
from app.ai.openai_client import OpenAIClient, unit
from app.security.outbound import OutboundGuard
from domain.conversations.tokens import estimate
from domain.kernel import tracing
from domain.kernel.errors import N_, ProviderFailed, ProviderInactive
from domain.models.entities import EmbeddingModel, ModelProvider, ProviderType
from domain.ports import Access, Credentials
from domain.transaction import UnitOfWork
from domain.usage.ledger import Ledger

BATCH = 64
"""Texts to a request: providers limit both their number and their tokens."""
FLOAT_BYTES = 4


class Builtin(Protocol):
    """The built-in embedding model."""

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Sequence[bytes]:
        """Unit-length float32 vectors."""

    async def wake(self) -> None:
        """Have the process running."""


class EmbeddingModels:
    """See `domain.ports.Embedder`."""

    def __init__(self, builtin: Builtin, guard: OutboundGuard, credentials: Credentials) -> None:
        self._builtin, self._guard, self._credentials = builtin, guard, credentials
        self._uow: UnitOfWork | None = None
        self._ledger: Ledger | None = None

    def attach(self, uow: UnitOfWork, ledger: Ledger) -> None:
        """Where providers are looked up, and calls are written down."""
        self._uow, self._ledger = uow, ledger

    def _meter(self) -> Ledger:
        assert self._ledger is not None
        return self._ledger

    @tracing.traced("embed", kind="client")
    async def embed(
        self,
        tenant_id: object,
        model: EmbeddingModel,
        texts: Sequence[str],
        kind: Literal["query", "passage"],
        provider: ModelProvider | None = None,
    ) -> Sequence[bytes]:
        """One vector for each text, in order; the model's provider is looked up where it is not given."""
        provider = provider or await self._provider(model)
        tracing.present().note({
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": str(provider.type),
            "gen_ai.request.model": model.name,
            "samrad.texts": len(texts),
            "samrad.kind": kind,
        })  # fmt: skip
        if provider.type == ProviderType.BUILTIN:
            async with self._meter().call(model, provider, tokens_in=_estimated(texts)):
                return await self._builtin.embed(texts, kind)
        if not provider.active:
            raise ProviderInactive
        access = await self._credentials.access(provider)
        vectors: list[bytes] = []
        for first in range(0, len(texts), BATCH):
            vectors += await self._call(access, model, texts[first : first + BATCH])
        if any(len(vector) != model.dimensions * FLOAT_BYTES for vector in vectors):
            raise ProviderFailed(
                N_("The embedding model gives vectors of {found} numbers instead of {expected}."),
                found=len(vectors[0]) // FLOAT_BYTES,
                expected=model.dimensions,
            )
        return vectors

    async def wake(self, provider: ModelProvider) -> None:
        """Only the built-in model has a process that may be asleep."""
        if provider.type == ProviderType.BUILTIN:
            await self._builtin.wake()

    async def _provider(self, model: EmbeddingModel) -> ModelProvider:
        assert self._uow is not None
        async with self._uow.read(model.tenant_id) as tx:
            provider = await tx.get(ModelProvider, model.provider_id)
        if provider is None:
            raise ProviderInactive
        return provider

    async def _call(self, access: Access, model: EmbeddingModel, texts: Sequence[str]) -> list[bytes]:
        async with self._meter().call(model, access.provider, tokens_in=_estimated(texts)) as call:
            vectors, tokens = await self._vectors(access.provider, access.secret, model.name, texts)
            if tokens is not None:
                call.tokens_in, call.estimated = tokens, False
        return vectors

    async def _vectors(
        self, provider: ModelProvider, secret: str | None, model: str, texts: Sequence[str]
    ) -> tuple[list[bytes], int | None]:
        address = address_of(provider)
        if address is not None:
            return await OpenAIClient(self._guard.client("provider"), address, secret).embed(model, texts)
        if provider.base_url:
            await self._guard.check(provider.base_url, "provider")
        rows, tokens = await litellm_client.embed(provider, secret, model, texts)
        return [array.array("f", unit(row)).tobytes() for row in rows], tokens


def _estimated(texts: Sequence[str]) -> int:
    return sum(estimate(text) for text in texts)
