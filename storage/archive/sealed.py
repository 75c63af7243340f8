"""A stream that is encrypted with a passphrase: AES-256-GCM in numbered segments, the last one marked."""

import hashlib
import os
import struct
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"SMRDB1"
SALT_BYTES, PREFIX_BYTES, TAG_BYTES = 16, 7, 16
HEADER_BYTES = len(MAGIC) + SALT_BYTES + PREFIX_BYTES
SEGMENT = 1024 * 1024
SCRYPT_COST = 2**16
SCRYPT_MEMORY = 128 * 1024 * 1024
LEAST_SECRET = 12
"""Characters of a passphrase; what is in a key file should be 32 random bytes or more."""


class ArchiveError(RuntimeError):
    """A file cannot be written or read; the message says why and what to do."""


def _cipher(secret: bytes, salt: bytes) -> AESGCM:
    if len(secret) < LEAST_SECRET:
        raise ArchiveError(f"The passphrase needs {LEAST_SECRET} characters or more.")
    return AESGCM(hashlib.scrypt(secret, salt=salt, n=SCRYPT_COST, r=8, p=1, maxmem=SCRYPT_MEMORY, dklen=32))


def _nonce(header: bytes, number: int, last: bool) -> bytes:
    return header[-PREFIX_BYTES:] + struct.pack(">IB", number, last)


class SealedWriter:
    """Encrypts what is written; nothing can be read of it before `close`."""

    def __init__(self, file: BinaryIO, secret: bytes) -> None:
        salt = os.urandom(SALT_BYTES)
        self._file, self._header = file, MAGIC + salt + os.urandom(PREFIX_BYTES)
        self._cipher, self._waiting, self._number = _cipher(secret, salt), bytearray(), 0
        file.write(self._header)

    def write(self, data: bytes) -> int:
        """Take more."""
        self._waiting += data
        while len(self._waiting) > SEGMENT:
            self._put(bytes(self._waiting[:SEGMENT]), last=False)
            del self._waiting[:SEGMENT]
        return len(data)

    def _put(self, segment: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._header, self._number, last), segment, self._header))
        self._number += 1

    def close(self) -> None:
        """Write what is left, marked as the end."""
        self._put(bytes(self._waiting), last=True)


class SealedReader:
    """Reads what `SealedWriter` wrote; raises `ArchiveError` where it was altered or cut off, or the secret is wrong."""

    def __init__(self, file: BinaryIO, secret: bytes) -> None:
        self._file, self._header = file, file.read(HEADER_BYTES)
        if not self._header.startswith(MAGIC) or len(self._header) < HEADER_BYTES:
            raise ArchiveError("This is no backup of Samråd, or it is cut off at its beginning.")
        self._cipher = _cipher(secret, self._header[len(MAGIC) : len(MAGIC) + SALT_BYTES])
        self._ready, self._number, self._ended = bytearray(), 0, False
        self._next = file.read(SEGMENT + TAG_BYTES)

    def read(self, size: int = -1) -> bytes:
        """The next bytes; all that are left without `size`."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            self._take()
        found = bytes(self._ready if size < 0 else self._ready[:size])
        del self._ready[: len(found)]
        return found

    def _take(self) -> None:
        sealed, self._next = self._next, self._file.read(SEGMENT + TAG_BYTES)
        last = not self._next
        try:
            self._ready += self._cipher.decrypt(_nonce(self._header, self._number, last), sealed, self._header)
        except InvalidTag:
            if self._number == 0:
                raise ArchiveError("The passphrase is wrong, or the file is damaged at its beginning.") from None
            raise ArchiveError(f"The file is damaged or cut off, {self._number} MB from its beginning.") from None
        self._number += 1
        self._ended = last
