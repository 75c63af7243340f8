"""People of the organisation: use cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from domain.api_keys.removal import end_keys_of_user
from domain.audit.replay import difference, snapshot
from domain.identity.entities import LinkPurpose
from domain.identity.links import RESET_LIFE, IssuedLink, letter, make_link
from domain.identity.passwords import PasswordPolicy
from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest, Invalid, NotFound, UserNotUnique
from domain.kernel.events import Change, Signal
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name
from domain.ports import Directory, Mailer, Passwords
from domain.roles.entities import HeldRole, granted
from domain.roles.service import chosen_roles, require_not_beyond
from domain.tenants.entities import LARGEST_QUOTA, Tenant
from domain.transaction import Transaction, UnitOfWork
from domain.user_groups.entities import UserGroup
from domain.users.checks import clean_email, one_of
from domain.users.entities import LANGUAGES, PredefinedRole, User, UserKind, UserState
from domain.users.removal import administrator_remains, hand_over_spaces, remove_personal, sign_out
from domain.users.repository import UserQuery

THEMES = ("system", "light", "dark")
OWN_FIELDS = ("language", "theme", "username", "preferences")
VISIBLE_STATES = (UserState.ACTIVE, UserState.INVITED)
INVITATION_LIFE = timedelta(days=7)
RESTORE_WINDOW = timedelta(days=30)
LEAST_QUOTA = 1000


@dataclass(frozen=True, slots=True)
class UserView:
    """A user with roles and groups; `used` is bytes of knowledge, `key_tail` ends the newest API key, where asked for."""

    user: User
    roles: Sequence[HeldRole]
    used: int = 0
    groups: Sequence[UserGroup] = ()
    key_tail: str | None = None

    @property
    def permissions(self) -> list[Permission]:
        """The permissions of all roles."""
        return sorted(granted(self.roles))

    @property
    def explained(self) -> dict[Permission, list[HeldRole]]:
        """Which roles give which permission."""
        return {p: [role for role in self.roles if p in role.permissions] for p in self.permissions}


@dataclass(frozen=True, slots=True)
class Invited:
    """A user together with the one-time link that was just made for them, if any."""

    view: UserView
    link: IssuedLink | None


@dataclass(frozen=True, slots=True)
class NewUser:
    """What an administrator enters about a new colleague. Without a password the person is invited by a link."""

    email: str
    username: str | None = None
    password: str | None = None
    roles: Sequence[str | UUID] = (PredefinedRole.USER,)
    language: str | None = None
    quota_limit: int | None = None
    groups: Sequence[UUID] = field(default_factory=tuple)


class UserService:
    """Use cases of users."""

    def __init__(
        self, uow: UnitOfWork, directory: Directory, passwords: Passwords, policy: PasswordPolicy, mailer: Mailer
    ) -> None:
        self._uow, self._directory, self._passwords = uow, directory, passwords
        self.policy, self.mailer = policy, mailer

    # One's own account

    async def me(self, actor: Actor) -> UserView:
        """The actor's own account."""
        async with self._uow.read(actor.tenant_id) as tx:
            found = await tx.api_keys.owner(actor.user_id, now())
            if found is None or found[0].state == UserState.DELETED:
                raise NotFound(N_("The user was not found."))
            return replace((await self._views(tx, [found[0]]))[0], key_tail=found[1])

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
            user = await tx.get(User, actor.user_id)
            if user is None:
                raise NotFound(N_("The user was not found."))
            old = snapshot(user, OWN_FIELDS)
            if "language" in changes:
                user.language = one_of(changes["language"], LANGUAGES, "language")
            if "theme" in changes:
                user.theme = one_of(changes["theme"], THEMES, "theme")
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
        """Colleagues and service accounts whose address or name contains `text`, for sharing with them."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.users.page(
                UserQuery(search=text.strip(), states=VISIBLE_STATES, kind=None), limit=clamp(limit), cursor=cursor
            )

    # For administrators: looking

    async def page(
        self,
        actor: Actor,
        query: UserQuery | None = None,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        offset: int = 0,
    ) -> Page[UserView]:
        """Users with their roles and groups."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            page = await tx.users.page(query or UserQuery(), limit=clamp(limit), cursor=cursor, offset=offset)
            return Page(await self._views(tx, page.items), page.next_cursor, page.total)

    async def counts(self, actor: Actor, query: UserQuery | None = None) -> Mapping[str, int]:
        """How many users there are in each state."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.users.counts(query or UserQuery())

    async def get(self, actor: Actor, user_id: UUID) -> UserView:
        """One user."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return (await self._views(tx, [await self._user(tx, user_id)]))[0]

    async def many(self, actor: Actor, user_ids: Sequence[UUID]) -> Sequence[UserView]:
        """These users, in this order; those that are gone are left out."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            found = await tx.users.many(user_ids)
            return await self._views(tx, [found[user_id] for user_id in user_ids if user_id in found])

    async def find(self, actor: Actor, name: str) -> UUID:
        """The id of the user of the actor's organisation with this id, address or name."""
        actor.require(Permission.ADMIN)
        if not name.isprintable():
            raise NotFound(N_("The user was not found."))
        async with self._uow.read(actor.tenant_id) as tx:
            try:
                return (await self._user(tx, UUID(name))).id
            except ValueError:
                pass
            by_email = await tx.users.by_email(name)
            found = [by_email] if by_email else await tx.users.by_username(name)
        if not found:
            raise NotFound(N_("The user was not found."))
        if len(found) > 1:
            raise BadRequest(N_("Several people have this name. Use the e-mail address."))
        return found[0].id

    @staticmethod
    async def _views(tx: Transaction, users: Sequence[User]) -> list[UserView]:
        ids = [user.id for user in users]
        roles, groups = await tx.users.roles(ids), await tx.user_groups.of_users(ids)
        used = await tx.knowledge.bytes_by_user(ids)
        return [UserView(u, roles.get(u.id, ()), used.get(u.id, 0), groups.get(u.id, ())) for u in users]

    # For administrators: adding

    async def add(
        self,
        actor: Actor,
        email: str,
        password: str | None = None,
        *,
        role: str = PredefinedRole.USER,
        username: str | None = None,
    ) -> UserView:
        """Add a user with a password; without one the account is `invited`, and nobody is sent a link."""
        made, _ = await self._create(actor, NewUser(email, username, password, (role,)), link=False)
        return made

    async def create(self, actor: Actor, new: NewUser) -> Invited:
        """Add a user; without a password the person is invited by a link, which is mailed where that is set up."""
        view, link = await self._create(actor, new, link=new.password is None)
        return Invited(view, await self.mail_link(actor, view.user, link))

    async def _create(self, actor: Actor, new: NewUser, *, link: bool) -> tuple[UserView, IssuedLink | None]:
        actor.require(Permission.ADMIN)
        user = await self.prepare(actor, new)
        async with self._uow.begin(actor.tenant_id) as tx:
            return await self.add_in(tx, actor, user, new, link=link)

    async def prepare(self, actor: Actor, new: NewUser) -> User:
        """A new user from what was entered, not written yet; raises `UserNotUnique` when the address is taken."""
        email = clean_email(new.email)
        if await self._directory.login(email):
            raise UserNotUnique(field="email")
        if new.password is not None:
            self.policy.check(new.password, email)
        return User(
            tenant_id=actor.tenant_id,
            email=email,
            username=clean_name(new.username, "username") if new.username else None,
            password_hash=await self._passwords.hash(new.password) if new.password else None,
            state=UserState.ACTIVE if new.password else UserState.INVITED,
            language=one_of(new.language or actor.language, LANGUAGES, "language"),
            quota_limit=_quota(new.quota_limit),
            state_changed_at=now(),
        )

    async def add_in(
        self, tx: Transaction, actor: Actor, user: User, new: NewUser, *, link: bool
    ) -> tuple[UserView, IssuedLink | None]:
        """Write a new user with roles, groups and, with `link`, an invitation, in a transaction that is open."""
        roles = await chosen_roles(tx, new.roles)
        require_not_beyond(actor, granted(roles))
        await tx.add(user)
        await tx.users.set_roles(user.id, roles)
        groups = [group for group in [await tx.get(UserGroup, i) for i in dict.fromkeys(new.groups)] if group]
        if len(groups) != len(set(new.groups)):
            raise NotFound(N_("The group was not found."))
        for group in groups:
            await tx.user_groups.put(group.id, [user.id])
        issued = await make_link(tx, user, LinkPurpose.INVITATION, INVITATION_LIFE) if link else None
        values = {"roles": [r.name for r in roles], "groups": [g.name for g in groups], "state": user.state}
        tx.record(actor, Change("user_created", "user", user.id, user.email, new=values))
        return UserView(user, roles, groups=groups), issued

    async def new_link(self, actor: Actor, user_id: UUID) -> Invited:
        """A new one-time link: an invitation for those who never got in, else one for a new password."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            user = await self._other(tx, actor, user_id)
            if user.state == UserState.INACTIVE:
                raise BadRequest(N_("The account is deactivated. Reactivate it first."))
            invited = user.state == UserState.INVITED
            purpose = LinkPurpose.INVITATION if invited else LinkPurpose.PASSWORD_RESET
            link = await make_link(tx, user, purpose, INVITATION_LIFE if invited else RESET_LIFE)
            action = "invitation_renewed" if invited else "password_reset_requested"
            tx.record(actor, Change(action, "user", user.id, user.email))
            view = (await self._views(tx, [user]))[0]
        return Invited(view, await self.mail_link(actor, user, link))

    async def mail_link(self, actor: Actor, user: User, link: IssuedLink | None) -> IssuedLink | None:
        """Mail a link that was just made, where mail is set up; the link, with whether it was mailed."""
        if link is None or not self.mailer.ready:
            return link
        tenant = await self.tenant(actor)
        sent = await self.mailer.send(letter(user, link, tenant.display_name or tenant.name, actor.name or actor.email))
        return IssuedLink(link.path, link.expires_at, link.purpose, mailed=bool(sent))

    # For administrators: changing

    async def update(self, actor: Actor, user_id: UUID, changes: Mapping[str, Any]) -> UserView:
        """Change `email`, `username`, `password`, `quota_limit`, `roles` (keys or ids) or `state` of a colleague."""
        actor.require(Permission.ADMIN)
        changes = dict(changes)
        if changes.get("email") is not None:
            changes["email"] = clean_email(changes["email"])
        hashed = await self._new_hash(actor, user_id, changes)
        async with self._uow.begin(actor.tenant_id) as tx:
            user = await self._other(tx, actor, user_id)
            old, new = await self._apply(tx, user, changes)
            if hashed is not None:
                user.password_hash = hashed
                await sign_out(tx, user.id)
                new["password_changed"] = True
            if changes.get("roles") is not None:
                await self._set_roles(tx, actor, user, changes["roles"])
            if old or new:
                tx.record(actor, Change("user_updated", "user", user_id, user.email, old=old, new=new))
            if changes.get("state") is not None and changes["state"] != user.state:
                await self._move(tx, actor, user, one_of(changes["state"], tuple(UserState), "state"))
            await tx.flush()
            return (await self._views(tx, [user]))[0]

    async def _new_hash(self, actor: Actor, user_id: UUID, changes: Mapping[str, Any]) -> str | None:
        async with self._uow.read(actor.tenant_id) as tx:
            user = await self._other(tx, actor, user_id)
        email = changes.get("email")
        if email and email != user.email and await self._directory.login(email):
            raise UserNotUnique(field="email")
        password = changes.get("password")
        if password is None:
            return None
        self.policy.check(password, email or user.email)
        return await self._passwords.hash(password)

    @staticmethod
    async def _apply(tx: Transaction, user: User, changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Set the plain fields; their old and new values."""
        values: dict[str, Any] = {}
        if changes.get("email") is not None:
            values["email"] = changes["email"]
        if changes.get("username") is not None:
            values["username"] = clean_name(changes["username"], "username") if changes["username"] else None
        if "quota_limit" in changes:
            values["quota_limit"] = _quota(changes["quota_limit"])
        changed = {name: value for name, value in values.items() if getattr(user, name) != value}
        old = {name: getattr(user, name) for name in changed}
        for name, value in changed.items():
            setattr(user, name, value)
        await tx.flush()
        return old, changed

    async def set_roles(self, actor: Actor, user_id: UUID, roles: Sequence[str | UUID]) -> UserView:
        """Replace a user's roles. Nobody changes their own, and an organisation keeps an administrator."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            user = await self._other(tx, actor, user_id)
            await self._set_roles(tx, actor, user, roles)
            return (await self._views(tx, [user]))[0]

    @staticmethod
    async def _set_roles(tx: Transaction, actor: Actor, user: User, keys: Sequence[str | UUID]) -> None:
        roles = await chosen_roles(tx, keys)
        require_not_beyond(actor, granted(roles))
        before = (await tx.users.roles([user.id])).get(user.id, ())
        await tx.users.set_roles(user.id, roles)
        await administrator_remains(tx)
        old, new = ({"roles": [r.name for r in each], "permissions": sorted(granted(each))} for each in (before, roles))
        tx.record(actor, Change("permission_changed", "user", user.id, user.email, old=old, new=new))
        tx.signal(Signal(f"user:{user.id}", "permissions_changed"))

    async def deactivate(self, actor: Actor, user_id: UUID) -> UserView:
        """Stop a user from working; all sessions end at once."""
        return await self._set_state(actor, user_id, UserState.INACTIVE)

    async def reactivate(self, actor: Actor, user_id: UUID) -> UserView:
        """Let a deactivated user work again."""
        return await self._set_state(actor, user_id, UserState.ACTIVE, only_from=UserState.INACTIVE)

    async def delete(self, actor: Actor, user_id: UUID) -> UserView:
        """Remove a user: sessions, links and the personal space are gone, the address is free, history keeps its author.

        The account itself can be restored for 30 days.
        """
        return await self._set_state(actor, user_id, UserState.DELETED)

    async def _set_state(
        self, actor: Actor, user_id: UUID, state: UserState, *, only_from: UserState | None = None
    ) -> UserView:
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            user = await self._other(tx, actor, user_id)
            if only_from is not None and user.state != only_from:
                raise BadRequest(N_("The account is in a state that does not allow this."))
            await self._move(tx, actor, user, state)
            return (await self._views(tx, [user]))[0]

    @staticmethod
    async def _move(tx: Transaction, actor: Actor, user: User, state: str) -> None:
        wanted = UserState(state)
        if wanted is UserState.ACTIVE and user.state == UserState.INACTIVE:
            wanted = user.ready_state
        old = user.move_to(wanted, now())
        await tx.flush()
        if wanted in (UserState.INACTIVE, UserState.DELETED):
            await administrator_remains(tx)
            await sign_out(tx, user.id)
        if wanted is UserState.DELETED:
            await end_keys_of_user(tx, user.id)
            await hand_over_spaces(tx, actor, user)
            await remove_personal(tx, user.id)
        action = {UserState.INACTIVE: "user_deactivated", UserState.DELETED: "user_deleted"}.get(
            wanted, "user_reactivated"
        )
        tx.record(actor, Change(action, "user", user.id, user.email, old={"state": old}, new={"state": wanted}))

    async def restore(self, actor: Actor, user_id: UUID) -> UserView:
        """Bring a deleted account back within 30 days, with its roles and memberships, if the address is still free."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            user = await tx.get(User, user_id)
            if user is None or user.deleted_at is None or user.kind != UserKind.PERSON:
                raise NotFound(N_("The user was not found."))
            if now() - user.deleted_at > RESTORE_WINDOW:
                raise BadRequest(N_("Accounts can be restored for {days} days only."), days=RESTORE_WINDOW.days)
            require_not_beyond(actor, granted((await tx.users.roles([user_id])).get(user_id, ())))
            if await self._directory.login(user.email):
                raise UserNotUnique(N_("The address {email} now belongs to another account."), email=user.email)
            old = user.move_to(user.ready_state, now())
            await tx.flush()
            change = Change("user_restored", "user", user_id, user.email, old={"state": old}, new={"state": user.state})
            tx.record(actor, change)
            return (await self._views(tx, [user]))[0]

    async def forget_deleted(self) -> int:
        """Take the personal data from accounts that can no longer be restored, in every organisation; how many."""
        count = 0
        for tenant_id in await self._directory.tenant_ids():
            async with self._uow.begin(tenant_id) as tx:
                count += await tx.users.forget(now() - RESTORE_WINDOW)
        return count

    # Checks

    async def _other(self, tx: Transaction, actor: Actor, user_id: UUID) -> User:
        """A colleague the actor may change: not oneself, nobody with permissions beyond one's own."""
        if user_id == actor.user_id:
            raise BadRequest(N_("You cannot do this to your own account."))
        user = await self._user(tx, user_id)
        require_not_beyond(actor, granted((await tx.users.roles([user_id])).get(user_id, ())))
        return user

    @staticmethod
    async def _user(tx: Transaction, user_id: UUID) -> User:
        user = await tx.get(User, user_id)
        if user is None or user.state == UserState.DELETED or user.kind != UserKind.PERSON:
            raise NotFound(N_("The user was not found."))
        return user


def _quota(value: int | None) -> int | None:
    if value is not None and not LEAST_QUOTA <= value <= LARGEST_QUOTA:
        raise Invalid(N_("Give at least {least} bytes."), field="quota_limit", least=LEAST_QUOTA)
    return value
