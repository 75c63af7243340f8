"""People of an organisation and the roles that give them permissions."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from domain.kernel.actor import Permission as P
from domain.kernel.entity import Owned


class UserState(StrEnum):
    """The life of an account; `deleted` keeps the row so that history keeps its author."""

    INVITED = "invited"
    ACTIVE = "active"
    INACTIVE = "inactive"
    DELETED = "deleted"


class PredefinedRole(StrEnum):
    """The roles every organisation has."""

    USER = "User"
    AI_CONFIGURATOR = "AI Configurator"
    OWNER = "Owner"

    @property
    def id(self) -> UUID:
        """The same id on every installation, for the public API."""
        return uuid5(NAMESPACE_OID, f"samrad:predefined-role:{self.value}")


_USER = frozenset({P.ASSISTANTS, P.GROUP_CHATS, P.APPS, P.COLLECTIONS})
ROLE_PERMISSIONS: dict[str, frozenset[P]] = {
    PredefinedRole.USER: _USER,
    PredefinedRole.AI_CONFIGURATOR: _USER | {P.SERVICES, P.AI, P.WEBSITES, P.INTEGRATIONS},
    PredefinedRole.OWNER: frozenset(P) - {P.EDITOR},
}


@dataclass(eq=False, kw_only=True)
class User(Owned):
    """A person. `quota_limit` is in bytes of knowledge; None means no limit of their own."""

    email: str
    username: str | None = None
    password_hash: str | None = None
    state: str = UserState.ACTIVE
    language: str = "sv"
    theme: str = "system"
    email_verified: bool = False
    quota_limit: int | None = None
    last_sign_in_at: datetime | None = None
    deleted_at: datetime | None = None
    preferences: dict[str, Any] = field(default_factory=dict)

    @property
    def display_name(self) -> str:
        """The name people see."""
        return self.username or self.email.split("@")[0]


@dataclass(eq=False, kw_only=True)
class RoleAssignment(Owned):
    """A predefined role held by a user."""

    user_id: UUID
    role: str
