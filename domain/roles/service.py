"""Roles of the organisation: use cases, and the rules of who may grant what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import N_, Conflict, Forbidden, Invalid, NameTaken, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.text import clean_name
from domain.roles.entities import PREDEFINED, HeldRole, Role, granted, held
from domain.transaction import Transaction, UnitOfWork
from domain.users.entities import PredefinedRole
from domain.users.removal import administrator_remains

MAX_ROLES = 100
GUARDS_NOTHING = frozenset({Permission.EDITOR})
"""Kept for existing clients: it opens nothing, so anybody may hand it on."""
OFFERED = tuple(permission for permission in Permission if permission not in GUARDS_NOTHING)
DESCRIPTIONS: dict[Permission, str] = {
    Permission.ASSISTANTS: N_("Make and change assistants in the personal space"),
    Permission.GROUP_CHATS: N_("Make and change group chats in the personal space"),
    Permission.APPS: N_("Make and change apps in the personal space"),
    Permission.SERVICES: N_("Make and change services"),
    Permission.COLLECTIONS: N_("Make collections and add documents in the personal space"),
    Permission.INSIGHTS: N_("See statistics and what is asked"),
    Permission.AI: N_("Manage AI models and providers"),
    Permission.EDITOR: N_("Kept for older programs; opens nothing"),
    Permission.ADMIN: N_("Administer the organisation: users, roles, groups and settings"),
    Permission.WEBSITES: N_("Add websites as knowledge in the personal space"),
    Permission.INTEGRATIONS: N_("Connect other systems in the personal space"),
}


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role with how many people hold it; `role` is None for a predefined one."""

    held: HeldRole
    holders: int
    role: Role | None = None


async def roles_of(tx: Transaction) -> dict[str, HeldRole]:
    """All roles that can be given in the organisation, by key and by id."""
    known = [*PREDEFINED.values(), *(held(role) for role in await tx.roles.all())]
    return {name: role for role in known for name in (role.key, str(role.id))}


async def chosen_roles(tx: Transaction, keys: Iterable[str | UUID], field: str = "roles") -> list[HeldRole]:
    """The roles named by their keys or ids, each once; raises `NotFound` for one that does not exist."""
    known = await roles_of(tx)
    found: dict[str, HeldRole] = {}
    for key in keys:
        role = known.get(str(key))
        if role is None:
            raise NotFound(N_("One of the roles does not exist."), field=field)
        found[role.key] = role
    return list(found.values())


def require_not_beyond(actor: Actor, wanted: Iterable[Permission]) -> None:
    """Nobody gives, takes or touches permissions beyond their own; raises `Forbidden`."""
    if set(wanted) - actor.permissions - GUARDS_NOTHING:
        raise Forbidden(N_("This goes beyond your own permissions."))


class RoleService:
    """Use cases of roles."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def all(self, actor: Actor) -> list[RoleView]:
        """The predefined roles, then the organisation's own by name."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            own, holders = await tx.roles.all(), await tx.roles.holders()
        views = [RoleView(role, holders.get(role.key, 0)) for role in PREDEFINED.values()]
        return views + [RoleView(held(role), holders.get(str(role.id), 0), role) for role in own]

    async def get(self, actor: Actor, role_id: UUID) -> RoleView:
        """One role."""
        for view in await self.all(actor):
            if view.held.id == role_id:
                return view
        raise NotFound(N_("The role was not found."))

    async def create(self, actor: Actor, name: str, permissions: Sequence[str]) -> RoleView:
        """A new role with permissions that the actor holds."""
        actor.require(Permission.ADMIN)
        role = Role(tenant_id=actor.tenant_id, name=clean_name(name, limit=100), permissions=_permissions(permissions))
        require_not_beyond(actor, held(role).permissions)
        async with self._uow.begin(actor.tenant_id) as tx:
            await self._name_is_free(tx, role)
            await tx.add(role)
            new = {"name": role.name, "permissions": role.permissions}
            tx.record(actor, Change("role_created", "role", role.id, role.name, new=new))
        return RoleView(held(role), 0, role)

    async def update(
        self, actor: Actor, role_id: UUID, *, name: str | None = None, permissions: Sequence[str] | None = None
    ) -> RoleView:
        """Change name or permissions; what its holders may do changes with their next click."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            role = await self._own(tx, role_id)
            require_not_beyond(actor, held(role).permissions)
            old = {"name": role.name, "permissions": list(role.permissions)}
            if name is not None:
                role.name = clean_name(name, limit=100)
            if permissions is not None:
                role.permissions = _permissions(permissions)
                require_not_beyond(actor, held(role).permissions)
            await self._name_is_free(tx, role)
            await tx.flush()
            await administrator_remains(tx)
            new = {"name": role.name, "permissions": role.permissions}
            tx.record(actor, Change("role_modified", "role", role.id, role.name, old=old, new=new))
            tx.signal(Signal(f"tenant:{actor.tenant_id}", "permissions_changed"))
            holders = (await tx.roles.holders()).get(str(role.id), 0)
        return RoleView(held(role), holders, role)

    async def delete(self, actor: Actor, role_id: UUID, *, force: bool = False) -> RoleView:
        """Delete a role. One that people hold is refused, unless `force` takes it from them."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            role = await self._own(tx, role_id)
            require_not_beyond(actor, held(role).permissions)
            holders = (await tx.roles.holders()).get(str(role.id), 0)
            if holders and not force:
                raise Conflict(N_("{n} people have this role. Give them another one first."), n=holders)
            await tx.remove(role)
            await administrator_remains(tx)
            old = {"name": role.name, "permissions": role.permissions, "holders": holders}
            tx.record(actor, Change("role_deleted", "role", role.id, role.name, old=old))
            tx.signal(Signal(f"tenant:{actor.tenant_id}", "permissions_changed"))
        return RoleView(held(role), 0, role)

    @staticmethod
    async def _own(tx: Transaction, role_id: UUID) -> Role:
        if role_id in {role.id for role in PREDEFINED.values()}:
            raise Forbidden(N_("The predefined roles cannot be changed."))
        role = await tx.get(Role, role_id)
        if role is None:
            raise NotFound(N_("The role was not found."))
        return role

    @staticmethod
    async def _name_is_free(tx: Transaction, role: Role) -> None:
        name = role.name.casefold()
        others = [other for other in await tx.roles.all() if other.id != role.id]
        taken = {other.name.casefold() for other in others} | {each.value.casefold() for each in PredefinedRole}
        if name in taken:
            raise NameTaken(N_("Another role has this name."), field="name")
        if len(others) >= MAX_ROLES:
            raise Conflict(N_("An organisation can have at most {limit} roles of its own."), limit=MAX_ROLES)


def _permissions(values: Sequence[str]) -> list[str]:
    known = {permission.value for permission in Permission}
    if set(values) - known:
        raise Invalid(N_("Choose one of the listed values."), field="permissions")
    return sorted(set(values))


__all__ = ["DESCRIPTIONS", "OFFERED", "RoleService", "RoleView", "chosen_roles", "granted", "require_not_beyond"]
