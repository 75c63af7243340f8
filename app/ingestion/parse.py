"""The domain's `Parser`: reads in a sandboxed child, cuts with the built-in tokenizer, draws pages."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from app.ingestion.chunk import pack
from app.ingestion.sandbox import Limits, run_child
from domain.kernel.errors import N_, UnreadableFile
from domain.knowledge.entities import CHUNK_TOKENS
from domain.knowledge.parsing import ChunkDraft, ParsedDocument, check_content, extension_of


class Tokenizer(Protocol):
    """Knows where tokens begin."""

    async def token_offsets(self, text: str) -> Sequence[int]:
        """The character at which each token starts."""


class DocumentParser:
    """See `domain.ports.Parser`."""

    def __init__(self, tokenizer: Tokenizer, limits: Limits | None = None) -> None:
        self._tokenizer, self._limits = tokenizer, limits or Limits()

    async def parse(self, path: Path, filename: str) -> ParsedDocument:
        """Text and structure; raises `UnreadableFile` and its kin."""
        extension_of(filename)
        with path.open("rb") as file:
            head = file.read(4096)
        if not head.strip(b"\x00 \r\n\t"):
            raise UnreadableFile(N_("The file is empty."))
        check_content(filename, head)
        encoded = await run_child("read", path, filename, self._limits)
        return ParsedDocument.from_json(encoded.decode())

    async def chunk(self, parsed: ParsedDocument, title: str, tokens: int = CHUNK_TOKENS) -> Sequence[ChunkDraft]:
        """The pieces it is searched by, each of about so many `tokens`."""
        offsets = await self._tokenizer.token_offsets(parsed.text)
        return await asyncio.to_thread(pack, parsed, title, offsets, tokens)

    async def count(self, text: str) -> int:
        """How many tokens a text has."""
        return len(await self._tokenizer.token_offsets(text))

    async def draw_page(self, path: Path, page: int, quotes: Sequence[str], width: int = 1_000) -> bytes:
        """A page, from 1, as PNG with the quotes highlighted."""
        detail = json.dumps({"page": page, "quotes": list(quotes), "width": width})
        return await run_child("render", path, detail, self._limits)
