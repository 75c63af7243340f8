"""What the search index holds of each chunk, apart from how a database keeps it."""

import base64
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row as SqlRow
from sqlalchemy import Uuid, bindparam, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.knowledge.repository import IndexEntry
from storage.archive.rows import Row

BATCH = 500
HALF_HEADER_BYTES = 4
"""What pgvector writes before the numbers: how many, and two bytes to spare."""
_SQLITE = text(
    "select c.key, c.id, c.collection_id, c.document_id, p.terms, v.vector as vector_key, v.dims, o.vector_set "
    "from chunks c join collections o on o.id = c.collection_id join chunk_places p on p.key = c.key "
    "join chunk_vector_places v on v.vector = case when o.vector_set = 0 then p.key else ~p.key end "
    "where c.tenant_id = :tenant and c.key > :after order by c.key limit :most"
).columns(id=Uuid, collection_id=Uuid, document_id=Uuid)
_POSTGRES = text(
    "select i.chunk_key as key, i.chunk_id as id, i.collection_id, i.document_id, i.terms, o.vector_set, "
    "halfvec_send(v.embedding) as vector from chunk_index i join collections o on o.id = i.collection_id "
    "join chunk_vectors v on v.chunk_key = i.chunk_key and v.vector_set = o.vector_set "
    "where i.tenant_id = :tenant and i.chunk_id > :after order by i.chunk_id limit :most"
).bindparams(bindparam("tenant", type_=Uuid), bindparam("after", type_=Uuid))
# As it was before vectors stood apart from words: an upgrade saves a database before it changes it.
_FORMER_SQLITE = text(
    "select c.key, c.id, c.collection_id, c.document_id, p.terms, p.key as vector_key, p.dims, 0 as vector_set "
    "from chunks c join chunk_places p on p.key = c.key "
    "where c.tenant_id = :tenant and c.key > :after order by c.key limit :most"
).columns(id=Uuid, collection_id=Uuid, document_id=Uuid)
_FORMER_POSTGRES = text(
    "select chunk_key as key, chunk_id as id, collection_id, document_id, terms, 0 as vector_set, "
    "halfvec_send(embedding) as vector "
    "from chunk_index where tenant_id = :tenant and chunk_id > :after order by chunk_id limit :most"
).bindparams(bindparam("tenant", type_=Uuid), bindparam("after", type_=Uuid))
APART = {"sqlite": "chunk_vector_places", "postgresql": "chunk_vectors"}
"""A table that is there since vectors stand apart from words."""


def halved(vector: bytes) -> bytes:
    """A vector as Postgres keeps it: in half precision."""
    import numpy as np

    return np.frombuffer(vector, "<f4").astype("<f2").astype("<f4").tobytes()


def _from_half(sent: bytes) -> bytes:
    import numpy as np

    return np.frombuffer(sent[HALF_HEADER_BYTES:], ">f2").astype("<f4").tobytes()


def outward(entry: IndexEntry) -> Row:
    """An entry as it goes into a line."""
    ids = (entry.chunk_id.hex, entry.collection_id.hex, entry.document_id.hex)
    return [entry.key, *ids, entry.terms, base64.b64encode(entry.vector).decode(), entry.vector_set]


def inward(row: Row) -> IndexEntry:
    """The entry of a line; older lines name no set of vectors."""
    key, chunk, collection, document, terms, vector, *rest = row
    ids = (UUID(chunk), UUID(collection), UUID(document))
    return IndexEntry(key, *ids, terms, base64.b64decode(vector), *rest)


def by_length(entries: Sequence[IndexEntry]) -> Iterator[list[IndexEntry]]:
    """Entries whose vectors are of one length, as the index takes them."""
    for length in sorted({len(entry.vector) for entry in entries}):
        yield [entry for entry in entries if len(entry.vector) == length]


async def entries_of(connection: AsyncConnection, tenant_id: UUID) -> AsyncIterator[list[IndexEntry]]:
    """The entries of an organisation, in batches, with the vectors that answer."""
    batches = _of_sqlite if connection.dialect.name == "sqlite" else _of_postgres
    async for found in batches(connection, tenant_id):
        yield found


async def _apart(connection: AsyncConnection) -> bool:
    table = APART[connection.dialect.name]
    return await connection.run_sync(lambda sync: inspect(sync).has_table(table))


def _entry(row: SqlRow[Any], vector: bytes) -> IndexEntry:
    return IndexEntry(row.key, row.id, row.collection_id, row.document_id, row.terms, vector, row.vector_set)


async def _of_sqlite(connection: AsyncConnection, tenant_id: UUID) -> AsyncIterator[list[IndexEntry]]:
    after, statement = -1, _SQLITE if await _apart(connection) else _FORMER_SQLITE
    while True:
        values: dict[str, Any] = {"tenant": tenant_id.hex, "after": after, "most": BATCH}
        rows = (await connection.execute(statement, values)).all()
        vectors: dict[int, bytes] = {}
        for dims in {row.dims for row in rows}:
            held = text(
                f"select v.key, v.embedding from json_each(:keys) k cross join chunk_vectors_{dims} v on v.key = k.value"
            )
            keys = json.dumps([row.vector_key for row in rows if row.dims == dims])
            vectors |= {key: bytes(vector) for key, vector in await connection.execute(held, {"keys": keys})}
        if rows:
            yield [_entry(row, vectors[row.vector_key]) for row in rows]
        if len(rows) < BATCH:
            return
        after = rows[-1].key


async def _of_postgres(connection: AsyncConnection, tenant_id: UUID) -> AsyncIterator[list[IndexEntry]]:
    after, statement = UUID(int=0), _POSTGRES if await _apart(connection) else _FORMER_POSTGRES
    while True:
        rows = (await connection.execute(statement, {"tenant": tenant_id, "after": after, "most": BATCH})).all()
        if rows:
            yield [_entry(row, _from_half(bytes(row.vector))) for row in rows]
        if len(rows) < BATCH:
            return
        after = rows[-1].id
