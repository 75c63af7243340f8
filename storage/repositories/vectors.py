"""Vectors of collections, and collections that change their embedding model."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.knowledge.entities import ChangeState, Chunk, Collection, Document, EmbeddingChange
from domain.knowledge.parsing import with_headings
from domain.knowledge.repository import EmbeddedChunk, VectorCount, Volume
from storage.search import SearchIndex
from storage.tables.knowledge import chunks, collections, documents, embedding_changes

_EMBEDDED: Select[Any] = (
    select(chunks.c.key, documents.c.title, chunks.c.heading_path, chunks.c.header, chunks.c.text)
    .select_from(Chunk)
    .join(Document, documents.c.id == chunks.c.document_id)
)


class VectorRepository:
    """See `domain.knowledge.repository`."""

    def __init__(self, session: AsyncSession, index: SearchIndex) -> None:
        self._session, self._index = session, index

    async def hold(self, collection_id: UUID) -> None:
        """Let nobody else change what is indexed of a collection until this transaction has ended."""
        await self._index.hold(self._session, collection_id)

    async def volumes(self, collection_ids: Sequence[UUID]) -> Mapping[UUID, Volume]:
        """How much of each collection is embedded."""
        statement = (
            select(
                chunks.c.collection_id,
                func.count(chunks.c.document_id.distinct()),
                func.count(),
                func.coalesce(func.sum(chunks.c.token_count), 0),
            )
            .select_from(Chunk)
            .where(chunks.c.collection_id.in_(set(collection_ids)), chunks.c.disabled.is_(False))
            .group_by(chunks.c.collection_id)
        )
        return {row[0]: Volume(row[1], row[2], int(row[3])) for row in await self._session.execute(statement)}

    async def without(self, collection_id: UUID, vector_set: int, limit: int) -> Sequence[EmbeddedChunk]:
        """Indexed chunks that have no vector in the set."""
        return await self._chunks(await self._index.without_vector(self._session, collection_id, vector_set, limit))

    async def _chunks(self, keys: Sequence[int]) -> list[EmbeddedChunk]:
        rows = await self._session.execute(_EMBEDDED.where(chunks.c.key.in_(list(keys))))
        return [_embedded(row) for row in rows]

    async def put(self, collection_id: UUID, vector_set: int, vectors: Sequence[tuple[EmbeddedChunk, bytes]]) -> int:
        """Add vectors of chunks whose texts are still the same and that have none in the set; how many."""
        await self.hold(collection_id)
        bare = await self._index.bare(self._session, [chunk.key for chunk, _ in vectors], vector_set)
        same = set(await self.again([chunk for chunk, _ in vectors])) if bare else set()
        rows = [(chunk.key, vector) for chunk, vector in vectors if chunk.key in bare and chunk in same]
        await self._index.put_vectors(self._session, collection_id, vector_set, rows)
        return len(rows)

    async def count(self, collection_id: UUID, vector_set: int) -> VectorCount:
        """Indexed chunks, and vectors of the set."""
        return await self._index.count(self._session, collection_id, vector_set)

    async def drop(self, collection_id: UUID, vector_set: int, limit: int) -> int:
        """Remove some vectors of a set; how many."""
        return await self._index.drop_vectors(self._session, collection_id, vector_set, limit)

    async def sample(self, collection_id: UUID, limit: int) -> Sequence[EmbeddedChunk]:
        """Some indexed chunks of a collection, from all over it: keys are as good as random."""
        wanted = (chunks.c.collection_id == collection_id, chunks.c.disabled.is_(False))
        statement = _EMBEDDED.where(*wanted).order_by(chunks.c.key).limit(limit)
        return [_embedded(row) for row in await self._session.execute(statement)]

    async def again(self, found: Sequence[EmbeddedChunk]) -> Sequence[EmbeddedChunk]:
        """The same chunks as they are now."""
        return await self._chunks([chunk.key for chunk in found])

    async def changes(self, collection_ids: Sequence[UUID]) -> Sequence[EmbeddingChange]:
        """The changes of embedding model of these collections."""
        statement = select(EmbeddingChange).where(embedding_changes.c.collection_id.in_(set(collection_ids)))
        return (await self._session.scalars(statement)).all()

    async def changes_of(self, job_id: UUID) -> Sequence[EmbeddingChange]:
        """The changes that a job carries out, in order."""
        statement = select(EmbeddingChange).where(embedding_changes.c.job_id == job_id).order_by(embedding_changes.c.id)
        return (await self._session.scalars(statement)).all()

    async def changing(self) -> Sequence[Collection]:
        """All collections whose newest change is not done, in order of name."""
        statement = (
            select(Collection)
            .join(EmbeddingChange, embedding_changes.c.collection_id == collections.c.id)
            .where(embedding_changes.c.state != ChangeState.DONE)
            .order_by(func.lower(collections.c.name), collections.c.id)
        )
        return (await self._session.scalars(statement)).all()

    async def collections_of(self, model_id: UUID) -> Sequence[Collection]:
        """All collections that a model embeds, in order of id."""
        statement = select(Collection).where(collections.c.embedding_model_id == model_id).order_by(collections.c.id)
        return (await self._session.scalars(statement)).all()


def _embedded(row: Row[Any]) -> EmbeddedChunk:
    return EmbeddedChunk(row.key, with_headings(row.title, row.heading_path, f"{row.header}{row.text}"))
