"""Service accounts: programs of the organisation that come with API keys and never sign in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from domain.api_keys.removal import end_keys_of_user
from domain.audit.replay import difference, snapshot
from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.errors import N_, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.ids import new_id
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name, clean_text
from domain.roles.entities import HeldRole, granted
from domain.roles.service import chosen_roles, require_not_beyond
from domain.tenants.founding import slug_of
from domain.transaction import Transaction, UnitOfWork
from domain.users.checks import one_of
from domain.users.entities import User, UserKind, UserState
from domain.users.removal import remove_personal, sign_out
from domain.users.repository import UserQuery

HOST = "service.invalid"
"""The host of the addresses of service accounts: no mail ever arrives there."""
DESCRIPTION_LIMIT = 500
FIELDS = ("username", "description")


@dataclass(frozen=True, slots=True)
class ServiceAccountView:
    """A service account with its roles, and how many of its keys work."""

    user: User
    roles: Sequence[HeldRole]
    keys: int = 0


class ServiceAccountService:
    """Use cases of service accounts, for administrators whose own permissions cover the account's."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def page(
        self, actor: Actor, *, search: str = "", limit: int | None = None, cursor: str | None = None
    ) -> Page[ServiceAccountView]:
        """Service accounts in order of name."""
        actor.require(Permission.ADMIN)
        query = UserQuery(search=search, kind=UserKind.SERVICE, sort="username")
        async with self._uow.read(actor.tenant_id) as tx:
            page = await tx.users.page(query, limit=clamp(limit), cursor=cursor)
            return Page(await self._views(tx, page.items), page.next_cursor, page.total)

    async def get(self, actor: Actor, account_id: UUID) -> ServiceAccountView:
        """One service account."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return (await self._views(tx, [await self._account(tx, account_id)]))[0]

    async def create(
        self, actor: Actor, name: str, *, description: str = "", roles: Sequence[str | UUID] = ()
    ) -> ServiceAccountView:
        """A new service account; its keys are made afterwards."""
        actor.require(Permission.ADMIN)
        name, account_id = clean_name(name), new_id()
        account = User(
            tenant_id=actor.tenant_id,
            id=account_id,
            email=f"{slug_of(name)[:40]}-{account_id.hex[-8:]}@{HOST}",
            username=name,
            kind=UserKind.SERVICE,
            description=clean_text(description, "description", DESCRIPTION_LIMIT).strip() or None,
            language=actor.language,
            state_changed_at=now(),
        )
        async with self._uow.begin(actor.tenant_id) as tx:
            chosen = await chosen_roles(tx, roles)
            require_not_beyond(actor, granted(chosen))
            await tx.add(account)
            await tx.users.set_roles(account.id, chosen)
            told = {**snapshot(account, FIELDS), "roles": [role.name for role in chosen]}
            tx.record(actor, Change("service_account_created", "service_account", account.id, name, new=told))
        return ServiceAccountView(account, chosen)

    async def update(self, actor: Actor, account_id: UUID, changes: Mapping[str, Any]) -> ServiceAccountView:
        """Change `name`, `description`, `roles` (keys or ids) or `state` (active or inactive)."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            account = await self._changeable(tx, actor, account_id)
            old = snapshot(account, (*FIELDS, "state"))
            if changes.get("name") is not None:
                account.username = clean_name(changes["name"])
            if "description" in changes:
                text = clean_text(changes["description"], "description", DESCRIPTION_LIMIT).strip()
                account.description = text or None
            if changes.get("state") is not None and changes["state"] != account.state:
                await self._set_state(tx, account, changes["state"])
            before, after = difference(old, snapshot(account, (*FIELDS, "state")))
            change = Change("service_account_updated", "service_account", account.id, account.display_name)
            if after:
                tx.record(actor, replace(change, old=before, new=after))
            if changes.get("roles") is not None:
                await self._set_roles(tx, actor, account, changes["roles"])
            await tx.flush()
            return (await self._views(tx, [account]))[0]

    @staticmethod
    async def _set_state(tx: Transaction, account: User, state: str) -> None:
        wanted = one_of(state, (UserState.ACTIVE, UserState.INACTIVE), "state")
        account.move_to(UserState(wanted), now())
        if wanted == UserState.INACTIVE:
            await sign_out(tx, account.id)

    @staticmethod
    async def _set_roles(tx: Transaction, actor: Actor, account: User, keys: Sequence[str | UUID]) -> None:
        roles = await chosen_roles(tx, keys)
        require_not_beyond(actor, granted(roles))
        before = (await tx.users.roles([account.id])).get(account.id, ())
        await tx.users.set_roles(account.id, roles)
        old, new = ({"roles": [r.name for r in each], "permissions": sorted(granted(each))} for each in (before, roles))
        tx.record(actor, Change("permission_changed", "service_account", account.id, account.display_name, old, new))
        tx.signal(Signal(f"user:{account.id}", "permissions_changed"))

    async def delete(self, actor: Actor, account_id: UUID) -> ServiceAccountView:
        """Remove a service account with its keys; what it did stays in the history."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            account = await self._changeable(tx, actor, account_id)
            view = (await self._views(tx, [account]))[0]
            account.move_to(UserState.DELETED, now())
            await tx.flush()
            await end_keys_of_user(tx, account.id)
            await sign_out(tx, account.id)
            await remove_personal(tx, account.id)
            old = {"name": account.display_name, "roles": [role.name for role in view.roles]}
            change = Change("service_account_deleted", "service_account", account.id, account.display_name, old=old)
            tx.record(actor, change)
        return view

    async def _changeable(self, tx: Transaction, actor: Actor, account_id: UUID) -> User:
        account = await self._account(tx, account_id)
        require_not_beyond(actor, granted((await tx.users.roles([account_id])).get(account_id, ())))
        return account

    @staticmethod
    async def _account(tx: Transaction, account_id: UUID) -> User:
        user = await tx.get(User, account_id)
        if user is None or user.kind != UserKind.SERVICE or user.state == UserState.DELETED:
            raise NotFound(N_("The service account was not found."))
        return user

    @staticmethod
    async def _views(tx: Transaction, accounts: Sequence[User]) -> list[ServiceAccountView]:
        ids = [account.id for account in accounts]
        roles, keys = await tx.users.roles(ids), await tx.api_keys.counts(ids, now())
        return [ServiceAccountView(a, roles.get(a.id, ()), keys.get(a.id, 0)) for a in accounts]
