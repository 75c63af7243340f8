"""Unpacking a ZIP archive with every member looked at first. Runs only in the sandboxed child process."""

import json
import re
import stat
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from domain.files.naming import clean_path
from domain.kernel.errors import N_, CorruptFile, EncryptedFile, Failure, UnreadableFile, UnsupportedFile
from domain.knowledge.parsing import ARCHIVES, Refused, check_content, extension_of

MAX_MEMBERS = 2_000
MAX_TOTAL = 2 * 1024**3
MAX_RATIO = 200
SMALL = 20_000_000
"""A member may be packed as tightly as it likes when it unpacks to no more than this many bytes."""
BLOCK = 1 << 20
MANIFEST = "manifest.json"
TOO_MANY = N_("The archive holds {count} files; at most {limit} can be taken in at once. Split it.")
TOO_LARGE = N_("The archive grows to more than {limit} GB when it is unpacked. Split it.")
BOMB = N_("The file grows too large when it is unpacked.")
OUTSIDE = N_("The name of the file leads out of the archive.")
NESTED = N_("An archive in an archive is not unpacked. Unpack it and upload its files.")
LINK = N_("This is a link to another file, not a file.")
TWICE = N_("The archive has two files of this name. Only the first one was taken in.")
NOTHING = N_("The archive holds no files.")
PACKED = ARCHIVES | {"7z", "rar", "tar", "gz", "tgz", "bz2", "xz", "zst"}
_CLUTTER = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


def unpack(source: Path, folder: Path) -> None:
    """Write what can be taken in to `folder` under the numbers 0, 1 …, and `manifest.json` with paths and refusals."""
    members: list[str] = []
    refused: list[Refused] = []
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise CorruptFile from error
    with archive:
        for info in _files(archive):
            path, target = clean_path(info.filename), folder / str(len(members))
            try:
                _check(info, path, members)
                _extract(archive, info, target)
                with target.open("rb") as file:
                    check_content(path, file.read(4096))
                members.append(path)
            except Failure as failure:
                target.unlink(missing_ok=True)
                refused.append(Refused(path, failure.message, failure.params))
    if not members and refused and all(r.message == EncryptedFile.default for r in refused):
        raise EncryptedFile
    found = {"members": members, "refused": [asdict(r) for r in refused]}
    (folder / MANIFEST).write_text(json.dumps(found), encoding="utf-8")


def _files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of an archive, without folders and what operating systems leave behind."""
    found = [
        info for info in archive.infolist()
        if not info.is_dir() and not any(part in _CLUTTER for part in PurePosixPath(info.filename).parts)
    ]  # fmt: skip
    if not found:
        raise UnreadableFile(NOTHING)
    if len(found) > MAX_MEMBERS:
        raise UnreadableFile(TOO_MANY, count=len(found), limit=MAX_MEMBERS)
    if sum(info.file_size for info in found) > MAX_TOTAL:
        raise UnreadableFile(TOO_LARGE, limit=MAX_TOTAL >> 30)
    return found


def _check(info: zipfile.ZipInfo, path: str, taken: list[str]) -> None:
    # What the name says is judged as the system that packed it would read it: with both kinds of slash.
    name = info.filename.replace("\\", "/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        raise UnreadableFile(OUTSIDE)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise UnreadableFile(LINK)
    if info.flag_bits & 1:
        raise EncryptedFile
    if path.rpartition(".")[2].lower() in PACKED:
        raise UnsupportedFile(NESTED)
    extension_of(path)
    if path in taken:
        raise UnreadableFile(TWICE)
    if info.file_size > SMALL and info.file_size > MAX_RATIO * max(1, info.compress_size):
        raise UnreadableFile(BOMB)


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    written = 0
    try:
        with archive.open(info) as member, target.open("wb") as file:
            while block := member.read(BLOCK):
                written += len(block)
                if written > info.file_size:
                    raise UnreadableFile(BOMB)
                file.write(block)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, OSError) as error:
        raise CorruptFile from error
