"""Putting the text that was seen on scanned pages into the document they belong to."""

import re
from collections.abc import Mapping
from dataclasses import replace

from domain.knowledge.parsing import Block, ParsedDocument, language_of


def with_pages(document: ParsedDocument, seen: Mapping[int, str]) -> ParsedDocument:
    """The document with the text of pages, by number, in the place of what little they had."""
    parts: list[str] = []
    blocks: list[Block] = []
    starts: list[int] = []
    length = 0
    path: tuple[str, ...] = ()
    for page in range(1, len(document.page_starts) + 1):
        starts.append(length)
        for block, text in _blocks(document, page, seen.get(page, ""), path):
            blocks.append(replace(block, start=length, end=length + len(text)))
            parts += [text, "\n\n"]
            length += len(text) + 2
            path = block.heading_path
    text = "".join(parts)
    by_ocr = sorted(page for page, found in seen.items() if found.strip())
    return replace(
        document,
        text=text,
        blocks=blocks,
        page_starts=starts,
        language=language_of(text),
        pages_by_ocr=by_ocr,
        pages_without_text=[page for page in document.pages_without_text if page not in by_ocr],
    )


def _blocks(document: ParsedDocument, page: int, seen: str, path: tuple[str, ...]) -> list[tuple[Block, str]]:
    if seen.strip():
        paragraphs = filter(None, (part.strip() for part in re.split(r"\n\s*\n", seen)))
        return [(Block("paragraph", 0, 0, page, path), paragraph) for paragraph in paragraphs]
    return [(b, document.text[b.start : b.end]) for b in document.blocks if b.page == page]
