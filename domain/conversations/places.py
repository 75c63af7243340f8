"""Where a cited passage stands in the version of the document that was cited. Pure functions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from domain.conversations.citations import Citation, Verdict
from domain.conversations.entities import Message, MessageSource
from domain.files.entities import Blob
from domain.knowledge.entities import DocumentState, DocumentVersion
from domain.knowledge.parsing import ParsedDocument

AROUND = 1_500
"""So many characters before and behind a passage are shown with it."""
SLACK = 200


@dataclass(frozen=True, slots=True)
class Place:
    """A passage in its document: `text` is the passage with what stands around it, `marks` what is to be marked in it.

    `quotes` are the marked texts, `page` is where the first of them stands. `changed` when the passage no longer is what
    the document says, since somebody has changed it by hand.
    """

    source: MessageSource
    version: DocumentVersion
    blob: Blob | None
    text: str
    marks: Sequence[tuple[int, int]]
    quotes: Sequence[str]
    page: int | None
    changed: bool

    @property
    def replaced(self) -> bool:
        """Whether a newer version has taken the place of the one that was cited."""
        return self.version.state != DocumentState.READY

    @property
    def pictured(self) -> bool:
        """Whether its pages can be drawn."""
        return self.blob is not None and self.version.media_type == "application/pdf" and self.page is not None


def citations_of(message: Message, number: int) -> list[tuple[int, Citation]]:
    """The citations of one source, each with its place among all of the answer."""
    every = (Citation.of(stored) for stored in message.citations or ())
    return [(index, citation) for index, citation in enumerate(every) if citation.number == number]


def spans(message: Message, source: MessageSource, citation: int | None = None) -> list[tuple[int, int]]:
    """What to mark in a source's text: what supports one of its citations, or all of them.

    The whole passage where nothing was checked; nothing where what was cited is not found.
    """
    own = [c for index, c in citations_of(message, source.number) if citation in (None, index)]
    if not own:
        return [(0, len(source.text))]
    found = [(c.source_start, c.source_end) for c in own if c.verdict != Verdict.NOT_FOUND]
    return _merged([(start, end) for start, end in found if start is not None and end is not None])


def place(
    source: MessageSource,
    marked: Sequence[tuple[int, int]],
    version: DocumentVersion,
    blob: Blob | None,
    parsed: ParsedDocument | None,
) -> Place:
    """The passage of `source` in its document, with the spans `marked` of its text."""
    quotes = [source.text[start:end] for start, end in marked]
    whole = parsed.text if parsed else ""
    found = [_find(whole, quote, source.start, source.end) for quote in quotes]
    outer = _find(whole, source.text, source.start, source.end)
    if parsed is None or outer is None or None in found:
        return Place(source, version, blob, source.text, marked, quotes, source.page_from, parsed is not None)
    first, last = max(0, outer[0] - AROUND), min(len(whole), outer[1] + AROUND)
    there = [span for span in found if span is not None]
    page = parsed.page_of(there[0][0] if there else outer[0]) if source.page_from else None
    marks = [(start - first, end - first) for start, end in there]
    return Place(source, version, blob, whole[first:last], marks, quotes, page, False)


def _find(text: str, quote: str, start: int, end: int) -> tuple[int, int] | None:
    """Where a quote stands near `start` to `end`, whatever the white space between its words."""
    words = quote.split()
    if not words:
        return None
    pattern = re.compile(r"\s+".join(map(re.escape, words)))
    found = pattern.search(text, max(0, start - SLACK), min(len(text), end + SLACK))
    return found.span() if found else None


def _merged(found: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
