"""Reading recordings: what is said, in passages that know their time."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from domain.files.entities import Blob
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, NotFound, UnreadableFile
from domain.knowledge.entities import Transcript
from domain.knowledge.parsing import SUPPORTED, Block, ParsedDocument, Progress, extension_of, language_of
from domain.models.transcription import transcription_in
from domain.ports import Segment, Transcriber
from domain.transaction import UnitOfWork
from domain.usage.attribution import Attribution, attributed, present
from domain.usage.entities import Purpose

PASSAGE_SECONDS = 60.0
"""A passage of a recording holds what is said in about this time."""
SILENCE = N_("Nothing is said in the recording.")


class Transcripts:
    """Has recordings written down. A content is heard once by each model; later readings take what was heard."""

    def __init__(self, uow: UnitOfWork, transcriber: Transcriber) -> None:
        self._uow, self._transcriber = uow, transcriber

    async def read(
        self, blob: Blob, path: Path, filename: str, progress: Progress, *, space_id: UUID
    ) -> ParsedDocument:
        """The document that a recording makes; raises `NoModel`, `UnreadableFile`, `ProviderFailed` and their kin."""
        async with self._uow.read(blob.tenant_id) as tx:
            choice = await transcription_in(tx, space_id)
            known = await tx.knowledge.transcript(blob.id, choice.model.id)
        if known is not None:
            segments: Sequence[Segment] = [Segment(*segment) for segment in known.segments]
        else:
            with attributed(replace(present(), purpose=Purpose.RECORDING)):
                segments = await self._transcriber.transcribe(choice.provider, choice.model, path, filename, progress)
            await self._keep(blob, choice.model.id, segments)
        return _heard(segments, filename)

    async def speech(self, actor: Actor, path: Path, filename: str, *, space_id: UUID) -> str:
        """What is said in a recording that an actor attaches, with the times; heard by a model of the space.

        Raises `NoModel`, `UnreadableFile`, `ProviderFailed` and their kin.
        """
        async with self._uow.read(actor.tenant_id) as tx:
            choice = await transcription_in(tx, space_id)
        with attributed(replace(Attribution.of(actor, Purpose.RECORDING), space_id=space_id)):
            segments = await self._transcriber.transcribe(choice.provider, choice.model, path, filename, _unseen)
        document = _heard(segments, filename)
        return "\n\n".join(f"[{clock(b.time or 0.0)}] {document.text[b.start : b.end]}" for b in document.blocks)

    async def _keep(self, blob: Blob, model_id: UUID, segments: Sequence[Segment]) -> None:
        async with self._uow.begin(blob.tenant_id) as tx:
            if await tx.get(Blob, blob.id) is None:
                raise NotFound(N_("The document was deleted."))
            if await tx.knowledge.transcript(blob.id, model_id) is None:
                kept = [[s.start, s.end, s.text] for s in segments]
                await tx.add(Transcript(tenant_id=blob.tenant_id, blob_id=blob.id, model_id=model_id, segments=kept))


async def _unseen(_fraction: float) -> None:
    """Nobody follows how far it is."""


def _heard(segments: Sequence[Segment], filename: str) -> ParsedDocument:
    document = document_of(segments, SUPPORTED[extension_of(filename)][0])
    if not document.text.strip():
        raise UnreadableFile(SILENCE)
    return document


def document_of(segments: Sequence[Segment], media_type: str) -> ParsedDocument:
    """Speech in passages of about a minute, each under the time at which it begins."""
    parts: list[str] = []
    blocks: list[Block] = []
    length = 0
    for passage in _passages([s for s in segments if s.text.strip()]):
        text = " ".join(" ".join(segment.text.split()) for segment in passage)
        time = passage[0].start
        blocks.append(Block("speech", length, length + len(text), None, (clock(time),), time=time))
        parts += [text, "\n\n"]
        length += len(text) + 2
    whole = "".join(parts)
    return ParsedDocument(whole, blocks, media_type, language=language_of(whole))


def _passages(segments: Sequence[Segment]) -> list[list[Segment]]:
    passages: list[list[Segment]] = []
    for segment in segments:
        if passages and segment.end - passages[-1][0].start <= PASSAGE_SECONDS:
            passages[-1].append(segment)
        else:
            passages.append([segment])
    return passages


def clock(seconds: float) -> str:
    """A time as people read it: `12:34`, `1:02:03`."""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"
