"""`backup`, `restore` and `verify`: an installation in one encrypted file."""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from getpass import getpass
from pathlib import Path

from app import __version__
from app.config import Settings
from app.databases import database_path, open_database
from app.from_settings import keys_of
from app.security.keys import FILE as KEY_FILE
from app.security.keys import MasterKeys
from domain.kernel.clock import now
from storage import postgres
from storage.archive.bundle import ArchiveReader, ArchiveWriter, Header
from storage.archive.copying import Contents, read_archive, write_rows
from storage.archive.loading import NOT_EMPTY, Loader, into_postgres, into_sqlite
from storage.archive.sealed import ArchiveError
from storage.archive.snapshot import Organisation, Snapshot, snapshot

VARIABLE = "BACKUP_PASSPHRASE"
NOTHING_GIVEN = (
    "A backup is encrypted. Give --key-file with a file that holds 32 random characters or more (openssl rand -hex 32), "
    "set BACKUP_KEY_FILE, or give a passphrase in the environment variable BACKUP_PASSPHRASE."
)
KEYS_INSIDE = "The master keys are in it: with this file and its passphrase alone everything can be restored."
KEYS_OUTSIDE = (
    "The master keys are NOT in it, since they come from ENCRYPTION_KEY. Keep them apart: without them nothing that is "
    "encrypted can be read again."
)


def secret_of(settings: Settings, key_file: Path | None, *, ask: bool = True) -> bytes:
    """What encrypts the file: out of the key file, the environment, or typed in."""
    place = key_file or settings.backup_key_file
    if place is not None:
        try:
            return place.read_bytes().strip()
        except OSError as error:
            raise ArchiveError(f"The key file {place} cannot be read: {error.strerror}.") from None
    typed = os.environ.get(VARIABLE, "")
    if not typed and ask and sys.stdin.isatty():
        typed = getpass("Passphrase of the backup: ")
    if not typed:
        raise ArchiveError(NOTHING_GIVEN)
    return typed.encode()


async def run(chosen: argparse.Namespace, settings: Settings) -> int:
    """One of the three commands; returns the exit status."""
    try:
        secret = secret_of(settings, chosen.key_file)
        match chosen.command:
            case "backup":
                await write(settings, chosen.file, secret)
            case "restore":
                await restore(settings, chosen.file, secret)
            case "verify":
                await verify(chosen.file, secret)
    except ArchiveError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def header_of(found: Snapshot, kind: str, organisations: list[Organisation], keys: str | None) -> Header:
    """What a new archive says of itself."""
    listed = [(each.id.hex, each.slug, each.name) for each in organisations]
    dialect, moment = found.connection.dialect.name, now().isoformat()
    return Header(kind, __version__, found.revision, moment, dialect, found.shapes, listed, keys)


async def write(settings: Settings, path: Path, secret: bytes) -> None:
    """Back up everything while the product runs."""
    if settings.single_node and not database_path(settings).exists():
        raise ArchiveError(f"There is no installation in {settings.data_dir}.")
    masters, database = keys_of(settings), open_database(settings)
    try:
        with linked(settings.data_dir) as link:
            link()
            async with snapshot(database) as found:
                # Files may come and go meanwhile: those from before and after the snapshot's moment are both at hand.
                folder = link()
                organisations = [*found.organisations]
                keys = masters.path.read_text() if masters.path else None
                with ArchiveWriter(path, secret, header_of(found, "backup", organisations, keys)) as writer:
                    needed = await write_rows(found, writer, organisations)
                    missing = write_files(writer, folder, needed)
    finally:
        await database.close()
    counts = writer.manifest.counts
    rows = sum(counts.values()) - counts["files"]
    _say(f"{path}: {len(organisations)} organisations, {rows} rows, {counts['files']} files, schema {found.revision}.")
    _say(f"{path.stat().st_size / 1024**2:.1f} MB. {KEYS_INSIDE if masters.path else KEYS_OUTSIDE}")
    _warn_of_missing(missing)


@contextmanager
def linked(data: Path) -> Iterator[Callable[[], Path]]:
    """A folder beside the stored files with hard links to them, so that none vanishes; each call links what has come."""
    source, folder = data / "files", data / f"files.backup-{os.getpid()}"

    def link() -> Path:
        for path in source.glob("*/*/*"):
            target = folder / path.relative_to(source)
            if path.parts[-3] == "tmp" or target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                os.link(path, target)
            except FileNotFoundError:
                continue
            except OSError:
                return source  # no hard links here: the files themselves, as they are when their turn comes
        return folder

    try:
        yield link
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_files(writer: ArchiveWriter, folder: Path, needed: set[str]) -> set[str]:
    """Add every stored file of the organisations that need some; those that are missing."""
    missing = set(needed)
    for tenant in sorted({name.partition("/")[0] for name in needed}):
        for path in sorted((folder / tenant).glob("*/*")):
            try:
                writer.file(path.relative_to(folder).as_posix(), path)
            except FileNotFoundError:
                continue
            missing.discard(f"{tenant}/{path.name}")
    return missing


def _warn_of_missing(missing: set[str]) -> None:
    if missing:
        _say(f"WARNING: {len(missing)} stored files are named in the database but missing, the first {min(missing)}.")


async def verify(path: Path, secret: bytes) -> Contents:
    """Read a backup from end to end and compare everything with its list of contents."""
    with ArchiveReader(path, secret) as reader:
        contents = await read_archive(reader, None, None)
        said = reader.header
    rows = sum(contents.counts.values())
    _say(f"{path} is whole: written {said.created_at[:16]} by version {said.version}, schema {said.revision}.")
    _say(f"{len(said.organisations)} organisations, {rows} rows, {len(contents.files)} files.")
    if said.kind == "backup":
        _say(KEYS_INSIDE if said.keys else KEYS_OUTSIDE)
    _warn_of_missing(contents.missing)
    return contents


async def restore(settings: Settings, path: Path, secret: bytes) -> None:
    """Bring a backup back, into an empty data folder and an empty database."""
    files, loading = settings.data_dir / "files", settings.data_dir / "files.loading"
    if any(files.glob("*/*/*")):
        raise ArchiveError(NOT_EMPTY.format(place=files))
    shutil.rmtree(loading, ignore_errors=True)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    placed = False
    try:
        with ArchiveReader(path, secret) as reader:
            if reader.header.kind != "backup":
                raise ArchiveError("This file holds one organisation. Bring it in with: python main.py import-tenant")
            masters = _bring_keys(settings, reader.header)
            async with target(settings, masters) as loader:
                contents = await read_archive(reader, loader, loading)
                _check_keys(masters, contents, reader.header)
                shutil.rmtree(files, ignore_errors=True)
                if loading.exists():
                    loading.rename(files)
                placed = True
    except BaseException:
        if placed:
            shutil.rmtree(files, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(loading, ignore_errors=True)
    rows = sum(loader.counts.values())
    _say(f"Restored: {len(reader.header.organisations)} organisations, {rows} rows, {len(contents.files)} files.")
    _say("Every row was read back and compared. Start with: python main.py serve")
    _warn_of_missing(contents.missing)


def _bring_keys(settings: Settings, header: Header) -> MasterKeys:
    """The master keys: of the settings, else of the backup, else of the data folder."""
    path = settings.data_dir / "keys" / KEY_FILE
    if settings.encryption_key or (header.keys is None and path.exists()):
        return keys_of(settings)
    if header.keys is None:
        raise ArchiveError("The master keys are not in this backup. Give them in ENCRYPTION_KEY, and repeat.")
    if path.exists() and path.read_text() != header.keys:
        raise ArchiveError(f"{path} holds other master keys than the backup. Move that file away, and repeat.")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(header.keys)
    return keys_of(settings)


def _check_keys(masters: MasterKeys, contents: Contents, header: Header) -> None:
    lacking = contents.master_keys - set(masters.ids)
    if lacking:
        place = "They are in the backup: leave ENCRYPTION_KEY away, and they are put into the data folder."
        hint = place if header.keys else "Add it to ENCRYPTION_KEY; several keys are given with commas."
        raise ArchiveError(f"The master key {min(lacking)}, under which this data is encrypted, is missing. {hint}")


def target(settings: Settings, masters: MasterKeys) -> AbstractAsyncContextManager[Loader]:
    """The empty database that the settings name."""
    if settings.database_url is None:
        return into_sqlite(database_path(settings))
    name = postgres.async_url(settings.database_url).database or ""
    password = postgres.program_password(name, masters.oldest) if settings.database_app_url is None else None
    return into_postgres(settings.database_url, password)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
