"""Providers with an interface of their own (Azure, Anthropic, Gemini, Cohere …) through litellm.

litellm is large: it is imported at the first call, in a thread, and never at start.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from app.ai.openai_client import (
    CUT,
    REJECTED,
    SILENCE_SECONDS,
    UNKNOWN_MODEL,
    count_of,
    failure_of,
    garbage,
    mute,
    unreachable,
)
from domain.kernel.errors import ProviderFailed, ProviderKeyMissing, QueryTooLong, Trouble
from domain.models.entities import ModelProvider, ProviderType
from domain.ports import ChatDelta

PREFIX = {
    ProviderType.AZURE: "azure",
    ProviderType.ANTHROPIC: "anthropic",
    ProviderType.GEMINI: "gemini",
    ProviderType.COHERE: "cohere_chat",
}
_lock = asyncio.Lock()
_module: Any = None


async def library() -> Any:
    """litellm, set up to make no call of its own."""
    global _module
    async with _lock:
        if _module is None:
            os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
            os.environ["HF_HUB_OFFLINE"] = "1"
            _module = await asyncio.to_thread(_load)
    return _module


def _load() -> Any:
    import litellm

    litellm.disable_hf_tokenizer_download = True
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = True
    litellm.turn_off_message_logging = True
    return litellm


def _arguments(provider: ModelProvider, secret: str | None, model: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": f"{PREFIX[ProviderType(provider.type)]}/{model}",
        "api_key": secret,
        "max_retries": 0,
        "num_retries": 0,
        "timeout": SILENCE_SECONDS,
    }
    if provider.base_url:
        arguments["api_base"] = provider.base_url
    if provider.config.get("api_version"):
        arguments["api_version"] = provider.config["api_version"]
    return arguments


async def stream(
    provider: ModelProvider,
    secret: str | None,
    model: str,
    messages: Sequence[dict[str, Any]],
    max_tokens: int,
    settings: dict[str, Any],
) -> AsyncGenerator[ChatDelta, None]:
    """The answer, piece by piece; closing the iterator closes the provider's connection."""
    litellm = await library()
    pieces = 0
    response: Any = None
    try:
        response = await litellm.acompletion(
            **_arguments(provider, secret, model),
            messages=list(messages),
            max_tokens=max_tokens,
            stream=True,
            stream_options={"include_usage": True},
            **settings,
        )
        async for chunk in response:
            choice = chunk.choices[0] if chunk.choices else None
            text = (choice.delta.content or "") if choice is not None else ""
            thought = (getattr(choice.delta, "reasoning_content", None) or "") if choice is not None else ""
            usage = getattr(chunk, "usage", None)
            if text or thought or usage:
                pieces += bool(text or thought)
                details = getattr(usage, "prompt_tokens_details", None)
                yield ChatDelta(
                    text,
                    thought,
                    count_of(getattr(usage, "prompt_tokens", None)),
                    count_of(getattr(usage, "completion_tokens", None)),
                    count_of(getattr(details, "cached_tokens", None)),
                )
    except Exception as error:
        # litellm has no common base for its errors; whatever it raises becomes a sentence.
        raise _failure(litellm, error, model, pieces) from error
    finally:
        if response is not None and hasattr(response, "aclose"):
            await response.aclose()


def _failure(litellm: Any, error: Exception, model: str, pieces: int) -> Exception:
    kinds = litellm.exceptions
    if pieces:
        return ProviderFailed(CUT, trouble=Trouble.CUT)
    if isinstance(error, kinds.ContextWindowExceededError):
        return QueryTooLong()
    if isinstance(error, kinds.AuthenticationError):
        return ProviderKeyMissing()
    if isinstance(error, kinds.NotFoundError):
        return ProviderFailed(UNKNOWN_MODEL, trouble=Trouble.UNKNOWN_MODEL, model=model)
    if isinstance(error, kinds.Timeout):
        return mute()
    if isinstance(error, kinds.APIConnectionError):
        return unreachable()
    status = getattr(error, "status_code", None)
    if isinstance(error, kinds.BadRequestError):
        reason = str(getattr(error, "message", error))[:300]
        return ProviderFailed(REJECTED, trouble=Trouble.REJECTED, reason=reason)
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return failure_of(int(status), b"", model, headers.get("retry-after")) if status else garbage()


async def embed(
    provider: ModelProvider, secret: str | None, model: str, texts: Sequence[str]
) -> tuple[list[list[float]], int | None]:
    """One vector for each text, and how many tokens the provider has counted."""
    litellm = await library()
    arguments = _arguments(provider, secret, model)
    if provider.type == ProviderType.COHERE:
        arguments["model"] = f"cohere/{model}"
    try:
        response = await litellm.aembedding(**arguments, input=list(texts))
    except Exception as error:
        raise _failure(litellm, error, model, 0) from error
    tokens = count_of(getattr(getattr(response, "usage", None), "prompt_tokens", None))
    return [[float(value) for value in row["embedding"]] for row in response.data], tokens
