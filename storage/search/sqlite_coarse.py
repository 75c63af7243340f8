"""Where SQLite keeps the codes of `storage.search.coarse`, and how they are searched.

Keys and scopes are those of vectors here (see `storage.search.sqlite`).
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from sqlalchemy import Result, text
from sqlalchemy.ext.asyncio import AsyncSession

from storage.search import coarse
from storage.search.coarse import BLOCK, CODED_FROM, FLOAT_BYTES
from storage.search.held import HELD_BYTES, Block, HeldCodes

BY_HAND = {"scoped_by_hand": True}
EXACT_CHUNKS = 10_000
"""Up to so many chunks in scope every vector is compared: that takes about a microsecond each."""
SURPLUS = 2
"""So many times as many chunks as are wanted are compared exactly: rounding swaps those that are nearly alike."""
PART = 1_000

_SIZES = text(
    "select s.value as scope, coalesce(w.chunks, 0) as chunks, c.centre from json_each(:scopes) s "
    "left join chunk_words w on w.scope = 'c' || substr(s.value, 2) and w.word = '' "
    "left join chunk_centres c on c.scope = s.value and c.dims = :dims"
)
_BLOCKS = "select keys, bits from chunk_blocks where scope = ? and dims = ? order by number"
_STAMPS = "select number, stamp from chunk_blocks where scope = ? and dims = ? order by number"
_BLOCK = "select stamp, keys, bits from chunk_blocks where number = ?"
_ROOM = text(
    "select number, chunks, keys, bits from chunk_blocks where scope = :scope and dims = :dims and chunks < :most limit 1"
)
_CODES = "select c.key, c.code from json_each(?) k cross join chunk_codes c on c.key = k.value"


class SqliteCoarse:
    """The coarse pass of a search index on SQLite; runs inside the caller's transaction.

    It begins when more than `exact_chunks` chunks are in scope, in collections that have reached `coded_from` chunks.
    """

    def __init__(
        self, exact_chunks: int = EXACT_CHUNKS, coded_from: int = CODED_FROM, held_bytes: int = HELD_BYTES
    ) -> None:
        self._exact_chunks, self._coded_from = exact_chunks, coded_from
        self._held = HeldCodes(held_bytes)

    def centres(self, connection: Connection, scopes: Sequence[str], dims: int) -> Mapping[str, bytes]:
        """The centres of the collections to be searched coarsely: none when there is little in scope. Blocks."""
        values = {"scopes": json.dumps(list(scopes)), "dims": dims}
        rows = connection.execute(_SIZES.text, values).fetchall()
        if sum(chunks for _, chunks, _ in rows) <= self._exact_chunks:
            return {}
        return {scope: centre for scope, _, centre in rows if centre is not None}

    def search(
        self, connection: Connection, scope: str, vector: bytes, centre: bytes, limit: int
    ) -> list[tuple[int, float]]:
        """The nearest chunks of a collection, each with its exact distance. Blocks."""
        chosen = self._by_held_codes(connection, scope, vector, centre, limit * SURPLUS)
        if chosen is None:
            chosen = self._by_stored_codes(connection, scope, vector, centre, limit * SURPLUS)
        exact = (
            "select v.key, vec_distance_cosine(v.embedding, :vector) as distance from json_each(:keys) k "
            f"cross join chunk_vectors_{len(vector) // FLOAT_BYTES} v on v.key = k.value order by 2, 1 limit :most"
        )
        return connection.execute(exact, {"keys": json.dumps(chosen), "vector": vector, "most": limit}).fetchall()

    def _by_held_codes(
        self, connection: Connection, scope: str, vector: bytes, centre: bytes, limit: int
    ) -> list[int] | None:
        """The keys of the nearest chunks, by codes in memory; None where they are not held."""
        place = scope, len(vector) // FLOAT_BYTES
        stamps = dict(connection.execute(_STAMPS, place))
        if not self._held.holds(BLOCK * len(stamps), place[1]):
            return None
        read: dict[int, Block] = {}
        for number in self._held.missing(place, stamps):
            stamp, keys, bits = connection.execute(_BLOCK, (number,)).fetchone()
            codes = dict(connection.execute(_CODES, (json.dumps(coarse.keys_of(keys)),)))
            read[number] = Block.read(stamp, keys, bits, codes)
        held = self._held.take(place, stamps, read)
        return None if held is None else held.nearest(vector, centre, limit)

    @staticmethod
    def _by_stored_codes(connection: Connection, scope: str, vector: bytes, centre: bytes, limit: int) -> list[int]:
        """The same, by codes that are read for this search only."""
        blocks = connection.execute(_BLOCKS, (scope, len(vector) // FLOAT_BYTES)).fetchall()
        if not blocks:
            return []
        near = coarse.nearest(blocks, vector, centre)
        return coarse.best(connection.execute(_CODES, (json.dumps(near),)).fetchall(), vector, limit)

    async def put(self, session: AsyncSession, scope: str, dims: int, new: Sequence[tuple[int, bytes]]) -> None:
        """Code the chunks that a collection has got, and all that it had when it has become large."""
        rows = await _execute(session, _SIZES, {"scopes": json.dumps([scope]), "dims": dims})
        size = rows.one()
        if size.centre is not None:
            await self._code(session, scope, dims, new, size.centre)
        elif size.chunks >= self._coded_from:
            every = f"select key, embedding from chunk_vectors_{dims} where collection = :scope"
            held = [(r.key, r.embedding) for r in await _execute(session, text(every), {"scope": scope})]
            if len(held) < self._coded_from:
                return
            centre = await asyncio.to_thread(coarse.mean, [vector for _, vector in held])
            put = text("insert into chunk_centres(scope, dims, centre) values (:scope, :dims, :centre)")
            await _execute(session, put, {"scope": scope, "dims": dims, "centre": centre})
            await self._code(session, scope, dims, held, centre)

    async def _code(
        self, session: AsyncSession, scope: str, dims: int, new: Sequence[tuple[int, bytes]], centre: bytes
    ) -> None:
        for first in range(0, len(new), PART):
            part = new[first : first + PART]
            codes = await asyncio.to_thread(coarse.encode, [vector for _, vector in part], centre)
            await _execute(
                session,
                text("insert into chunk_codes(key, code) values (:key, :code)"),
                [{"key": key, "code": code} for (key, _), code in zip(part, codes.rounded, strict=True)],
            )
            await self._append(session, scope, dims, [key for key, _ in part], codes.bits)

    @staticmethod
    async def _append(session: AsyncSession, scope: str, dims: int, keys: Sequence[int], bits: Sequence[bytes]) -> None:
        """Put bits into the blocks that have room, and into new ones."""
        while keys:
            found = (await _execute(session, _ROOM, {"scope": scope, "dims": dims, "most": BLOCK})).first()
            room = BLOCK - (found.chunks if found else 0)
            values: dict[str, object] = {
                "chunks": (found.chunks if found else 0) + len(keys[:room]),
                "keys": (found.keys if found else b"") + coarse.key_bytes(keys[:room]),
                "bits": (found.bits if found else b"") + b"".join(bits[:room]),
            }
            if found:
                number = found.number
                grow = text(
                    "update chunk_blocks set chunks = :chunks, keys = :keys, bits = :bits, stamp = random() "
                    "where number = :number"
                )
                await _execute(session, grow, {**values, "number": number})
            else:
                add = text(
                    "insert into chunk_blocks(scope, dims, chunks, keys, bits, stamp) "
                    "values (:scope, :dims, :chunks, :keys, :bits, random()) returning number"
                )
                number = (await _execute(session, add, {**values, "scope": scope, "dims": dims})).scalar_one()
            place = text("update chunk_vector_places set block = :block where vector = :key")
            await _execute(session, place, [{"block": number, "key": key} for key in keys[:room]])
            keys, bits = keys[room:], bits[room:]

    @staticmethod
    async def remove(session: AsyncSession, gone: Sequence[tuple[int, int]]) -> None:
        """Take chunks, given with their blocks, out of the codes."""
        if not gone:
            return
        await _execute(session, text("delete from chunk_codes where key = :key"), [{"key": key} for key, _ in gone])
        blocks: dict[int, set[int]] = {}
        for key, number in gone:
            blocks.setdefault(number, set()).add(key)
        held = text("select keys, bits from chunk_blocks where number = :number")
        for number, keys in blocks.items():
            found = (await _execute(session, held, {"number": number})).one()
            kept, bits = coarse.without(found.keys, found.bits, keys)
            if kept:
                shrink = text(
                    "update chunk_blocks set chunks = :chunks, keys = :keys, bits = :bits, stamp = random() "
                    "where number = :number"
                )
                values = {"chunks": len(kept) // 8, "keys": kept, "bits": bits, "number": number}
                await _execute(session, shrink, values)
            else:
                await _execute(session, text("delete from chunk_blocks where number = :number"), {"number": number})
        await _execute(session, _FORGET_CENTRES)


_FORGET_CENTRES = text(
    "delete from chunk_centres where not exists "
    "(select 1 from chunk_blocks b where b.scope = chunk_centres.scope and b.dims = chunk_centres.dims)"
)


async def _execute(session: AsyncSession, statement: Any, values: Any = None) -> Result[Any]:
    done: Result[Any] = await session.execute(statement, values or {}, execution_options=BY_HAND)
    return done
