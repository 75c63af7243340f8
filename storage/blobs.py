"""The file store: encrypted, content-addressed files in a folder.

AES-256-GCM in segments (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015): each segment's nonce
holds a random prefix, its number and whether it is the last, so that no segment can be altered, moved or cut off.
"""

import asyncio
import hashlib
import os
import secrets
import shutil
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from uuid import UUID

from domain.kernel.errors import N_, FileTooLarge, NotFound
from domain.knowledge.service import human_size
from domain.ports import StoredContent

MAGIC = b"SMRD1"
PREFIX_BYTES, TAG_BYTES = 7, 16
HEADER_BYTES = len(MAGIC) + PREFIX_BYTES
SEGMENT = 256 * 1024
MISSING = N_("The stored file is missing. Upload it again.")


class DataKeys(Protocol):
    """Who keeps the tenants' keys."""

    async def data_key(self, tenant_id: UUID) -> bytes:
        """The 32-byte key with which the tenant's files are encrypted."""


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, last)


class BlobStore:
    """See `domain.ports.Contents`."""

    def __init__(self, root: Path, keys: DataKeys) -> None:
        self._root, self._keys = root, keys
        self._temporary = root / "tmp"

    def prepare(self) -> None:
        """Make the folders; delete what an earlier process left half done."""
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _path(self, tenant_id: UUID, name: str) -> Path:
        return self._root / tenant_id.hex / name[:2] / name

    async def receive(self, tenant_id: UUID, stream: AsyncIterator[bytes], limit: int) -> StoredContent:
        """Encrypt a stream as it comes; never more than a segment in memory."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher = AESGCM(await self._keys.data_key(tenant_id))
        prefix, digest, size, number = os.urandom(PREFIX_BYTES), hashlib.sha256(), 0, 0
        header, waiting = MAGIC + prefix, bytearray()
        self._temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._temporary / secrets.token_hex(16)
        try:
            with partial.open("wb") as file:
                file.write(header)
                async for part in stream:
                    size += len(part)
                    if size > limit:
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
            # The name is random, so that deleting one content can never hit an equal one that has just arrived; equal
            # contents are found by their hash in the database.
            name = secrets.token_hex(24)
            path = self._path(tenant_id, name)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)
        return StoredContent(name, digest.hexdigest(), size)

    async def read(self, tenant_id: UUID, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The plain bytes from `start` up to `end`; raises `InvalidTag` when the file was altered."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher = AESGCM(await self._keys.data_key(tenant_id))
        path = self._path(tenant_id, name)
        if not path.exists():
            raise NotFound(MISSING)
        sealed = SEGMENT + TAG_BYTES
        total = path.stat().st_size - HEADER_BYTES
        segments = max(1, -(-total // sealed))
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
            prefix = header[len(MAGIC) :]
            number = start // SEGMENT
            file.seek(HEADER_BYTES + number * sealed)
            while number < segments and (end is None or number * SEGMENT < end):
                nonce = _nonce(prefix, number, last=number == segments - 1)
                plain = await asyncio.to_thread(cipher.decrypt, nonce, file.read(sealed), header)
                base = number * SEGMENT
                yield plain[max(0, start - base) : None if end is None else end - base]
                number += 1

    @asynccontextmanager
    async def on_disk(self, tenant_id: UUID, name: str) -> AsyncIterator[Path]:
        """A private plain copy in a folder of its own, removed afterwards."""
        folder = self._temporary / secrets.token_hex(16)
        folder.mkdir(parents=True, mode=0o700)
        try:
            path = folder / "content"
            with path.open("wb") as file:
                async for part in self.read(tenant_id, name):
                    await asyncio.to_thread(file.write, part)
            yield path
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
