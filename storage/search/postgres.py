"""The search index on Postgres: pgvector and tsvector, through the functions of `storage.migrations.ddl`.

Row-level security holds on the index table too. Full text goes through `app.search_text`, a SECURITY DEFINER function
that names the tenant itself: under row-level security the planner may not use the GIN index for `@@`.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Text, Uuid

from domain.knowledge.repository import IndexEntry
from domain.ports import SearchHit
from storage.database import Database

FLOAT_BYTES = 4
EXACT_ROWS = 30_000
"""Up to so many chunks in scope the exact search is fast, and it never misses one."""
HNSW_DIMS = 384
BY_HAND = {"scoped_by_hand": True}

_PUT = text(
    "insert into chunk_index(tenant_id, chunk_key, chunk_id, collection_id, document_id, terms, length, dims, embedding) "
    "values (app.tenant(), :key, :chunk, :collection, :document, cast(:terms as tsvector), :length, :dims, "
    "cast(:vector as halfvec))"
)
_EXACT = text(
    "select chunk_key as key, 1 - (embedding <=> cast(:vector as halfvec)) as score from ("
    "select chunk_key, embedding from chunk_index where collection_id = any(:scope) and dims = :dims offset 0) s "
    "order by embedding <=> cast(:vector as halfvec) limit :most"
).bindparams(bindparam("scope", type_=ARRAY(Uuid)))
_NEAR = text(
    "select chunk_key as key, 1 - (embedding::halfvec(384) <=> cast(:vector as halfvec(384))) as score "
    "from chunk_index where collection_id = any(:scope) and dims = 384 "
    "order by embedding::halfvec(384) <=> cast(:vector as halfvec(384)) limit :most"
).bindparams(bindparam("scope", type_=ARRAY(Uuid)))
_COUNT = text(
    "select count(*) from (select 1 from chunk_index where collection_id = any(:scope) and dims = :dims limit :most) s"
).bindparams(bindparam("scope", type_=ARRAY(Uuid)))
_TEXTS = text("select key, score from app.search_text(:scope, :terms, :most)").bindparams(
    bindparam("scope", type_=ARRAY(Uuid)), bindparam("terms", type_=ARRAY(Text))
)
_REMOVE = text("delete from chunk_index where chunk_key = any(:keys)")


def _literal(vector: bytes) -> str:
    values = memoryview(vector).cast("f")
    return "[" + ",".join(f"{value:.6g}" for value in values) + "]"


class PostgresSearchIndex:
    """See `SearchIndex`."""

    async def put(self, session: AsyncSession, entries: Sequence[IndexEntry]) -> None:
        """Add chunks to both legs."""
        rows = [
            {
                "key": e.key,
                "chunk": e.chunk_id,
                "collection": e.collection_id,
                "document": e.document_id,
                "terms": _tsvector(e.terms),
                "length": len(e.terms.split()),
                "dims": len(e.vector) // FLOAT_BYTES,
                "vector": _literal(e.vector),
            }
            for e in entries
        ]
        if rows:
            await session.execute(_PUT, rows, execution_options=BY_HAND)

    async def remove(self, session: AsyncSession, keys: Sequence[int]) -> None:
        """Remove chunks from both legs."""
        if keys:
            await session.execute(_REMOVE, {"keys": list(keys)}, execution_options=BY_HAND)

    async def wipe(self, session: AsyncSession, keys: Sequence[int]) -> None:
        """Remove chunks; the server's vacuum frees their room."""
        await self.remove(session, keys)

    async def compact(self, database: Database) -> None:
        """Nothing: the server does it by itself."""

    async def vectors(
        self, session: AsyncSession, collection_ids: Sequence[UUID], vector: bytes, limit: int
    ) -> Sequence[SearchHit]:
        """Exact in small scopes; by the HNSW index, walked until enough rows pass the filter, in large ones."""
        dims = len(vector) // FLOAT_BYTES
        scope = {"scope": list(collection_ids), "dims": dims}
        count = await session.execute(_COUNT, scope | {"most": EXACT_ROWS + 1}, execution_options=BY_HAND)
        values = {"scope": list(collection_ids), "vector": _literal(vector), "most": limit}
        if (count.scalar() or 0) <= EXACT_ROWS or dims != HNSW_DIMS:
            rows = await session.execute(_EXACT, values | {"dims": dims}, execution_options=BY_HAND)
        else:
            for setting in ("hnsw.iterative_scan = relaxed_order", "hnsw.ef_search = 100"):
                await session.execute(text(f"set local {setting}"), execution_options=BY_HAND)
            rows = await session.execute(_NEAR, values, execution_options=BY_HAND)
        hits = [SearchHit(row.key, float(row.score)) for row in rows]
        return sorted(hits, key=lambda hit: (-hit.score, hit.key))

    async def texts(
        self, session: AsyncSession, collection_ids: Sequence[UUID], terms: Sequence[str], limit: int
    ) -> Sequence[SearchHit]:
        """BM25 over the candidates that the GIN index finds."""
        if not terms or not collection_ids:
            return []
        values = {"scope": list(collection_ids), "terms": list(dict.fromkeys(terms)), "most": limit}
        rows = await session.execute(_TEXTS, values, execution_options=BY_HAND)
        return [SearchHit(row.key, float(row.score)) for row in rows]


def _tsvector(terms: str) -> str:
    """The text form of a tsvector: each term with its positions (at most 255 of them, up to 16383)."""
    positions: dict[str, list[int]] = {}
    for position, term in enumerate(terms.split(), 1):
        positions.setdefault(term, []).append(min(position, 16_383))
    parts = ("'" + term.replace("'", "''") + "':" + ",".join(map(str, at[:255])) for term, at in positions.items())
    return " ".join(parts)
