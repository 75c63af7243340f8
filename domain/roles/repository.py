"""What roles ask of storage."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.roles.entities import Role


class RoleRepository(Protocol):
    """The roles that the transaction's tenant has made itself."""

    async def all(self) -> Sequence[Role]:
        """All of them, in order of name: an organisation has a few dozen at the most."""

    async def holders(self) -> Mapping[str, int]:
        """How many living users hold each role, by its key."""
