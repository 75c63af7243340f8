"""One search: both legs, fused, and the passages that come of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from uuid import UUID

from domain.knowledge.retrieval import Retrieval, best, fuse, passages, vector_weight
from domain.ports import SearchHit, TextHits
from domain.transaction import Transaction

LEG_DEPTH = 60
"""How many chunks each leg of the search brings to the fusion."""


async def find_passages(
    tx: Transaction,
    query: str,
    vectors: Sequence[tuple[Sequence[UUID], bytes]],
    collection_ids: Sequence[UUID],
    limit: int,
) -> Retrieval:
    """The best `limit` passages for a query.

    `vectors` holds the query as each embedding model sees it, with the collections of that model; the words of the query
    are sought in `collection_ids`. Without either, that leg is left out. One leg after the other: side by side they would
    wait for the interpreter as long.
    """
    depth = max(LEG_DEPTH, limit * 2)
    milliseconds: dict[str, int] = {}
    near: list[SearchHit] = []
    with _timed("vectors", milliseconds):
        for ids, vector in vectors:
            near += await tx.knowledge.search_vectors(ids, vector, depth)
    with _timed("texts", milliseconds):
        texts = await tx.knowledge.search_texts(collection_ids, query, depth) if collection_ids else TextHits()
    weight = vector_weight(query, texts.small_words, best(texts.hits))
    ranked = fuse(near, texts.hits, weight)
    with _timed("passages", milliseconds):
        # More than the limit, because neighbouring chunks become one passage.
        found = await tx.knowledge.found([r.key for r in ranked[: limit * 3]])
        chosen = passages(ranked, found, limit)
    return Retrieval(query, chosen, texts.terms, near, texts.hits, weight, ranked, milliseconds)


@contextmanager
def _timed(step: str, milliseconds: dict[str, int]) -> Iterator[None]:
    began = monotonic()
    yield
    milliseconds[step] = round((monotonic() - began) * 1_000)
