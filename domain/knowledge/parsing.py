"""What reading a file gives: text with its structure, and the chunks it is cut into."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from domain.kernel.errors import N_, CorruptFile, UnreadableFile, UnsupportedFile

Progress = Callable[[float], Awaitable[None]]
"""Is told how much of something is done, from 0 to 1."""

SUPPORTED: dict[str, tuple[str, str]] = {
    "pdf": ("application/pdf", "PDF"),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "Word"),
    "doc": ("application/msword", "Word"),
    "rtf": ("application/rtf", "RTF"),
    "pptx": ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "PowerPoint"),
    "ppt": ("application/vnd.ms-powerpoint", "PowerPoint"),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Excel"),
    "xls": ("application/vnd.ms-excel", "Excel"),
    "ods": ("application/vnd.oasis.opendocument.spreadsheet", "OpenDocument"),
    "odt": ("application/vnd.oasis.opendocument.text", "OpenDocument"),
    "html": ("text/html", "HTML"),
    "htm": ("text/html", "HTML"),
    "md": ("text/markdown", "Markdown"),
    "txt": ("text/plain", N_("Text")),
    "csv": ("text/csv", "CSV"),
    "eml": ("message/rfc822", N_("E-mail")),
    "msg": ("application/vnd.ms-outlook", N_("E-mail")),
    "epub": ("application/epub+zip", "EPUB"),
    "png": ("image/png", N_("Pictures")),
    "jpg": ("image/jpeg", N_("Pictures")),
    "jpeg": ("image/jpeg", N_("Pictures")),
    "tif": ("image/tiff", N_("Pictures")),
    "tiff": ("image/tiff", N_("Pictures")),
    "webp": ("image/webp", N_("Pictures")),
    "zip": ("application/zip", N_("ZIP archives")),
    "mp3": ("audio/mpeg", N_("Sound and film")),
    "m4a": ("audio/mp4", N_("Sound and film")),
    "wav": ("audio/wav", N_("Sound and film")),
    "ogg": ("audio/ogg", N_("Sound and film")),
    "flac": ("audio/flac", N_("Sound and film")),
    "webm": ("video/webm", N_("Sound and film")),
    "mp4": ("video/mp4", N_("Sound and film")),
}
"""Media type and label of each file extension that can be read."""

PICTURES = frozenset(("png", "jpg", "jpeg", "tif", "tiff", "webp"))
ARCHIVES = frozenset(("zip",))
RECORDINGS = frozenset(("mp3", "m4a", "wav", "ogg", "flac", "webm", "mp4"))
READABLE = {e: kind for e, kind in SUPPORTED.items() if e not in ARCHIVES | RECORDINGS}
"""What holds its text in itself: neither archives nor recordings."""
ATTACHABLE = {e: kind for e, kind in SUPPORTED.items() if e not in ARCHIVES}
"""What can be attached to a question."""

WRONG_TYPE = N_("The file is not of the type its name says. Save it anew and upload it again.")
EMPTY = N_("The file is empty.")
_ZIP, _OLE = b"PK", b"\xd0\xcf\x11\xe0"
_SIGNATURES: dict[str, tuple[bytes, ...]] = {
    **dict.fromkeys(("docx", "pptx", "xlsx", "odt", "ods", "xls"), (_ZIP, _OLE)),
    **dict.fromkeys(("ppt", "msg"), (_OLE,)),
    **dict.fromkeys(("zip", "epub"), (b"PK\x03\x04", b"PK\x05\x06")),
    "doc": (_OLE, b"{\\rtf"),
    "rtf": (b"{\\rtf",),
    "png": (b"\x89PNG\r\n\x1a\n",),
    **dict.fromkeys(("jpg", "jpeg"), (b"\xff\xd8\xff",)),
    **dict.fromkeys(("tif", "tiff"), (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")),
    "webp": (b"RIFF",),
    "mp3": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xfa"),
    "wav": (b"RIFF", b"RF64"),
    "ogg": (b"OggS",),
    "flac": (b"fLaC",),
    "webm": (b"\x1a\x45\xdf\xa3",),
}
_BINARY = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"PK\x03\x04",
    b"%PDF-",
    b"\x7fELF",
    b"MZ\x90",
    _OLE,
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


def attachable(filename: str) -> str:
    """The extension of a file that can be attached to a question; raises `UnsupportedFile` otherwise."""
    extension = extension_of(filename)
    if extension not in ATTACHABLE:
        raise UnsupportedFile(
            N_("Files of the type “{extension}” cannot be attached. Upload the file to a collection instead."),
            extension=extension,
        )
    return extension


def check_content(filename: str, head: bytes) -> str:
    """The extension, when the first bytes of the file agree with it; raises `UnreadableFile` and its kin otherwise."""
    extension = extension_of(filename)
    if not head.strip(b"\x00 \r\n\t"):
        raise UnreadableFile(EMPTY)
    if extension == "pdf":
        good = b"%PDF-" in head[:1024]
    elif extension in ("m4a", "mp4"):
        good = head[4:8] == b"ftyp"
    elif extension in _SIGNATURES:
        good = head.startswith(_SIGNATURES[extension])
    else:
        good = not head.startswith(_BINARY)
    if not good:
        raise CorruptFile(WRONG_TYPE)
    return extension


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of structure: `kind` is heading, paragraph, list, table, code or speech; `start`/`end` are positions.

    A table's rows stand one to a line, and `header` is the row that names its columns; `time` is where in a recording
    speech begins, in seconds.
    """

    kind: str
    start: int
    end: int
    page: int | None = None
    heading_path: tuple[str, ...] = ()
    header: str = ""
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A member of an archive that was not taken in: its path there, and the reason as a message id with `params`."""

    path: str
    message: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive, unpacked: its path there, and where it is now."""

    path: str
    file: Path


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What an archive holds, and what of it is refused."""

    members: Sequence[Member]
    refused: Sequence[Refused]


@dataclass(slots=True)
class ParsedDocument:
    """The text of a file and where everything stands in it.

    `page_starts[i]` is the position where page i+1 begins; `language` is sv, en or empty when it is not clear. Pages are
    numbered from 1, also in `pages_without_text` and `pages_by_ocr`. `refused` is what an archive held that was not
    taken in.
    """

    text: str
    blocks: list[Block]
    media_type: str
    title: str | None = None
    language: str = ""
    page_count: int | None = None
    page_starts: list[int] = field(default_factory=list)
    pages_without_text: list[int] = field(default_factory=list)
    pages_by_ocr: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def to_json(self) -> str:
        """As JSON; see `from_json`."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(encoded: str) -> "ParsedDocument":
        """The document that `to_json` encoded."""
        return ParsedDocument.from_fields(json.loads(encoded))

    @staticmethod
    def from_fields(data: dict[str, Any]) -> "ParsedDocument":
        """The document whose fields `asdict` gave."""
        data["blocks"] = [Block(**{**b, "heading_path": tuple(b["heading_path"])}) for b in data["blocks"]]
        data["refused"] = [Refused(**r) for r in data.get("refused", ())]
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
    """A chunk before it is stored. `embedded_text` is the text with title, headings and `header` before it."""

    position: int
    text: str
    start: int
    end: int
    token_count: int
    embedded_text: str
    page_from: int | None = None
    page_to: int | None = None
    heading_path: tuple[str, ...] = ()
    header: str = ""


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
