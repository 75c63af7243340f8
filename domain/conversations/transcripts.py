"""A conversation to take along: all of it as it stands, for its author."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from uuid import UUID

from domain.conversations.entities import Conversation
from domain.conversations.service import ConversationService
from domain.conversations.views import MessageView
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.events import Change
from domain.kernel.paging import MAX_LIMIT
from domain.transaction import UnitOfWork

MOST_MESSAGES = 2_000
"""So many of a conversation's newest questions are taken along."""
FILE_NAME_LENGTH = 80
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)


class TranscriptFormat(StrEnum):
    """What a transcript can be written as."""

    MARKDOWN = "markdown"
    JSON = "json"
    DOCX = "docx"
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation with its questions, oldest first; `complete` is false where the oldest had to stay out.

    People read its times as they are in `zone`.
    """

    conversation: Conversation
    assistant: str
    messages: Sequence[MessageView]
    complete: bool
    made_at: datetime
    zone: tzinfo


class TranscriptService:
    """Gives a conversation to its author as a whole."""

    def __init__(self, uow: UnitOfWork, conversations: ConversationService, zone: tzinfo) -> None:
        self._uow, self._conversations, self._zone = uow, conversations, zone

    async def export(
        self, actor: Actor, conversation_id: UUID, form: TranscriptFormat, *, every: bool = False
    ) -> Transcript:
        """The branch that is shown of a conversation of the actor's own, or `every` one; recorded in the audit log."""
        view = await self._conversations.get(actor, conversation_id, limit=MAX_LIMIT, every=every)
        messages, batch = list(view.messages), view.messages
        while len(batch) == MAX_LIMIT and len(messages) < MOST_MESSAGES:
            before = batch[0].message.id
            more = await self._conversations.get(actor, conversation_id, limit=MAX_LIMIT, before=before, every=every)
            batch = more.messages
            messages[:0] = batch
        async with self._uow.begin(actor.tenant_id) as tx:
            new = {"format": str(form), "messages": len(messages)}
            tx.record(actor, Change("conversation_exported", "conversation", conversation_id, new=new))
        return Transcript(view.conversation, view.assistant.name, messages, len(batch) < MAX_LIMIT, now(), self._zone)


def file_name(name: str, extension: str) -> str:
    """A name that every file system takes: letters, digits, spaces and a few signs."""
    text = unicodedata.normalize("NFC", name)
    kept = "".join(c if c.isalnum() or c in " -_" else " " for c in text)
    short = " ".join(kept.split())[:FILE_NAME_LENGTH].strip()
    if not short or _RESERVED.match(short):
        short = f"samråd {short}".strip()
    return f"{short}.{extension}"
