"""The search index: vectors and full text of chunks, behind one interface for both databases."""

from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.knowledge.repository import IndexEntry, VectorCount
from domain.ports import SearchHit, TextHits
from storage.database import Database


class SearchIndex(Protocol):
    """Runs inside the caller's transaction and sees the transaction's tenant only."""

    async def put(self, session: AsyncSession, entries: Sequence[IndexEntry]) -> None:
        """Add chunks to both legs."""

    async def put_vectors(
        self, session: AsyncSession, collection_id: UUID, vector_set: int, vectors: Sequence[tuple[int, bytes]]
    ) -> None:
        """Add vectors of chunks that are indexed already, beside those of the other set."""

    async def without_vector(
        self, session: AsyncSession, collection_id: UUID, vector_set: int, limit: int
    ) -> Sequence[int]:
        """Indexed chunks of a collection that have no vector in the set."""

    async def bare(self, session: AsyncSession, keys: Sequence[int], vector_set: int) -> Collection[int]:
        """Those of the chunks that are indexed and have no vector in the set."""

    async def count(self, session: AsyncSession, collection_id: UUID, vector_set: int) -> VectorCount:
        """How many chunks of a collection are indexed, and how many vectors the set holds."""

    async def drop_vectors(self, session: AsyncSession, collection_id: UUID, vector_set: int, limit: int) -> int:
        """Remove some vectors of a set; how many. The chunks stay indexed."""

    async def hold(self, session: AsyncSession, collection_id: UUID) -> None:
        """Let nobody else change what is indexed of a collection until this transaction has ended."""

    async def remove(self, session: AsyncSession, keys: Sequence[int]) -> None:
        """Remove chunks from both legs, so that nothing of their vectors stays readable in the database's files."""

    async def compact(self, database: Database) -> None:
        """Rewrite what still holds words of removed chunks, where there is such a thing."""

    async def erase_traces(self, database: Database) -> bool:
        """Rewrite what still holds words of removed chunks, if any were removed; whether there was something to do."""

    async def vectors(
        self, session: AsyncSession, collection_ids: Sequence[UUID], vector: bytes, limit: int, vector_set: int = 0
    ) -> Sequence[SearchHit]:
        """The nearest chunks by cosine similarity, best first, by the vectors of one set."""

    async def texts(self, session: AsyncSession, collection_ids: Sequence[UUID], query: str, limit: int) -> TextHits:
        """The best chunks by BM25, best first; a chunk needs one of the question's words."""
