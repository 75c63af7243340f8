"""Looking at an installation: what is wrong, and how to mend it."""

import ctypes
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import text

from app import scheduled_backup
from app.ai.embedding.convert import ready
from app.config import Settings
from app.databases import check_database, open_database
from app.from_settings import keys_of, redis_url
from app.ingestion.tools import FFMPEG, LIBREOFFICE, TESSERACT, find
from app.jobs import valkey
from app.security.keys import FILE, MasterKeyError
from domain.kernel.clock import now
from storage.migrate import SchemaError

ENOUGH_DISK = 2 * 1024**3
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "fuse.glusterfs"})
OLDEST_POSTGRES, OLDEST_PGVECTOR = 15, (0, 8)
CLOCK_SECONDS = 5
FEW_SIGNS = 8
"""A secret of so few different signs was typed, not drawn."""
UNSYNCHRONISED = 5
"""What the kernel answers when nothing keeps its clock right."""
Finding = tuple[bool, str]


async def examine(settings: Settings, url: str | None = None) -> int:
    """Print the findings; 1 when something is wrong. With `url`, also look at the way through the proxy."""
    findings = await findings_of(settings)
    if url is not None:
        from app.proxy_check import look

        findings += [found async for found in look(settings, url)]
    for good, sentence in findings:
        sys.stdout.write(f"{'ok  ' if good else 'FAIL'}  {sentence}\n")
    return 0 if all(good for good, _ in findings) else 1


async def findings_of(settings: Settings) -> list[Finding]:
    """Everything that can be seen from here."""
    found = [*_disk(settings), *_clock(), *_keys(settings), *_secrets(settings), *_parts(settings), *_programs()]
    found += [each async for each in _database(settings)]
    return [*found, *_backups(settings)]


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir.resolve()
    if not folder.exists():
        yield False, f"The data folder {folder} does not exist. Run: python main.py migrate"
        return
    yield os.access(folder, os.W_OK), f"The data folder {folder} must be writable."
    free = shutil.disk_usage(folder).free
    yield free > ENOUGH_DISK, f"{free / 1024**3:.1f} GB are free in the data folder; 2 GB or more are needed."
    kind = file_system(str(folder))
    yield (
        kind not in NETWORK_FILE_SYSTEMS or not settings.single_node,
        f"The data folder is on {kind or 'a local file system'}; SQLite needs a local one.",
    )


def file_system(folder: str) -> str:
    """The kind of file system that a folder is on."""
    best, kind = "", ""
    try:
        with open("/proc/mounts", encoding="utf-8") as mounts:
            for line in mounts:
                _, place, found, *_ = line.split()
                if folder.startswith(place) and len(place) >= len(best):
                    best, kind = place, found
    except OSError:
        return ""
    return kind


def _clock() -> Iterator[Finding]:
    """No network is asked: only what the kernel knows."""
    room = ctypes.create_string_buffer(512)
    try:
        answer = ctypes.CDLL(None).ntp_adjtime(room)
    except (AttributeError, OSError):
        return
    if answer == UNSYNCHRONISED:
        yield True, "Nothing keeps this machine's clock right. Run chrony or systemd-timesyncd: sign-ins depend on it."
    else:
        yield True, "The clock is kept right by the system."


def _keys(settings: Settings) -> Iterator[Finding]:
    try:
        keys_of(settings)
        yield True, "The master key is readable. Keep a copy of it apart from the data."
    except (MasterKeyError, OSError) as error:
        yield False, str(error)


def _secrets(settings: Settings) -> Iterator[Finding]:
    weak = "{name} is easily guessed. Make another one with: openssl rand -hex 32"
    for name in ("encryption_key", "jwt_secret", "super_api_key", "super_duper_api_key"):
        for secret in (getattr(settings, name) or "").split(","):
            if secret and len(set(secret.strip())) < FEW_SIGNS:
                yield False, weak.format(name=name.upper())
    for path in (Path(".env"), settings.data_dir / "keys" / FILE, settings.backup_key_file):
        if path is not None and path.exists() and path.stat().st_mode & 0o077:
            yield False, f"Others on this machine may read {path}. Run: chmod 600 {path}"
    key_file = settings.backup_key_file
    if key_file is not None:
        readable = key_file.is_file() and os.access(key_file, os.R_OK)
        strong = readable and len(set(key_file.read_bytes().strip())) >= FEW_SIGNS
        yield strong, f"BACKUP_KEY_FILE ({key_file}) must be readable and hold 32 random characters or more."


def _parts(settings: Settings) -> Iterator[Finding]:
    yield (
        ready(settings.models_path),
        "The built-in embedding model must be prepared. If it is not: python main.py prepare",
    )
    answering = valkey.answers(redis_url(settings))
    if settings.redis_url:
        yield answering, "REDIS_URL must lead to a Redis or Valkey server that answers."
    else:
        state = "is running" if answering else "is not running now; python main.py serve starts it"
        yield True, f"The private Valkey server {state}."


def _programs() -> Iterator[Finding]:
    """Programs that make more files readable: none is needed, so a missing one is no fault."""
    for program, name, use in (
        (LIBREOFFICE, "LibreOffice", "headings and tables of doc, ppt and rtf files are kept"),
        (TESSERACT, "tesseract", "scanned pages and pictures are read (OCR)"),
        (FFMPEG, "ffmpeg", "recordings larger than TRANSCRIPTION_MAX_FILE_SIZE are cut into parts"),
    ):
        place = find(program)
        yield True, f"{name} was found ({place}): {use}." if place else f"{name} was not found. With it, {use}."


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    try:
        await check_database(settings)
    except SchemaError as error:
        yield False, str(error)
        return
    except OSError as error:
        yield False, f"The database does not answer: {error}. Check DATABASE_URL."
        return
    yield True, "The database answers and has the expected schema."
    database = open_database(settings)
    try:
        async with database.reader.connect() as connection:
            if database.dialect == "sqlite":
                row = (await connection.execute(text("select sqlite_version(), vec_version()"))).one()
                yield True, f"SQLite {row[0]} with sqlite-vec {row[1]}."
                return
            statement = (
                "select current_setting('server_version_num')::int / 10000, now(), "
                "(select extversion from pg_extension where extname = 'vector')"
            )
            server, moment, extension = (await connection.execute(text(statement))).one()
    finally:
        await database.close()
    for found in _postgres(server, extension, moment):
        yield found


def _postgres(server: int, extension: str, moment: datetime) -> Iterator[Finding]:
    yield server >= OLDEST_POSTGRES, f"PostgreSQL {server}; {OLDEST_POSTGRES} or newer is needed."
    new = tuple(int(part) for part in extension.split(".")[:2]) >= OLDEST_PGVECTOR
    yield new, f"pgvector {extension}; 0.8 or newer is needed: alter extension vector update"
    apart = abs((now() - moment).total_seconds())
    yield apart < CLOCK_SECONDS, f"The clocks of this machine and of the database are {apart:.1f} seconds apart."


def _backups(settings: Settings) -> Iterator[Finding]:
    newest = scheduled_backup.last(settings)
    if settings.backup_schedule and settings.single_node:
        if newest is None:
            yield True, f"No scheduled backup has been made yet; the next one comes at {settings.backup_schedule}."
        else:
            good = now() - newest < scheduled_backup.LATE
            yield good, f"The newest backup is from {newest:%Y-%m-%d %H:%M} UTC; one is wanted every day."
        folder = settings.backup_folder
        if folder and folder.exists() and settings.data_dir.exists():
            apart = folder.stat().st_dev != settings.data_dir.stat().st_dev
            yield (
                True,
                "Backups are on another disk than the data." if apart else "Backups are on the same disk as the data.",
            )
    else:
        yield True, "Backups are not scheduled here (BACKUP_SCHEDULE). Make them with: python main.py backup FILE"
