"""What allowed origins ask of storage."""

from collections.abc import Sequence
from typing import Protocol

from domain.allowed_origins.entities import AllowedOrigin


class AllowedOriginRepository(Protocol):
    """The allowed origins of the transaction's tenant."""

    async def all(self) -> Sequence[AllowedOrigin]:
        """All of them, in order of address: an organisation has a few dozen at the most."""

    async def has(self, url: str) -> bool:
        """Whether this one is allowed."""
