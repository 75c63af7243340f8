"""What the users domain asks of storage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from domain.kernel.paging import Page
from domain.roles.entities import HeldRole
from domain.users.entities import User, UserKind, UserState

SortKey = Literal["email", "username", "created_at"]
PRESENT_STATES = (UserState.ACTIVE, UserState.INVITED, UserState.INACTIVE)


@dataclass(frozen=True, slots=True)
class UserQuery:
    """Which users, in which order. `search` is sought in address and name, `email` and `username` in one of them only.

    `role` is the key of a role; `kind` leaves people or service accounts only, None neither out.
    """

    search: str = ""
    email: str = ""
    username: str = ""
    states: Sequence[str] = PRESENT_STATES
    role: str | None = None
    sort: SortKey = "email"
    descending: bool = False
    kind: UserKind | None = UserKind.PERSON


class UserRepository(Protocol):
    """Users of the transaction's tenant."""

    async def by_email(self, email: str) -> User | None:
        """The living person with this address, whatever its case."""

    async def by_username(self, username: str) -> Sequence[User]:
        """The living people with this name: at most two of them."""

    async def many(self, ids: Sequence[UUID]) -> Mapping[UUID, User]:
        """Users by id."""

    async def page(self, query: UserQuery, *, limit: int, cursor: str | None = None, offset: int = 0) -> Page[User]:
        """Users that fit, from a cursor on, or (for clients that count pages) from a number on."""

    async def counts(self, query: UserQuery) -> Mapping[str, int]:
        """How many users that fit are in each state, whatever states `query` names."""

    async def roles(self, user_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[HeldRole]]:
        """The roles of each user, predefined ones first."""

    async def set_roles(self, user_id: UUID, roles: Sequence[HeldRole]) -> None:
        """Replace the roles of a user."""

    async def count_administrators(self) -> int:
        """How many active users hold a role that may administer."""

    async def administrators(self) -> Sequence[User]:
        """The active users who hold a role that may administer."""

    async def take_turns(self) -> None:
        """Wait until nobody else is between this and their commit."""

    async def forget(self, deleted_before: datetime) -> int:
        """Take address, name and password from the rows of users deleted before; how many."""
