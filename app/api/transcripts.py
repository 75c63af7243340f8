"""Conversations to take along, as files."""

import asyncio
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from app.api.base import Caller, Running
from app.api.knowledge import attachment
from app.transcripts import data, markdown, pdf, word
from domain.conversations.transcripts import Transcript, TranscriptFormat, file_name

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])
KINDS = {
    TranscriptFormat.MARKDOWN: ("md", "text/markdown; charset=utf-8"),
    TranscriptFormat.JSON: ("json", "application/json"),
    TranscriptFormat.DOCX: ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    TranscriptFormat.PDF: ("pdf", "application/pdf"),
}
"""The end of the file's name, and its media type."""


@router.get("/{session_id}/export/", response_class=StreamingResponse)
async def export(
    session_id: UUID,
    actor: Caller,
    running: Running,
    format: TranscriptFormat = TranscriptFormat.MARKDOWN,
    all_branches: bool = False,
) -> StreamingResponse:
    """A conversation with sources, cited passages, models and dates, as a file. Recorded in the audit log.

    The branch that is shown, or with `all_branches` every question and answer in the order of time.
    """
    transcript = await running.services.transcripts.export(actor, session_id, format, every=all_branches)
    if format == TranscriptFormat.PDF:
        async with running.contents.scratch() as folder:
            content = await pdf.written(transcript, actor.language, folder)
    else:
        content = await asyncio.to_thread(_written, transcript, format, actor.language)
    extension, media_type = KINDS[format]
    return attachment(iter([content]), file_name(transcript.conversation.name, extension), media_type)


def _written(transcript: Transcript, form: TranscriptFormat, language: str) -> bytes:
    if form == TranscriptFormat.DOCX:
        return word.written(transcript, language)
    text = data.written(transcript) if form == TranscriptFormat.JSON else markdown.written(transcript, language)
    return text.encode("utf-8", "replace")
