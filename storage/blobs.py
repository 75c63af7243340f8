"""The file store: encrypted, content-addressed files in a folder.

AES-256-GCM in segments (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015): each segment's nonce
holds a random prefix, its number and whether it is the last, so that no segment can be altered, moved or cut off.
"""

import asyncio
import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.kernel.errors import N_, FileTooLarge, NoRoom, NotFound, StorageTrouble
from domain.knowledge.intake import human_size
from domain.ports import StoredContent
from storage.sealing import TenantKeys

MAGIC, FIRST_MAGIC = b"SMRD2", b"SMRD1"
"""The first form does not name its key."""
KEY_TAG_BYTES, PREFIX_BYTES, TAG_BYTES = 8, 7, 16
HEADER_BYTES = len(MAGIC) + KEY_TAG_BYTES + PREFIX_BYTES
SEGMENT = 256 * 1024
ABANDONED_SECONDS = 5 * 3600.0
"""Whatever is being received or read has ended by then."""
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
"""What the system says when the disk takes no more, or lets nothing be written."""
MISSING = N_("The stored file is missing. Upload it again.")


class DataKeys(Protocol):
    """Who keeps the tenants' keys."""

    async def of(self, tenant_id: UUID, tag: str | None = None) -> TenantKeys:
        """The tenant's keys, among them the one called `tag`."""


def _key_tag(header: bytes) -> str | None:
    """The tag of the key that a file names; None in the first form."""
    return header[len(MAGIC) :][:KEY_TAG_BYTES].decode() if header.startswith(MAGIC) else None


def _header_of(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
    return start if start.startswith(MAGIC) else start[: len(FIRST_MAGIC) + PREFIX_BYTES]


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, last)


class BlobStore:
    """See `domain.ports.Contents`."""

    def __init__(self, root: Path, keys: DataKeys) -> None:
        self._root, self._keys = root, keys
        self._temporary = root / "tmp"

    def prepare(self, *, alone: bool = False) -> None:
        """Make the folders; delete what an earlier process left half done. Unless `alone`, others may be at work with it."""
        self._temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sweep(-1 if alone else ABANDONED_SECONDS)

    def _path(self, tenant_id: UUID, name: str) -> Path:
        return self._root / tenant_id.hex / name[:2] / name

    async def receive(self, tenant_id: UUID, stream: AsyncIterator[bytes], limit: int) -> StoredContent:
        """Encrypt a stream as it comes; never more than a segment in memory."""
        async with self._encrypted(tenant_id, stream, limit) as (partial, sha256, size):
            # The name is random, so that deleting one content can never hit an equal one that has just arrived; equal
            # contents are found by their hash in the database.
            name = secrets.token_hex(24)
            path = self._path(tenant_id, name)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.rename(path)
        return StoredContent(name, sha256, size)

    @asynccontextmanager
    async def _encrypted(
        self, tenant_id: UUID, stream: AsyncIterator[bytes], limit: int | None
    ) -> AsyncIterator[tuple[Path, str, int]]:
        """A file with the encrypted stream, the SHA-256 of what it holds, and its size; removed unless it is moved."""
        try:
            async with self._written(tenant_id, stream, limit) as done:
                yield done
        except OSError as error:
            if error.errno in UNWRITABLE:
                raise StorageTrouble(NoRoom()) from error
            raise

    @asynccontextmanager
    async def _written(
        self, tenant_id: UUID, stream: AsyncIterator[bytes], limit: int | None
    ) -> AsyncIterator[tuple[Path, str, int]]:
        keys = await self._keys.of(tenant_id)
        cipher = keys.cipher(keys.sealing)
        prefix, digest, size, number = os.urandom(PREFIX_BYTES), hashlib.sha256(), 0, 0
        header, waiting = MAGIC + keys.sealing.encode() + prefix, bytearray()
        self._temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._temporary / secrets.token_hex(16)
        try:
            with partial.open("wb") as file:
                file.write(header)
                file.flush()
                async for part in stream:
                    size += len(part)
                    if limit is not None and size > limit:
                        raise FileTooLarge(limit=human_size(limit))
                    waiting += part
                    if len(waiting) <= SEGMENT:
                        continue
                    ready = bytes(waiting)
                    waiting.clear()
                    keep = len(ready) % SEGMENT or SEGMENT
                    waiting += ready[-keep:]

                    def write(ready: bytes = ready[:-keep], first: int = number) -> int:
                        digest.update(ready)
                        for at in range(0, len(ready), SEGMENT):
                            nonce = _nonce(prefix, first + at // SEGMENT, last=False)
                            file.write(cipher.encrypt(nonce, ready[at : at + SEGMENT], header))
                        return first + len(ready) // SEGMENT

                    number = await asyncio.to_thread(write)
                digest.update(waiting)
                file.write(cipher.encrypt(_nonce(prefix, number, last=True), bytes(waiting), header))
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            yield partial, digest.hexdigest(), size
        finally:
            partial.unlink(missing_ok=True)

    async def read(self, tenant_id: UUID, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The plain bytes from `start` up to `end`; raises `InvalidTag` when the file was altered."""
        path = self._path(tenant_id, name)
        if not path.exists():
            raise NotFound(MISSING)
        sealed = SEGMENT + TAG_BYTES
        with path.open("rb") as file:
            # From the opened file alone: turning over puts another one into its place.
            header = file.read(HEADER_BYTES)
            if not header.startswith(MAGIC):
                header = header[: len(FIRST_MAGIC) + PREFIX_BYTES]
            total = os.fstat(file.fileno()).st_size - len(header)
            segments = max(1, -(-total // sealed))
            cipher = await self._cipher(tenant_id, header, file, segments)
            prefix = header[-PREFIX_BYTES:]
            number = start // SEGMENT
            file.seek(len(header) + number * sealed)
            while number < segments and (end is None or number * SEGMENT < end):
                nonce = _nonce(prefix, number, last=number == segments - 1)
                plain = await asyncio.to_thread(cipher.decrypt, nonce, file.read(sealed), header)
                base = number * SEGMENT
                yield plain[max(0, start - base) : None if end is None else end - base]
                number += 1

    async def _cipher(self, tenant_id: UUID, header: bytes, file: BinaryIO, segments: int) -> AESGCM:
        """The key of a file; in the first form, the one that opens its first segment."""
        tag = _key_tag(header)
        keys = await self._keys.of(tenant_id, tag)
        if tag is not None:
            return keys.cipher(tag)
        file.seek(len(header))
        first = file.read(SEGMENT + TAG_BYTES)
        for cipher in keys.ciphers.values():
            with contextlib.suppress(InvalidTag):
                await asyncio.to_thread(
                    cipher.decrypt, _nonce(header[-PREFIX_BYTES:], 0, last=segments == 1), first, header
                )
                return cipher
        raise InvalidTag

    def _folder(self, tenant_id: UUID) -> Path:
        return self._root / tenant_id.hex

    async def names(self, tenant_id: UUID) -> Sequence[str]:
        """The names of all contents of a tenant."""
        folder = self._folder(tenant_id)
        return await asyncio.to_thread(lambda: sorted(path.name for path in folder.glob("*/*")))

    async def older(self, tenant_id: UUID, seconds: float) -> Sequence[str]:
        """The names of the contents that were written at least so long ago."""
        last = time.time() - seconds

        def found() -> list[str]:
            names = []
            for path in self._folder(tenant_id).glob("*/*"):
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime < last:
                        names.append(path.name)
            return sorted(names)

        return await asyncio.to_thread(found)

    async def sweep_temporary(self, seconds: float) -> int:
        """Delete what was begun at least so long ago and never finished; how much that was."""
        return await asyncio.to_thread(self._sweep, seconds)

    def _sweep(self, seconds: float) -> int:
        last, number = time.time() - seconds, 0
        for path in self._temporary.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < last:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                    number += 1
        return number

    async def turn_over(self, tenant_id: UUID, name: str) -> bool:
        """Encrypt a content anew with the present key, in its place; False when it is so already, or gone."""
        path, keys = self._path(tenant_id, name), await self._keys.of(tenant_id)
        try:
            if _key_tag(await asyncio.to_thread(_header_of, path)) == keys.sealing:
                return False
            async with self._encrypted(tenant_id, self.read(tenant_id, name), None) as (partial, _, _):
                if path.exists():
                    partial.rename(path)
        except (FileNotFoundError, NotFound):
            return False
        return True

    async def tags(self, tenant_id: UUID) -> set[str | None]:
        """The tags of the keys that contents of a tenant need, those included that are just being received."""

        def found() -> set[str | None]:
            tags: set[str | None] = set()
            # First what is being received: it may be moved to the others meanwhile.
            for path in (*self._temporary.glob("*"), *self._folder(tenant_id).glob("*/*")):
                with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                    tags.add(_key_tag(_header_of(path)))
            return tags

        return await asyncio.to_thread(found)

    @asynccontextmanager
    async def on_disk(self, tenant_id: UUID, name: str) -> AsyncIterator[Path]:
        """A private plain copy in a folder of its own, removed afterwards."""
        async with self.scratch() as folder:
            path = folder / "content"
            with path.open("wb") as file:
                async for part in self.read(tenant_id, name):
                    await asyncio.to_thread(file.write, part)
            yield path

    @asynccontextmanager
    async def scratch(self) -> AsyncIterator[Path]:
        """A private folder, removed afterwards; what a crash leaves of it is swept."""
        folder = self._temporary / secrets.token_hex(16)
        folder.mkdir(parents=True, mode=0o700)
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, True)

    async def delete(self, tenant_id: UUID, name: str) -> None:
        """Remove the content; nothing happens when it is gone already."""
        self._path(tenant_id, name).unlink(missing_ok=True)

    async def erase(self, tenant_id: UUID) -> int:
        """Remove everything of an organisation; how many contents there were."""
        folder = self._root / tenant_id.hex

        def remove() -> int:
            if not folder.exists():
                return 0
            number = sum(1 for path in folder.rglob("*") if path.is_file())
            shutil.rmtree(folder)
            return number

        return await asyncio.to_thread(remove)
