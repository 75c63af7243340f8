"""One search: both legs, fused, and the passages that come of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from uuid import UUID

from domain.knowledge.filters import Filter
from domain.knowledge.retrieval import Retrieval, best, fuse, passages, vector_weight
from domain.ports import SearchHit, TextHits
from domain.transaction import Transaction

LEG_DEPTH = 60
"""How many chunks each leg of the search brings to the fusion."""
DEEPER, DEEPEST = 8, 3_000
"""How much deeper the legs reach when a filter leaves too little, and how far at the most."""


async def find_passages(
    tx: Transaction,
    query: str,
    vectors: Sequence[tuple[Sequence[UUID], bytes]],
    collection_ids: Sequence[UUID],
    limit: int,
    narrowed: Filter | None = None,
) -> Retrieval:
    """The best `limit` passages for a query.

    `vectors` holds the query as each embedding model sees it, with the collections of that model; the words of the query
    are sought in `collection_ids`. Without either, that leg is left out. One leg after the other: side by side they would
    wait for the interpreter as long. Where the search is `narrowed`, the legs reach deeper until enough is left of them.
    """
    depth = max(LEG_DEPTH, limit * 2)
    milliseconds: dict[str, int] = {}
    near, texts = await _legs(tx, query, vectors, collection_ids, depth, milliseconds)
    if narrowed is not None:
        with _timed("filter", milliseconds):
            full = len(near), len(texts.hits)
            near, texts = await _admitted(tx, narrowed, near, texts)
            while len(near) + len(texts.hits) < limit * 2 and depth < DEEPEST and max(full) >= depth:
                depth *= DEEPER
                near, texts = await _legs(tx, query, vectors, collection_ids, depth, {})
                full = len(near), len(texts.hits)
                near, texts = await _admitted(tx, narrowed, near, texts)
    weight = vector_weight(query, texts.small_words, best(texts.hits))
    ranked = fuse(near, texts.hits, weight)
    with _timed("passages", milliseconds):
        # More than the limit, because neighbouring chunks become one passage.
        found = await tx.knowledge.found([r.key for r in ranked[: limit * 3]])
        chosen = passages(ranked, found, limit)
    return Retrieval(query, chosen, texts.terms, near, texts.hits, weight, ranked, milliseconds)


async def _legs(
    tx: Transaction,
    query: str,
    vectors: Sequence[tuple[Sequence[UUID], bytes]],
    collection_ids: Sequence[UUID],
    depth: int,
    milliseconds: dict[str, int],
) -> tuple[list[SearchHit], TextHits]:
    near: list[SearchHit] = []
    with _timed("vectors", milliseconds):
        for ids, vector in vectors:
            near += await tx.knowledge.search_vectors(ids, vector, depth)
    with _timed("texts", milliseconds):
        texts = await tx.knowledge.search_texts(collection_ids, query, depth) if collection_ids else TextHits()
    return near, texts


async def _admitted(
    tx: Transaction, narrowed: Filter, near: Sequence[SearchHit], texts: TextHits
) -> tuple[list[SearchHit], TextHits]:
    documents = await tx.knowledge.described(list({hit.key for hit in (*near, *texts.hits)}))
    wanted = {key for key, document in documents.items() if narrowed.admits(document)}
    kept = [hit for hit in texts.hits if hit.key in wanted]
    return [hit for hit in near if hit.key in wanted], replace(texts, hits=kept)


@contextmanager
def _timed(step: str, milliseconds: dict[str, int]) -> Iterator[None]:
    began = monotonic()
    yield
    milliseconds[step] = round((monotonic() - began) * 1_000)
