"""Credentials of one tenant."""

from collections.abc import Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.credentials.entities import TenantCredential
from storage.guard import standing
from storage.tables.credentials import tenant_credentials

_ALL = standing(select(TenantCredential).order_by(tenant_credentials.c.provider))
_ONE = standing(select(TenantCredential).where(tenant_credentials.c.provider == bindparam("provider")))


class CredentialRepository:
    """See `domain.credentials.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self) -> Sequence[TenantCredential]:
        """All of them, by provider."""
        return (await self._session.scalars(_ALL)).all()

    async def of(self, provider: str) -> TenantCredential | None:
        """The one for a provider."""
        found: TenantCredential | None = await self._session.scalar(_ONE, {"provider": provider})
        return found
