"""What an answer rests on: the passages that are kept with it, what could not be read, and which of them it cites."""

import re
from collections.abc import Sequence
from typing import Any

from domain.conversations.entities import MessageSource
from domain.conversations.plan import Plan
from domain.knowledge.entities import CollectionKind
from domain.knowledge.retrieval import Passage
from domain.transaction import Transaction

_CITATION = re.compile(r"\[(\d{1,3})\]")


def source_of(plan: Plan, number: int, passage: Passage) -> MessageSource:
    """A passage as it is kept with the message that rests on it."""
    return MessageSource(
        tenant_id=plan.actor.tenant_id,
        message_id=plan.message.id,
        number=number,
        document_id=passage.document_id,
        version_id=passage.version_id,
        collection_id=passage.collection_id,
        chunk_id=passage.chunk_id,
        title=passage.title,
        text=passage.text,
        start=passage.start,
        end=passage.end,
        page_from=passage.page_from,
        page_to=passage.page_to,
        heading_path=passage.heading_path,
        score=passage.score,
        vector_score=passage.vector_score,
        text_score=passage.text_score,
        url=passage.url,
        website=any(c.id == passage.collection_id and c.kind == CollectionKind.WEBSITE for c in plan.collections),
    )


async def unread_of(tx: Transaction, passages: Sequence[Passage]) -> list[dict[str, Any]]:
    """Which of the documents have pages that nobody could search, and how many: the answer may be missing them."""
    titles = {p.version_id: p.title for p in passages}
    return [
        {"version_id": str(v.id), "title": titles[v.id], "pages": len(v.pages_without_text), "of": v.page_count or 0}
        for v in await tx.knowledge.partly_read(list(titles))
    ]


def coverage(words: set[str], text: str) -> float:
    """The share of the question's words that stand in the passage, by their first five letters."""
    if not words:
        return 0.0
    stems = {w[:5] for w in re.findall(r"\w{3,}", text.casefold())}
    return sum(w[:5] in stems for w in words) / len(words)


def cited_numbers(answer: str, count: int) -> list[int]:
    """The passages an answer refers to, in order of first mention; numbers beyond `count` do not count."""
    numbers = (int(n) for n in _CITATION.findall(answer))
    return list(dict.fromkeys(n for n in numbers if 1 <= n <= count))
