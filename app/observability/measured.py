"""AI providers, with their calls counted."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from app.observability.metrics import Metrics
from domain.kernel.errors import Failure
from domain.models.entities import ModelProvider
from domain.ports import ChatDelta, ChatProvider, ChatRequest, ConnectionReport


class MeasuredChat:
    """See `domain.ports.ChatProvider`."""

    def __init__(self, inner: ChatProvider, metrics: Metrics) -> None:
        self._inner, self._metrics = inner, metrics

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
        """The answer, piece by piece."""
        counted = self._metrics.providers[str(request.provider.type)]
        counted.calls += 1
        begun, waiting = time.perf_counter(), True
        try:
            async with aclosing(self._inner.stream(request)) as source:
                async for delta in source:
                    if waiting and (delta.text or delta.thought):
                        counted.first_token.observe(time.perf_counter() - begun)
                        waiting = False
                    yield delta
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except Exception as error:
            counted.failures += 1
            counted.last_failure = error.message if isinstance(error, Failure) else type(error).__name__
            raise

    async def test(self, provider: ModelProvider, secret: str | None) -> ConnectionReport:
        """Try the provider and say what happened."""
        return await self._inner.test(provider, secret)
