"""What a question's words mean among the words of the searched collections, and how well chunks hold them: BM25.

Each word of a question is a concept: its stem, and the longer words of the collections that begin or end with it
(bygglov → bygglovshandläggare, barnbidrag for bidrag), which count a little less. A compound that no chunk holds is taken
apart where both parts are words of the collections; one that is not known in any of these ways is taken for a misspelt one,
if words of the collections differ from it by one letter. So the collections themselves are the dictionary.

Finding goes in two steps, because ranking everything that holds a frequent word is slow. First chunks are collected by the
rarest terms within `BUDGET` entries of the index, with those ahead in which a term is prominent (see `prominent`); then the
best `CANDIDATES` of them are ranked by BM25 over all concepts.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar
from uuid import UUID

from domain.ports import SearchHit
from storage.search.analysis import NUMBER, PART_LENGTH, codes, fold, meant, stem

K1, B = 1.2, 0.75
"""Saturation and length normalisation of BM25 (Robertson & Zaragoza, 2009)."""
LONGER_WEIGHT = 0.6
"""How much a longer word that holds the asked one counts."""
CODE_WEIGHT, CODE_LENGTH = 2.0, 3
"""How much more a number or code counts, from how many characters on: who names one wants the chunk that holds it."""
PART_WEIGHT = 0.5
"""How much a part of an unknown compound counts."""
SPELLED_WEIGHT = 0.5
"""How much a word counts that an unknown one may have been meant to be."""
SPELLED_LENGTH = 6
"""Shortest stem that is taken for a misspelt one: shorter words resemble too many others."""
SPELLED_CHUNKS = 20_000
"""In more chunks than that misspelt words stay unknown: half of a word is the half of too many there."""
SPELLED_WORDS, SPELLED_READ, MISSPELT_WORDS = 3, 1_000, 3
"""Known words taken for a misspelt one; words that begin or end like it looked at; misspelt words at the most."""
LONGER_WORDS = 32
"""Longer words taken for each asked word, the most frequent first."""
EXPANDED_WORDS = 12
LEAST_CHUNKS = 50
"""Fewer chunks do not tell how rare a word is: one that stands in the only chunk would count for nothing."""
COMPOUND_LENGTH = 8
SHORTEST_PART = 4
MOST_WORDS = 64
BUDGET = 2_500
COLLECTED_TERMS = 12
"""Terms of a concept by which chunks are collected; all of them count when chunks are ranked."""
FREQUENT = 800
"""Entries looked at for a concept whose terms are all more frequent than the budget allows."""
READ = 50_000
"""Entries an index may go through to give those of frequent concepts: Postgres reads a word's list whole before it stops."""
CANDIDATES = 160
NEARLY_ALL = 0.8
"""With this share of the chunks in scope or more, the index is not asked for the scope: what was found tells it faster."""
PROMINENT = "0"
"""Before a term: the chunk holds it prominently. No term begins so, since those of numbers begin with `NUMBER`."""
PROMINENT_SHARE = 1.4
USUAL_LENGTH = 150
ALL = ""
"""The word under which a collection's chunks are counted."""
LAST = "\U0010ffff"
"""Sorts behind every letter."""
Scope = TypeVar("Scope", str, UUID)


@dataclass(frozen=True, slots=True)
class Asked:
    """A word of a question: its stems (Swedish, then English), and the ways in which it could be composed."""

    stems: tuple[str, ...]
    splits: tuple[tuple[str, str], ...] = ()

    @property
    def part(self) -> str | None:
        """The stem by which longer words are found, unless it is too short."""
        found = self.stems[0]
        return found if len(found) >= PART_LENGTH and found[0] != NUMBER else None


@dataclass(slots=True)
class Concept:
    """Terms that mean the same, each with its weight, and how many chunks hold one of them (at the most)."""

    terms: dict[str, float]
    weight: float
    chunks: int
    idf: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the collections in scope hold: chunks, and the mean number of terms in one.

    `counts` tells in how many chunks a word stands, `longer` which words begin or end with an asked one, `meant` which
    words a misspelt one may have been meant to be.
    """

    chunks: int
    mean_length: float
    counts: Mapping[str, int]
    longer: Mapping[str, Sequence[str]]
    meant: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @staticmethod
    def of(exact: Mapping[str, tuple[int, int]], longer: Iterable[tuple[str, str, int]]) -> "Vocabulary":
        """From counts of words (chunks, occurrences), among them `ALL`, and (asked word, longer word, its chunks)."""
        chunks, terms = exact.get(ALL, (0, 0))
        counts = {word: count for word, (count, _) in exact.items() if word != ALL}
        words: dict[str, list[str]] = {}
        for part, word, count in longer:
            counts[word] = count
            words.setdefault(part, []).append(word)
        return Vocabulary(chunks, terms / chunks if chunks else 0.0, counts, words)


def asked(query: str) -> list[Asked]:
    """The words of a question."""
    words = [_asked(word) for word in meant(query)[:MOST_WORDS]]
    return words + [Asked((code,)) for code in dict.fromkeys(codes(fold(query)))]


def _asked(word: str) -> Asked:
    stems = tuple(dict.fromkeys(stem(word, language) for language in ("sv", "en")))
    splits: dict[tuple[str, str], None] = {}
    found = stems[0]
    if len(found) >= COMPOUND_LENGTH and found[0] != NUMBER:
        for at in range(SHORTEST_PART, len(found) - SHORTEST_PART + 2):
            first, rest = found[:at], found[at:]
            for tail in (rest, rest[1:] if rest[0] == "s" else ""):
                if len(tail) >= SHORTEST_PART - 1:
                    splits[stem(first, "sv"), stem(tail, "sv")] = None
    return Asked(stems, tuple(splits))


def needed(words: Sequence[Asked]) -> list[str]:
    """The words whose counts are needed to understand a question."""
    parts = (part for word in words for split in word.splits for part in split)
    return list(dict.fromkeys([ALL, *(s for word in words for s in word.stems), *parts]))


def expandable(words: Sequence[Asked]) -> list[str]:
    """The stems for which longer words are looked up: the longest ones."""
    parts = dict.fromkeys(word.part for word in words if word.part)
    return sorted(parts, key=lambda part: -len(part))[:EXPANDED_WORDS]


def concepts(words: Sequence[Asked], known: Vocabulary) -> list[Concept]:
    """What the question asks for, rarest first. Words that stand nowhere are concepts too: nothing covers them."""
    found: list[Concept] = []
    for word in words:
        terms = dict.fromkeys(word.stems, 1.0)
        for longer in known.longer.get(word.part or "", ()):
            terms.setdefault(longer, LONGER_WEIGHT)
        for likely in known.meant.get(word.stems[0], ()):
            terms.setdefault(likely, SPELLED_WEIGHT)
        parts = None if known.counts.get(word.stems[0]) else _parts(word, known)
        code = word.stems[0][0] == NUMBER and len(word.stems[0]) > CODE_LENGTH
        found.append(_concept(terms, CODE_WEIGHT if code else 1.0, known))
        found += [_concept({part: 1.0}, PART_WEIGHT, known) for part in parts or ()]
    return sorted(found, key=lambda concept: -concept.idf)


def misspelt(words: Sequence[Asked], known: Vocabulary) -> list[Asked]:
    """The words that nothing explains: no chunk holds them, a longer one, or their parts."""
    if known.chunks > SPELLED_CHUNKS:
        return []
    unknown = [
        word
        for word in words
        if word.part
        and len(word.part) >= SPELLED_LENGTH
        and not any(known.counts.get(stem) for stem in word.stems)
        and not known.longer.get(word.part)
        and _parts(word, known) is None
    ]
    return unknown[:MISSPELT_WORDS]


def halves(words: Sequence[Asked]) -> list[str]:
    """Both halves of words: an error in the one leaves the other as it is."""
    cut = [(word.stems[0], len(word.stems[0]) // 2) for word in words]
    return [half for stem, middle in cut for half in (stem[:middle], stem[middle:])]


def spelled(words: Sequence[Asked], known: Vocabulary, found: Iterable[tuple[str, str, int]]) -> Vocabulary:
    """The vocabulary, with the words that misspelt ones may have been meant to be, out of `found` by their halves.

    Nobody gets the first letter wrong, and names that differ in it are others.
    """
    counts = {word: count for _, word, count in found}
    meant: dict[str, Sequence[str]] = {}
    for unknown in words:
        near = [word for word in counts if any(word[0] == stem[0] and alike(word, stem) for stem in unknown.stems)]
        meant[unknown.stems[0]] = sorted(near, key=lambda word: (-counts[word], word))[:SPELLED_WORDS]
    taken = {word: counts[word] for likely in meant.values() for word in likely}
    return replace(known, counts={**known.counts, **taken}, meant=meant)


def alike(first: str, second: str) -> bool:
    """Whether one letter more, less or other, or two letters in each other's place, make one word of the other."""
    short, long = sorted((first, second), key=len)
    if len(long) - len(short) > 1:
        return False
    at = next((n for n, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    swapped = long[at : at + 2][::-1]
    return short[at + 1 :] == long[at + 1 :] or (short[at : at + 2] == swapped and short[at + 2 :] == long[at + 2 :])


def _parts(word: Asked, known: Vocabulary) -> tuple[str, str] | None:
    """The split whose parts are the best known ones (geometric mean of their counts, after Koehn & Knight, 2003)."""
    counts = [(known.counts.get(first, 0) * known.counts.get(rest, 0), first, rest) for first, rest in word.splits]
    best = max(counts, default=(0, "", ""))
    return (best[1], best[2]) if best[0] else None


def _concept(terms: dict[str, float], weight: float, known: Vocabulary) -> Concept:
    chunks = min(known.chunks, sum(known.counts.get(term, 0) for term in terms))
    total = max(known.chunks, LEAST_CHUNKS)
    return Concept(terms, weight, chunks, math.log(1 + (total - chunks + 0.5) / (chunks + 0.5)))


@dataclass(frozen=True, slots=True)
class Group:
    """A request to the index: chunks that hold one of `terms`, at most `most` of them, and what finding one is worth."""

    terms: tuple[str, ...]
    worth: float
    most: int


def groups(wanted: Sequence[Concept], known: Vocabulary) -> list[Group]:
    """How chunks are collected: each concept by its rarer terms as long as the budget lasts, prominent ones on top."""
    asked_for: list[Group] = []
    left, unread = BUDGET, READ
    for concept in wanted:
        chosen: list[str] = []
        counted = ((known.counts.get(term, 0), term) for term in concept.terms)
        for count, term in sorted(counted, key=lambda each: (-concept.terms[each[1]], each[0])):
            if 0 < count <= left and len(chosen) < COLLECTED_TERMS:
                chosen.append(term)
                left -= count
        worth = concept.idf * concept.weight
        if chosen:
            asked_for.append(Group(tuple(chosen), worth, BUDGET))
        if not concept.chunks or (chosen and concept.chunks <= CANDIDATES):
            continue
        # What stands nearly everywhere tells chunks apart the least: where rarer words collect, it only ranks.
        if concept.chunks > unread and asked_for:
            continue
        unread -= concept.chunks
        strong = tuple(PROMINENT + term for term, weight in concept.terms.items() if weight == 1.0)
        asked_for.append(Group(strong, worth * (0.5 if chosen else 1.5), FREQUENT))
        if not chosen:
            left = max(0, left - FREQUENT)
            plain = tuple(term for term, weight in concept.terms.items() if weight == 1.0)
            asked_for.append(Group(plain, worth, FREQUENT))
    return asked_for


def rank(
    rows: Iterable[tuple[int, str]], wanted: Sequence[Concept], known: Vocabulary, limit: int
) -> Sequence[SearchHit]:
    """Chunks, given as (key, terms), by BM25 as a share (0-1) of what a chunk full of every asked word would reach."""
    ideal = sum(concept.weight * concept.idf * (K1 + 1) for concept in wanted) or 1.0
    mean = known.mean_length or 1.0
    meaning: dict[str, list[tuple[int, float]]] = {}
    for number, concept in enumerate(wanted):
        for term, weight in concept.terms.items():
            meaning.setdefault(term, []).append((number, weight))
    worth = [concept.weight * concept.idf * (K1 + 1) for concept in wanted]
    hits = []
    for key, terms in rows:
        held = terms.split()
        often: dict[int, float] = {}
        for term in held:
            if term in meaning:
                for number, weight in meaning[term]:
                    often[number] = often.get(number, 0.0) + weight
        norm = K1 * (1 - B + B * len(held) / mean)
        if often:
            hits.append(SearchHit(key, sum(worth[n] * count / (count + norm) for n, count in often.items()) / ideal))
    hits.sort(key=lambda hit: (-hit.score, hit.key))
    return hits[:limit]


def backwards(word: str) -> str | None:
    """A word from its end, by which it is found for an asked word it ends with; None when it is too short to hold one."""
    return word[::-1] if len(word) > PART_LENGTH else None


def by_scope(pairs: Iterable[tuple[Scope, str]]) -> list[tuple[Scope, list[str]]]:
    """Terms of chunks, given with the collection of each, collection by collection in an order that is always the same."""
    found: dict[Scope, list[str]] = {}
    for scope, terms in pairs:
        found.setdefault(scope, []).append(terms)
    return sorted(found.items())


def tally(entries: Iterable[str]) -> dict[str, tuple[int, int]]:
    """For each term of some chunks: in how many of them it stands, and how often; under `ALL`, chunks and all terms."""
    chunks: Counter[str] = Counter()
    often: Counter[str] = Counter()
    for terms in entries:
        counts = Counter(terms.split())
        chunks.update(counts.keys())
        often.update(counts)
        chunks[ALL] += 1
        often[ALL] += sum(counts.values())
    return {term: (count, often[term]) for term, count in chunks.items()}


def prominent(terms: str) -> list[str]:
    """The different terms of a chunk, and once more, marked, those that shape it: often there, for its length."""
    held = terms.split()
    norm = K1 * (1 - B + B * len(held) / USUAL_LENGTH)
    counts = Counter(held)
    marked = [PROMINENT + term for term, n in counts.items() if n * (K1 + 1) / (n + norm) >= PROMINENT_SHARE]
    return [*counts, *marked]
