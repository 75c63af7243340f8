"""What several spaces hold."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.spaces.service import SpaceAccess
from domain.transaction import Transaction, UnitOfWork


class InSpace(Protocol):
    """A view of something that belongs to a space."""

    @property
    def space_id(self) -> UUID:
        """The space it belongs to."""


View = TypeVar("View", bound=InSpace)


async def in_each(
    uow: UnitOfWork,
    actor: Actor,
    accesses: Sequence[SpaceAccess],
    resource: Resource,
    fetch: Callable[[Transaction, SpaceAccess, Sequence[UUID]], Awaitable[Sequence[View]]],
    seen: Callable[[View, SpaceAccess], View],
) -> list[View]:
    """What is in the spaces where such resources may be read, space by space; all fetched at once.

    `fetch` views them from one of these spaces; `seen` is such a view as the actor sees it in its own.
    """
    readable = {a.space.id: a for a in accesses if Action.READ in a.permissions(actor, resource)}
    if not readable:
        return []
    async with uow.read(actor.tenant_id) as tx:
        found = await fetch(tx, next(iter(readable.values())), list(readable))
    return [seen(view, access) for access in readable.values() for view in found if view.space_id == access.space.id]
