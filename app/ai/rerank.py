"""Rerank models behind the domain's port: the interface that Cohere, Jina, vLLM, Infinity and others have in common."""

import asyncio
from collections.abc import Mapping, Sequence

from app.ai.openai_client import OpenAIClient
from app.security.outbound import OutboundGuard
from domain.conversations.tokens import estimate
from domain.kernel import tracing
from domain.kernel.errors import N_, ProviderFailed, ProviderInactive, Trouble
from domain.models.entities import ModelProvider, ProviderType, RerankModel
from domain.models.turns import Turns
from domain.ports import Credentials
from domain.usage.ledger import Ledger

COHERE = "https://api.cohere.com/v2"
SLOW = N_("The rerank model did not answer within {seconds} seconds.")
NO_ADDRESS = N_("This type of provider puts no search results in order.")


class RerankModels:
    """See `domain.ports.Reranker`. Whoever asks waits `seconds` at the most."""

    def __init__(
        self, guard: OutboundGuard, credentials: Credentials, ledger: Ledger, turns: Turns, *, seconds: float
    ) -> None:
        self._guard, self._credentials, self._ledger = guard, credentials, ledger
        self._turns, self._seconds = turns, seconds

    @tracing.traced("rerank", kind="client")
    async def rerank(
        self, provider: ModelProvider, model: RerankModel, query: str, texts: Sequence[str]
    ) -> Mapping[int, float]:
        """The relevance of each text, by its place."""
        about = {"gen_ai.provider.name": str(provider.type), "gen_ai.request.model": model.name}
        tracing.present().note({**about, "samrad.texts": len(texts)})
        if not provider.active:
            raise ProviderInactive
        access = await self._credentials.access(provider)
        address = access.provider.base_url or (COHERE if provider.type == ProviderType.COHERE else None)
        if address is None:
            raise ProviderFailed(NO_ADDRESS)
        client = OpenAIClient(self._guard.client("provider"), address, access.secret)
        tokens = sum(map(estimate, texts)) + estimate(query) * len(texts)
        until = asyncio.get_running_loop().time() + self._seconds
        async with (
            self._turns.turn(model, access.provider, tokens, self._seconds),
            self._ledger.call(model, access.provider, tokens_in=tokens) as call,
        ):
            try:
                async with asyncio.timeout_at(until):
                    relevance, counted = await client.rerank(model.name, query, texts, self._seconds)
            except TimeoutError as error:
                raise ProviderFailed(SLOW, trouble=Trouble.SILENT, seconds=self._seconds) from error
            if counted is not None:
                call.tokens_in, call.estimated = counted, False
        return relevance
