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


class Scope(StrEnum):
    """What an API key may be used for, within what its owner may do.

    `read` looks, `ask` asks and keeps its conversations and files, `write` changes; `admin` brings the owner's right to
    administer along, which no key has otherwise.
    """

    READ = "read"
    ASK = "ask"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The API key that a request came with. `assistant_id` is set for a key that only talks to this assistant."""

    id: UUID
    name: str
    scopes: frozenset[str]
    assistant_id: UUID | None = None
    requests_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """A user of one tenant with the permissions of all roles; `kind` is `user`, `system` or `api_key`."""

    tenant_id: UUID
    user_id: UUID
    permissions: frozenset[Permission] = frozenset()
    session_id: UUID | None = None
    email: str = ""
    name: str = ""
    language: str = "sv"
    kind: str = "user"
    origin: Origin = field(default_factory=Origin)
    key: KeyUse | None = None

    @staticmethod
    def system(tenant_id: UUID, user_id: UUID | None = None) -> "Actor":
        """The program itself, acting for an organisation, or for a person in it."""
        return Actor(tenant_id=tenant_id, user_id=user_id or tenant_id, kind="system", name="Samråd")

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

    @property
    def apart(self) -> UUID | None:
        """The assistant's key that keeps conversations and files of its own; None for everybody else."""
        return self.key.id if self.key is not None and self.key.assistant_id is not None else None

    @property
    def shown_name(self) -> str:
        """Who acts, for the audit log; with the name of the key."""
        name = self.email or self.name
        return name if self.key is None else f"{name} · {self.key.name}"
