"""Reranking: a model reads the question with what was found, and gives it a better order."""

import logging
from collections.abc import Mapping, Sequence
from time import monotonic

from domain.kernel.errors import Failure
from domain.knowledge.repository import FoundChunk
from domain.knowledge.retrieval import Reranked, Retrieval, in_order_of, passages
from domain.knowledge.search import RERANK_DEPTH
from domain.models.choice import RerankChoice
from domain.ports import Reranker

log = logging.getLogger(__name__)


class Reranking:
    """Asks rerank models. The search never depends on them: where one fails or rests, what was found stands as it stood."""

    def __init__(self, reranker: Reranker) -> None:
        self._reranker = reranker

    async def order(self, found: Retrieval, choice: RerankChoice, limit: int) -> None:
        """Put the passages of a search in the order that the model gives, and tell how it went."""
        judged = [row for row in found.ranked if row.key in found.found][:RERANK_DEPTH]
        if len(judged) < 2:
            return
        began = monotonic()
        relevance = await self._relevance(choice, found.query, [_read(found.found[row.key]) for row in judged])
        found.milliseconds["rerank"] = round((monotonic() - began) * 1_000)
        if not relevance:
            found.reranked = Reranked(choice.model.nickname)
            return
        ranked = in_order_of({judged[place].key: score for place, score in relevance.items()}, found.ranked)
        found.reranked = Reranked(choice.model.nickname, ranked)
        found.passages = passages(ranked[: max(limit * 3, RERANK_DEPTH)], found.found, limit)

    async def _relevance(self, choice: RerankChoice, query: str, texts: Sequence[str]) -> Mapping[int, float] | None:
        try:
            return await self._reranker.rerank(choice.provider, choice.model, query, texts)
        except Failure as failure:
            log.warning("searching without the rerank model: %s", failure.text())
            return None


def _read(found: FoundChunk) -> str:
    """A chunk as the model reads it: with what stands above it in its document."""
    chunk = found.chunk
    return "\n".join(part for part in (found.title, " › ".join(chunk.heading_path), chunk.header, chunk.text) if part)
