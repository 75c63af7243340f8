"""A conversation as PDF: tagged for screen readers (PDF/UA-1), with title, language, bookmarks and page numbers.

It is set by Typst in a child process, which gives back its memory. What people and models wrote goes there as data in a
file beside the template, and is never read as Typst.
"""

import asyncio
import json
from datetime import tzinfo
from pathlib import Path
from typing import Any

from app.ingestion.sandbox import Limits, run_child
from app.transcripts import words
from app.transcripts.blocks import blocks, typed
from domain.conversations.entities import MessageSource
from domain.conversations.transcripts import Transcript
from domain.conversations.views import MessageView
from domain.kernel.errors import N_, BadRequest, UnreadableFile
from pages.i18n import translate

SOURCE = "source.json"
LIMITS = Limits(memory_bytes=4 * 1024**3, cpu_seconds=90, wall_seconds=120)
AT_ONCE = asyncio.Semaphore(2)
"""The longest conversations take a second for each hundred questions, and as much memory as a server has to spare."""
FAILED = N_("The PDF could not be made. Export as Word or Markdown instead.")


async def written(transcript: Transcript, language: str, folder: Path) -> bytes:
    """The transcript as the content of a .pdf file; `folder` is private and removed by the caller."""
    source = folder / SOURCE
    try:
        async with AT_ONCE:
            await asyncio.to_thread(_prepare, source, transcript, language)
            return await run_child("typeset", source, {"made_at": transcript.made_at.isoformat()}, LIMITS)
    except UnreadableFile as failure:
        raise BadRequest(FAILED) from failure


def _prepare(source: Path, transcript: Transcript, language: str) -> None:
    source.write_text(
        json.dumps(document(transcript, language), ensure_ascii=False), encoding="utf-8", errors="replace"
    )


def document(transcript: Transcript, language: str) -> dict[str, Any]:
    """What the page is set from."""
    note = "" if transcript.complete else "The oldest questions of this long conversation are not included."
    return {
        "title": words.one_line(transcript.conversation.name) or translate("Conversation", language),
        "language": language,
        "about": [{"name": name, "value": value} for name, value in words.about(transcript, language)],
        "note": translate(note, language) if note else "",
        "words": {"sources": translate("Sources", language)},
        "messages": [_exchange(view, language, transcript.zone) for view in transcript.messages],
    }


def _exchange(view: MessageView, language: str, zone: tzinfo) -> dict[str, Any]:
    message = view.message
    files = ", ".join(words.one_line(file.name) for file in view.files)
    return {
        "asked": words.asked(view, language, zone),
        "question": typed(words.clean(message.question)),
        "files": f"{translate('Attached files', language)}: {files}" if files else "",
        "answered": f"{translate('Answer', language)} · {words.answered_by(message, language, zone)}",
        "answer": blocks(words.clean(message.answer)),
        "state": words.state(message, language),
        "sources": [_source(source, language) for source in words.cited(view.sources)],
    }


def _source(source: MessageSource, language: str) -> dict[str, Any]:
    return {
        "number": source.number,
        "title": words.source_title(source, language),
        "url": words.address(source),
        "text": typed(words.clean(source.text)),
    }
