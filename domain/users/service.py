"""People of the organisation: use cases."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.audit.replay import difference, snapshot
from domain.identity.service import check_password
from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest, Invalid, NotFound, NotUnique
from domain.kernel.events import Change, Signal
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name
from domain.ports import Directory, Passwords
from domain.tenants.entities import Tenant
from domain.transaction import Transaction, UnitOfWork
from domain.users.entities import ROLE_PERMISSIONS, PredefinedRole, RoleAssignment, User, UserState

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)*")
LANGUAGES = ("sv", "en")
THEMES = ("system", "light", "dark")
OWN_FIELDS = ("language", "theme", "username", "preferences")
VISIBLE_STATES = (UserState.ACTIVE, UserState.INVITED)


@dataclass(frozen=True, slots=True)
class UserView:
    """A user with roles and the permissions they give; `used` is bytes of knowledge."""

    user: User
    roles: Sequence[str]
    used: int = 0

    @property
    def permissions(self) -> list[Permission]:
        """The permissions of all roles."""
        granted: frozenset[Permission] = frozenset().union(*(ROLE_PERMISSIONS.get(r, frozenset()) for r in self.roles))
        return sorted(granted)


def clean_email(value: str) -> str:
    """A trimmed address in lower case; raises `Invalid`."""
    email = value.strip().lower()
    if len(email) > 320 or not _EMAIL.fullmatch(email):
        raise Invalid(N_("Give a valid e-mail address."), field="email")
    return email


class UserService:
    """Use cases of users."""

    def __init__(self, uow: UnitOfWork, directory: Directory, passwords: Passwords) -> None:
        self._uow, self._directory, self._passwords = uow, directory, passwords

    async def me(self, actor: Actor) -> UserView:
        """The actor's own account."""
        async with self._uow.read(actor.tenant_id) as tx:
            user = await self._user(tx, actor.user_id)
            roles = (await tx.users.roles([user.id])).get(user.id, ())
            return UserView(user, roles, await tx.knowledge.bytes_stored(user.id))

    async def tenant(self, actor: Actor) -> Tenant:
        """The actor's organisation."""
        async with self._uow.read(actor.tenant_id) as tx:
            tenant = await tx.get(Tenant, actor.tenant_id)
        if tenant is None:
            raise NotFound
        return tenant

    async def update_me(self, actor: Actor, changes: Mapping[str, Any]) -> UserView:
        """Change the actor's own `language`, `theme`, `username` or `preferences`."""
        async with self._uow.begin(actor.tenant_id) as tx:
            user = await self._user(tx, actor.user_id)
            old = snapshot(user, OWN_FIELDS)
            if "language" in changes:
                user.language = _one_of(changes["language"], LANGUAGES, "language")
            if "theme" in changes:
                user.theme = _one_of(changes["theme"], THEMES, "theme")
            if "username" in changes:
                user.username = clean_name(changes["username"], "username") if changes["username"] else None
            if "preferences" in changes:
                user.preferences = dict(changes["preferences"])
            before, after = difference(old, snapshot(user, OWN_FIELDS))
            if after:
                tx.record(actor, Change("user_updated", "user", user.id, user.email, old=before, new=after))
        return await self.me(actor)

    async def search(
        self, actor: Actor, text: str = "", *, limit: int | None = None, cursor: str | None = None
    ) -> Page[User]:
        """Colleagues whose address or name contains `text`, for sharing with them."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.users.page(search=text.strip(), states=VISIBLE_STATES, limit=clamp(limit), cursor=cursor)

    async def page(
        self,
        actor: Actor,
        *,
        search: str = "",
        states: Sequence[str] = (),
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[UserView]:
        """All users with their roles, for administrators."""
        actor.require(Permission.ADMIN)
        wanted = states or (UserState.ACTIVE, UserState.INVITED, UserState.INACTIVE)
        async with self._uow.read(actor.tenant_id) as tx:
            page = await tx.users.page(search=search.strip(), states=wanted, limit=clamp(limit), cursor=cursor)
            roles = await tx.users.roles([user.id for user in page.items])
        views = [UserView(user, roles.get(user.id, ())) for user in page.items]
        return Page(views, page.next_cursor, page.total)

    async def add(
        self,
        actor: Actor,
        email: str,
        password: str | None = None,
        *,
        role: str = PredefinedRole.USER,
        username: str | None = None,
    ) -> UserView:
        """Add a user; without a password the account is `invited` until one is set."""
        actor.require(Permission.ADMIN)
        email = clean_email(email)
        if password is not None:
            check_password(password, email)
        if await self._directory.login(email):
            raise NotUnique(N_("This e-mail address is already in use."), field="email")
        user = User(
            tenant_id=actor.tenant_id,
            email=email,
            username=clean_name(username, "username") if username else None,
            password_hash=await self._passwords.hash(password) if password else None,
            state=UserState.ACTIVE if password else UserState.INVITED,
            language=actor.language,
        )
        role = _one_of(role, tuple(PredefinedRole), "role")
        async with self._uow.begin(actor.tenant_id) as tx:
            await tx.add(user)
            await tx.add(RoleAssignment(tenant_id=actor.tenant_id, user_id=user.id, role=role))
            tx.record(actor, Change("user_created", "user", user.id, email, new={"role": role}))
        return UserView(user, (role,))

    async def set_roles(self, actor: Actor, user_id: UUID, roles: Sequence[str]) -> UserView:
        """Replace a user's roles. Nobody changes their own, and an organisation keeps an Owner."""
        actor.require(Permission.ADMIN)
        checked = [_one_of(role, tuple(PredefinedRole), "role") for role in roles]
        async with self._uow.begin(actor.tenant_id) as tx:
            user = await self._other(tx, actor, user_id)
            old = (await tx.users.roles([user_id])).get(user_id, ())
            await tx.users.set_roles(user_id, checked)
            await self._owner_remains(tx)
            roles_old, roles_new = {"roles": list(old)}, {"roles": checked}
            tx.record(actor, Change("permission_changed", "user", user_id, user.email, old=roles_old, new=roles_new))
        return UserView(user, checked)

    async def deactivate(self, actor: Actor, user_id: UUID) -> None:
        """Stop a user from working; all sessions end at once."""
        await self._set_state(actor, user_id, UserState.INACTIVE, "user_deactivated")

    async def reactivate(self, actor: Actor, user_id: UUID) -> None:
        """Let a deactivated user work again."""
        await self._set_state(actor, user_id, UserState.ACTIVE, "user_reactivated")

    async def delete(self, actor: Actor, user_id: UUID) -> None:
        """Remove a user; the address becomes free, the history keeps its author."""
        await self._set_state(actor, user_id, UserState.DELETED, "user_deleted")

    async def _set_state(self, actor: Actor, user_id: UUID, state: UserState, action: str) -> None:
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            user = await self._other(tx, actor, user_id)
            old, user.state = user.state, state
            user.deleted_at = now() if state is UserState.DELETED else None
            await tx.flush()
            await self._owner_remains(tx)
            if state is not UserState.ACTIVE:
                await tx.sign_ins.revoke_all(user_id, now())
                tx.signal(Signal(f"user:{user_id}", "signed_out"))
            tx.record(actor, Change(action, "user", user_id, user.email, old={"state": old}, new={"state": state}))

    async def _other(self, tx: Transaction, actor: Actor, user_id: UUID) -> User:
        if user_id == actor.user_id:
            raise BadRequest(N_("You cannot do this to your own account."))
        return await self._user(tx, user_id)

    @staticmethod
    async def _user(tx: Transaction, user_id: UUID) -> User:
        user = await tx.get(User, user_id)
        if user is None or user.state == UserState.DELETED:
            raise NotFound(N_("The user was not found."))
        return user

    @staticmethod
    async def _owner_remains(tx: Transaction) -> None:
        if not await tx.users.count_with_role(PredefinedRole.OWNER):
            raise BadRequest(N_("The organisation needs at least one active owner."))


def _one_of(value: Any, allowed: Sequence[str], field: str) -> str:
    if value not in allowed:
        raise Invalid(N_("Choose one of the listed values."), field=field)
    return str(value)
