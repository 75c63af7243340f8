"""What credentials ask of storage."""

from collections.abc import Sequence
from typing import Protocol

from domain.credentials.entities import TenantCredential


class CredentialRepository(Protocol):
    """Credentials of the transaction's tenant: at most one for each provider."""

    async def all(self) -> Sequence[TenantCredential]:
        """All of them, by provider."""

    async def of(self, provider: str) -> TenantCredential | None:
        """The one for a provider."""
