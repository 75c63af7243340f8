"""What the search index holds of each chunk, apart from how a database keeps it."""

import base64
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.knowledge.repository import IndexEntry
from storage.archive.rows import Row

BATCH = 500
HALF_HEADER_BYTES = 4
"""What pgvector writes before the numbers: how many, and two bytes to spare."""
_SQLITE = text(
    "select c.key, c.id, c.collection_id, c.document_id, p.terms, p.dims from chunks c join chunk_places p "
    "on p.key = c.key where c.tenant_id = :tenant and c.key > :after order by c.key limit :most"
).columns(id=Uuid, collection_id=Uuid, document_id=Uuid)
_POSTGRES = text(
    "select chunk_key as key, chunk_id as id, collection_id, document_id, terms, halfvec_send(embedding) as vector "
    "from chunk_index where tenant_id = :tenant and chunk_id > :after order by chunk_id limit :most"
).bindparams(bindparam("tenant", type_=Uuid), bindparam("after", type_=Uuid))


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
    return [entry.key, *ids, entry.terms, base64.b64encode(entry.vector).decode()]


def inward(row: Row) -> IndexEntry:
    """The entry of a line."""
    key, chunk, collection, document, terms, vector = row
    return IndexEntry(key, UUID(chunk), UUID(collection), UUID(document), terms, base64.b64decode(vector))


def by_length(entries: Sequence[IndexEntry]) -> Iterator[list[IndexEntry]]:
    """Entries whose vectors are of one length, as the index takes them."""
    for length in sorted({len(entry.vector) for entry in entries}):
        yield [entry for entry in entries if len(entry.vector) == length]


async def entries_of(connection: AsyncConnection, tenant_id: UUID) -> AsyncIterator[list[IndexEntry]]:
    """The entries of an organisation, in batches."""
    batches = _of_sqlite if connection.dialect.name == "sqlite" else _of_postgres
    async for found in batches(connection, tenant_id):
        yield found


async def _of_sqlite(connection: AsyncConnection, tenant_id: UUID) -> AsyncIterator[list[IndexEntry]]:
    after = -1
    while True:
        values: dict[str, Any] = {"tenant": tenant_id.hex, "after": after, "most": BATCH}
        rows = (await connection.execute(_SQLITE, values)).all()
        vectors: dict[int, bytes] = {}
        for dims in {row.dims for row in rows}:
            held = text(
                f"select v.key, v.embedding from json_each(:keys) k cross join chunk_vectors_{dims} v on v.key = k.value"
            )
            keys = json.dumps([row.key for row in rows if row.dims == dims])
            vectors |= {key: bytes(vector) for key, vector in await connection.execute(held, {"keys": keys})}
        if rows:
            yield [IndexEntry(r.key, r.id, r.collection_id, r.document_id, r.terms, vectors[r.key]) for r in rows]
        if len(rows) < BATCH:
            return
        after = rows[-1].key


async def _of_postgres(connection: AsyncConnection, tenant_id: UUID) -> AsyncIterator[list[IndexEntry]]:
    after = UUID(int=0)
    while True:
        rows = (await connection.execute(_POSTGRES, {"tenant": tenant_id, "after": after, "most": BATCH})).all()
        if rows:
            yield [
                IndexEntry(r.key, r.id, r.collection_id, r.document_id, r.terms, _from_half(bytes(r.vector)))
                for r in rows
            ]
        if len(rows) < BATCH:
            return
        after = rows[-1].id
