"""The text leg of the search, the same on both databases: what differs is how words, lists and terms are looked up."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from domain.ports import TextHits
from storage.search import words
from storage.search.analysis import stop_share

Longer = Iterable[tuple[str, str, int]]


class WordIndex(Protocol):
    """The words of collections, as one transaction sees them."""

    async def counts(self, scope: Sequence[UUID], wanted: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """For each of the words that the collections hold: in how many chunks it stands, and how often."""

    async def longer(self, scope: Sequence[UUID], parts: Sequence[str], most: int) -> Longer:
        """(part, word, chunks): for each part the `most` frequent words that begin or end with it."""

    async def collect(self, scope: Sequence[UUID], groups: Sequence[words.Group], limit: int) -> Sequence[int]:
        """The keys of the chunks that hold terms of the groups which together are worth the most."""

    async def terms(self, keys: Sequence[int]) -> Iterable[tuple[int, str]]:
        """(key, terms as they were analysed) of chunks."""


async def search(index: WordIndex, scope: Sequence[UUID], query: str, limit: int) -> TextHits:
    """The best `limit` chunks of the collections in `scope` for a question."""
    asked = words.asked(query)
    if not asked or not scope:
        return TextHits()
    exact = await index.counts(scope, words.needed(asked))
    parts = words.expandable(asked)
    known = words.Vocabulary.of(exact, await index.longer(scope, parts, words.LONGER_WORDS) if parts else ())
    unknown = words.misspelt(asked, known)
    if unknown:
        known = words.spelled(unknown, known, await index.longer(scope, words.halves(unknown), words.SPELLED_READ))
    wanted = words.concepts(asked, known)
    groups = words.groups(wanted, known)
    terms = list(dict.fromkeys(term for concept in wanted for term in concept.terms if term in known.counts))
    if not groups:
        return TextHits((), terms, stop_share(query), known.chunks)
    keys = await index.collect(scope, groups, max(words.CANDIDATES, limit))
    hits = words.rank(await index.terms(keys), wanted, known, limit)
    return TextHits(hits, terms, stop_share(query), known.chunks)
