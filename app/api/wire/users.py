"""Public shapes of users."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.api.wire.base import ModelId, Wire
from app.api.wire.roles import Permission, PredefinedRolePublic, RolePublic
from app.api.wire.user_groups import UserGroupRead


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


UserState = Literal["invited", "active", "inactive", "deleted"]


class PermissionSource(Wire):
    """A permission, and the roles that give it."""

    name: Permission
    roles: list[str]


class InvitationLink(Wire):
    """A one-time link that was just made: shown this once."""

    url: str
    expires_at: datetime
    purpose: Literal["invitation", "password_reset"]
    mailed: bool


class UserAdminView(Wire):
    email: str
    username: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    quota_used: int = 0
    used_tokens: int = 0
    email_verified: bool
    quota_limit: int | None
    is_active: bool
    state: UserState
    roles: list[RolePublic]
    predefined_roles: list[PredefinedRolePublic]
    user_groups: list[UserGroupRead]
    last_sign_in_at: datetime | None = None
    permissions: list[PermissionSource] = []
    invitation: InvitationLink | None = None


class ApiKey(Wire):
    truncated_key: str
    key: str


class UserCreatedAdminView(UserAdminView):
    api_key: ApiKey | None = None


class PaginationMetadata(Wire):
    page: int
    page_size: int
    total_count: int
    total_pages: int
    has_next: bool
    has_previous: bool
    counts: dict[str, int] | None = None
    next_cursor: str | None = None


class PaginatedUsers(Wire):
    items: list[UserAdminView]
    metadata: PaginationMetadata


class UserAddAdmin(Wire):
    email: str
    username: str | None = None
    password: str | None = None
    quota_limit: int | None = None
    roles: list[ModelId] = []
    predefined_roles: list[ModelId] = []
    language: str | None = None
    user_groups: list[ModelId] = []


class UserUpdatePublic(Wire):
    email: str | None = None
    username: str | None = None
    password: str | None = None
    quota_limit: int | None = None
    roles: list[ModelId] | None = None
    predefined_roles: list[ModelId] | None = None
    state: UserState | None = None


class PropUserInvite(Wire):
    predefined_role: ModelId | None = None
    state: UserState | None = None
    email: str


class PartialPropUserUpdate(Wire):
    predefined_role: ModelId | None = None
    state: UserState | None = None


class UserStateListItem(Wire):
    username: str
    email: str
    state: str
    state_changed_at: datetime
    id: UUID


class UserDeletedListItem(Wire):
    username: str
    email: str
    state: str
    deleted_at: datetime
    id: UUID


class DeleteResponse(Wire):
    success: bool


class ImportLine(Wire):
    number: int
    email: str
    username: str
    outcome: Literal["new", "wrong"]
    message: str = ""
    url: str | None = None


class ImportReport(Wire):
    """What became of each line of a list of people."""

    dry_run: bool
    good: int
    mailed: int
    lines: list[ImportLine]


class BulkRequest(Wire):
    """What to do to whom; `role` is the key of a role to give or take."""

    ids: list[UUID]
    action: Literal["deactivate", "reactivate", "delete", "give_role", "take_role"]
    role: str | None = None


class BulkRefused(Wire):
    id: UUID
    email: str
    message: str


class BulkReport(Wire):
    done: list[UUID]
    refused: list[BulkRefused]
