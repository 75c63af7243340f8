"""What the operator does with organisations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.audit.replay import difference, snapshot
from domain.identity.links import IssuedLink
from domain.kernel.errors import N_, Conflict, Invalid, NotFound, NotUnique
from domain.kernel.events import Change, Signal
from domain.kernel.ids import new_id
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name
from domain.ports import Directory
from domain.tenants.entities import DEFAULT_QUOTA, LARGEST_QUOTA, Tenant, TenantQuery, TenantState, TenantUse
from domain.tenants.founding import NAME_TAKEN, found, free_slug, require_free_name
from domain.tenants.operator import Operator
from domain.transaction import Transaction, UnitOfWork
from domain.users.checks import one_of
from domain.users.entities import LANGUAGES, PredefinedRole
from domain.users.service import NewUser, UserService

ATTEMPTS = 5
"""How often a slug is chosen anew when others found organisations of the same name at the same moment."""
SETTINGS = ("display_name", "domain", "external_id", "quota_limit", "provisioning", "security_enabled")
TEXTS = ("display_name", "domain", "external_id")
STATES = (TenantState.ACTIVE, TenantState.SUSPENDED)
GONE = N_("The organisation was not found.")


@dataclass(frozen=True, slots=True)
class NewTenant:
    """What the operator enters about a new organisation. With `owner_email`, that person is invited as its owner."""

    name: str
    language: str = "sv"
    state: str = TenantState.ACTIVE
    quota_limit: int = DEFAULT_QUOTA
    display_name: str | None = None
    domain: str | None = None
    external_id: str | None = None
    provisioning: bool = False
    security_enabled: bool = False
    owner_email: str | None = None


@dataclass(frozen=True, slots=True)
class TenantView:
    """An organisation and what it uses."""

    tenant: Tenant
    use: TenantUse


@dataclass(frozen=True, slots=True)
class Founded:
    """A new organisation, with the owner's one-time link, which is shown this once."""

    tenant: Tenant
    link: IssuedLink | None = None


class TenantService:
    """Use cases of the operator. Each wants the operator's proof, which no user's credential gives."""

    def __init__(self, uow: UnitOfWork, directory: Directory, users: UserService) -> None:
        self._uow, self._directory, self._users = uow, directory, users

    async def page(
        self, _: Operator, query: TenantQuery | None = None, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[TenantView]:
        """Organisations in order of name, with what they use."""
        page = await self._directory.tenants(query or TenantQuery(), limit=clamp(limit), cursor=cursor)
        used = await self._directory.tenant_use([tenant.id for tenant in page.items])
        return Page([TenantView(t, used.get(t.id, TenantUse())) for t in page.items], page.next_cursor, page.total)

    async def get(self, operator: Operator, tenant_id: UUID) -> TenantView:
        """One organisation, with what it uses."""
        async with self._uow.read(tenant_id) as tx:
            tenant = await existing(tx, tenant_id)
        return TenantView(tenant, (await self._directory.tenant_use([tenant_id])).get(tenant_id, TenantUse()))

    async def create(self, operator: Operator, new: NewTenant) -> Founded:
        """Found an organisation, ready to work in."""
        for _ in range(ATTEMPTS):
            try:
                return await self._found(operator, new)
            except NotUnique as failure:
                if type(failure) is not NotUnique or failure.field is not None:
                    raise
        raise NotUnique(NAME_TAKEN, field="name")

    async def _found(self, operator: Operator, new: NewTenant) -> Founded:
        tenant_id = new_id()
        tenant = Tenant(
            tenant_id=tenant_id,
            id=tenant_id,
            name=clean_name(new.name),
            slug="",
            language=one_of(new.language, LANGUAGES, "language"),
            state=one_of(new.state, STATES, "state"),
        )
        for name in SETTINGS:
            setattr(tenant, name, _clean(name, getattr(new, name)))
        await require_free_name(self._directory, tenant.name)
        tenant.slug = await free_slug(self._directory, tenant.name)
        actor = operator.within(tenant_id)
        invited = (
            NewUser(new.owner_email, roles=[PredefinedRole.OWNER], language=tenant.language)
            if new.owner_email
            else None
        )
        owner = await self._users.prepare(actor, invited) if invited else None
        link = None
        async with self._uow.begin(tenant_id) as tx:
            await found(tx, actor, tenant)
            if owner and invited:
                _, link = await self._users.add_in(tx, actor, owner, invited, link=True)
        if owner and link:
            link = await self._users.mail_link(actor, owner, link)
        return Founded(tenant, link)

    async def update(self, operator: Operator, tenant_id: UUID, changes: Mapping[str, Any]) -> TenantView:
        """Change settings or the `state` of an organisation. What is not named stays."""
        async with self._uow.begin(tenant_id) as tx:
            tenant = await changeable(tx, tenant_id)
            old = snapshot(tenant, SETTINGS)
            for name in SETTINGS:
                if name in changes and (name in TEXTS or changes[name] is not None):
                    setattr(tenant, name, _clean(name, changes[name]))
            before, after = difference(old, snapshot(tenant, SETTINGS))
            if after:
                change = Change("tenant_settings_updated", "tenant", tenant_id, tenant.name, old=before, new=after)
                tx.record(operator.within(tenant_id), change)
            if changes.get("state") is not None:
                await _move(tx, operator, tenant, one_of(changes["state"], STATES, "state"))
        return await self.get(operator, tenant_id)

    async def suspend(self, operator: Operator, tenant_id: UUID) -> TenantView:
        """Stop an organisation's people from working: open pages, streams and sockets end at once, jobs wait."""
        return await self.update(operator, tenant_id, {"state": TenantState.SUSPENDED})

    async def reactivate(self, operator: Operator, tenant_id: UUID) -> TenantView:
        """Let a suspended organisation work again."""
        return await self.update(operator, tenant_id, {"state": TenantState.ACTIVE})


async def existing(tx: Transaction, tenant_id: UUID) -> Tenant:
    """The organisation; raises `NotFound`."""
    tenant = await tx.get(Tenant, tenant_id)
    if tenant is None:
        raise NotFound(GONE)
    return tenant


async def changeable(tx: Transaction, tenant_id: UUID) -> Tenant:
    """The organisation, unless it is being deleted. Changes of one organisation wait for each other."""
    await tx.users.take_turns()
    tenant = await existing(tx, tenant_id)
    if tenant.state == TenantState.DELETING:
        raise Conflict(N_("The organisation is being deleted."))
    return tenant


async def _move(tx: Transaction, operator: Operator, tenant: Tenant, state: str) -> None:
    """Set the state and tell every process, so that what is open ends."""
    if tenant.state == state:
        return
    old, tenant.state = tenant.state, state
    action = "tenant_suspended" if state == TenantState.SUSPENDED else "tenant_reactivated"
    change = Change(action, "tenant", tenant.id, tenant.name, old={"state": old}, new={"state": state})
    tx.record(operator.within(tenant.id), change)
    tx.signal(Signal(f"tenant:{tenant.id}", state))
    await tx.conversations.stop_all()


def _clean(name: str, value: Any) -> Any:
    if name in TEXTS:
        text = clean_name(value, name) if value and value.strip() else None
        return text.lower() if text and name == "domain" else text
    if name == "quota_limit" and not 0 <= value <= LARGEST_QUOTA:
        raise Invalid(N_("Give a number of bytes from 0."), field=name)
    return value
