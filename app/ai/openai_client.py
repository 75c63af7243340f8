"""A small client for OpenAI-compatible addresses: all that is not streamed, such as embeddings and the model list."""

import asyncio
import base64
import json
import math
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from domain.kernel.clock import now
from domain.kernel.errors import N_, ProviderFailed, ProviderKeyMissing, QueryTooLong, Trouble

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 120.0
"""How long a provider may be silent between two pieces before the answer is given up."""
ANSWER_SECONDS = 60.0
"""How long a provider may take for what is not streamed."""
TRANSCRIPT_SECONDS = 600.0
"""How long a provider may listen to one recording, or one part of it."""
MOST_TOKENS = 100_000_000
CONTEXT_WORDS = ("context_length_exceeded", "maximum context length", "context window", "too many tokens")

UNKNOWN_MODEL = N_("The AI provider does not know the model “{model}”, or the address is wrong.")
BUSY = N_("The AI provider has too much to do right now. Wait a moment and try again.")
DOWN = N_("The AI provider has a problem of its own (status {status}). Try again later.")
REJECTED = N_("The AI provider rejected the request: {reason}")
UNREACHABLE = N_("The AI provider cannot be reached. Check its address and that it is running.")
SILENT = N_("The AI provider stopped answering. What had arrived is kept.")
MUTE = N_("The AI provider took the request and did not answer in time. Try again later, or choose another model.")
CUT = N_("The connection to the AI provider broke off. What had arrived is kept.")
GARBAGE = N_("The AI provider sent something that is not an answer.")
LONGEST_RETRY = 3_600.0


def failure_of(status: int, body: bytes, model: str, retry_after: str | None = None) -> Exception:
    """The sentence for an error status of a provider; `retry_after` is its header of that name."""
    reason = _reason(body)
    if any(word in reason.lower() for word in CONTEXT_WORDS):
        return QueryTooLong()
    if status in (401, 403):
        return ProviderKeyMissing()
    if status == 404:
        return ProviderFailed(UNKNOWN_MODEL, trouble=Trouble.UNKNOWN_MODEL, model=model)
    if status == 429:
        return ProviderFailed(BUSY, trouble=Trouble.BUSY, retry_after=seconds_of(retry_after))
    if status >= 500:
        return ProviderFailed(DOWN, retry_after=seconds_of(retry_after), status=status)
    return ProviderFailed(REJECTED, trouble=Trouble.REJECTED, reason=reason or str(status))


def seconds_of(retry_after: str | None) -> float | None:
    """The header Retry-After in seconds, given as such or as a date (RFC 9110, 10.2.3); None when it is neither."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(retry_after) - now()).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY) if math.isfinite(seconds) else None


def unreachable() -> ProviderFailed:
    """Nobody answers at the provider's address."""
    return ProviderFailed(UNREACHABLE, trouble=Trouble.UNREACHABLE)


def mute() -> ProviderFailed:
    """Somebody is at the provider's address and says nothing. To ask the same again would only take as long again."""
    return ProviderFailed(MUTE, trouble=Trouble.SILENT)


def garbage() -> ProviderFailed:
    """What came is not an answer."""
    return ProviderFailed(GARBAGE, trouble=Trouble.GARBAGE)


def _reason(body: bytes) -> str:
    try:
        error = json.loads(body).get("error", {})
        text = error.get("message", "") if isinstance(error, dict) else str(error)
        code = str(error.get("code") or "") if isinstance(error, dict) else ""
    except (ValueError, AttributeError):
        return ""
    return f"{text} {code}".strip()[:300]


class OpenAIClient:
    """Calls one provider at `base_url` (which ends in /v1 or its like) through a guarded HTTP client."""

    def __init__(self, http: httpx.AsyncClient, base_url: str, secret: str | None) -> None:
        self._http, self._base = http, base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    async def embed(self, model: str, texts: Sequence[str]) -> tuple[list[bytes], int | None]:
        """One unit-length float32 vector for each text, and how many tokens the provider has counted."""
        import array

        data = await self._json(
            "POST", "/embeddings", model, {"model": model, "input": list(texts), "encoding_format": "float"}
        )
        try:
            rows = sorted(data["data"], key=lambda row: row["index"])
            vectors = [_floats(row["embedding"]) for row in rows]
            tokens = count_of((data.get("usage") or {}).get("prompt_tokens"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise garbage() from error
        if len(vectors) != len(texts):
            raise garbage()
        return [array.array("f", unit(vector)).tobytes() for vector in vectors], tokens

    async def rerank(
        self, model: str, query: str, texts: Sequence[str], seconds: float
    ) -> tuple[dict[int, float], int | None]:
        """How well texts fit a query, by their places, and how many tokens the provider has counted, where it says so."""
        body = {"model": model, "query": query, "documents": list(texts), "top_n": len(texts)}
        timeout = httpx.Timeout(seconds, connect=seconds)
        data = await self._send(model, "POST", "/rerank", timeout, json=body)
        try:
            scores = {_place(row["index"], len(texts)): float(row["relevance_score"]) for row in data["results"]}
            usage = data.get("usage") or {}
            tokens = count_of(usage.get("total_tokens", usage.get("prompt_tokens")))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise garbage() from error
        if not all(map(math.isfinite, scores.values())):
            raise garbage()
        return scores, tokens

    async def transcribe(self, model: str, path: Path, filename: str, media_type: str) -> Any:
        """A verbose transcript of a recording, with the times of its segments."""
        form = {"model": model, "response_format": "verbose_json", "timestamp_granularities[]": "segment"}
        timeout = httpx.Timeout(TRANSCRIPT_SECONDS, connect=CONNECT_SECONDS)
        content = await asyncio.to_thread(path.read_bytes)
        return await self._send(
            model, "POST", "/audio/transcriptions", timeout, data=form, files={"file": (filename, content, media_type)}
        )

    async def models(self) -> list[str]:
        """The names of the models that the provider offers."""
        data = await self._json("GET", "/models", "", None)
        try:
            return sorted(str(row["id"]) for row in data["data"])
        except (KeyError, TypeError) as error:
            raise garbage() from error

    async def _json(self, method: str, path: str, model: str, body: dict[str, Any] | None) -> Any:
        return await self._send(model, method, path, httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS), json=body)

    async def _send(self, model: str, method: str, path: str, timeout: httpx.Timeout, **content: Any) -> Any:
        try:
            response = await self._http.request(
                method, f"{self._base}{path}", headers=self._headers, timeout=timeout, **content
            )
        except httpx.ReadTimeout as error:
            raise mute() from error
        except httpx.TransportError as error:
            raise unreachable() from error
        if response.status_code >= 400:
            retry_after = response.headers.get("retry-after")
            raise failure_of(response.status_code, response.content[:10_000], model, retry_after)
        try:
            return response.json()
        except ValueError as error:
            raise garbage() from error


def _place(index: Any, count: int) -> int:
    """The place of a text among so many; raises `ValueError` for anything else."""
    if not isinstance(index, int) or not 0 <= index < count:
        raise ValueError(index)
    return index


def count_of(value: Any) -> int | None:
    """A provider's count of tokens; None when it is no such thing."""
    return value if isinstance(value, int) and 0 <= value <= MOST_TOKENS else None


def _floats(embedding: Any) -> list[float]:
    if isinstance(embedding, str):
        import array

        values = array.array("f")
        values.frombytes(base64.b64decode(embedding))
        return list(values)
    return [float(value) for value in embedding]


def unit(vector: Sequence[float]) -> list[float]:
    """The vector with length 1."""
    length = sum(value * value for value in vector) ** 0.5 or 1.0
    return [value / length for value in vector]
