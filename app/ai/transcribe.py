"""Transcription models behind the domain's port: OpenAI-compatible addresses, large recordings in parts."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from app.ai.chat import address_of
from app.ai.openai_client import OpenAIClient
from app.ingestion.readers import clean
from app.ingestion.recordings import PART_SECONDS
from app.ingestion.sandbox import Limits, child
from app.ingestion.tools import FFMPEG, find
from app.security.outbound import OutboundGuard
from domain.kernel.errors import N_, ProviderFailed, ProviderInactive, UnreadableFile
from domain.knowledge.intake import human_size
from domain.knowledge.parsing import SUPPORTED, Progress, extension_of
from domain.models.entities import ModelProvider, TranscriptionModel
from domain.models.turns import Turns
from domain.ports import Credentials, Segment
from domain.usage.ledger import Ledger

TOO_LONG = N_(
    "The recording is larger than {limit}, which is what can be sent at once here. Split it, or save it with less quality."
)
DAY_SECONDS = 86_400.0
GARBAGE = N_("The AI provider sent something that is not a transcript.")


class TranscriptionModels:
    """See `domain.ports.Transcriber`. `limit` is in bytes: what is larger is cut by ffmpeg, where that is there."""

    def __init__(
        self,
        guard: OutboundGuard,
        credentials: Credentials,
        ledger: Ledger,
        turns: Turns,
        limits: Limits,
        *,
        limit: int,
    ) -> None:
        self._guard, self._credentials, self._limits, self._limit = guard, credentials, limits, limit
        self._ledger, self._turns = ledger, turns

    async def transcribe(
        self, provider: ModelProvider, model: TranscriptionModel, path: Path, filename: str, progress: Progress
    ) -> Sequence[Segment]:
        """What is said, in order."""
        if not provider.active:
            raise ProviderInactive
        if path.stat().st_size <= self._limit:
            found = await self._part(provider, model, path, filename)
            await progress(1.0)
            return found
        if find(FFMPEG) is None:
            raise UnreadableFile(TOO_LONG, limit=human_size(self._limit))
        segments: list[Segment] = []
        async with child("split", path, {"seconds": self._limits.wall_seconds}, self._limits) as folder:
            parts = sorted(folder.iterdir())
            for number, part in enumerate(parts):
                offset = number * PART_SECONDS
                heard = await self._part(provider, model, part, part.name)
                segments += [Segment(s.start + offset, s.end + offset, s.text) for s in heard]
                await progress((number + 1) / len(parts))
        return segments

    async def _part(
        self, provider: ModelProvider, model: TranscriptionModel, path: Path, filename: str
    ) -> list[Segment]:
        access = await self._credentials.access(provider)
        address = address_of(access.provider)
        if address is None:
            raise ProviderFailed(N_("Recordings cannot be sent to this type of provider."))
        client = OpenAIClient(self._guard.client("provider"), address, access.secret)
        extension = extension_of(filename)
        async with self._turns.turn(model, access.provider), self._ledger.call(model, access.provider) as call:
            # The name of a file is the organisation's own affair: the provider gets its kind alone.
            answer = await client.transcribe(model.name, path, f"recording.{extension}", SUPPORTED[extension][0])
            segments = segments_of(answer)
            call.seconds = _length(answer, segments)
            call.estimated = False
        return segments


def _length(answer: Any, segments: Sequence[Segment]) -> float:
    """How long the recording is, as far as the provider tells."""
    told = answer.get("duration")
    heard = max((segment.end for segment in segments), default=0.0)
    length = told if isinstance(told, int | float) and told >= heard else heard
    return min(max(float(length), 0.0), DAY_SECONDS) if isfinite(length) else 0.0


def segments_of(answer: Any) -> list[Segment]:
    """The segments of a verbose transcript; the whole text as one where the provider gives no times."""
    try:
        found = [
            Segment(float(s["start"]), float(s["end"]), clean(str(s["text"])).strip())
            for s in answer.get("segments") or ()
        ]
        if found:
            return sorted(found, key=lambda segment: segment.start)
        return [Segment(0.0, float(answer.get("duration") or 0.0), clean(str(answer["text"])).strip())]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProviderFailed(GARBAGE) from error
