"""People of an organisation and the roles that give them permissions."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from domain.kernel.actor import Permission as P
from domain.kernel.entity import Owned
from domain.kernel.errors import N_, BadRequest

LANGUAGES = ("sv", "en")


class UserState(StrEnum):
    """The life of an account; `deleted` keeps the row so that history keeps its author."""

    INVITED = "invited"
    ACTIVE = "active"
    INACTIVE = "inactive"
    DELETED = "deleted"


class UserKind(StrEnum):
    """People sign in; service accounts come with API keys only."""

    PERSON = "person"
    SERVICE = "service"


TRANSITIONS: dict[str, frozenset[UserState]] = {
    UserState.INVITED: frozenset({UserState.ACTIVE, UserState.INACTIVE, UserState.DELETED}),
    UserState.ACTIVE: frozenset({UserState.INACTIVE, UserState.DELETED}),
    UserState.INACTIVE: frozenset({UserState.ACTIVE, UserState.INVITED, UserState.DELETED}),
    UserState.DELETED: frozenset({UserState.ACTIVE, UserState.INVITED}),
}
"""Which state may follow which."""


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
    """A person, or a service account. `quota_limit` is in bytes of knowledge; None means no limit of their own."""

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
    state_changed_at: datetime | None = None
    kind: str = UserKind.PERSON
    description: str | None = None

    def move_to(self, state: UserState, moment: datetime) -> str:
        """Change the state and return the one before; raises `BadRequest` when it may not follow the present one."""
        if state not in TRANSITIONS[self.state]:
            raise BadRequest(N_("The account is in a state that does not allow this."))
        before, self.state, self.state_changed_at = self.state, state, moment
        self.deleted_at = moment if state is UserState.DELETED else None
        return before

    @property
    def ready_state(self) -> UserState:
        """The state of the account when nothing stands in its way: whoever never got in is still invited."""
        known = self.password_hash or self.last_sign_in_at or self.kind == UserKind.SERVICE
        return UserState.ACTIVE if known else UserState.INVITED

    @property
    def display_name(self) -> str:
        """The name people see."""
        return self.username or self.email.split("@")[0]


@dataclass(eq=False, kw_only=True)
class RoleAssignment(Owned):
    """A role held by a user.

    `role` is the name of a predefined role, or the id of one of the organisation's own, which `role_id` then refers to.
    """

    user_id: UUID
    role: str
    role_id: UUID | None = None
