"""The domain's `Parser` and `Pictures`: reads in a sandboxed child, cuts with the built-in tokenizer, draws pages."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from app.ingestion.archives import MANIFEST
from app.ingestion.chunk import pack
from app.ingestion.ocr import with_pages
from app.ingestion.sandbox import Limits, child, run_child
from app.ingestion.tools import TESSERACT, find
from domain.kernel import tracing
from domain.kernel.errors import N_, UnreadableFile
from domain.knowledge.entities import CHUNK_TOKENS
from domain.knowledge.parsing import (
    PICTURES,
    ChunkDraft,
    Member,
    ParsedDocument,
    Progress,
    Refused,
    Unpacked,
    check_content,
    extension_of,
)

OCR_SECONDS = 60
"""Time that one page may take."""
PICTURE_SECONDS = 20
NOTHING_SEEN = N_("No text was found in the file, not even by looking at its pages as pictures (OCR).")


class Tokenizer(Protocol):
    """Knows where tokens begin."""

    async def token_offsets(self, text: str) -> Sequence[int]:
        """The character at which each token starts."""


class DocumentParser:
    """See `domain.ports.Parser` and `Pictures`. Of a document at most `ocr_pages` scanned pages are read; 0 = none."""

    def __init__(self, tokenizer: Tokenizer, limits: Limits | None = None, *, ocr_pages: int = 0) -> None:
        self._tokenizer, self._limits = tokenizer, limits or Limits()
        self._ocr_pages = ocr_pages if find(TESSERACT) else 0

    @tracing.traced("read document")
    async def parse(self, path: Path, filename: str, progress: Progress | None = None) -> ParsedDocument:
        """Text and structure; raises `UnreadableFile` and its kin."""
        extension = _looked_at(path, filename)
        scanned = self._ocr_pages > 0 and (extension == "pdf" or extension in PICTURES)
        encoded = await run_child("read", path, {"filename": filename, "ocr": scanned}, self._limits)
        document = ParsedDocument.from_json(encoded.decode())
        if scanned and document.pages_without_text:
            document = with_pages(document, await self._look(path, filename, document, progress))
            if not document.text.strip():
                raise UnreadableFile(NOTHING_SEEN)
        return document

    async def _look(
        self, path: Path, filename: str, document: ParsedDocument, progress: Progress | None
    ) -> dict[int, str]:
        limits = replace(self._limits, wall_seconds=min(OCR_SECONDS, self._limits.wall_seconds))
        pages = document.pages_without_text[: self._ocr_pages]
        seen: dict[int, str] = {}
        for done, page in enumerate(pages, 1):
            detail = {"filename": filename, "page": page, "seconds": limits.wall_seconds}
            try:
                seen[page] = (await run_child("ocr", path, detail, limits)).decode()
            except UnreadableFile:
                # A page that cannot be read stays without text, and the document says so.
                seen[page] = ""
            if progress is not None:
                await progress(done / len(pages))
        return seen

    @tracing.traced("cut document")
    async def chunk(self, parsed: ParsedDocument, title: str, tokens: int = CHUNK_TOKENS) -> Sequence[ChunkDraft]:
        """The pieces it is searched by, each of about so many `tokens`."""
        offsets = await self._tokenizer.token_offsets(parsed.text)
        return await asyncio.to_thread(pack, parsed, title, offsets, tokens)

    async def count(self, text: str) -> int:
        """How many tokens a text has."""
        return len(await self._tokenizer.token_offsets(text))

    @asynccontextmanager
    async def unpack(self, path: Path, filename: str) -> AsyncIterator[Unpacked]:
        """The files of an archive, there until the block is left; raises `UnreadableFile` and its kin."""
        _looked_at(path, filename)
        async with child("unpack", path, {}, self._limits) as folder:
            found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            members = [Member(name, folder / str(number)) for number, name in enumerate(found["members"])]
            yield Unpacked(members, [Refused(**refused) for refused in found["refused"]])

    async def draw_page(self, path: Path, page: int, quotes: Sequence[str], width: int = 1_000) -> bytes:
        """A page, from 1, as PNG with the quotes highlighted."""
        detail = {"page": page, "quotes": list(quotes), "width": width}
        return await run_child("render", path, detail, self._limits)

    async def square(self, path: Path, side: int) -> bytes:
        """The middle of a picture as a PNG of at most `side` × `side` points, and nothing else of it."""
        limits = replace(self._limits, wall_seconds=min(PICTURE_SECONDS, self._limits.wall_seconds))
        return await run_child("square", path, {"side": side}, limits)


def _looked_at(path: Path, filename: str) -> str:
    """The extension, once the first bytes of the file were compared with it."""
    extension_of(filename)
    with path.open("rb") as file:
        return check_content(filename, file.read(4096))
