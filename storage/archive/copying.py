"""From a snapshot to a file, from a file to a database, and from one database to another."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from storage.archive import entries
from storage.archive.bundle import SHARED, ArchiveReader, ArchiveWriter, Part
from storage.archive.loading import Loader
from storage.archive.rows import Row, Shape
from storage.archive.sealed import ArchiveError
from storage.archive.snapshot import Organisation, Snapshot

INDEX = "index"
Change = Callable[[Shape, Row], Row]


def _places(shape: Shape, organisations: Sequence[Organisation], shared: bool) -> Sequence[UUID | None]:
    """Whose rows of a table are copied."""
    if shape.owned:
        return [each.id for each in organisations]
    return [None] if shared else []


async def write_rows(
    found: Snapshot, writer: ArchiveWriter, organisations: Sequence[Organisation], *, shared: bool = True,
    change: Change = lambda _, row: row,
) -> set[str]:  # fmt: skip
    """Write tables and index of these organisations; the stored files that they need, as `<organisation>/<name>`."""
    files: set[str] = set()
    for shape in found.shapes:
        for tenant_id in _places(shape, organisations, shared):
            place = f"tables/{tenant_id.hex if tenant_id else SHARED}/{shape.name}"
            async for rows in found.rows(shape, tenant_id):
                writer.rows(place, shape.name, [change(shape, row) for row in rows])
                if shape.name == "blobs" and tenant_id is not None:
                    at = shape.names.index("name")
                    files |= {f"{tenant_id.hex}/{row[at]}" for row in rows}
            writer.end(place)
    for organisation in organisations:
        place = f"{INDEX}/{organisation.id.hex}"
        async for some in found.entries(organisation.id):
            writer.rows(place, INDEX, [entries.outward(entry) for entry in some])
        writer.end(place)
    return files


async def copy_rows(found: Snapshot, loader: Loader) -> None:
    """Fill a database from another one."""
    await loader.begin(found.revision)
    for shape in found.shapes:
        for tenant_id in _places(shape, found.organisations, shared=True):
            async for rows in found.rows(shape, tenant_id):
                await loader.rows(shape, rows)
    await loader.tables_done()
    for organisation in found.organisations:
        async for some in found.entries(organisation.id):
            await loader.entries(organisation.id, some)
    await loader.done()


@dataclass(slots=True)
class Contents:
    """What was found in an archive besides rows."""

    counts: Counter[str] = field(default_factory=Counter)
    needed: set[str] = field(default_factory=set)
    """The stored files that rows name, as `<organisation>/<name>`."""
    files: set[str] = field(default_factory=set)
    master_keys: set[str] = field(default_factory=set)
    """The ids of the master keys under which data keys are wrapped."""

    @property
    def missing(self) -> set[str]:
        """Files that rows name, and that are not there."""
        return self.needed - self.files

    def take(self, shape: Shape, part: Part, rows: Sequence[Row]) -> None:
        """Count rows of a table."""
        self.counts[shape.name] += len(rows)
        if shape.name == "blobs":
            at = shape.names.index("name")
            self.needed |= {f"{part.place[0]}/{row[at]}" for row in rows}
        if shape.name == "tenant_keys":
            at = shape.names.index("master_key_id")
            self.master_keys |= {row[at] for row in rows}

    def check(self, reader: ArchiveReader) -> None:
        """Raise `ArchiveError` unless everything is there that was counted when the archive was written."""
        wanted = reader.manifest.counts if reader.manifest else Counter[str]()
        found = self.counts + Counter({"files": len(self.files)})
        if found != +wanted:
            name = sorted(name for name in {*found, *wanted} if found[name] != wanted[name])[0]
            raise ArchiveError(f"{name}: {found[name]} instead of {wanted[name]}.")


async def read_archive(reader: ArchiveReader, loader: Loader | None, folder: Path | None) -> Contents:
    """Go through an archive; fill a database and a folder of files from it, where they are given."""
    shapes, contents = {shape.name: shape for shape in reader.header.shapes}, Contents()
    if loader is not None:
        await loader.begin(reader.header.revision)
    tables_done = False
    for part in reader.parts():
        if loader is not None and not tables_done and part.kind in (INDEX, "files"):
            tables_done = True
            await loader.tables_done()
        match part.kind:
            case "tables":
                shape, rows = shapes[part.place[1]], [*part.lines()]
                contents.take(shape, part, rows)
                if loader is not None:
                    await loader.rows(shape, rows)
            case "index":
                found = [entries.inward(row) for row in part.lines()]
                contents.counts[INDEX] += len(found)
                if loader is not None:
                    await loader.entries(UUID(part.place[0]), found)
            case "files":
                _file(part, folder)
                contents.files.add(f"{part.place[0]}/{part.place[-1]}")
            case _:
                raise ArchiveError(f"{part.kind} is no part of a backup that this version knows.")
    contents.check(reader)
    if loader is not None:
        if not tables_done:
            await loader.tables_done()
        await loader.done()
    return contents


def _file(part: Part, folder: Path | None) -> None:
    if len(part.place) != 3:  # organisation, first two characters, name
        raise ArchiveError(f"{'/'.join(part.place)} is no stored file.")
    if folder is not None:
        part.copy_to(folder.joinpath(*part.place))
