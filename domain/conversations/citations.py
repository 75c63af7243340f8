"""Proven citations: each cited sentence of an answer is sought in the passage that it cites. Pure functions.

A statement is *supported* when nearly all of its words stand close together in the passage and its numbers, dates and names
agree; *partly* supported when a part of it does; otherwise it is *not found*. Words are compared by their stems and as parts
of compounds, so that a statement may be put in other words; numbers, dates and names may not differ, and a negation on one
side alone, or a word and its opposite, is never support. Rather say too little than call something proved that is not.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Any, Protocol

from domain.conversations.facts import PRONOUNS, Fact, Text, agree, alike, negated, opposed, read, split


class Verdict(StrEnum):
    """What became of a cited statement."""

    SUPPORTED = "supported"
    PARTLY = "partly"
    NOT_FOUND = "not_found"


class Stems(Protocol):
    """The analysis of words that the search has."""

    def __call__(self, word: str) -> Sequence[str]:
        """The stems of a word in the languages there are."""


class Cited(Protocol):
    """A passage that can be cited."""

    @property
    def number(self) -> int:
        """The n of its [n]."""

    @property
    def title(self) -> str:
        """The name of its document."""

    @property
    def text(self) -> str:
        """The passage itself."""

    @property
    def heading_path(self) -> Sequence[str]:
        """The headings above it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of an answer, `start` to `end`, and the numbers of the passages that it names."""

    start: int
    end: int
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Citation:
    """One marker [n] of an answer: the statement that it stands for, and where in the passage that was found.

    All positions count characters: `start` and `end` in the answer, `source_start` and `source_end` in the passage's text.
    """

    number: int
    start: int
    end: int
    verdict: str
    source_start: int | None = None
    source_end: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @staticmethod
    def of(stored: Mapping[str, Any]) -> "Citation":
        """The citation that `to_dict` gave."""
        return Citation(**stored)


SUPPORTED_SHARE = 0.72
PARTLY_SHARE = 0.4
"""So much of a statement's words must be found close together."""
WINDOW = 3
"""Sentences of a passage that may support one statement together."""
LONE_WORDS = 2
"""A statement with fewer words of its own is read with the rest of its sentence: “According to [1] the fee is …”."""
PART = 5
"""Shortest stem that may be found as a part of a longer word."""
TIE_WORDS = 3
"""A pronoun among so many first words ties a sentence to the one before."""
LONGEST = 40_000
"""So many characters of an answer are checked."""

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_MARKERS = re.compile(r"\[\d{1,3}(?:, ?\d{1,3})*\](?!\()(?:[ \t]*\[\d{1,3}(?:, ?\d{1,3})*\](?!\())*")
_FIRST = re.compile(r"\w+")
_ONE = re.compile(r"\d{1,3}")
_END = re.compile(r"[.!?…]+[\"”’')*]*(?=\s+[\"“(*]*[A-ZÅÄÖÉ0-9\-•])|\n+")
_SHORT = re.compile(
    r"(?:\b(?:t\.ex|bl\.a|m\.m|d\.v\.s|s\.k|o\.s\.v|e\.g|i\.e|kap|kl|nr|ca|st|jfr|dvs|osv|etc|mr|mrs|dr|no|art)|\b\w)\.$",
    re.IGNORECASE,
)
_QUOTED = re.compile(r" {0,3}>")
_LEAD = re.compile(r"(?:\s|[-*•>#|]|\d{1,2}[.)]\s|[,;:.)])+")


def claims(answer: str) -> list[Claim]:
    """The cited statements of an answer in their order, one for each group of markers."""
    plain = _CODE.sub(lambda m: " " * len(m[0]), answer[:LONGEST])
    found: list[Claim] = []
    behind = 0
    for match in _MARKERS.finditer(plain):
        numbers = tuple(int(n) for n in _ONE.findall(match[0]))
        start, end = _statement(plain, behind, match.start())
        if not any(c.isalnum() for c in plain[start:end]) and found:
            start, end = found[-1].start, found[-1].end
        elif _is_lone(plain[start:end]):
            end = _sentence_end(plain, match.end())
        found.append(Claim(start, max(start, end), numbers))
        behind = match.end()
    return found


def _is_lone(statement: str) -> bool:
    if statement.endswith((".", "!", "?")):
        return False
    stated = read(statement)
    return len(stated.words) + len(stated.facts) < LONE_WORDS


def _statement(text: str, behind: int, marker: int) -> tuple[int, int]:
    """The statement before a marker: from the end of the sentence before it, or of the marker before it.

    What is quoted is cited as a whole: the line of a Markdown quotation.
    """
    end = behind + len(text[behind:marker].rstrip())
    line = text.rfind("\n", 0, end) + 1
    if line >= behind and _QUOTED.match(text, line):
        start = line
    else:
        inner = len(text[behind:end].rstrip(".!?…:;*_\"”’') \t"))
        start = max(_ends(text, behind, behind + inner), default=behind)
    lead = _LEAD.match(text, start, end)
    return (lead.end() if lead else start), end


def _ends(text: str, start: int, end: int) -> Iterator[int]:
    for match in _END.finditer(text, start, end):
        if "\n" in match[0] or not _SHORT.search(text, max(start, match.start() - 8), match.start() + 1):
            yield match.end()


def _sentence_end(text: str, start: int) -> int:
    after = next(_ends(text, start, len(text)), len(text))
    following = _MARKERS.search(text, start, after)
    return following.start() if following else after


def check(answer: str, sources: Sequence[Cited], stems: Stems) -> list[Citation]:
    """Every marker of an answer with what was found of its statement; numbers that no passage has are left out."""
    matcher = Matcher(stems)
    by_number = {source.number: source for source in sources}
    found: list[Citation] = []
    for claim in claims(answer):
        statement = _MARKERS.sub(lambda m: " " * len(m[0]), answer[claim.start : claim.end])
        for number in claim.numbers:
            source = by_number.get(number)
            if source is None:
                continue
            around = " ".join([source.title, *source.heading_path])
            verdict, span = matcher.match(statement, source.text, around)
            found.append(Citation(number, claim.start, claim.end, verdict, *(span or (None, None))))
    return found


@dataclass(frozen=True, slots=True)
class _Sentence:
    start: int
    end: int
    read: Text
    stems: frozenset[str]
    tied: bool
    """Whether it speaks of what the sentence before it named."""


Match = tuple[Verdict, tuple[int, int] | None]
"""What a passage says of a statement, and where."""


def _statements(text: str) -> list[str]:
    """The sentences of a text that state something."""
    ends = [0, *_ends(text, 0, len(text)), len(text)]
    parts = [text[start:end] for start, end in pairwise(ends)]
    return [part for part in parts if any(c.isalnum() for c in part)]


def _all_of(found: Sequence[Match]) -> Match:
    """Of several statements: supported when each is, not found when none is; from the first place to the last."""
    verdicts = {verdict for verdict, _ in found}
    spans = [span for _, span in found if span]
    verdict = verdicts.pop() if len(verdicts) == 1 else Verdict.PARTLY
    return verdict, (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None


class Matcher:
    """Seeks statements in passages."""

    def __init__(self, stems: Stems) -> None:
        self._stems = lru_cache(maxsize=20_000)(lambda word: frozenset(stems(word)))
        self._sentences = lru_cache(maxsize=64)(self._cut)

    def match(self, statement: str, passage: str, around: str = "") -> Match:
        """What the passage says of the statement, and where; `around` are words that count as being everywhere in it.

        A statement of several sentences or parts is supported when each of them is.
        """
        said = _statements(statement)
        if len(said) > 1:
            return _all_of([self.match(sentence, passage, around) for sentence in said])
        sentences = self._sentences(passage)
        frame = self._of(read(around))
        whole = self._match(read(statement), sentences, frame)
        parts = [read(part) for part in split(statement)]
        if whole[0] is Verdict.SUPPORTED or len(parts) < 2:
            return whole
        found = [self._match(part, sentences, frame) for part in parts]
        together = _all_of(found)
        if together[0] is Verdict.SUPPORTED:
            return together
        if whole[0] is Verdict.PARTLY or together[0] is Verdict.NOT_FOUND:
            return whole
        best = next((each for each in found if each[0] is Verdict.SUPPORTED), None)
        return (Verdict.PARTLY, best[1]) if best else whole

    def _match(self, claim: Text, sentences: Sequence["_Sentence"], frame: frozenset[str]) -> Match:
        if not sentences or not (claim.words or claim.facts):
            return Verdict.NOT_FOUND, None
        share, first, last = self._best(claim, sentences, frame)
        window = sentences[first : last + 1]
        verdict = self._verdict(claim, share, window, sentences, frame)
        if verdict is Verdict.SUPPORTED and not self._together(claim, first, last, sentences, frame):
            verdict = Verdict.PARTLY
        if verdict is Verdict.NOT_FOUND:
            return verdict, None
        return verdict, (window[0].start, window[-1].end)

    def _together(
        self, claim: Text, first: int, last: int, sentences: Sequence["_Sentence"], frame: frozenset[str]
    ) -> bool:
        """Whether the words are said of each other: a sentence of its own, or others that a pronoun ties to it."""
        tied = {first}
        for index in range(first, last + 1):
            if sentences[index].tied:
                tied |= {index, index - 1}
        if any(index not in tied for index in range(first, last + 1)):
            return False
        near = frame.union(*(sentences[index].stems for index in tied if index >= 0))
        others = [s.stems for index, s in enumerate(sentences) if index not in tied]
        astray = [w for w in claim.words if not self._has(w, near) and any(self._has(w, stems) for stems in others)]
        return not astray

    def _cut(self, passage: str) -> list[_Sentence]:
        sentences, start = [], 0
        for end in [*_ends(passage, 0, len(passage)), len(passage)]:
            part = passage[start:end]
            text = read(part)
            said = {word.casefold() for word in _FIRST.findall(part)[:TIE_WORDS]}
            if text.words or text.facts:
                left = start + len(part) - len(part.lstrip())
                sentences.append(
                    _Sentence(left, start + len(part.rstrip()), text, self._of(text), bool(said & PRONOUNS))
                )
            start = end
        return sentences

    def _of(self, text: Text) -> frozenset[str]:
        return frozenset().union(*(self._stems(word) for word in text.words))

    def _has(self, word: str, stems: frozenset[str]) -> bool:
        own = self._stems(word)
        if own & stems:
            return True
        return any(_is_part(a, b) for a in own for b in stems)

    def _best(self, claim: Text, sentences: Sequence[_Sentence], frame: frozenset[str]) -> tuple[float, int, int]:
        """The share of the statement in the best window, and the window: as short as it can be."""
        total = len(claim.words) + 2 * len(claim.facts)
        matched = [
            [self._has(word, s.stems) for word in claim.words] + [agree(fact, s.read.facts) for fact in claim.facts]
            for s in sentences
        ]
        given = [self._has(word, frame) for word in claim.words] + [False] * len(claim.facts)
        best = (-1.0, 0.0, 0, 0)
        for first in range(len(sentences)):
            for last in range(first, min(first + WINDOW, len(sentences))):
                rows = [*matched[first : last + 1], given]
                hits = [any(column) for column in zip(*rows, strict=True)]
                weight = sum(hits[: len(claim.words)]) + 2 * sum(hits[len(claim.words) :])
                share = weight / total
                rank = share - 0.03 * (last - first)
                if rank > best[0]:
                    best = (rank, share, first, last)
        return best[1], best[2], best[3]

    def _verdict(
        self,
        claim: Text,
        share: float,
        window: Sequence[_Sentence],
        sentences: Sequence[_Sentence],
        frame: frozenset[str],
    ) -> Verdict:
        if share < PARTLY_SHARE or self._contradicts(claim, window):
            return Verdict.NOT_FOUND
        near = [fact for s in window for fact in s.read.facts]
        everywhere = [fact for s in sentences for fact in s.read.facts]
        # Some of what must agree is not there: a part at the most, and nothing when none of it is.
        for facts, found in (
            (claim.facts, [agree(fact, everywhere) for fact in claim.facts]),
            (claim.names, [self._named(name, sentences, frame) for name in claim.names]),
        ):
            if facts and not any(found):
                return Verdict.NOT_FOUND
            if not all(found):
                return Verdict.PARTLY
        if self._rivalled(claim, window):
            return Verdict.NOT_FOUND
        close = all(agree(fact, near) and self._said_of(claim, fact, window) for fact in claim.facts)
        named = all(self._named(name, window, frame) for name in claim.names)
        return Verdict.SUPPORTED if share >= SUPPORTED_SHARE and close and named else Verdict.PARTLY

    def _named(self, name: str, sentences: Sequence[_Sentence], frame: frozenset[str]) -> bool:
        return any(self._has(name, stems) for stems in (frame, *(s.stems for s in sentences)))

    def _said_of(self, claim: Text, fact: Fact, window: Sequence[_Sentence]) -> bool:
        """Whether the clause with the number speaks of what the statement speaks of."""
        if not claim.words:
            return True
        clauses = [c for s in window for c in s.read.clauses if agree(fact, c.facts)]
        return any(self._shared(claim, c.words, ()) for c in clauses) or not clauses

    def _rivalled(self, claim: Text, window: Sequence[_Sentence]) -> bool:
        """Whether another number of the same kind stands nearer to the statement's words than its own does."""
        clauses = [clause for s in window for clause in s.read.clauses]
        for fact in claim.facts:
            own = [self._shared(claim, c.words, ()) for c in clauses if agree(fact, c.facts)]
            others = [c for c in clauses if any(alike(fact, f) and not agree(f, claim.facts) for f in c.facts)]
            rivals = [self._shared(claim, c.words, ()) for c in others if not agree(fact, c.facts)]
            if own and rivals and max(rivals) > max(own):
                return True
        return False

    def _contradicts(self, claim: Text, window: Sequence[_Sentence]) -> bool:
        """Whether one side alone is negated, or says the opposite, in the clauses that speak of the same."""
        clauses = [clause for s in window for clause in s.read.clauses]
        shares = [self._shared(claim, clause.words, clause.facts) for clause in clauses]
        top = max(shares, default=0)
        about = [clause for clause, share in zip(clauses, shares, strict=True) if share and share >= 0.5 * top]
        if not about:
            return False
        if any(negated(c) for c in claim.clauses) != any(negated(c) for c in about):
            return True
        return opposed(claim, [clause for clause, share in zip(clauses, shares, strict=True) if share > 0.5 * top])

    def _shared(self, claim: Text, words: Sequence[str], facts: Sequence[Fact]) -> int:
        stems = frozenset().union(*(self._stems(word) for word in words))
        return sum(self._has(word, stems) for word in claim.words) + 2 * sum(agree(f, facts) for f in claim.facts)


def _is_part(a: str, b: str) -> bool:
    short, long = sorted((a, b), key=len)
    return len(short) >= PART and (long.startswith(short) or long.endswith(short))
