"""What an answer rests on: the passages that are kept with it, what could not be read, and which of them it cites."""

import re
from collections.abc import Sequence
from typing import Any

from domain.conversations.entities import MessageSource
from domain.conversations.plan import Plan
from domain.knowledge.entities import CollectionKind
from domain.knowledge.retrieval import Passage

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


def unread_of(passages: Sequence[Passage]) -> list[dict[str, Any]]:
    """Which of the documents have pages that nobody could search, and how many: the answer may be missing them."""
    documents = {p.version_id: p for p in passages if p.unread}
    return [
        {"version_id": str(version_id), "title": p.title, "pages": p.unread, "of": p.pages}
        for version_id, p in documents.items()
    ]


def cited_numbers(answer: str, count: int) -> list[int]:
    """The passages an answer refers to, in order of first mention; numbers beyond `count` do not count."""
    numbers = (int(n) for n in _CITATION.findall(answer))
    return list(dict.fromkeys(n for n in numbers if 1 <= n <= count))
