"""The search index on SQLite: sqlite-vec with a partition for each collection, FTS5 over analysed terms.

Every query names collections that the caller was allowed to read; a collection belongs to one tenant.

A collection has two sets of vectors while it changes its embedding model. A vector of the first set has its chunk's key, in
the partition `c` + collection; one of the second the complement of that key (`~key`, below zero), in the partition `d` +
collection. `chunk_vector_places` says where each vector is.
"""

import json
from collections.abc import Collection, Sequence
from functools import partial
from sqlite3 import Connection
from typing import Any
from uuid import UUID

from sqlalchemy import Result, Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.knowledge.repository import IndexEntry, VectorCount
from domain.ports import SearchHit, TextHits
from storage.database import Database
from storage.one_trip import in_one_trip
from storage.search.sqlite_coarse import SqliteCoarse
from storage.search.sqlite_words import find, scope_of
from storage.search.words import backwards, by_scope, prominent, tally

FLOAT_BYTES = 4
BY_HAND = {"scoped_by_hand": True}
_PUT_TERMS = text("insert into chunk_terms(rowid, scope, terms) values (:key, :scope, :lexemes)")
_MERGE = text("insert into chunk_terms(chunk_terms, rank) values ('merge', -500)")
_LEFT_TRACES = text("insert or ignore into chunk_traces(number) values (1)")
_NO_TRACES = text("delete from chunk_traces returning number")
_CHANGES = text("select total_changes()")
LEAST_CHANGES = 2
"""A merge that changes fewer rows had nothing to do."""
_PUT_PLACE = text("insert into chunk_places(key, tenant_id, scope, terms) values (:key, :tenant, :scope, :terms)")
_PUT_VECTOR_PLACE = text(
    "insert into chunk_vector_places(vector, tenant_id, scope, dims) values (:vector_key, :tenant, :partition, :dims)"
)
_WITHOUT_VECTOR = text(
    "select p.key from chunk_places p where p.scope = :scope and p.tenant_id = :tenant and not exists "
    "(select 1 from chunk_vector_places v where v.vector = case when :vector_set = 0 then p.key else ~p.key end) limit :most"
)
_BARE = text(
    "select p.key from json_each(:keys) k cross join chunk_places p on p.key = k.value where p.tenant_id = :tenant and "
    "not exists (select 1 from chunk_vector_places v where v.vector = case when :vector_set = 0 then p.key else ~p.key end)"
)
_VECTOR_COUNT = text(
    "select (select count(*) from chunk_places where scope = :scope) as chunks, "
    "(select count(*) from chunk_vector_places where scope = :partition) as vectors"
)
_VECTORS_OF = text(
    "select vector, dims, block from chunk_vector_places where scope = :partition and tenant_id = :tenant limit :most"
)
_PUT_WORD = text(
    "insert into chunk_words(tenant_id, scope, word, backwards, chunks, occurrences) "
    "values (:tenant, :scope, :word, :backwards, :chunks, :occurrences) on conflict(scope, word) do update set "
    "chunks = chunks + excluded.chunks, occurrences = occurrences + excluded.occurrences"
)
_TAKE_WORD = text(
    "update chunk_words set chunks = chunks - :chunks, occurrences = occurrences - :occurrences "
    "where scope = :scope and word = :word"
)
_DROP_WORDS = text("delete from chunk_words where scope = :scope and chunks <= 0")
_PLACES = text(
    "select p.key, p.scope, p.terms from json_each(:keys) k cross join chunk_places p on p.key = k.value "
    "where p.tenant_id = :tenant"
)
_VECTOR_PLACES = text(
    "select v.vector, v.dims, v.block from json_each(:keys) k cross join chunk_vector_places v "
    "on v.vector in (k.value, ~k.value) where v.tenant_id = :tenant"
)


def _partition(collection_id: UUID, vector_set: int) -> str:
    return f"{'cd'[vector_set]}{collection_id.hex}"


def _vector_key(key: int, vector_set: int) -> int:
    return ~key if vector_set else key


def _word_rows(tenant: str, scope: str, terms: Sequence[str]) -> list[dict[str, object]]:
    return [
        {
            "tenant": tenant,
            "scope": scope,
            "word": word,
            "backwards": backwards(word),
            "chunks": chunks,
            "occurrences": occurrences,
        }
        for word, (chunks, occurrences) in sorted(tally(terms).items())
    ]


class SqliteSearchIndex:
    """See `SearchIndex`."""

    def __init__(self, coarse: SqliteCoarse | None = None) -> None:
        self._coarse = coarse or SqliteCoarse()
        self._known: set[int] = set()

    async def put(self, session: AsyncSession, entries: Sequence[IndexEntry]) -> None:
        """Add chunks to both legs."""
        if not entries:
            return
        tenant = session.info["tenant_id"].hex
        rows = [
            {
                "key": e.key,
                "tenant": tenant,
                "scope": scope_of(e.collection_id),
                "terms": e.terms,
                "lexemes": " ".join(prominent(e.terms)),
            }
            for e in entries
        ]
        for statement in (_PUT_PLACE, _PUT_TERMS):
            await session.execute(statement, rows, execution_options=BY_HAND)
        for scope, terms in by_scope((str(row["scope"]), str(row["terms"])) for row in rows):
            await session.execute(_PUT_WORD, _word_rows(tenant, scope, terms), execution_options=BY_HAND)
        for place in dict.fromkeys((e.collection_id, e.vector_set) for e in entries):
            vectors = [(e.key, e.vector) for e in entries if (e.collection_id, e.vector_set) == place]
            await self.put_vectors(session, *place, vectors)

    async def put_vectors(
        self, session: AsyncSession, collection_id: UUID, vector_set: int, vectors: Sequence[tuple[int, bytes]]
    ) -> None:
        """Add vectors beside those of the other set."""
        if not vectors:
            return
        dims, partition = len(vectors[0][1]) // FLOAT_BYTES, _partition(collection_id, vector_set)
        await self._execute(
            session,
            f"create virtual table if not exists chunk_vectors_{dims} using vec0("
            f"key integer primary key, collection text partition key, embedding float[{dims}] "
            "distance_metric=cosine, chunk_size=64)",
        )
        tenant = session.info["tenant_id"].hex
        keyed = [(_vector_key(key, vector_set), vector) for key, vector in vectors]
        rows = [
            {"vector_key": key, "tenant": tenant, "partition": partition, "dims": dims, "vector": vector}
            for key, vector in keyed
        ]
        put_vector = text(
            f"insert into chunk_vectors_{dims}(key, collection, embedding) values (:vector_key, :partition, :vector)"
        )
        for statement in (_PUT_VECTOR_PLACE, put_vector):
            await session.execute(statement, rows, execution_options=BY_HAND)
        await self._coarse.put(session, partition, dims, keyed)

    async def without_vector(
        self, session: AsyncSession, collection_id: UUID, vector_set: int, limit: int
    ) -> Sequence[int]:
        """Indexed chunks that have no vector in the set."""
        values = {
            "scope": scope_of(collection_id),
            "tenant": session.info["tenant_id"].hex,
            "vector_set": vector_set,
            "most": limit,
        }
        return [key for (key,) in await session.execute(_WITHOUT_VECTOR, values, execution_options=BY_HAND)]

    async def bare(self, session: AsyncSession, keys: Sequence[int], vector_set: int) -> Collection[int]:
        """Those of the chunks that are indexed and have no vector in the set."""
        values = {
            "keys": json.dumps(list(keys)), "tenant": session.info["tenant_id"].hex, "vector_set": vector_set
        }  # fmt: skip
        return {key for (key,) in await session.execute(_BARE, values, execution_options=BY_HAND)}

    async def count(self, session: AsyncSession, collection_id: UUID, vector_set: int) -> VectorCount:
        """Chunks that are indexed, and vectors of the set."""
        values = {"scope": scope_of(collection_id), "partition": _partition(collection_id, vector_set)}
        row = (await session.execute(_VECTOR_COUNT, values, execution_options=BY_HAND)).one()
        return VectorCount(row.chunks, row.vectors)

    async def drop_vectors(self, session: AsyncSession, collection_id: UUID, vector_set: int, limit: int) -> int:
        """Remove some vectors of a set, overwritten before (see `remove`)."""
        values = {
            "partition": _partition(collection_id, vector_set), "tenant": session.info["tenant_id"].hex, "most": limit
        }  # fmt: skip
        places = (await session.execute(_VECTORS_OF, values, execution_options=BY_HAND)).all()
        await self._remove_vectors(session, places)
        return len(places)

    async def hold(self, session: AsyncSession, collection_id: UUID) -> None:
        """Nothing: there is one writer at a time."""

    async def remove(self, session: AsyncSession, keys: Sequence[int]) -> None:
        """Remove chunks from both legs. Vectors are overwritten before: sqlite-vec only marks them as removed."""
        values = {"keys": json.dumps(list(keys)), "tenant": session.info["tenant_id"].hex}
        await self._remove_vectors(
            session, (await session.execute(_VECTOR_PLACES, values, execution_options=BY_HAND)).all()
        )
        places = (await session.execute(_PLACES, values, execution_options=BY_HAND)).all()
        if places:
            await session.execute(_LEFT_TRACES, execution_options=BY_HAND)
        gone = [{"key": row.key} for row in places]
        for table, column in (("chunk_terms", "rowid"), ("chunk_places", "key")) if gone else ():
            statement = text(f"delete from {table} where {column} = :key")
            await session.execute(statement, gone, execution_options=BY_HAND)
        tenant = session.info["tenant_id"].hex
        for scope, terms in by_scope((row.scope, row.terms) for row in places):
            await session.execute(_TAKE_WORD, _word_rows(tenant, scope, terms), execution_options=BY_HAND)
            await session.execute(_DROP_WORDS, {"scope": scope}, execution_options=BY_HAND)

    async def _remove_vectors(self, session: AsyncSession, places: Sequence[Row[Any]]) -> None:
        for dims in {row.dims for row in places}:
            gone = [{"key": row.vector, "blank": bytes(dims * FLOAT_BYTES)} for row in places if row.dims == dims]
            for sql in (
                f"update chunk_vectors_{dims} set embedding = :blank where key = :key",
                f"delete from chunk_vectors_{dims} where key = :key",
                "delete from chunk_vector_places where vector = :key",
            ):
                await session.execute(text(sql), gone, execution_options=BY_HAND)
        await self._coarse.remove(session, [(row.vector, row.block) for row in places if row.block is not None])

    async def compact(self, database: Database) -> None:
        """Merge the full text's segments, which drops the words of removed chunks; in steps that let others write."""
        while True:
            async with database.system_session(write=True) as session:
                before = await session.scalar(_CHANGES) or 0
                await session.execute(_MERGE)
                done = (await session.scalar(_CHANGES) or 0) - before
                await session.commit()
            if done < LEAST_CHANGES:
                return

    async def erase_traces(self, database: Database) -> bool:
        """Compact, if chunks were removed since it was done the last time: the full text still holds their words."""
        async with database.system_session(write=True) as session:
            some = (await session.execute(_NO_TRACES)).first() is not None
            await session.commit()
        if not some:
            return False
        try:
            await self.compact(database)
            await database.settle()
        except BaseException:
            async with database.system_session(write=True) as session:
                await session.execute(_LEFT_TRACES)
                await session.commit()
            raise
        return True

    async def vectors(
        self, session: AsyncSession, collection_ids: Sequence[UUID], vector: bytes, limit: int, vector_set: int = 0
    ) -> Sequence[SearchHit]:
        """The nearest chunks; in large collections by a coarse first pass when there is much in scope."""
        dims = len(vector) // FLOAT_BYTES
        if not await self._holds(session, dims):
            return []
        scopes = [_partition(collection_id, vector_set) for collection_id in collection_ids]
        rows = await in_one_trip(session, partial(self._nearest, scopes=scopes, vector=vector, limit=limit))
        found = [SearchHit(_vector_key(key, vector_set), 1.0 - distance) for key, distance in rows]
        return sorted(found, key=lambda hit: (-hit.score, hit.key))[:limit]

    def _nearest(
        self, connection: Connection, scopes: Sequence[str], vector: bytes, limit: int
    ) -> list[tuple[int, float]]:
        """The nearest chunks of each collection, with their distances; in the connection's thread."""
        dims = len(vector) // FLOAT_BYTES
        # What has no centre yet is compared as a whole.
        centres = self._coarse.centres(connection, scopes, dims)
        statement = (
            f"select key, distance from chunk_vectors_{dims} "
            "where embedding match :vector and k = :most and collection = :scope"
        )
        found: list[tuple[int, float]] = []
        for scope in scopes:
            if scope in centres:
                found += self._coarse.search(connection, scope, vector, centres[scope], limit)
            else:
                found += connection.execute(statement, {"vector": vector, "most": limit, "scope": scope})
        return found

    async def _holds(self, session: AsyncSession, dims: int) -> bool:
        """Whether there is a table for vectors of this length; once made, it stays."""
        if dims not in self._known:
            named = "select 1 from sqlite_master where name = :name"
            found = await self._execute(session, named, {"name": f"chunk_vectors_{dims}"})
            if found.first() is not None:
                self._known.add(dims)
        return dims in self._known

    async def texts(self, session: AsyncSession, collection_ids: Sequence[UUID], query: str, limit: int) -> TextHits:
        """BM25 among the chunks of these collections."""
        return await in_one_trip(session, partial(find, collection_ids=collection_ids, query=query, limit=limit))

    @staticmethod
    async def _execute(session: AsyncSession, sql: str, values: dict[str, object] | None = None) -> Result[Any]:
        return await session.execute(text(sql), values or {}, execution_options=BY_HAND)
