"""What the tenants' domain needs from storage."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from domain.tenants.modules import TenantModule


class TenantRepository(Protocol):
    """What belongs to the transaction's tenant itself."""

    async def modules(self) -> "Sequence[TenantModule]":
        """The modules it has."""
