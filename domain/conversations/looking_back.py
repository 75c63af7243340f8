"""Finding again what one has asked and been answered: search in the texts of one's own conversations."""

import asyncio
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.conversations.entities import Conversation
from domain.conversations.repository import Said
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Invalid
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_text
from domain.transaction import UnitOfWork

WORDS_LENGTH = 200
BATCH = 200
"""So many messages are opened at a time."""
BEFORE, AROUND = 60, 240
"""Characters of an excerpt before the first word found, and in all."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a text, and where the words sought stand in it."""

    text: str
    marks: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A conversation with its newest message that has all of the words."""

    conversation: Conversation
    message_id: UUID
    excerpt: Excerpt


class LookingBackService:
    """Searches the actor's own conversations. Texts are encrypted: they are opened in batches, beside the event loop."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def search(
        self, actor: Actor, words: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[Found]:
        """A page of the conversations that have all of the words in their name or in one message; newest first."""
        wanted = Wanted.of(clean_text(words, "query", WORDS_LENGTH))
        size, after, found = clamp(limit), _position(cursor), dict[UUID, tuple[UUID, Excerpt]]()
        while len(found) <= size:
            async with self._uow.read(actor.tenant_id) as tx:
                batch = await tx.conversations.said(actor.user_id, actor.apart, after=after, limit=BATCH)
            for said, excerpt in await asyncio.to_thread(wanted.among, batch):
                found.setdefault(said.conversation_id, (said.message_id, excerpt))
            if len(batch) < BATCH:
                break
            last = batch[-1]
            after = (last.conversation_id, None if last.conversation_id in found else last.message_id)
        ids = list(found)[:size]
        async with self._uow.read(actor.tenant_id) as tx:
            known = await tx.conversations.known(ids)
        items = [Found(known[each], *found[each]) for each in ids if each in known]
        return Page(items, str(ids[-1]) if len(found) > size else None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Words that are sought, whatever their case."""

    words: Sequence[re.Pattern[str]]

    @staticmethod
    def of(text: str) -> "Wanted":
        """The words of what somebody has typed."""
        words = unicodedata.normalize("NFC", text).split()
        if not words:
            raise Invalid(N_("Write what to search for."), field="query")
        return Wanted([re.compile(re.escape(word), re.IGNORECASE) for word in words])

    def among(self, batch: Sequence[Said]) -> list[tuple[Said, Excerpt]]:
        """Those that have all of the words."""
        return [
            (said, self.excerpt(said)) for said in batch if self._in(f"{said.name}\n{said.question}\n{said.answer}")
        ]

    def _in(self, text: str) -> bool:
        return all(word.search(text) for word in self.words)

    def excerpt(self, said: Said) -> Excerpt:
        """What stands around the first word in the answer or in the question, in one line."""
        for text in (said.answer, said.question):
            starts = [match.start() for word in self.words if (match := word.search(text))]
            if starts:
                begin = max(0, min(starts) - BEFORE)
                return self._marked(text[begin : begin + AROUND])
        return self._marked(said.question[:AROUND])

    def _marked(self, text: str) -> Excerpt:
        spans = sorted(match.span() for word in self.words for match in word.finditer(text))
        marks: list[tuple[int, int]] = []
        for start, end in spans:
            if not marks or start >= marks[-1][1]:
                marks.append((start, end))
        return Excerpt("".join(" " if c.isspace() else c for c in text), marks)


def _position(cursor: str | None) -> tuple[UUID, UUID | None] | None:
    if not cursor:
        return None
    try:
        return UUID(cursor), None
    except ValueError:
        raise Invalid(N_("The list cannot be continued from here. Load it again."), field="cursor") from None
