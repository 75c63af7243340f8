"""Allowed origins of one tenant."""

from collections.abc import Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.allowed_origins.entities import AllowedOrigin
from storage.guard import standing
from storage.tables.allowed_origins import allowed_origins

_ONE = standing(
    select(allowed_origins.c.id).select_from(AllowedOrigin).where(allowed_origins.c.url == bindparam("url"))
)


class AllowedOriginRepository:
    """See `domain.allowed_origins.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self) -> Sequence[AllowedOrigin]:
        """All of them, in order of address."""
        return (await self._session.scalars(select(AllowedOrigin).order_by(allowed_origins.c.url))).all()

    async def has(self, url: str) -> bool:
        """Whether this one is allowed."""
        return await self._session.scalar(_ONE, {"url": url}) is not None
