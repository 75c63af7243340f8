"""Public shapes of user groups."""

from datetime import datetime
from uuid import UUID

from app.api.wire.base import ModelId, Wire


class UserGroupRead(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str


class UserPublicBase(Wire):
    email: str
    username: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    quota_used: int = 0


class UserGroupPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    users: list[UserPublicBase] = []


class PageOfUserGroupPublic(Wire):
    items: list[UserGroupPublic]
    count: int
    next_cursor: str | None = None


class UserGroupCreateRequest(Wire):
    name: str


class UserGroupUpdateRequest(Wire):
    name: str | None = None
    users: list[ModelId] | None = None
