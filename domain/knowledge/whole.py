"""Whole documents instead of passages: for questions about a document as such, like "summarise the guidelines"."""

from collections.abc import Sequence
from uuid import UUID

from domain.knowledge.repository import ChunkText, FoundChunk
from domain.knowledge.retrieval import Passage, Retrieval, whole
from domain.transaction import Transaction

MOST_CHUNKS = 200


async def widened(tx: Transaction, retrieval: Retrieval, budget: int) -> list[Passage]:
    """What a search found, with the documents as a whole, best first, as far as `budget` tokens reach.

    A document that does not fit keeps its passages. Chunks that somebody has switched off stay out.
    """
    ranked = {row.key: row for row in retrieval.order}
    given: list[Passage] = []
    for version_id, own in _by_version(retrieval.passages).items():
        chunks = await tx.knowledge.chunks(version_id, after=-1, limit=MOST_CHUNKS + 1)
        tokens = sum(chunk.token_count for chunk in chunks)
        if len(chunks) <= MOST_CHUNKS and tokens <= budget:
            first = own[0]
            seen = [
                FoundChunk(ChunkText.of(c), first.title, first.url, "", first.pages, first.unread)
                for c in chunks
                if not c.disabled
            ]
            given += whole(seen, ranked)
            budget -= tokens
        else:
            given += own
    return given


def _by_version(passages: Sequence[Passage]) -> dict[UUID, list[Passage]]:
    found: dict[UUID, list[Passage]] = {}
    for passage in passages:
        found.setdefault(passage.version_id, []).append(passage)
    return found
