"""Which web sites may call the API for the organisation: use cases."""

from collections.abc import Sequence
from uuid import UUID

from domain.allowed_origins.entities import AllowedOrigin
from domain.federation.connections import clean_origin
from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import N_, Conflict, Forbidden, NotFound, NotUnique
from domain.kernel.events import Change
from domain.transaction import UnitOfWork

MOST = 100
FOREIGN = N_("Your organisation does not allow {origin} to call this interface. An administrator can add it.")


class AllowedOriginService:
    """Use cases of allowed origins. `everywhere` are those that the installation allows for all organisations."""

    def __init__(self, uow: UnitOfWork, everywhere: frozenset[str] = frozenset()) -> None:
        self._uow, self.everywhere = uow, everywhere

    async def all(self, actor: Actor) -> Sequence[AllowedOrigin]:
        """The organisation's own."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.allowed_origins.all()

    async def add(self, actor: Actor, url: str) -> AllowedOrigin:
        """Allow one more; raises `NotUnique` when it is allowed already."""
        actor.require(Permission.ADMIN)
        origin = AllowedOrigin(tenant_id=actor.tenant_id, url=clean_origin(url, "url"))
        async with self._uow.begin(actor.tenant_id) as tx:
            present = await tx.allowed_origins.all()
            if any(each.url == origin.url for each in present):
                raise NotUnique(N_("This address is in the list already."), field="url")
            if len(present) >= MOST:
                raise Conflict(N_("At most {limit} addresses can be allowed."), limit=MOST)
            await tx.add(origin)
            tx.record(actor, Change("allowed_origin_added", "allowed_origin", origin.id, origin.url))
        return origin

    async def delete(self, actor: Actor, origin_id: UUID) -> None:
        """Allow one no longer; its next call is refused."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            origin = await tx.get(AllowedOrigin, origin_id)
            if origin is None:
                raise NotFound
            await tx.remove(origin)
            tx.record(actor, Change("allowed_origin_removed", "allowed_origin", origin.id, origin.url))

    async def check(self, actor: Actor, origin: str) -> None:
        """Raise `Forbidden` unless pages of `origin` may call for the actor's organisation."""
        if origin in self.everywhere:
            return
        async with self._uow.read(actor.tenant_id) as tx:
            if not await tx.allowed_origins.has(origin):
                raise Forbidden(FOREIGN, origin=origin[:200])
