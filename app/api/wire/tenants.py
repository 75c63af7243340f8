"""Public shapes of organisations, and of people as the operator sees them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.api.wire.base import ModelId, Wire
from app.api.wire.roles import Permission, PredefinedRolePublic, RolePublic
from app.api.wire.user_groups import UserGroupRead
from app.api.wire.users import InvitationLink, UserSparse, UserState

TenantState = Literal["active", "suspended", "deleting"]


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


class PrivacyPolicy(Wire):
    url: str | None = None


class TenantBase(Wire):
    name: str
    display_name: str | None = None
    quota_limit: int | None = None
    domain: str | None = None
    zitadel_org_id: str | None = None
    provisioning: bool = False
    state: TenantState = "active"
    security_enabled: bool = False
    language: str = "sv"
    owner_email: str | None = None


class TenantUpdatePublic(Wire):
    display_name: str | None = None
    quota_limit: int | None = None
    domain: str | None = None
    zitadel_org_id: str | None = None
    provisioning: bool | None = None
    state: TenantState | None = None
    security_enabled: bool | None = None


class ModuleBase(Wire):
    name: str


class ModuleInDB(ModuleBase):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID


class PageOfModuleInDB(Wire):
    items: list[ModuleInDB]
    count: int


class TenantInDB(TenantPublic):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    slug: str | None = None
    quota_limit: int
    language: str = "sv"
    modules: list[ModuleInDB] | None = None


class TenantWithMaskedCredentials(TenantInDB):
    """`quota_used` is in bytes, `user_count` accounts that are not deleted; both where they were looked up."""

    quota_used: int | None = None
    user_count: int | None = None
    invitation: InvitationLink | None = None


class PageOfTenantWithMaskedCredentials(Wire):
    items: list[TenantWithMaskedCredentials]
    count: int
    total_count: int = 0
    next_cursor: str | None = None


class DeletionPreview(TenantInDB):
    """`counts`: people, spaces, documents, conversations, files, bytes."""

    counts: dict[str, int]


class DeletionCertificate(Wire):
    """`counts` are deleted rows of each table and stored files; without `ended_at` the deletion is going on."""

    id: UUID
    tenant_id: UUID
    name: str
    slug: str
    begun_at: datetime
    ended_at: datetime | None = None
    counts: dict[str, int]
    audit_sequence: int
    audit_hash: str
    signature: str
    valid: bool


class PageOfDeletionCertificate(Wire):
    items: list[DeletionCertificate]
    count: int
    total_count: int = 0
    next_cursor: str | None = None


class KnowledgeLimits(Wire):
    """How many documents and passages there may be; null for as many as one likes."""

    documents: int | None = None
    passages: int | None = None


class KnowledgeLimitsUpdate(KnowledgeLimits):
    """Both limits of a space or a person; of the organisation, where neither is named."""

    space_id: UUID | None = None
    user_id: UUID | None = None


class StorageModel(Wire):
    """In bytes."""

    total_used: int
    personal_used: int
    shared_used: int
    limit: int
    documents: int
    passages: int
    limits: KnowledgeLimits


class StorageSpaceMemberModel(Wire):
    created_at: datetime
    updated_at: datetime
    id: UUID
    email: str
    role: str


class StorageSpaceInfoModel(Wire):
    created_at: datetime
    update_at: datetime
    id: UUID
    name: str
    size: int
    documents: int
    passages: int
    limit: int | None = None
    limits: KnowledgeLimits
    members: list[StorageSpaceMemberModel]


class StorageInfoModel(Wire):
    items: list[StorageSpaceInfoModel]
    count: int
    next_cursor: str | None = None


class StoragePerson(UserSparse):
    size: int
    documents: int
    passages: int
    limit: int | None = None
    limits: KnowledgeLimits


class StoragePeople(Wire):
    items: list[StoragePerson]
    count: int
    next_cursor: str | None = None


class UserInDB(Wire):
    """A person as the operator sees them: no hash, no key."""

    email: str
    username: str | None = None
    id: UUID
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    used_tokens: int = 0
    email_verified: bool = False
    is_active: bool = True
    state: UserState
    tenant_id: UUID
    tenant: TenantInDB
    quota_limit: int | None = None
    quota_used: int = 0
    roles: list[RolePublic] = []
    predefined_roles: list[PredefinedRolePublic] = []
    user_groups: list[UserGroupRead] = []
    user_groups_ids: list[UUID] = []
    permissions: list[Permission] = []
    modules: list[str] = []
    last_sign_in_at: datetime | None = None
    invitation: InvitationLink | None = None


class UserCreated(UserInDB):
    """Signing in gives a token; a new account comes with none."""

    api_key: None = None
    access_token: None = None


class PageOfUserInDB(Wire):
    items: list[UserInDB]
    count: int
    next_cursor: str | None = None


class UserAddSuperAdmin(Wire):
    email: str
    username: str | None = None
    password: str | None = None
    quota_limit: int | None = None
    roles: list[ModelId] = []
    predefined_roles: list[ModelId] = []
    tenant_id: UUID
