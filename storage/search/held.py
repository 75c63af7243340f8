"""The codes of large collections in memory, so that a search on SQLite need not read them each time.

A block is read again when its stamp has changed. What is held are numbers, no texts; beyond `limit` bytes what was not used
for the longest time is let go.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from storage.search import coarse
from storage.search.coarse import FLOAT_BYTES, WORD_BYTES

HELD_BYTES = 128 * 1024 * 1024
Place = tuple[str, int]
"""A collection's scope and the dimensions of its vectors."""


@dataclass(frozen=True, slots=True)
class Block:
    """The codes of some chunks as arrays: keys, rounded vectors and their scales in rows, bits in `coarse.columns`."""

    stamp: int
    keys: Any
    bits: Any
    rounded: Any
    scales: Any

    @staticmethod
    def read(stamp: int, keys: bytes, bits: bytes, codes: Mapping[int, bytes]) -> "Block":
        """As a block is stored; `codes` by key."""
        import numpy as np

        held = np.frombuffer(keys, np.int64)
        coded = np.frombuffer(b"".join(codes[int(key)] for key in held), np.int8).reshape(len(held), -1)
        scales = np.ascontiguousarray(coded[:, :FLOAT_BYTES]).view(np.float32)[:, 0]
        columns = coarse.columns(bits, len(held))
        return Block(stamp, held, columns, np.ascontiguousarray(coded[:, FLOAT_BYTES:]), scales)


@dataclass(slots=True)
class Codes:
    """All blocks of a collection one after the other; `blocks` are views of the whole."""

    whole: Block
    blocks: dict[int, Block]

    @staticmethod
    def of(blocks: Mapping[int, Block]) -> "Codes":
        """The blocks put together."""
        import numpy as np

        parts = list(blocks.values())
        whole = Block(
            0,
            np.concatenate([part.keys for part in parts]),
            np.concatenate([part.bits for part in parts], axis=1),
            np.concatenate([part.rounded for part in parts]),
            np.concatenate([part.scales for part in parts]),
        )
        views, first = {}, 0
        for number, block in blocks.items():
            place = slice(first, first + len(block.keys))
            views[number] = Block(
                block.stamp, whole.keys[place], whole.bits[:, place], whole.rounded[place], whole.scales[place]
            )
            first = place.stop
        return Codes(whole, views)

    def nearest(self, vector: bytes, centre: bytes, limit: int) -> list[int]:
        """The keys of the `limit` chunks that are the most like `vector`, by their codes."""
        import numpy as np

        whole, asked = self.whole, np.frombuffer(vector, np.float32)
        near = coarse.near(whole.bits, vector, centre)
        likeness = (whole.rounded[near].astype(np.float32) @ asked) * whole.scales[near]
        best = near[np.argsort(-likeness, kind="stable")[:limit]]
        return [int(key) for key in whole.keys[best]]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(
            int(part.nbytes) for part in (self.whole.keys, self.whole.bits, self.whole.rounded, self.whole.scales)
        )


class HeldCodes:
    """The codes of the collections searched last; for several threads at once."""

    def __init__(self, limit: int = HELD_BYTES) -> None:
        self._limit, self._turn = limit, Lock()
        self._codes: OrderedDict[Place, Codes] = OrderedDict()

    def holds(self, chunks: int, dims: int) -> bool:
        """Whether a collection of so many chunks may be held."""
        return chunks * (dims + dims // 8 + WORD_BYTES + FLOAT_BYTES) <= self._limit

    def missing(self, place: Place, stamps: Mapping[int, int]) -> list[int]:
        """The blocks that must be read, by number."""
        with self._turn:
            held = self._codes.get(place)
        return [
            number for number, stamp in stamps.items()
            if held is None or number not in held.blocks or held.blocks[number].stamp != stamp
        ]  # fmt: skip

    def take(self, place: Place, stamps: Mapping[int, int], read: Mapping[int, Block]) -> Codes | None:
        """The codes of a collection, with what has been read of it; None when another search changed what is held."""
        with self._turn:
            held = self._codes.get(place)
            if held is None or read or held.blocks.keys() != stamps.keys():
                former: Mapping[int, Block] = held.blocks if held is not None else {}
                blocks = {number: read.get(number) or former.get(number) for number in stamps}
                known = {number: block for number, block in blocks.items() if block is not None}
                if any(number not in known or known[number].stamp != stamp for number, stamp in stamps.items()):
                    return None
                held = Codes.of(known)
            self._codes[place] = held
            self._codes.move_to_end(place)
            self._let_go()
            return held

    def _let_go(self) -> None:
        sizes: Sequence[int] = [codes.size for codes in self._codes.values()]
        over = sum(sizes) - self._limit
        for size in sizes[:-1]:
            if over <= 0:
                return
            self._codes.popitem(last=False)
            over -= size
