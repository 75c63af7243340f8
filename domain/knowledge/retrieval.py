"""From two ranked lists to passages: fusion, duplicates, neighbours. Pure functions."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from math import exp, inf
from uuid import UUID

from domain.knowledge.repository import FoundChunk
from domain.ports import SearchHit, TextHits

WORDS, TELLING = 1.8, 7
"""How much a share of the best possible BM25 counts; with `TELLING` more words that mean something, e times as much."""
EXACT, QUESTION = 3, 0.5
"""How many times as much words count for who names codes or quotes, and for who asks, in words of their own."""
FEW = 300
"""In fewer chunks words count less: how rare one is shows only among many."""
COMPARED, STRETCH = 60, 1.8
"""A cosine `STRETCH` times as far from the best as that of this place is worth nothing, however deep the list reaches."""
HEARD, HEARD_PLACES = 2, 10
"""The first places of each leg: a chunk is moved up to behind the one that stands at so many times its place there."""
HEARD_FROM = 0.2
"""So much the words of a question have to count for the first chunks that they find to be heard."""
SCARCE = 0.25
"""A best BM25 below this share of the best possible one makes no chunk a good one: the text leg counts less then."""

NEAR = {"multilingual-e5-small": 0.845}
"""Cosine above which a passage is about the question, for models where that was measured."""
SCARCELY_COVERED = 0.12
"""Below this share of the best possible BM25 the words of the question hardly stand in any chunk."""

SHOWN = 20
"""Places of each list that a search can tell more of."""
FIRST_WORDS = 8
"""So many words tell most texts apart."""
JOINED_CHUNKS = 2
"""Chunks that become one passage at the most: what is highlighted should be short, and on one page."""

_EXACT = re.compile(r"\"[^\"]{3,}\"|\b\w*\d[\w:./-]*\d\w*\b|\b[A-ZÅÄÖ]{2,}\b[ -]?\d")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk's place after fusion; `vector` and `text` are the raw scores of the two legs."""

    key: int
    score: float
    vector: float | None
    text: float | None


@dataclass(frozen=True, slots=True)
class Reranked:
    """What became of asking the model called `name` for a better order; `ranked` is empty where it did not give one."""

    name: str
    ranked: Sequence[Ranked] = ()


@dataclass(slots=True)
class Passage:
    """A retrieved piece of a document, maybe of several neighbouring chunks; `start`/`end` are positions in its text."""

    document_id: UUID
    version_id: UUID
    collection_id: UUID
    chunk_id: UUID
    title: str
    url: str | None
    text: str
    start: int
    end: int
    page_from: int | None
    page_to: int | None
    heading_path: list[str]
    score: float
    vector_score: float | None
    text_score: float | None
    positions: tuple[int, int] = (0, 0)
    pages: int = 0
    unread: int = 0
    """How many of the document's pages have no text."""


@dataclass(slots=True)
class Retrieval:
    """What a search found and how: everything that is needed to explain it.

    `query` is the question as it was sought, `terms` the index terms sought, `vectors` and `texts` the lists of the two
    legs, `weight` that of the vector leg, `ranked` both lists fused. Times are in milliseconds. `unsure` says that nothing
    found seems to fit; `silent` names the embedding models that did not answer: there only words were sought.
    """

    query: str
    passages: list[Passage]
    terms: Sequence[str] = ()
    vectors: Sequence[SearchHit] = ()
    texts: Sequence[SearchHit] = ()
    weight: float = 0.0
    ranked: Sequence[Ranked] = ()
    milliseconds: dict[str, int] = field(default_factory=dict)
    unsure: bool = False
    meant: bytes | None = None
    """The query as the first embedding model sees it."""
    silent: Sequence[str] = ()
    found: Mapping[int, FoundChunk] = field(default_factory=dict)
    """The first chunks of each list."""
    reranked: Reranked | None = None
    """The order that a rerank model gave, where one was asked."""

    @property
    def order(self) -> Sequence[Ranked]:
        """The chunks as they stand in the end."""
        return (self.reranked.ranked if self.reranked else ()) or self.ranked


def vector_weight(query: str, texts: TextHits) -> float:
    """How much the vector leg counts for this question (0–1).

    The better a chunk covers the words of the question, the more they count; and the more words there are, the more does
    the same share of them: hardly a chunk holds all of twenty. docs/performance.md tells what else was tried.
    """
    words = WORDS * max(best(texts.hits), SCARCE) * min(1, max(1, texts.chunks) / FEW)
    if _EXACT.search(query):
        words *= EXACT
    elif "?" in query:
        words *= QUESTION
    meaning = exp(-len(_WORD.findall(query)) * (1 - texts.small_words) / TELLING)
    return meaning / (meaning + words)


def _scores(hits: Sequence[SearchHit]) -> list[float]:
    return sorted((hit.score for hit in hits), reverse=True)


def best(hits: Sequence[SearchHit]) -> float:
    """The highest score; 0 when nothing was found."""
    return max((hit.score for hit in hits), default=0.0)


def doubtful(models: Sequence[str], vectors: Sequence[SearchHit], covered: float) -> bool:
    """Whether nothing found seems to be about the question: neither by its words nor by what it means.

    What it means can be judged only where every embedding model in scope (`models`, by name) is known in `NEAR`.
    """
    if covered >= SCARCELY_COVERED or not models or any(name not in NEAR for name in models):
        return False
    return best(vectors) < min(NEAR[name] for name in models)


def fuse(legs: Sequence[Sequence[SearchHit]], texts: Sequence[SearchHit], weight: float) -> list[Ranked]:
    """Convex fusion: cosine similarities on a scale ⊕ BM25 divided by its maximum (at least `SCARCE`), best first.

    `legs` holds the hits of each embedding model apart: the cosines of one say nothing beside those of another.

    After Bruch, Gai, Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (2022): unlike reciprocal rank
    fusion it lets a leg that found nothing good stay silent. A chunk missing from a leg scores 0 there. What a leg holds for
    the best of all is heard all the same, see `HEARD`.
    """
    by_vector = {hit.key: hit.score for leg in legs for hit in leg}
    near = {key: score for leg in legs for key, score in _scaled(leg)}
    by_text = {hit.key: hit.score for hit in texts}
    if not by_vector:
        weight = 0.0
    elif not by_text:
        weight = 1.0
    top = max(by_text.values(), default=0.0)
    # Nothing to weigh it against: then the best that was found is as good as it gets.
    top = max(top, SCARCE) if by_vector else top or 1.0
    ranked = []
    for key in by_vector.keys() | by_text.keys():
        vector, text = by_vector.get(key), by_text.get(key)
        score = weight * near.get(key, 0.0) + (1 - weight) * ((text or 0.0) / top)
        ranked.append(Ranked(key, score, vector, text))
    heard = [*legs, texts] if 1 - weight >= HEARD_FROM else legs
    return _heard(sorted(ranked, key=lambda r: (-r.score, r.key)), heard)


def _heard(ranked: Sequence[Ranked], lists: Sequence[Sequence[SearchHit]]) -> list[Ranked]:
    """The order in which the first chunks of each list stand near enough to the top; scores never rise on the way down."""
    latest: dict[int, float] = {}
    for hits in lists:
        first = sorted(hits, key=lambda hit: (-hit.score, hit.key))[:HEARD_PLACES]
        for place, hit in enumerate(first, 1):
            # Half a place: behind the one that stands there by itself.
            latest[hit.key] = min(latest.get(hit.key, inf), HEARD * place - 0.5)
    places = {row.key: min(place, latest.get(row.key, inf)) for place, row in enumerate(ranked)}
    order = sorted(ranked, key=lambda row: places[row.key])
    score = 0.0
    for at in range(len(order) - 1, -1, -1):
        score = max(score, order[at].score)
        if score > order[at].score:
            order[at] = replace(order[at], score=score)
    return order


def in_order_of(relevance: Mapping[int, float], ranked: Sequence[Ranked]) -> list[Ranked]:
    """The chunks that a rerank model has judged (`relevance` by key), best first, and then all others as they stood.

    Scores stay comparable: models that give other numbers than from 0 to 1 are put on that scale, and what was not judged
    ranks below the worst that was.
    """
    low, high = min(relevance.values(), default=0.0), max(relevance.values(), default=0.0)
    scale = (high - low) or 1.0
    share = relevance if low >= 0 and high <= 1 else {key: (each - low) / scale for key, each in relevance.items()}
    floor = min(share.values(), default=1.0)
    judged = [replace(row, score=share[row.key]) for row in ranked if row.key in share]
    others = [replace(row, score=row.score * floor) for row in ranked if row.key not in share]
    return [*sorted(judged, key=lambda row: -row.score), *others]


def _scaled(hits: Sequence[SearchHit]) -> list[tuple[int, float]]:
    """Each hit between 0 and 1: 1 is the best. Where more lies beyond the list, its last is not worth nothing yet."""
    scores = _scores(hits)
    high, low = (scores[0], scores[-1]) if scores else (0.0, 0.0)
    if len(scores) >= COMPARED:
        low = min(low, high - STRETCH * (high - scores[COMPARED - 1]))
    return [(hit.key, (hit.score - low) / (high - low) if high > low else 1.0) for hit in hits]


def passages(ranked: Sequence[Ranked], found: Mapping[int, FoundChunk], limit: int) -> list[Passage]:
    """The best chunks as passages: same text once, chunks that follow each other joined, best first."""
    chosen: list[Passage] = []
    given = _Given()
    for row in ranked:
        match = found.get(row.key)
        if match is None or not given.add(match.chunk.text):
            continue
        passage = _passage(match, row)
        neighbour = _neighbour(chosen, passage)
        if neighbour is not None:
            _join(neighbour, passage)
        elif len(chosen) < limit:
            chosen.append(passage)
        if len(chosen) >= limit and row.score < chosen[-1].score * 0.5:
            break
    return chosen


class _Given:
    """Texts given already: the same words in another case, or with other signs between them, are the same text.

    Nearly all texts differ in their first words, and taking apart all the words of each is much of what a search does.
    """

    def __init__(self) -> None:
        self._first: dict[tuple[str, ...], str] = {}
        self._whole: set[tuple[str, ...]] = set()

    def add(self, text: str) -> bool:
        """Whether the text is a new one."""
        first = _words(text, FIRST_WORDS)
        if first not in self._first:
            self._first[first] = text
            return True
        words = _words(text)
        self._whole.add(_words(self._first[first]))
        known = words in self._whole
        self._whole.add(words)
        return not known


def _words(text: str, most: int | None = None) -> tuple[str, ...]:
    return tuple(word[0].casefold() for word in islice(_WORD.finditer(text), most))


def whole(found: Iterable[FoundChunk], ranked: Mapping[int, Ranked]) -> list[Passage]:
    """All chunks of a document as passages, in the order of the text; `ranked` tells the scores of those found."""
    given: list[Passage] = []
    for match in found:
        passage = _passage(match, ranked.get(match.chunk.key) or Ranked(match.chunk.key, 0.0, None, None))
        neighbour = _neighbour(given[-1:], passage)
        if neighbour is not None:
            _join(neighbour, passage)
        else:
            given.append(passage)
    return given


def _passage(match: FoundChunk, row: Ranked) -> Passage:
    chunk = match.chunk
    return Passage(
        document_id=chunk.document_id,
        version_id=chunk.version_id,
        collection_id=chunk.collection_id,
        chunk_id=chunk.id,
        title=match.title,
        url=match.url,
        text=chunk.text,
        start=chunk.start,
        end=chunk.end,
        page_from=chunk.page_from,
        page_to=chunk.page_to,
        heading_path=list(chunk.heading_path),
        score=row.score,
        vector_score=row.vector,
        text_score=row.text,
        positions=(chunk.position, chunk.position),
        pages=match.pages,
        unread=match.unread,
    )


def _neighbour(chosen: Sequence[Passage], new: Passage) -> Passage | None:
    for passage in chosen:
        if passage.version_id != new.version_id:
            continue
        first, last = passage.positions
        adjoins = new.positions[0] in (first - 1, last + 1)
        same_page = (passage.page_from, passage.page_to) == (new.page_from, new.page_to)
        if adjoins and same_page and last - first + 1 < JOINED_CHUNKS:
            return passage
    return None


def _join(passage: Passage, new: Passage) -> None:
    first, second = (new, passage) if new.positions[0] < passage.positions[0] else (passage, new)
    overlap = max(0, first.end - second.start)
    passage.text = first.text + ("" if overlap else "\n") + second.text[overlap:]
    passage.start, passage.end = first.start, max(first.end, second.end)
    passage.page_from = _least(first.page_from, second.page_from)
    passage.page_to = second.page_to or first.page_to
    passage.positions = (first.positions[0], second.positions[1])


def _least(a: int | None, b: int | None) -> int | None:
    return min((p for p in (a, b) if p is not None), default=None)
