"""Embedding models behind the domain's port: the built-in one, or a provider's."""

import array
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal, Protocol

from app.ai import litellm_client
from app.ai.chat import address_of
from app.ai.openai_client import OpenAIClient, unit
from app.security.outbound import OutboundGuard
from domain.conversations.tokens import estimate
from domain.kernel import tracing
from domain.kernel.errors import N_, ProviderFailed, ProviderInactive, Trouble
from domain.models.capacity import RATE
from domain.models.entities import EmbeddingModel, ModelProvider, ProviderType
from domain.models.turns import Turns
from domain.ports import Access, Credentials
from domain.transaction import UnitOfWork
from domain.usage.ledger import Ledger

BATCH = 64
"""Texts to a request: providers limit both their number and their tokens."""
MINUTE_SHARE = 0.25
"""A request takes about so much of a minute's tokens at the most, so that questions find room between two of them."""
FLOAT_BYTES = 4
SILENT = N_("The embedding model does not answer. Try again later.")


class Builtin(Protocol):
    """The built-in embedding model."""

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Sequence[bytes]:
        """Unit-length float32 vectors."""

    async def wake(self) -> None:
        """Have the process running."""

    def expect(self, query: str) -> None:
        """Begin on a query that will be asked for in a moment."""


class EmbeddingModels:
    """See `domain.ports.Embedder`."""

    def __init__(self, builtin: Builtin, guard: OutboundGuard, credentials: Credentials, turns: Turns) -> None:
        self._builtin, self._guard, self._credentials, self._turns = builtin, guard, credentials, turns
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
        *,
        seconds: float | None = None,
        anyway: bool = False,
    ) -> Sequence[bytes]:
        """One vector for each text, in order; the model's provider is looked up where it is not given."""
        until = moment(seconds)
        provider = provider or await self._provider(model)
        tracing.present().note({
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": str(provider.type),
            "gen_ai.request.model": model.name,
            "samrad.texts": len(texts),
            "samrad.kind": kind,
        })  # fmt: skip
        if provider.type == ProviderType.BUILTIN:
            async with self._meter().call(model, provider, tokens_in=_estimated(texts)), answering(until):
                return await self._builtin.embed(texts, kind)
        if not provider.active:
            raise ProviderInactive
        access = await self._credentials.access(provider)
        vectors: list[bytes] = []
        for batch in batches(texts, access.provider.config.get(RATE)):
            vectors += await self._call(access, model, batch, seconds, anyway=anyway)
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

    def expect(self, query: str) -> None:
        """What is begun counts as a call when the model is asked for it."""
        self._builtin.expect(query)

    async def _provider(self, model: EmbeddingModel) -> ModelProvider:
        assert self._uow is not None
        async with self._uow.read(model.tenant_id) as tx:
            provider = await tx.get(ModelProvider, model.provider_id)
        if provider is None:
            raise ProviderInactive
        return provider

    async def _call(
        self, access: Access, model: EmbeddingModel, texts: Sequence[str], seconds: float | None, *, anyway: bool
    ) -> list[bytes]:
        provider, read = access.provider, _estimated(texts)
        until = moment(seconds)
        async with (
            self._turns.turn(model, provider, read, seconds, anyway=anyway),
            self._meter().call(model, provider, tokens_in=read) as call,
        ):
            async with answering(until):
                vectors, tokens = await self._vectors(provider, access.secret, model.name, texts)
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


def moment(seconds: float | None) -> float | None:
    """When so many seconds are over, by the event loop's time; None for never."""
    return None if seconds is None else asyncio.get_running_loop().time() + seconds


@asynccontextmanager
async def answering(until: float | None) -> AsyncIterator[None]:
    """A model answers in here by that time of the event loop, or has failed."""
    try:
        async with asyncio.timeout_at(until):
            yield
    except TimeoutError as error:
        raise ProviderFailed(SILENT, trouble=Trouble.SILENT) from error


def batches(texts: Sequence[str], rate: int | None) -> list[list[str]]:
    """The texts of each request, for a provider that takes `rate` tokens a minute (None: any number)."""
    found: list[list[str]] = []
    read = 0
    for text in texts:
        tokens = estimate(text)
        if not found or len(found[-1]) >= BATCH or (rate and read + tokens > rate * MINUTE_SHARE):
            found.append([])
            read = 0
        found[-1].append(text)
        read += tokens
    return found


def _estimated(texts: Sequence[str]) -> int:
    return sum(estimate(text) for text in texts)
