"""The search index on SQLite: sqlite-vec with a partition for each collection, FTS5 over analysed terms.

Every query names collections that the caller was allowed to read; a collection belongs to one tenant.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Result, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.knowledge.repository import IndexEntry
from domain.ports import SearchHit
from storage.database import Database

FLOAT_BYTES = 4
BY_HAND = {"scoped_by_hand": True}
_PUT_TERMS = text("insert into chunk_terms(rowid, scope, terms) values (:key, :scope, :terms)")
_MERGE = text("insert into chunk_terms(chunk_terms, rank) values ('merge', -500)")
_CHANGES = text("select total_changes()")
LEAST_CHANGES = 2
"""A merge that changes fewer rows had nothing to do."""
_PUT_PLACE = text("insert into chunk_places(key, tenant_id, collection_id, dims) values (:key, :tenant, :scope, :dims)")


def _scope(collection_id: UUID) -> str:
    return f"c{collection_id.hex}"


class SqliteSearchIndex:
    """See `SearchIndex`."""

    async def put(self, session: AsyncSession, entries: Sequence[IndexEntry]) -> None:
        """Add chunks to both legs."""
        if not entries:
            return
        tenant = session.info["tenant_id"].hex
        dims = len(entries[0].vector) // FLOAT_BYTES
        await self._execute(
            session,
            f"create virtual table if not exists chunk_vectors_{dims} using vec0("
            f"key integer primary key, collection text partition key, embedding float[{dims}] "
            "distance_metric=cosine, chunk_size=64)",
        )
        rows = [
            {
                "key": e.key,
                "tenant": tenant,
                "scope": _scope(e.collection_id),
                "terms": e.terms,
                "dims": dims,
                "vector": e.vector,
            }
            for e in entries
        ]
        put_vector = text(
            f"insert into chunk_vectors_{dims}(key, collection, embedding) values (:key, :scope, :vector)"
        )
        for statement in (_PUT_PLACE, _PUT_TERMS, put_vector):
            await session.execute(statement, rows, execution_options=BY_HAND)

    async def remove(self, session: AsyncSession, keys: Sequence[int]) -> None:
        """Remove chunks from both legs."""
        for dims, rows in (await self._places(session, keys)).items():
            for table, column in ((f"chunk_vectors_{dims}", "key"), ("chunk_terms", "rowid"), ("chunk_places", "key")):
                statement = text(f"delete from {table} where {column} = :key")
                await session.execute(statement, rows, execution_options=BY_HAND)

    async def wipe(self, session: AsyncSession, keys: Sequence[int]) -> None:
        """Remove chunks; vectors are overwritten before, since sqlite-vec only marks them as removed."""
        for dims, rows in (await self._places(session, keys)).items():
            blank = text(f"update chunk_vectors_{dims} set embedding = :blank where key = :key")
            zeros = [{**row, "blank": bytes(dims * FLOAT_BYTES)} for row in rows]
            await session.execute(blank, zeros, execution_options=BY_HAND)
        await self.remove(session, keys)

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

    async def _places(self, session: AsyncSession, keys: Sequence[int]) -> dict[int, list[dict[str, object]]]:
        """Those of the keys that are the tenant's, by the length of their vectors."""
        tenant = session.info["tenant_id"].hex
        places = text("select key, dims from chunk_places where key = :key and tenant_id = :tenant")
        found: dict[int, list[dict[str, object]]] = {}
        for key in keys:
            row = (await session.execute(places, {"key": key, "tenant": tenant}, execution_options=BY_HAND)).first()
            if row is not None:
                found.setdefault(row.dims, []).append({"key": row.key})
        return found

    async def vectors(
        self, session: AsyncSession, collection_ids: Sequence[UUID], vector: bytes, limit: int
    ) -> Sequence[SearchHit]:
        """Exact nearest neighbours in each collection's partition, merged."""
        dims = len(vector) // FLOAT_BYTES
        exists = await self._execute(
            session, "select 1 from sqlite_master where name = :name", {"name": f"chunk_vectors_{dims}"}
        )
        if exists.first() is None:
            return []
        statement = (
            f"select key, distance from chunk_vectors_{dims} "
            "where embedding match :vector and k = :most and collection = :scope"
        )
        hits: list[SearchHit] = []
        for collection_id in collection_ids:
            values = {"vector": vector, "most": limit, "scope": _scope(collection_id)}
            hits += [SearchHit(row.key, 1.0 - row.distance) for row in await self._execute(session, statement, values)]
        return sorted(hits, key=lambda hit: (-hit.score, hit.key))[:limit]

    async def texts(
        self, session: AsyncSession, collection_ids: Sequence[UUID], terms: Sequence[str], limit: int
    ) -> Sequence[SearchHit]:
        """FTS5's BM25 among the chunks of these collections."""
        if not terms or not collection_ids:
            return []
        scopes = " OR ".join(f'"{_scope(c)}"' for c in collection_ids)
        words = " OR ".join(f'"{term[:-1]}"*' if term.endswith("*") else f'"{term}"' for term in terms)
        query = f"scope : ({scopes}) AND terms : ({words})"
        statement = (
            "select rowid as key, bm25(chunk_terms, 0.0, 1.0) as rank from chunk_terms "
            "where chunk_terms match :query order by rank limit :most"
        )
        rows = await self._execute(session, statement, {"query": query, "most": limit})
        return [SearchHit(row.key, -row.rank) for row in rows]

    @staticmethod
    async def _execute(session: AsyncSession, sql: str, values: dict[str, object] | None = None) -> Result[Any]:
        return await session.execute(text(sql), values or {}, execution_options=BY_HAND)
