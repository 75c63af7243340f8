"""The text leg of the search, the same on both databases: what differs is how words, lists and terms are looked up."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from domain.ports import TextHits
from storage.search import words
from storage.search.analysis import stop_share

Counts = Mapping[str, tuple[int, int]]
"""For words: in how many chunks each stands, and how often."""
Longer = Iterable[tuple[str, str, int]]
"""(part, word, chunks): words that begin or end with a part."""


class WordIndex(Protocol):
    """The words of collections, as one transaction sees them."""

    async def known(
        self, scope: Sequence[UUID], wanted: Sequence[str], parts: Sequence[str], most: int
    ) -> tuple[Counts, Longer]:
        """Of the words that are `wanted` those that the collections hold, and what `longer` gives for the parts."""

    async def longer(self, scope: Sequence[UUID], parts: Sequence[str], most: int) -> Longer:
        """For each part the `most` frequent words that begin or end with it."""

    async def collect(
        self, scope: Sequence[UUID], groups: Sequence[words.Group], limit: int
    ) -> Iterable[tuple[int, str]]:
        """(key, terms as analysed) of the chunks that hold terms of the groups which together are worth the most."""


async def search(index: WordIndex, scope: Sequence[UUID], query: str, limit: int) -> TextHits:
    """The best `limit` chunks of the collections in `scope` for a question."""
    asked = words.asked(query)
    if not asked or not scope:
        return TextHits()
    parts = words.expandable(asked)
    known = words.Vocabulary.of(*await index.known(scope, words.needed(asked), parts, words.LONGER_WORDS))
    unknown = words.misspelt(asked, known)
    if unknown:
        known = words.spelled(unknown, known, await index.longer(scope, words.halves(unknown), words.SPELLED_READ))
    wanted = words.concepts(asked, known)
    groups = words.groups(wanted, known)
    terms = list(dict.fromkeys(term for concept in wanted for term in concept.terms if term in known.counts))
    if not groups:
        return TextHits((), terms, stop_share(query), known.chunks)
    rows = await index.collect(scope, groups, max(words.CANDIDATES, limit))
    return TextHits(words.rank(rows, wanted, known, limit), terms, stop_share(query), known.chunks)
