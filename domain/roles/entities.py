"""Roles: what gives the people of an organisation their permissions."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from domain.kernel.actor import Permission
from domain.kernel.entity import Owned
from domain.users.entities import ROLE_PERMISSIONS, PredefinedRole


@dataclass(eq=False, kw_only=True)
class Role(Owned):
    """A role that the organisation has made itself."""

    name: str
    permissions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role as somebody holds it, predefined or the organisation's own.

    `key` is what assignments say: the name of a predefined role, the id of one of the organisation's own.
    """

    key: str
    id: UUID
    name: str
    permissions: frozenset[Permission]
    predefined: bool


PREDEFINED: dict[str, HeldRole] = {
    role.value: HeldRole(role.value, role.id, role.value, ROLE_PERMISSIONS[role], True) for role in PredefinedRole
}


def held(role: Role) -> HeldRole:
    """A role of the organisation's own; permissions that the program does not know give nothing."""
    known = {permission.value for permission in Permission}
    granted = frozenset(Permission(permission) for permission in role.permissions if permission in known)
    return HeldRole(str(role.id), role.id, role.name, granted, False)


def granted(roles: Iterable[HeldRole]) -> frozenset[Permission]:
    """The permissions of all roles together."""
    return frozenset().union(*(role.permissions for role in roles))
