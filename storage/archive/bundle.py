"""The file itself: a tar of parts inside the encrypted stream.

header.json                         what it is: schema, tables, organisations
tables/<organisation>/<table>/1     rows, one JSON array a line, packed with zlib; `shared` for what is nobody's
index/<organisation>/1              entries of the search index, likewise
files/<organisation>/<name>         stored files as they are: encrypted
manifest.json                       every part's SHA-256, and all counts
"""

import hashlib
import io
import json
import os
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from storage.archive.rows import Row, Shape, line_of
from storage.archive.sealed import ArchiveError, SealedReader, SealedWriter

FORMAT = 1
PART_BYTES = 4 * 1024 * 1024
PACK_LEVEL = 1
HEADER, MANIFEST, SHARED = "header.json", "manifest.json", "shared"
COPY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Header:
    """What an archive says of itself before anything else."""

    kind: str
    version: str
    revision: str
    created_at: str
    dialect: str
    shapes: Sequence[Shape]
    organisations: Sequence[tuple[str, str, str]]
    """Id (hexadecimal), slug and name."""
    keys: str | None = None
    """The file of the master keys; or the data keys of the one organisation, as JSON."""

    def dumped(self) -> bytes:
        """As JSON."""
        tables = [{name: getattr(s, name) for name in ("name", "columns", "key", "owned")} for s in self.shapes]
        names = ("kind", "version", "revision", "created_at", "dialect", "organisations", "keys")
        said = {"format": FORMAT, **{name: getattr(self, name) for name in names}, "tables": tables}
        return json.dumps(said, ensure_ascii=False).encode()

    @classmethod
    def loaded(cls, raw: bytes) -> "Header":
        """From JSON."""
        said = json.loads(raw)
        if said["format"] != FORMAT:
            raise ArchiveError(
                f"This file was written by a newer version ({said['version']}). Use that one or a newer."
            )
        shapes = [
            Shape(t["name"], tuple((n, k) for n, k in t["columns"]), tuple(t["key"]), t["owned"])
            for t in said["tables"]
        ]
        found = [(each[0], each[1], each[2]) for each in said["organisations"]]
        names = ("kind", "version", "revision", "created_at", "dialect")
        plain = {name: said[name] for name in names}
        return cls(**plain, shapes=shapes, organisations=found, keys=said["keys"])


@dataclass(slots=True)
class Manifest:
    """What an archive must hold."""

    parts: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


class ArchiveWriter:
    """Writes an archive beside its place, and moves it there when all has gone well."""

    def __init__(self, path: Path, secret: bytes, header: Header) -> None:
        if path.exists():
            raise ArchiveError(f"{path} exists already. Nothing is overwritten: give another name.")
        self._path, self._beside = path, path.with_name(path.name + ".part")
        self.manifest = Manifest()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._sealed = SealedWriter(self._file, secret)
        self._tar = tarfile.open(  # noqa: SIM115
            fileobj=cast("IO[bytes]", self._sealed), mode="w|", format=tarfile.PAX_FORMAT
        )
        self._lines, self._numbers = bytearray(), Counter[str]()
        self._put(HEADER, header.dumped())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                said = {"parts": self.manifest.parts, "counts": dict(self.manifest.counts)}
                self._put(MANIFEST, json.dumps(said).encode())
                self._tar.close()
                self._sealed.close()
                self._file.flush()
                os.fsync(self._file.fileno())
                self._beside.rename(self._path)
        finally:
            self._file.close()
            self._beside.unlink(missing_ok=True)

    def _put(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self._tar.addfile(member, io.BytesIO(content))
        # It would remember every member, of which there may be millions.
        self._tar.members = []  # type: ignore[attr-defined]
        self.manifest.parts[name] = hashlib.sha256(content).hexdigest()

    def rows(self, place: str, table: str, rows: Sequence[Row]) -> None:
        """Add rows to the table of a place; call `end` after its last."""
        for row in rows:
            self._lines += line_of(row)
        self.manifest.counts[table] += len(rows)
        if len(self._lines) >= PART_BYTES:
            self.end(place)

    def end(self, place: str) -> None:
        """Write what is waiting."""
        if self._lines:
            self._numbers[place] += 1
            self._put(f"{place}/{self._numbers[place]}", zlib.compress(bytes(self._lines), PACK_LEVEL))
            self._lines.clear()

    def file(self, name: str, path: Path) -> None:
        """Add a stored file."""
        with path.open("rb") as file:
            member = tarfile.TarInfo(f"files/{name}")
            member.size = os.fstat(file.fileno()).st_size
            hashing = _Hashing(file)
            self._tar.addfile(member, cast("IO[bytes]", hashing))
            self._tar.members = []  # type: ignore[attr-defined]
        self.manifest.parts[member.name] = hashing.digest.hexdigest()
        self.manifest.counts["files"] += 1


class _Hashing:
    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(size)
        self.digest.update(found)
        return found


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an archive: what it is (`tables`, `index`, `files`), where it belongs, and its content."""

    kind: str
    place: tuple[str, ...]
    content: IO[bytes]

    def lines(self) -> Iterator[Row]:
        """The rows of a part of rows."""
        for line in zlib.decompress(self.content.read()).splitlines():
            yield json.loads(line)

    def copy_to(self, path: Path) -> None:
        """Write the content to a new file."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("xb") as file:
            while block := self.content.read(COPY_BYTES):
                file.write(block)


class ArchiveReader:
    """Reads an archive from its beginning to its end. Every part is compared with the manifest, once that has come."""

    def __init__(self, path: Path, secret: bytes) -> None:
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise ArchiveError(f"{path} cannot be read: {error.strerror}.") from None
        try:
            sealed = cast("IO[bytes]", SealedReader(self._file, secret))
            self._tar = tarfile.open(fileobj=sealed, mode="r|")  # noqa: SIM115
            self.manifest: Manifest | None = None
            self._digests: dict[str, str] = {}
            name, content = next(self._members())
            if name != HEADER:
                raise ArchiveError("This is no backup of Samråd.")
            self.header = Header.loaded(content.read())
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _members(self) -> Iterator[tuple[str, IO[bytes]]]:
        while (member := self._tar.next()) is not None:
            self._tar.members = []  # type: ignore[attr-defined]
            content = self._tar.extractfile(member)
            if content is None:
                raise ArchiveError(f"{member.name} is no part of a backup.")
            hashing = _Hashing(content)
            yield member.name, cast("IO[bytes]", hashing)
            while hashing.read(COPY_BYTES):
                pass
            self._digests[member.name] = hashing.digest.hexdigest()

    def parts(self) -> Iterator[Part]:
        """Everything between header and manifest, in order; raises `ArchiveError` at the end when something is amiss."""
        for name, content in self._members():
            if name == MANIFEST:
                said: dict[str, Any] = json.loads(content.read())
                self.manifest = Manifest(said["parts"], Counter(said["counts"]))
                continue
            kind, *place = name.split("/")
            if ".." in place or not all(place):
                raise ArchiveError(f"{name} is no part of a backup.")
            yield Part(kind, tuple(place), content)
        if self.manifest is None:
            raise ArchiveError("The file ends without its list of contents: it was never finished.")
        found = {name: digest for name, digest in self._digests.items() if name != MANIFEST}
        wanted = {name: digest for name, digest in self.manifest.parts.items() if name != HEADER}
        found.pop(HEADER, None)
        if found != wanted:
            wrong = sorted({*found.items()} ^ {*wanted.items()})[0][0]
            raise ArchiveError(f"{wrong} is missing or differs from what was written.")
