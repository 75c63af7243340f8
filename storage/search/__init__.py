"""The search index: vectors and full text of chunks, behind one interface for both databases."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.knowledge.repository import IndexEntry
from domain.ports import SearchHit


class SearchIndex(Protocol):
    """Runs inside the caller's transaction and sees the transaction's tenant only."""

    async def put(self, session: AsyncSession, entries: Sequence[IndexEntry]) -> None:
        """Add chunks to both legs."""

    async def remove(self, session: AsyncSession, keys: Sequence[int]) -> None:
        """Remove chunks from both legs."""

    async def vectors(
        self, session: AsyncSession, collection_ids: Sequence[UUID], vector: bytes, limit: int
    ) -> Sequence[SearchHit]:
        """The nearest chunks by cosine similarity, best first."""

    async def texts(
        self, session: AsyncSession, collection_ids: Sequence[UUID], terms: Sequence[str], limit: int
    ) -> Sequence[SearchHit]:
        """The best chunks by BM25, best first; a chunk needs one of the terms."""
