"""What spaces ask of storage."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from domain.kernel.paging import Page
from domain.knowledge.repository import Amount
from domain.spaces.entities import Space, SpaceGroup, SpaceMember
from domain.user_groups.entities import UserGroup
from domain.users.entities import User


@dataclass(frozen=True, slots=True)
class SpaceCounts:
    """Figures for the overview of a space."""

    assistants: int = 0
    collections: int = 0
    documents: int = 0
    members: int = 0


class SpaceRepository(Protocol):
    """Spaces of the transaction's tenant."""

    async def personal(self, user_id: UUID) -> Space | None:
        """The user's own space."""

    async def many(self, space_ids: Collection[UUID]) -> Mapping[UUID, Space]:
        """The spaces with these ids; without ids nothing is asked."""

    async def organization(self) -> Space | None:
        """The space whose knowledge all spaces see."""

    async def of_member(self, user_id: UUID) -> Sequence[tuple[Space, str]]:
        """Shared spaces the user is a member of, alone or through a group, with the highest role, in order of name."""

    async def roles_in(self, space_id: UUID, user_id: UUID) -> Sequence[str]:
        """The roles that a user has in a space, as a member and through groups."""

    async def member(self, space_id: UUID, user_id: UUID) -> SpaceMember | None:
        """The membership of a user."""

    async def administered_alone(self, user_id: UUID) -> Sequence[Space]:
        """Shared spaces that no other living user administers, and no group."""

    async def members(self, space_id: UUID) -> Sequence[tuple[SpaceMember, User]]:
        """All members with their living users, in order of address."""

    async def members_of(self, space_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[tuple[SpaceMember, User]]]:
        """The members of each space with their living users, in order of address."""

    async def shared(self, *, limit: int, cursor: str | None, largest: bool = False) -> Page[Space]:
        """All spaces that are not personal, in order of name, or those with most bytes of documents first."""

    async def amounts(self, space_ids: Sequence[UUID]) -> Mapping[UUID, Amount]:
        """What each of the spaces stores; those that store nothing are left out."""

    async def bytes_in(self, space_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Bytes of documents in each space."""

    async def bytes_in_personal(self) -> int:
        """Bytes of documents in all personal spaces together."""

    async def people(self, space_id: UUID) -> Sequence[UUID]:
        """Everybody who is a member, alone or through a group."""

    async def groups(self, space_id: UUID) -> Sequence[tuple[SpaceGroup, UserGroup]]:
        """The groups that are members, in order of name."""

    async def group(self, space_id: UUID, group_id: UUID) -> SpaceGroup | None:
        """The membership of a group."""

    async def counts(self, space_ids: Sequence[UUID]) -> Mapping[UUID, SpaceCounts]:
        """What each space holds."""
