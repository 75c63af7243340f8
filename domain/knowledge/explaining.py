"""A search as a person can follow it: what each leg found, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from domain.knowledge.repository import FoundChunk
from domain.knowledge.retrieval import SHOWN, Retrieval

BEGINNING = 160
"""Characters of a chunk that are shown of it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A chunk in a ranked list; `vector` and `words` are its raw scores in the two legs, where it is in them."""

    rank: int
    score: float
    title: str
    page: int | None
    headings: list[str]
    beginning: str
    vector: float | None = None
    words: float | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """A search: what was sought, the list of each leg, and the list after fusion, best first.

    `weight` is that of the vector leg (0–1); `milliseconds` says how long each step took; `unsure` that nothing fits;
    `silent` names the embedding models that did not answer; `reranker` the model that was asked for a better order, which is
    `reranked`, empty where it gave none.
    """

    query: str
    terms: list[str]
    weight: float
    unsure: bool
    milliseconds: dict[str, float]
    vectors: list[Listed]
    words: list[Listed]
    fused: list[Listed]
    silent: list[str] = field(default_factory=list)
    reranker: str | None = None
    reranked: list[Listed] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """As it is stored and sent."""
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        lists = {name: [_told(each) for each in told[name]] for name in ("vectors", "words", "fused", "reranked")}
        return told | lists


def _told(listed: Listed) -> dict[str, Any]:
    return {name: getattr(listed, name) for name in Listed.__slots__}


def follow(retrieval: Retrieval) -> Followed:
    """The lists of a search with titles and pages."""
    vectors, words, fused = retrieval.vectors[:SHOWN], retrieval.texts[:SHOWN], retrieval.ranked[:SHOWN]
    reranked = retrieval.reranked.ranked[:SHOWN] if retrieval.reranked else ()
    found = retrieval.found
    return Followed(
        query=retrieval.query,
        terms=list(retrieval.terms),
        weight=retrieval.weight,
        unsure=retrieval.unsure,
        milliseconds=dict(retrieval.milliseconds),
        vectors=_listed([(hit.key, hit.score, None, None) for hit in vectors], found),
        words=_listed([(hit.key, hit.score, None, None) for hit in words], found),
        fused=_listed([(row.key, row.score, row.vector, row.text) for row in fused], found),
        silent=list(retrieval.silent),
        reranker=retrieval.reranked.name if retrieval.reranked else None,
        reranked=_listed([(row.key, row.score, row.vector, row.text) for row in reranked], found),
    )


def _listed(
    rows: Sequence[tuple[int, float, float | None, float | None]], found: Mapping[int, FoundChunk]
) -> list[Listed]:
    listed = []
    for rank, (key, score, vector, words) in enumerate(rows, 1):
        match = found.get(key)
        if match is None:  # switched off, or deleted meanwhile
            continue
        chunk = match.chunk
        beginning = " ".join(chunk.text[: 2 * BEGINNING].split())[:BEGINNING]
        headings = list(chunk.heading_path)
        listed.append(Listed(rank, score, match.title, chunk.page_from, headings, beginning, vector, words))
    return listed
