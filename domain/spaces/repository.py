"""What spaces ask of storage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from domain.spaces.entities import Space, SpaceMember
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

    async def organization(self) -> Space | None:
        """The space whose knowledge all spaces see."""

    async def of_member(self, user_id: UUID) -> Sequence[tuple[Space, str]]:
        """Shared spaces the user is a member of, with the role, in order of name."""

    async def member(self, space_id: UUID, user_id: UUID) -> SpaceMember | None:
        """The membership of a user."""

    async def members(self, space_id: UUID) -> Sequence[tuple[SpaceMember, User]]:
        """All members with their users, in order of address."""

    async def counts(self, space_ids: Sequence[UUID]) -> Mapping[UUID, SpaceCounts]:
        """What each space holds."""
