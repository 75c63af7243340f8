"""One search: both legs, fused, and the passages that come of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from uuid import UUID

from domain.kernel import tracing
from domain.knowledge.filters import Filter
from domain.knowledge.retrieval import COMPARED, SHOWN, Retrieval, fuse, passages, vector_weight
from domain.ports import SearchHit, TextHits
from domain.transaction import Transaction

RERANK_DEPTH = 40
"""How many chunks a rerank model reads, best first: what is further down is seldom among the best ten."""
LEG_DEPTH = COMPARED
"""How many chunks each leg of the search brings to the fusion."""
DEEPER, DEEPEST = 8, 3_000
"""How much deeper the legs reach when a filter leaves too little, and how far at the most."""


@dataclass(frozen=True, slots=True)
class QueryVector:
    """A query as an embedding model sees it, and where vectors of that model are searched."""

    collection_ids: Sequence[UUID]
    vector: bytes
    vector_set: int = 0


async def find_passages(
    tx: Transaction,
    query: str,
    vectors: Sequence[QueryVector],
    collection_ids: Sequence[UUID],
    limit: int,
    narrowed: Filter | None = None,
    texts: TextHits | None = None,
    *,
    deep: bool = False,
) -> Retrieval:
    """The best `limit` passages for a query.

    `vectors` holds the query as each embedding model sees it; the words of the query are sought in `collection_ids`. Without
    either, that leg is left out. `texts` is what `find_words` has found already. Where the search is `narrowed`, the legs
    reach deeper until enough is left of them. With `deep` so many chunks are read that a rerank model can judge them.
    """
    depth = leg_depth(limit)
    milliseconds: dict[str, int] = {}
    while True:
        legs = await _near(tx, vectors, depth, milliseconds)
        if texts is None:
            texts = await find_words(tx, query, collection_ids, depth, milliseconds)
        if narrowed is None:
            break
        ended = max(_found(legs), len(texts.hits)) < depth or depth >= DEEPEST
        with _timed("filter", milliseconds):
            legs, texts = await _admitted(tx, narrowed, legs, texts)
        if ended or _found(legs) + len(texts.hits) >= limit * 2:
            break
        # Not further: the vectors of SQLite are asked for 4,096 neighbours at the most.
        depth, texts = min(depth * DEEPER, DEEPEST), None
    weight = vector_weight(query, texts)
    ranked = fuse(legs, texts.hits, weight)
    with _timed("passages", milliseconds):
        # More than the limit, because neighbouring chunks become one passage; and what is told of the search.
        near = [hit for leg in legs for hit in leg]
        read = max(SHOWN, limit * 3, RERANK_DEPTH if deep else 0)
        shown = {hit.key for hit in (*near[:SHOWN], *texts.hits[:SHOWN])}
        found = await tx.knowledge.found(list(shown.union(r.key for r in ranked[:read])))
        chosen = passages(ranked[: limit * 3], found, limit)
    return Retrieval(query, chosen, texts.terms, near, texts.hits, weight, ranked, milliseconds, found=found)


def leg_depth(limit: int) -> int:
    """How many chunks each leg brings when `limit` passages are wanted."""
    return max(LEG_DEPTH, limit * 2)


Legs = list[list[SearchHit]]
"""What was found by meaning, for each embedding model apart."""


async def _near(tx: Transaction, vectors: Sequence[QueryVector], depth: int, milliseconds: dict[str, int]) -> Legs:
    with _timed("vectors", milliseconds):
        return [
            list(await tx.knowledge.search_vectors(asked.collection_ids, asked.vector, depth, asked.vector_set))
            for asked in vectors
        ]


async def find_words(
    tx: Transaction, query: str, collection_ids: Sequence[UUID], depth: int, milliseconds: dict[str, int]
) -> TextHits:
    """The leg of the words: the best `depth` chunks; how long it took is added to `milliseconds`."""
    with _timed("texts", milliseconds):
        return await tx.knowledge.search_texts(collection_ids, query, depth) if collection_ids else TextHits()


def _found(legs: Legs) -> int:
    return sum(len(leg) for leg in legs)


async def _admitted(tx: Transaction, narrowed: Filter, legs: Legs, texts: TextHits) -> tuple[Legs, TextHits]:
    documents = await tx.knowledge.described([*{hit.key for leg in (*legs, texts.hits) for hit in leg}])
    wanted = {key for key, document in documents.items() if narrowed.admits(document)}
    kept = [hit for hit in texts.hits if hit.key in wanted]
    return [[hit for hit in leg if hit.key in wanted] for leg in legs], replace(texts, hits=kept)


@contextmanager
def _timed(step: str, milliseconds: dict[str, int]) -> Iterator[None]:
    began = monotonic()
    with tracing.span(f"search {step}"):
        yield
    milliseconds[step] = milliseconds.get(step, 0) + round((monotonic() - began) * 1_000)
