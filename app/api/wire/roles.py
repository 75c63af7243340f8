"""Public shapes of roles."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.api.wire.base import Wire

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


class PredefinedRoleInDB(PredefinedRolePublic):
    pass


class PermissionPublic(Wire):
    name: Permission
    description: str


class PageOfRolePublic(Wire):
    items: list[RolePublic]
    count: int


class PageOfPredefinedRolePublic(Wire):
    items: list[PredefinedRolePublic]
    count: int


class RolesPaginated(Wire):
    roles: PageOfRolePublic
    predefined_roles: PageOfPredefinedRolePublic


class RoleCreateRequest(Wire):
    name: str
    permissions: list[Permission]


class RoleUpdateRequest(Wire):
    name: str | None = None
    permissions: list[Permission] | None = None
