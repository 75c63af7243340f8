"""What user groups ask of storage."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from domain.kernel.paging import Page
from domain.user_groups.entities import UserGroup
from domain.users.entities import User


class UserGroupRepository(Protocol):
    """User groups of the transaction's tenant."""

    async def page(self, *, search: str, limit: int, cursor: str | None) -> Page[UserGroup]:
        """Groups in order of name whose name contains `search`."""

    async def named(self, name: str) -> UserGroup | None:
        """The group with this name, whatever its case."""

    async def members(self, group_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[User]]:
        """The living members of each group, in order of address."""

    async def member_ids(self, group_id: UUID) -> Sequence[UUID]:
        """The ids of all members."""

    async def counts(self, group_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """How many living members each group has."""

    async def of_users(self, user_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[UserGroup]]:
        """The groups of each user, in order of name."""

    async def put(self, group_id: UUID, user_ids: Sequence[UUID]) -> None:
        """Make users members who are not yet."""

    async def drop(self, group_id: UUID, user_ids: Sequence[UUID]) -> None:
        """End memberships."""

    async def in_spaces(self, group_id: UUID) -> int:
        """How many spaces the group is a member of."""
