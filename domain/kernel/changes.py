"""What has changed between two texts, line by line and within changed lines word by word (difflib)."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

MOST_LINES, MOST_WORDS = 2_000, 1_500
"""What is longer is told as taken out and put in as a whole: comparing takes the square of it."""
_WORDS = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")


class Kind(StrEnum):
    """What became of a part of a text."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


class Part(NamedTuple):
    """A part of either text."""

    kind: Kind
    text: str


def changes(old: str, new: str) -> list[Part]:
    """The parts of both texts in their order; those that follow each other and are of one kind are one part."""
    parts = _compared(old.splitlines(keepends=True), new.splitlines(keepends=True), MOST_LINES)
    whole = groupby(_by_words(parts), key=lambda part: part.kind)
    return [Part(kind, "".join(part.text for part in group)) for kind, group in whole]


def _by_words(parts: Iterator[tuple[str, str]]) -> Iterator[Part]:
    for old, new in parts:
        if old == new:
            yield Part(Kind.SAME, old)
            continue
        for before, after in _compared(_WORDS.findall(old), _WORDS.findall(new), MOST_WORDS):
            if before == after:
                yield Part(Kind.SAME, before)
            else:
                yield from (Part(kind, text) for kind, text in ((Kind.REMOVED, before), (Kind.ADDED, after)) if text)


def _compared(old: Sequence[str], new: Sequence[str], most: int) -> Iterator[tuple[str, str]]:
    """Both texts in pieces: what stood there, and what stands there now."""
    if max(len(old), len(new)) > most:
        yield "".join(old), "".join(new)
        return
    for _, first, last, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        yield "".join(old[first:last]), "".join(new[start:end])
