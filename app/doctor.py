"""Looking at an installation: what is wrong, and how to mend it."""

import os
import shutil
import sys
from collections.abc import Iterator

from app.ai.embedding.convert import ready
from app.bootstrap import check_database, keys_of, redis_url
from app.config import Settings
from app.ingestion.tools import FFMPEG, LIBREOFFICE, TESSERACT, find
from app.jobs import valkey
from app.security.keys import MasterKeyError
from storage.migrate import SchemaError

ENOUGH_DISK = 2 * 1024**3
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})
Finding = tuple[bool, str]


async def examine(settings: Settings) -> int:
    """Print the findings; 1 when something is wrong."""
    findings = [*_disk(settings), *_keys(settings), *_parts(settings), *_programs(), await _database(settings)]
    for good, sentence in findings:
        sys.stdout.write(f"{'ok  ' if good else 'FAIL'}  {sentence}\n")
    return 0 if all(good for good, _ in findings) else 1


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir.resolve()
    if not folder.exists():
        yield False, f"The data folder {folder} does not exist. Run: python main.py migrate"
        return
    yield os.access(folder, os.W_OK), f"The data folder {folder} must be writable."
    free = shutil.disk_usage(folder).free
    yield free > ENOUGH_DISK, f"{free / 1024**3:.1f} GB are free in the data folder; 2 GB or more are needed."
    kind = _file_system(str(folder))
    yield (
        kind not in NETWORK_FILE_SYSTEMS or not settings.single_node,
        f"The data folder is on {kind or 'a local file system'}; SQLite needs a local one.",
    )


def _file_system(folder: str) -> str:
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


def _keys(settings: Settings) -> Iterator[Finding]:
    try:
        keys_of(settings)
        yield True, "The master key is readable. Keep a copy of it apart from the data."
    except (MasterKeyError, OSError) as error:
        yield False, str(error)


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


async def _database(settings: Settings) -> Finding:
    try:
        await check_database(settings)
    except SchemaError as error:
        return False, str(error)
    except OSError as error:
        return False, f"The database does not answer: {error}. Check DATABASE_URL."
    return True, "The database answers and has the expected schema."
