"""AI providers, with their calls counted."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from app.observability.metrics import Metrics
from domain.kernel import tracing
from domain.kernel.errors import Failure
from domain.models.entities import ModelProvider
from domain.ports import Access, ChatDelta, ChatProvider, ChatRequest, ConnectionReport


class MeasuredChat:
    """See `domain.ports.ChatProvider`."""

    def __init__(self, inner: ChatProvider, metrics: Metrics) -> None:
        self._inner, self._metrics = inner, metrics

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
        """The answer, piece by piece."""
        counted = self._metrics.providers[str(request.provider.type)]
        counted.calls += 1
        begun, waiting = time.perf_counter(), True
        # Not the present piece of work: whoever reads a generator may close it from another task.
        span = tracing.begin("chat", _facts(request), kind="client")
        try:
            async with aclosing(self._inner.stream(request)) as source:
                async for delta in source:
                    if waiting and (delta.text or delta.thought):
                        counted.first_token.observe(time.perf_counter() - begun)
                        waiting = False
                        span.mark("first token")
                    _count(span, delta)
                    yield delta
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except Exception as error:
            counted.failures += 1
            counted.last_failure = error.message if isinstance(error, Failure) else type(error).__name__
            span.fail(type(error).__name__)
            raise
        finally:
            span.end()

    async def access(self, provider: ModelProvider) -> Access:
        """The key of a provider, and what belongs to it."""
        return await self._inner.access(provider)

    async def test(self, provider: ModelProvider, secret: str | None) -> ConnectionReport:
        """Try the provider and say what happened."""
        return await self._inner.test(provider, secret)


def _facts(request: ChatRequest) -> tracing.Facts:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": str(request.provider.type),
        "gen_ai.request.model": request.model.name,
        "samrad.passages": len(request.passages),
    }


def _count(span: tracing.Span, delta: ChatDelta) -> None:
    if delta.tokens_question is not None:
        span.note({"gen_ai.usage.input_tokens": delta.tokens_question})
    if delta.tokens_answer is not None:
        span.note({"gen_ai.usage.output_tokens": delta.tokens_answer})
