"""What reading a file gives: text with its structure, and the chunks it is cut into."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from domain.kernel.errors import N_, CorruptFile, UnsupportedFile

SUPPORTED: dict[str, tuple[str, str]] = {
    "pdf": ("application/pdf", "PDF"),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "Word"),
    "pptx": ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "PowerPoint"),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Excel"),
    "xls": ("application/vnd.ms-excel", "Excel"),
    "ods": ("application/vnd.oasis.opendocument.spreadsheet", "OpenDocument"),
    "odt": ("application/vnd.oasis.opendocument.text", "OpenDocument"),
    "html": ("text/html", "HTML"),
    "htm": ("text/html", "HTML"),
    "md": ("text/markdown", "Markdown"),
    "txt": ("text/plain", "Text"),
    "csv": ("text/csv", "CSV"),
    "eml": ("message/rfc822", "E-mail"),
}
"""Media type and label of each file extension that can be read."""

WRONG_TYPE = N_("The file is not of the type its name says. Save it anew and upload it again.")
_BINARY = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"PK\x03\x04",
    b"%PDF-",
    b"\x7fELF",
    b"MZ\x90",
    b"\xd0\xcf\x11\xe0",
    b"\x1f\x8b",
)


def extension_of(filename: str) -> str:
    """The extension in lower case; raises `UnsupportedFile` when files like this cannot be read."""
    extension = filename.rpartition(".")[2].lower() if "." in filename else ""
    if extension not in SUPPORTED:
        raise UnsupportedFile(
            N_("Files of the type “{extension}” cannot be read."), extension=extension or filename[:50]
        )
    return extension


def check_content(filename: str, head: bytes) -> str:
    """The extension, when the first bytes of the file agree with it; raises `CorruptFile` otherwise."""
    extension = extension_of(filename)
    if extension == "pdf":
        good = b"%PDF-" in head[:1024]
    elif extension in ("docx", "pptx", "xlsx", "odt", "ods"):
        good = head.startswith((b"PK", b"\xd0\xcf\x11\xe0"))
    elif extension == "xls":
        good = head.startswith((b"\xd0\xcf\x11\xe0", b"PK"))
    else:
        good = not head.startswith(_BINARY)
    if not good:
        raise CorruptFile(WRONG_TYPE)
    return extension


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of structure: `kind` is heading, paragraph, list, table or code; `start`/`end` are positions in the text."""

    kind: str
    start: int
    end: int
    page: int | None = None
    heading_path: tuple[str, ...] = ()


@dataclass(slots=True)
class ParsedDocument:
    """The text of a file and where everything stands in it.

    `page_starts[i]` is the position where page i+1 begins; `language` is sv, en or empty when it is not clear.
    """

    text: str
    blocks: list[Block]
    media_type: str
    title: str | None = None
    language: str = ""
    page_count: int | None = None
    page_starts: list[int] = field(default_factory=list)
    pages_without_text: list[int] = field(default_factory=list)

    def to_json(self) -> str:
        """As JSON; see `from_json`."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(encoded: str) -> "ParsedDocument":
        """The document that `to_json` encoded."""
        data = json.loads(encoded)
        data["blocks"] = [Block(**{**b, "heading_path": tuple(b["heading_path"])}) for b in data["blocks"]]
        return ParsedDocument(**data)

    def page_of(self, position: int) -> int | None:
        """The page, from 1, on which a position of the text stands."""
        from bisect import bisect_right

        return bisect_right(self.page_starts, position) or 1 if self.page_starts else None

    def page_span(self, page: int) -> tuple[int, int]:
        """Where a page, from 1, begins and ends in the text."""
        end = self.page_starts[page] if page < len(self.page_starts) else len(self.text)
        return self.page_starts[page - 1], end


HEADING_CHARACTERS = 180


def with_headings(title: str, heading_path: Sequence[str], text: str) -> str:
    """A chunk's text as it is searched: after its document's title and the headings above it."""
    above = " › ".join(dict.fromkeys([title, *heading_path]))
    return f"{above[:HEADING_CHARACTERS]}\n{text}"


@dataclass(frozen=True, slots=True)
class ChunkDraft:
    """A chunk before it is stored. `embedded_text` is the text with title and headings before it."""

    position: int
    text: str
    start: int
    end: int
    token_count: int
    embedded_text: str
    page_from: int | None = None
    page_to: int | None = None
    heading_path: tuple[str, ...] = ()


_COMMON = {
    "sv": frozenset(
        "och att det som en på är av för med till den har inte om ett han de men var från vid kan ska eller så".split()
    ),
    "en": frozenset(
        "the of and to in is that it for was on are as with his they be at this have from or had by not but".split()
    ),
}


def language_of(text: str) -> str:
    """The language, sv or en, by the share of each language's commonest words; empty when neither is clear."""
    words = text[:20_000].lower().split()
    if len(words) < 3:
        return ""
    hits = {language: sum(word in common for word in words) for language, common in _COMMON.items()}
    best, other = sorted(hits, key=hits.__getitem__, reverse=True)
    return best if hits[best] >= max(1, 0.03 * len(words)) and hits[best] > 1.5 * hits[other] else ""
