"""Spaces: where people share assistants and knowledge."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from domain.kernel.entity import Owned


class SpaceKind(StrEnum):
    """A personal space has one owner, a shared one members, the organisation's own is for administrators."""

    PERSONAL = "personal"
    SHARED = "shared"
    ORGANIZATION = "organization"


class SpaceRole(StrEnum):
    """A person's role in one space."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"
    OWNER = "owner"


MEMBER_ROLES = (SpaceRole.ADMIN, SpaceRole.EDITOR, SpaceRole.VIEWER)


@dataclass(eq=False, kw_only=True)
class Space(Owned):
    """A space. `user_id` is the owner of a personal space and None otherwise; `quota_limit` is in bytes of documents.

    `allowed_models` names by kind the only models that the space may use; a kind that is not there may use all.
    """

    name: str
    kind: str
    user_id: UUID | None = None
    description: str | None = None
    data_retention_days: int | None = None
    quota_limit: int | None = None
    security_classification_id: UUID | None = None
    allowed_models: dict[str, list[str]] | None = None
    icon_id: UUID | None = None


@dataclass(eq=False, kw_only=True)
class SpaceMember(Owned):
    """A user's membership of a shared space."""

    space_id: UUID
    user_id: UUID
    role: str


@dataclass(eq=False, kw_only=True)
class SpaceGroup(Owned):
    """A user group's membership of a shared space: it counts for each of the group's people."""

    space_id: UUID
    group_id: UUID
    role: str
