"""What the users domain asks of storage."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from domain.kernel.paging import Page
from domain.users.entities import User


class UserRepository(Protocol):
    """Users of the transaction's tenant."""

    async def by_email(self, email: str) -> User | None:
        """The living user with this address, whatever its case."""

    async def many(self, ids: Sequence[UUID]) -> Mapping[UUID, User]:
        """Users by id."""

    async def page(self, *, search: str, states: Sequence[str], limit: int, cursor: str | None) -> Page[User]:
        """Users in order of address whose address or name contains `search`."""

    async def roles(self, user_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[str]]:
        """The predefined roles of each user."""

    async def set_roles(self, user_id: UUID, roles: Sequence[str]) -> None:
        """Replace the roles of a user."""

    async def count_with_role(self, role: str) -> int:
        """How many active users hold `role`."""
