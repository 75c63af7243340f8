"""Public shapes of allowed web sites and suspicious sign-ins."""

from datetime import datetime
from uuid import UUID

from app.api.wire.base import Wire
from app.api.wire.users import UserSparse


class AllowedOriginUrl(Wire):
    url: str


class AllowedOriginCreate(Wire):
    url: str
    tenant_id: UUID


class AllowedOriginPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    url: str


class AllowedOriginInDB(AllowedOriginPublic):
    tenant_id: UUID


class PageOfAllowedOriginPublic(Wire):
    items: list[AllowedOriginPublic]
    count: int


class PageOfAllowedOriginInDB(Wire):
    items: list[AllowedOriginInDB]
    count: int


class SignInAlertPublic(Wire):
    id: UUID
    created_at: datetime
    updated_at: datetime
    kind: str
    user: UserSparse | None = None
    ip: str | None = None
    user_agent: str | None = None
    times: int
    last_at: datetime
    seen_at: datetime | None = None


class PageOfSignInAlert(Wire):
    items: list[SignInAlertPublic]
    count: int
    next_cursor: str | None = None
    unseen_count: int = 0
