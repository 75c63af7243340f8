"""Cutting a document into chunks: blocks packed up to a target, oversize blocks split at sentences, words, characters."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.knowledge.entities import CHUNK_TOKENS
from domain.knowledge.parsing import Block, ChunkDraft, ParsedDocument, with_headings

HARD = 440
"""Tokens a chunk never exceeds: the built-in model reads 512 with prefix, title and headings."""
SMALL = 60
"""A new heading begins a new chunk, unless the one before would be smaller than this."""
PAGE_END = 12
"""A new page begins one too, unless the page before held hardly a line: a citation must open the right page."""
HEADER_TOKENS = 60
_ROW = re.compile(r"\n")
_SENTENCE = re.compile(r"(?<=[.!?:;])\s+|\n")


@dataclass(slots=True)
class _Piece:
    start: int
    end: int
    block: Block

    @property
    def heading(self) -> bool:
        return self.block.kind == "heading"

    @property
    def path(self) -> tuple[str, ...]:
        return self.block.heading_path

    @property
    def page(self) -> int | None:
        return self.block.page


class _Counter:
    def __init__(self, offsets: Sequence[int]) -> None:
        self._offsets = offsets

    def __call__(self, start: int, end: int) -> int:
        return bisect_left(self._offsets, end) - bisect_left(self._offsets, start)

    def cut(self, start: int, tokens: int, end: int) -> int:
        """The position `tokens` tokens after `start`, at most `end`."""
        index = bisect_left(self._offsets, start) + tokens
        return min(end, self._offsets[index]) if index < len(self._offsets) else end


def pack(document: ParsedDocument, title: str, offsets: Sequence[int], target: int = CHUNK_TOKENS) -> list[ChunkDraft]:
    """Chunks that aim for `target` tokens, in order. Their spans hold every character that is not white space."""
    count = _Counter(offsets)
    chunks: list[ChunkDraft] = []
    current: list[_Piece] = []
    for piece in _pieces(document, count, target):
        if current and _closes(current, piece, count, target):
            chunks.append(_draft(document, title, len(chunks), current, count))
            current = []
        current.append(piece)
    if current:
        chunks.append(_draft(document, title, len(chunks), current, count))
    return chunks


def _closes(current: list[_Piece], piece: _Piece, count: _Counter, target: int) -> bool:
    """Whether the piece begins a new chunk."""
    start = current[0].start
    if count(start, piece.end) > HARD:
        return True
    size = count(start, current[-1].end)
    if piece.page != current[-1].page and size >= PAGE_END:
        return True
    if all(p.heading for p in current):
        return False
    if piece.heading or piece.path != current[-1].path:
        return size >= min(SMALL, target // 4)
    return count(start, piece.end) > target


def _pieces(document: ParsedDocument, count: _Counter, target: int) -> Iterator[_Piece]:
    for block in document.blocks:
        for start, end in _split(document.text, block, count, target):
            yield _Piece(start, end, block)


def _split(text: str, block: Block, count: _Counter, target: int) -> Iterator[tuple[int, int]]:
    if count(block.start, block.end) <= target:
        yield block.start, block.end
        return
    table = block.kind == "table"
    start = block.start
    for match in (_ROW if table else _SENTENCE).finditer(text, block.start, block.end):
        if match.end() > start:
            yield from _whole_or_short(start, match.end(), text, count, target, table)
            start = match.end()
    if start < block.end:
        yield from _whole_or_short(start, block.end, text, count, target, table)


def _whole_or_short(
    start: int, end: int, text: str, count: _Counter, target: int, row: bool
) -> Iterator[tuple[int, int]]:
    # A row of a table stays whole as long as a chunk can hold it at all.
    if row and count(start, end) <= HARD:
        yield start, end
    else:
        yield from _short(start, end, text, count, target)


def _short(start: int, end: int, text: str, count: _Counter, target: int) -> Iterator[tuple[int, int]]:
    while count(start, end) > target:
        at = count.cut(start, target, end)
        space = text.rfind(" ", start + 1, at)
        cut = space + 1 if space > start + (at - start) // 2 else max(at, start + 1)
        yield start, cut
        start = cut
    if start < end:
        yield start, end


def _draft(document: ParsedDocument, title: str, position: int, pieces: list[_Piece], count: _Counter) -> ChunkDraft:
    start, end = pieces[0].start, pieces[-1].end
    text = document.text[start:end]
    trimmed = text.strip()
    start += len(text) - len(text.lstrip())
    end = start + len(trimmed)
    # A recording is cited where the passage begins; a text belongs to the last heading above it.
    path = pieces[0 if pieces[0].block.kind == "speech" else -1].path
    header = _header(document.text, pieces)
    return ChunkDraft(
        position=position,
        text=trimmed,
        start=start,
        end=end,
        token_count=count(start, end),
        embedded_text=with_headings(title, path, f"{header}{trimmed}"),
        page_from=document.page_of(start),
        page_to=document.page_of(max(start, end - 1)),
        heading_path=path,
        header=header,
    )


def _header(text: str, pieces: list[_Piece]) -> str:
    """The row that names the columns of the first table, where the chunk itself does not begin with it."""
    first = next((piece for piece in pieces if piece.block.header), None)
    if first is None or text.startswith(first.block.header, first.start):
        return ""
    return f"{first.block.header[: HEADER_TOKENS * 3]}\n"
