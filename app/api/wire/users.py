"""Public shapes of users."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.api.wire.base import Wire


class UserSparse(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    email: str
    username: str | None = None


class CursorPageOfUserSparse(Wire):
    items: list[UserSparse]
    limit: int | None = None
    next_cursor: datetime | str | None = None
    previous_cursor: datetime | str | None = None
    total_count: int
    count: int


class AccessToken(Wire):
    access_token: str
    token_type: str


Permission = Literal[
    "assistants",
    "group_chats",
    "apps",
    "services",
    "collections",
    "insights",
    "AI",
    "editor",
    "admin",
    "websites",
    "integrations",
]


class RolePublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    permissions: list[Permission] = []


class PredefinedRolePublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    name: str
    permissions: list[Permission] = []
    id: UUID


class UserGroupRead(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str


class UserPublic(Wire):
    email: str
    username: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    quota_used: int = 0
    truncated_api_key: str | None = None
    quota_limit: int | None = None
    roles: list[RolePublic]
    predefined_roles: list[PredefinedRolePublic]
    user_groups: list[UserGroupRead]


TenantState = Literal["active", "suspended"]


class TenantPublic(Wire):
    name: str
    display_name: str | None = None
    quota_limit: int = 0
    domain: str | None = None
    zitadel_org_id: str | None = None
    provisioning: bool = False
    state: TenantState | None = None
    security_enabled: bool = False
    privacy_policy: str | None = None
