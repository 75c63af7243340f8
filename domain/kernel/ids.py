"""Identifiers: UUID version 7 (RFC 9562), so that keys sort by creation time."""

import os
import time
from uuid import UUID

_NANOSECONDS = 1_000_000
_latest = 0


def new_id() -> UUID:
    """A new UUIDv7: 48 bits of Unix milliseconds, 12 of their fraction (RFC 9562, 6.2, method 3), then 62 random bits.

    Ids made one after another in a process sort in that order, also when its clock is set back a little.
    """
    global _latest
    milliseconds, rest = divmod(time.time_ns(), _NANOSECONDS)
    _latest = max(milliseconds << 12 | (rest << 12) // _NANOSECONDS, _latest + 1)
    moment, fraction = _latest >> 12, _latest & 0xFFF
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return UUID(int=moment << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | random)
