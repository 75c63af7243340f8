"""The search index: vectors and full text of chunks, behind one interface for both databases."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.knowledge.repository import IndexEntry
from domain.ports import SearchHit, TextHits
from storage.database import Database


class SearchIndex(Protocol):
    """Runs inside the caller's transaction and sees the transaction's tenant only."""

    async def put(self, session: AsyncSession, entries: Sequence[IndexEntry]) -> None:
        """Add chunks to both legs."""

    async def remove(self, session: AsyncSession, keys: Sequence[int]) -> None:
        """Remove chunks from both legs."""

    async def wipe(self, session: AsyncSession, keys: Sequence[int]) -> None:
        """Remove chunks so that nothing of them stays readable in the database's files."""

    async def compact(self, database: Database) -> None:
        """Rewrite what still holds words of removed chunks, where there is such a thing."""

    async def vectors(
        self, session: AsyncSession, collection_ids: Sequence[UUID], vector: bytes, limit: int
    ) -> Sequence[SearchHit]:
        """The nearest chunks by cosine similarity, best first."""

    async def texts(self, session: AsyncSession, collection_ids: Sequence[UUID], query: str, limit: int) -> TextHits:
        """The best chunks by BM25, best first; a chunk needs one of the question's words."""
