"""User groups: people who get access to spaces together."""

from dataclasses import dataclass
from uuid import UUID

from domain.kernel.entity import Owned


@dataclass(eq=False, kw_only=True)
class UserGroup(Owned):
    """A named group of people of the organisation."""

    name: str


@dataclass(eq=False, kw_only=True)
class UserGroupMember(Owned):
    """A user's place in a group."""

    group_id: UUID
    user_id: UUID
