"""Who acts: resolved once from whatever credential the caller brought."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from domain.kernel.errors import Forbidden


class Permission(StrEnum):
    """The eleven permissions of a tenant."""

    ASSISTANTS = "assistants"
    GROUP_CHATS = "group_chats"
    APPS = "apps"
    SERVICES = "services"
    COLLECTIONS = "collections"
    INSIGHTS = "insights"
    AI = "AI"
    EDITOR = "editor"
    ADMIN = "admin"
    WEBSITES = "websites"
    INTEGRATIONS = "integrations"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, for the audit log."""

    ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """A user of one tenant with the permissions of all roles; `kind` is `user` or `system`."""

    tenant_id: UUID
    user_id: UUID
    permissions: frozenset[Permission] = frozenset()
    session_id: UUID | None = None
    email: str = ""
    name: str = ""
    language: str = "sv"
    kind: str = "user"
    origin: Origin = field(default_factory=Origin)

    def may(self, permission: Permission) -> bool:
        """Whether the actor holds `permission`."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise `Forbidden` unless the actor holds `permission`."""
        if not self.may(permission):
            raise Forbidden

    @property
    def is_admin(self) -> bool:
        """Whether the actor administers the tenant."""
        return self.may(Permission.ADMIN)
