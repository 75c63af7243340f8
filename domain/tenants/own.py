"""An organisation as its own administrators see it: storage, and the address of its privacy policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import N_, Invalid, NotFound
from domain.kernel.events import Change
from domain.kernel.paging import Page, clamp
from domain.knowledge.repository import Amount
from domain.spaces.entities import Space, SpaceKind, SpaceMember
from domain.tenants.administration import existing
from domain.tenants.entities import LARGEST_QUOTA, Tenant
from domain.transaction import UnitOfWork
from domain.users.entities import User

ADDRESS_LIMIT = 2000
LEAST_LIMIT = 1_000
"""Bytes below which a limit would be none of use."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes of documents, in personal spaces and in shared ones, and how many there may be."""

    personal: int
    shared: int
    limit: int

    @property
    def used(self) -> int:
        """All of them."""
        return self.personal + self.shared


@dataclass(frozen=True, slots=True)
class StoredSpace:
    """A shared space, what it stores, and its members."""

    space: Space
    amount: Amount
    members: Sequence[tuple[SpaceMember, User]]


class OrganisationService:
    """Use cases of administrators."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def storage(self, actor: Actor) -> Storage:
        """What the organisation stores."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            tenant, personal = await existing(tx, actor.tenant_id), await tx.spaces.bytes_in_personal()
            return Storage(personal, await tx.knowledge.bytes_stored() - personal, tenant.quota_limit)

    async def spaces(
        self, actor: Actor, *, limit: int | None = None, cursor: str | None = None, largest: bool = False
    ) -> Page[StoredSpace]:
        """The shared spaces with what each stores, in order of name or the largest first."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            page = await tx.spaces.shared(limit=clamp(limit), cursor=cursor, largest=largest)
            ids = [space.id for space in page.items]
            amounts, members = await tx.spaces.amounts(ids), await tx.spaces.members_of(ids)
        found = [StoredSpace(s, amounts.get(s.id, Amount()), members.get(s.id, ())) for s in page.items]
        return Page(found, page.next_cursor, page.total)

    async def owners(
        self, actor: Actor, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[tuple[User, Amount]]:
        """The people who have stored documents, with what they have stored, most bytes first."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.knowledge.owners(limit=clamp(limit), cursor=cursor)

    async def set_space_limit(self, actor: Actor, space_id: UUID, limit: int | None) -> Space:
        """Say how many bytes of documents a space may hold, or that only the organisation's limit counts.

        What is there already stays, even where it is more.
        """
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            space = await tx.get(Space, space_id)
            if space is None or space.kind == SpaceKind.PERSONAL:
                raise NotFound(N_("The space was not found."))
            if limit is not None and not LEAST_LIMIT <= limit <= LARGEST_QUOTA:
                text = N_("Give at least {least} bytes, or nothing for no limit.")
                raise Invalid(text, field="limit", least=LEAST_LIMIT)
            old, space.quota_limit = space.quota_limit, limit
            values = {"quota_limit": old}, {"quota_limit": limit}
            tx.record(actor, Change("space_updated", "space", space.id, space.name, *values))
        return space

    async def set_privacy_policy(self, actor: Actor, address: str | None) -> Tenant:
        """Say where the organisation's privacy policy is, or that there is none."""
        actor.require(Permission.ADMIN)
        address = _clean_address(address) if address and address.strip() else None
        async with self._uow.begin(actor.tenant_id) as tx:
            tenant = await existing(tx, actor.tenant_id)
            old, tenant.privacy_policy = tenant.privacy_policy, address
            if old != address:
                change = Change(
                    "tenant_settings_updated", "tenant", tenant.id, tenant.name,
                    old={"privacy_policy": old}, new={"privacy_policy": address},
                )  # fmt: skip
                tx.record(actor, change)
        return tenant


def _clean_address(address: str) -> str:
    address = address.strip()
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname and address.isprintable() and " " not in address
    except ValueError:
        good = False
    if not good or len(address) > ADDRESS_LIMIT:
        raise Invalid(N_("Give the full address, beginning with http:// or https://."), field="url")
    return address
