"""The one policy: which role may do what, and why.

Pages, REST, jobs and the permission lists in answers all ask here. What is not listed is denied.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import N_, Forbidden


class Action(StrEnum):
    """What one can do to a resource (the words of the public API)."""

    READ = "read"
    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"
    ADD = "add"
    REMOVE = "remove"
    PUBLISH = "publish"
    INSIGHT_VIEW = "insight_view"
    INSIGHT_TOGGLE = "insight_toggle"


class Resource(StrEnum):
    """What lives in a space."""

    SPACE = "space"
    MEMBER = "member"
    ASSISTANT = "assistant"
    DEFAULT_ASSISTANT = "default_assistant"
    GROUP_CHAT = "group_chat"
    APP = "app"
    SERVICE = "service"
    COLLECTION = "collection"
    DOCUMENT = "document"
    WEBSITE = "website"
    INTEGRATION = "integration"


class Role(StrEnum):
    """A role in one space; `owner` is the owner of a personal space."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"
    OWNER = "owner"


RANK = {Role.VIEWER: 1, Role.EDITOR: 2, Role.ADMIN: 3, Role.OWNER: 4}


def highest(roles: Iterable[str]) -> Role | None:
    """The strongest of several roles, or None when there is none."""
    return max((Role(role) for role in roles), key=RANK.__getitem__, default=None)


_R, _C, _E, _D = Action.READ, Action.CREATE, Action.EDIT, Action.DELETE
_WORK = frozenset({_R, _C, _E, _D})
_APPLICATION = {
    Role.VIEWER: frozenset({_R}),
    Role.EDITOR: _WORK | {Action.PUBLISH, Action.INSIGHT_VIEW},
    Role.ADMIN: _WORK | {Action.PUBLISH, Action.INSIGHT_VIEW, Action.INSIGHT_TOGGLE},
    Role.OWNER: _WORK,
}
_EDITED = {
    Role.VIEWER: frozenset({_R}),
    Role.EDITOR: _WORK | {Action.PUBLISH},
    Role.ADMIN: _WORK | {Action.PUBLISH},
    Role.OWNER: _WORK,
}
_SOURCE = {Role.EDITOR: _WORK, Role.ADMIN: _WORK, Role.OWNER: _WORK}
POLICY: dict[Resource, dict[Role, frozenset[Action]]] = {
    Resource.ASSISTANT: _APPLICATION,
    Resource.GROUP_CHAT: _APPLICATION,
    Resource.APP: _EDITED,
    Resource.SERVICE: {role: allowed for role, allowed in _EDITED.items() if role != Role.VIEWER},
    Resource.COLLECTION: _SOURCE,
    Resource.WEBSITE: _SOURCE,
    Resource.INTEGRATION: {Role.VIEWER: frozenset({_R}), **_SOURCE},
    Resource.DOCUMENT: _SOURCE,
    Resource.DEFAULT_ASSISTANT: {
        Role.VIEWER: frozenset({_R}),
        Role.EDITOR: frozenset({_R}),
        Role.ADMIN: frozenset({_R, _E}),
        Role.OWNER: frozenset({_R, _E}),
    },
    Resource.SPACE: {
        Role.VIEWER: frozenset({_R}),
        Role.EDITOR: frozenset({_R}),
        Role.ADMIN: frozenset({_R, _E, _D}),
        Role.OWNER: frozenset({_R}),
    },
    Resource.MEMBER: {Role.ADMIN: _WORK | {Action.ADD, Action.REMOVE}},
}
# In a personal space the user's tenant permission counts as well, except for reading.
PERSONAL_NEEDS: dict[Resource, Permission] = {
    Resource.ASSISTANT: Permission.ASSISTANTS,
    Resource.GROUP_CHAT: Permission.GROUP_CHATS,
    Resource.APP: Permission.APPS,
    Resource.SERVICE: Permission.SERVICES,
    Resource.COLLECTION: Permission.COLLECTIONS,
    Resource.DOCUMENT: Permission.COLLECTIONS,
    Resource.WEBSITE: Permission.WEBSITES,
    Resource.INTEGRATION: Permission.INTEGRATIONS,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of the policy, with the reason in words."""

    allowed: bool
    reason: str


def decide(actor: Actor, role: Role | None, resource: Resource, action: Action) -> Decision:
    """Whether `actor`, holding `role` in the space, may do `action` to a `resource` there."""
    if role is None:
        return Decision(False, N_("You are not a member of this space."))
    if action not in POLICY.get(resource, {}).get(role, frozenset()):
        return Decision(False, N_("Your role in this space does not allow this."))
    needed = PERSONAL_NEEDS.get(resource)
    if role is Role.OWNER and needed and action is not Action.READ and not actor.may(needed):
        return Decision(False, N_("Your account lacks the permission for this. Ask your administrator."))
    return Decision(True, N_("Your role in this space allows this."))


def require(actor: Actor, role: Role | None, resource: Resource, action: Action) -> None:
    """Raise `Forbidden` with the reason unless the policy allows it."""
    decision = decide(actor, role, resource, action)
    if not decision.allowed:
        raise Forbidden(decision.reason)


def permissions(actor: Actor, role: Role | None, resource: Resource) -> list[Action]:
    """Everything the actor may do to such a resource, in the order of `Action`."""
    return [action for action in Action if decide(actor, role, resource, action).allowed]
