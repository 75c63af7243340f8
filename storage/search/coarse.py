"""A coarse first pass over the vectors of large collections on SQLite, where comparing every vector takes too long.

Of each vector a bit per dimension is kept, which says whether it lies above the collection's mean there (models put all
their vectors into a narrow cone: without the mean the bits tell little), and the vector rounded to a byte per dimension. A
question is compared with all bits (Hamming distance), with the nearest `SHARE` of the chunks in bytes, and with the best of
those exactly.

Bits are stored in blocks of `BLOCK` chunks, so that reading them is a few large reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CODED_FROM = 2_000
"""Chunks from which on a collection is coded."""
BLOCK = 1_024
SHARE = 0.012
LEAST = 1_000
"""The part of the chunks that is looked at more closely, and how many at least."""
FLOAT_BYTES = 4
WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class Codes:
    """Of some chunks: their bits, a row of bytes each, and their vectors in bytes with the scale before them."""

    bits: list[bytes]
    rounded: list[bytes]


def mean(vectors: Sequence[bytes]) -> bytes:
    """The mean of vectors (float32)."""
    import numpy as np

    found: bytes = _matrix(vectors).mean(axis=0).astype(np.float32).tobytes()
    return found


def encode(vectors: Sequence[bytes], centre: bytes) -> Codes:
    """The codes of vectors, seen from `centre`."""
    import numpy as np

    matrix = _matrix(vectors)
    scales = np.abs(matrix).max(axis=1, keepdims=True) / 127
    scales[scales == 0] = 1
    rounded = np.round(matrix / scales).astype(np.int8)
    bits = _bits(matrix - np.frombuffer(centre, np.float32))
    scaled = [scale.astype(np.float32).tobytes() + row.tobytes() for scale, row in zip(scales, rounded, strict=True)]
    return Codes([row.tobytes() for row in bits], scaled)


def nearest(blocks: Sequence[tuple[bytes, bytes]], vector: bytes, centre: bytes) -> list[int]:
    """The keys of the chunks that are looked at more closely, out of blocks of keys and bits."""
    import numpy as np

    keys = np.frombuffer(b"".join(keys for keys, _ in blocks), np.int64)
    return [int(key) for key in keys[near(columns(b"".join(bits for _, bits in blocks), len(keys)), vector, centre)]]


def columns(bits: bytes, chunks: int) -> Any:
    """Stored bits with a row for each 64 dimensions: comparing all chunks in one of these is what takes the least time."""
    import numpy as np

    return np.ascontiguousarray(np.frombuffer(bits, np.uint64).reshape(chunks, -1).T)


def near(bits: Any, vector: bytes, centre: bytes) -> Any:
    """Which chunks are looked at more closely, as places in the `columns` of bits."""
    import numpy as np

    asked = _bits((np.frombuffer(vector, np.float32) - np.frombuffer(centre, np.float32))[None, :]).view(np.uint64)[0]
    distances = np.zeros(bits.shape[1], np.uint16)
    for column, word in zip(bits, asked, strict=True):
        distances += np.bitwise_count(column ^ word)
    most = max(LEAST, int(len(distances) * SHARE))
    if most >= len(distances):
        return np.arange(len(distances))
    # Distances are small whole numbers: counting them finds the last one that is near enough sooner than sorting does.
    last = np.searchsorted(np.cumsum(np.bincount(distances)), most)
    nearer = np.flatnonzero(distances < last)
    return np.concatenate([nearer, np.flatnonzero(distances == last)[: most - len(nearer)]])


def best(rows: Sequence[tuple[int, bytes]], vector: bytes, limit: int) -> list[int]:
    """The keys of the `limit` chunks whose rounded vectors are the most like `vector`."""
    import numpy as np

    coded = np.frombuffer(b"".join(code for _, code in rows), np.int8).reshape(len(rows), -1)
    scales = np.ascontiguousarray(coded[:, :FLOAT_BYTES]).view(np.float32)[:, 0]
    likeness = (coded[:, FLOAT_BYTES:].astype(np.float32) @ np.frombuffer(vector, np.float32)) * scales
    return [rows[place][0] for place in np.argsort(-likeness, kind="stable")[:limit]]


def without(keys: bytes, bits: bytes, gone: set[int]) -> tuple[bytes, bytes]:
    """A block without some of its chunks."""
    import numpy as np

    held = np.frombuffer(keys, np.int64)
    kept = ~np.isin(held, list(gone))
    rows = np.frombuffer(bits, np.uint8).reshape(len(held), -1)
    return held[kept].tobytes(), rows[kept].tobytes()


def key_bytes(keys: Sequence[int]) -> bytes:
    """Keys as a block holds them."""
    return b"".join(key.to_bytes(8, "little", signed=True) for key in keys)


def keys_of(keys: bytes) -> list[int]:
    """The keys that a block holds."""
    return [int.from_bytes(keys[at : at + WORD_BYTES], "little", signed=True) for at in range(0, len(keys), WORD_BYTES)]


def _matrix(vectors: Sequence[bytes]) -> Any:
    import numpy as np

    return np.frombuffer(b"".join(vectors), np.float32).reshape(len(vectors), -1)


def _bits(matrix: Any) -> Any:
    """A row of bits for each row, filled up to whole words of eight bytes."""
    import numpy as np

    packed = np.packbits(matrix > 0, axis=1)
    return np.pad(packed, ((0, 0), (0, -packed.shape[1] % WORD_BYTES)))
