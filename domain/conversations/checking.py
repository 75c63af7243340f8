"""Checking the citations of an answer that has come."""

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic

from domain.conversations.citations import Stems, check
from domain.conversations.entities import Message, MessageSource

log = logging.getLogger(__name__)


async def note_citations(message: Message, sources: Sequence[MessageSource], stems: Stems) -> None:
    """Seek each cited sentence in the passage it cites, beside the event loop; an answer is never lost for it."""
    begun = monotonic()
    try:
        found = await asyncio.to_thread(check, message.answer, sources, stems) if sources else []
    except Exception:
        log.exception("could not check the citations of an answer")
        message.citations = None
        return
    message.citations = [citation.to_dict() for citation in found]
    message.trace["check_ms"] = round((monotonic() - begun) * 1000)
