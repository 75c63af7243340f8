"""Public shapes of API keys and service accounts."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.api.wire.base import Wire
from app.api.wire.roles import RolePublic

Scope = Literal["read", "ask", "write", "admin"]


class ApiKeyPublic(Wire):
    """A key without its secret: `start` and `last_four` tell it from others."""

    id: UUID
    created_at: datetime
    updated_at: datetime
    name: str
    kind: Literal["user", "assistant", "service_account"]
    state: Literal["active", "expired", "revoked"]
    start: str
    last_four: str
    scopes: list[Scope]
    networks: list[str]
    requests_per_minute: int | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    previous_until: datetime | None = None
    owner_id: UUID
    owner_name: str
    assistant_id: UUID | None = None
    assistant_name: str | None = None
    manageable: bool


class ApiKeyIssued(ApiKeyPublic):
    """A key with its secret, which is shown this once."""

    key: str
    truncated_key: str


class PageOfApiKeyPublic(Wire):
    items: list[ApiKeyPublic]
    count: int
    next_cursor: str | None = None
    total_count: int | None = None


class ApiKeyCreateRequest(Wire):
    """A key to be made. Leave `expires_at` out for the usual life, send null for none (where the rules allow it)."""

    name: str
    scopes: list[Scope] = ["read", "ask"]
    expires_at: datetime | None = None
    networks: list[str] = []
    requests_per_minute: int | None = None


class ApiKeyUpdateRequest(Wire):
    name: str | None = None
    scopes: list[Scope] | None = None
    expires_at: datetime | None = None
    networks: list[str] | None = None
    requests_per_minute: int | None = None


class ApiKeyRotateRequest(Wire):
    """For how many hours the secret before works too."""

    grace_hours: int = Field(0, ge=0, le=720)


class ApiKeyRules(Wire):
    """Who may make keys for themselves, and for how many days keys live at the most (null: for ever)."""

    makers: Literal["everybody", "administrators"]
    longest_days: int | None
    may_make: bool = True


class ApiKeyRulesRequest(Wire):
    makers: Literal["everybody", "administrators"]
    longest_days: int | None


class ServiceAccountPublic(Wire):
    id: UUID
    created_at: datetime
    updated_at: datetime
    name: str
    description: str | None = None
    email: str
    state: Literal["active", "inactive", "deleted"]
    roles: list[RolePublic]
    keys: int = 0


class PageOfServiceAccountPublic(Wire):
    items: list[ServiceAccountPublic]
    count: int
    next_cursor: str | None = None
    total_count: int | None = None


class ServiceAccountCreateRequest(Wire):
    """`roles` are ids, of predefined roles or the organisation's own."""

    name: str
    description: str = ""
    roles: list[UUID] = []


class ServiceAccountUpdateRequest(Wire):
    name: str | None = None
    description: str | None = None
    roles: list[UUID] | None = None
    state: Literal["active", "inactive"] | None = None
