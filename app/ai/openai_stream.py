"""Chat completions of OpenAI-compatible addresses, as server-sent events.

It is the fast path: a piece costs microseconds, and closing the iterator closes the provider's connection.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from app.ai.openai_client import (
    CONNECT_SECONDS,
    CUT,
    SILENCE_SECONDS,
    SILENT,
    count_of,
    failure_of,
    garbage,
    mute,
    unreachable,
)
from app.security.outbound import OutboundGuard
from domain.kernel.errors import ProviderFailed, Trouble
from domain.ports import ChatDelta

if TYPE_CHECKING:
    import aiohttp

LINE_LIMIT = 4_000_000
HEAD_LIMIT = 10_000
"""So many bytes of a refusal are read."""


async def stream(
    guard: OutboundGuard,
    base_url: str,
    secret: str | None,
    model: str,
    messages: Sequence[dict[str, Any]],
    max_tokens: int,
    settings: dict[str, Any],
) -> AsyncGenerator[ChatDelta, None]:
    """The answer of a model at `base_url` (which ends in /v1 or its like), in pieces, and the usage if it is reported."""
    body = {
        "model": model,
        "messages": list(messages),
        "max_tokens": max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        **settings,
    }
    session = await guard.streams()
    # Imported by now.
    import aiohttp

    from app.security.outbound_streams import posted

    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {secret}"} if secret else {})
    timeout = aiohttp.ClientTimeout(connect=SILENCE_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
    pieces = 0
    finished = False
    try:
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        url = f"{base_url.rstrip('/')}/chat/completions"
        async with posted(session, url, data, headers, timeout) as response:
            if response.status >= 400:
                head = await _head(response)
                raise failure_of(response.status, head, model, response.headers.get("retry-after"))
            async for event in _events(response):
                if event == b"[DONE]":
                    finished = True
                    break
                delta, ended = _delta(event)
                finished = finished or ended
                if delta is not None:
                    pieces += bool(delta.text or delta.thought)
                    yield delta
    except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
        raise unreachable() from error
    except aiohttp.ServerTimeoutError as error:
        raise (ProviderFailed(SILENT, trouble=Trouble.SILENT) if pieces else mute()) from error
    except (aiohttp.ClientError, OSError) as error:
        raise (ProviderFailed(CUT, trouble=Trouble.CUT) if pieces else unreachable()) from error
    if not finished:
        raise ProviderFailed(CUT, trouble=Trouble.CUT) if pieces else garbage()


async def _head(response: "aiohttp.ClientResponse") -> bytes:
    body = b""
    async for part in response.content.iter_any():
        body += part
        if len(body) > HEAD_LIMIT:
            break
    return body


async def _events(response: "aiohttp.ClientResponse") -> AsyncIterator[bytes]:
    """The data of each event. A line beyond `LINE_LIMIT` is not an answer."""
    rest = b""
    async for part in response.content.iter_any():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
        if len(rest) > LINE_LIMIT:
            raise garbage()
    if rest.startswith(b"data:"):
        yield rest[5:].strip()


def _delta(event: bytes) -> tuple[ChatDelta | None, bool]:
    """What an event brings, and whether it says that the answer is complete."""
    try:
        data = json.loads(event.decode("utf-8", "replace"))
        if data.get("error"):
            raise failure_of(500, event, "")
        usage = data.get("usage") or {}
        choice = (data.get("choices") or [{}])[0]
        piece = choice.get("delta") or {}
        text = piece.get("content") or ""
        # Servers have two names for it.
        thought = piece.get("reasoning_content") or piece.get("reasoning") or ""
        ended = bool(choice.get("finish_reason"))
        tokens = (count_of(usage.get("prompt_tokens")), count_of(usage.get("completion_tokens")))
        cached = count_of((usage.get("prompt_tokens_details") or {}).get("cached_tokens"))
    except (ValueError, AttributeError, IndexError, TypeError) as error:
        raise garbage() from error
    if not isinstance(text, str):
        raise garbage()
    thought = thought if isinstance(thought, str) else ""
    if not text and not thought and tokens == (None, None):
        return None, ended
    return ChatDelta(text, thought, *tokens, cached), ended
