"""Completion models behind the domain's port: the built-in one, the fast path, and litellm."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from app.ai import extractive, litellm_client, openai_stream
from app.ai.openai_client import OpenAIClient
from app.security.outbound import OutboundGuard
from domain.kernel.errors import N_, Failure, ProviderKeyMissing
from domain.models.entities import ModelProvider, ProviderType
from domain.ports import Access, ChatDelta, ChatRequest, ConnectionReport, Credentials

ADDRESSES = {ProviderType.OPENAI: "https://api.openai.com/v1", ProviderType.MISTRAL: "https://api.mistral.ai/v1"}
"""Where the providers that speak OpenAI's language are, unless another address is given."""
TEST_SECONDS = 20
SLOW = N_("The provider did not answer within {seconds} seconds.")
Step = tuple[str, dict[str, Any], bool]
TEST_MODELS = {
    ProviderType.ANTHROPIC: "claude-haiku-4-5",
    ProviderType.GEMINI: "gemini-2.5-flash",
    ProviderType.COHERE: "command-r7b-12-2024",
}


def address_of(provider: ModelProvider) -> str | None:
    """The OpenAI-compatible address of a provider, or None when it has an interface of its own."""
    if provider.type == ProviderType.COMPATIBLE:
        return provider.base_url
    if provider.type in ADDRESSES:
        return provider.base_url or ADDRESSES[ProviderType(provider.type)]
    return None


class ChatModels:
    """See `domain.ports.ChatProvider`."""

    def __init__(self, guard: OutboundGuard, credentials: Credentials) -> None:
        self._guard, self._credentials = guard, credentials

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
        """The answer, piece by piece."""
        async with aclosing(await self._source(request)) as source:
            async for delta in source:
                yield delta

    async def access(self, provider: ModelProvider) -> Access:
        """The key of a provider, and what belongs to it."""
        return await self._credentials.access(provider)

    async def _source(self, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
        settings = dict(request.settings)
        if request.provider.type == ProviderType.BUILTIN:
            return extractive.answer(request)
        access = request.access or await self.access(request.provider)
        provider, secret = access.provider, access.secret
        address = address_of(provider)
        if address is not None:
            return openai_stream.stream(
                self._guard, address, secret, request.model.name, request.messages, request.max_tokens, settings
            )
        if provider.base_url:
            await self._guard.check(provider.base_url, "provider")
        return litellm_client.stream(
            provider, secret, request.model.name, request.messages, request.max_tokens, settings
        )

    async def test(self, provider: ModelProvider, secret: str | None) -> ConnectionReport:
        """Try the provider and say what happened at each step, within `TEST_SECONDS`."""
        try:
            async with asyncio.timeout(TEST_SECONDS):
                return await self._test(provider, secret)
        except TimeoutError:
            return ConnectionReport(False, [(SLOW, {"seconds": TEST_SECONDS}, False)])

    async def _test(self, provider: ModelProvider, secret: str | None) -> ConnectionReport:
        if provider.type == ProviderType.BUILTIN:
            return ConnectionReport(True, [(N_("The built-in model is ready."), {}, True)])
        address = address_of(provider)
        if address is None:
            return await self._test_litellm(provider, secret)
        steps: list[Step] = []
        try:
            await self._guard.check(address, "provider")
            steps.append((N_("The address {address} may be called."), {"address": address}, True))
            models = await OpenAIClient(self._guard.client("provider"), address, secret).models()
        except ProviderKeyMissing as failure:
            steps.append((N_("The provider answers."), {}, True))
            return ConnectionReport(False, [*steps, (failure.message, failure.params, False)])
        except Failure as failure:
            return ConnectionReport(False, [*steps, (failure.message, failure.params, False)])
        steps.append((N_("The provider answers."), {}, True))
        steps.append((N_("It offers {count} models."), {"count": len(models)}, True))
        return ConnectionReport(True, steps, models[:500])

    async def _test_litellm(self, provider: ModelProvider, secret: str | None) -> ConnectionReport:
        if provider.base_url:
            try:
                await self._guard.check(provider.base_url, "provider")
            except Failure as failure:
                return ConnectionReport(False, [(failure.message, failure.params, False)])
        model = provider.config.get("deployment_name") or TEST_MODELS.get(ProviderType(provider.type))
        if model is None:
            message = N_("The address may be called. The deployment is tried when you add its model.")
            return ConnectionReport(True, [(message, {}, True)])
        hello = [{"role": "user", "content": "Hello"}]
        try:
            async with aclosing(litellm_client.stream(provider, secret, model, hello, 5, {})) as source:
                async for _ in source:
                    break
        except Failure as failure:
            return ConnectionReport(False, [(failure.message, failure.params, False)])
        return ConnectionReport(True, [(N_("The provider answers."), {}, True)], [model])
