"""Moving collections and websites to another space, and sharing them with others that only read them."""

from dataclasses import dataclass
from uuid import UUID

from domain.assistants.entities import Assistant
from domain.classifications.approval import may_receive, require_receiver
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, BadRequest, Forbidden, NotFound
from domain.kernel.events import Change, Signal
from domain.knowledge.access import knowledge_access
from domain.knowledge.entities import Collection, CollectionKind, CollectionShare
from domain.knowledge.intake import require_room_in_space
from domain.knowledge.limits import require_counts
from domain.knowledge.repository import Volume
from domain.spaces.entities import Space, SpaceKind
from domain.spaces.service import SpaceAccess, space_access
from domain.transaction import Transaction, UnitOfWork
from domain.websites.entities import Website


@dataclass(frozen=True, slots=True)
class Loss:
    """An assistant that would lose a collection, with its space."""

    assistant: Assistant
    space: Space


class SharingService:
    """Use cases of moving and sharing. Websites are their collections here, by the same id."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def targets(self, actor: Actor, collection_id: UUID) -> list[Space]:
        """The spaces to which the actor may move a collection, or with which share it, in order of name."""
        async with self._uow.read(actor.tenant_id) as tx:
            collection, _ = await _owned(tx, actor, collection_id, Action.EDIT)
            personal, organization = await tx.spaces.personal(actor.user_id), await tx.spaces.organization()
            spaces = [space for space, _ in await tx.spaces.of_member(actor.user_id)]
            found = [*([personal] if personal else []), *spaces, *([organization] if organization else [])]
            found = [s for s in found if s.id != collection.space_id and await _may_take(tx, actor, s, collection)]
            return [s for s in found if await may_receive(tx, s, collection)]

    async def shares(self, actor: Actor, collection_id: UUID) -> list[Space]:
        """The spaces that a collection is shared with, for those who may change it."""
        async with self._uow.read(actor.tenant_id) as tx:
            await _owned(tx, actor, collection_id, Action.EDIT)
            found = [await tx.get(Space, share.space_id) for share in await tx.knowledge.shares(collection_id)]
        return sorted((space for space in found if space is not None), key=lambda space: space.name.casefold())

    async def losses(self, actor: Actor, collection_id: UUID, space_id: UUID | None = None) -> list[Loss]:
        """The assistants that lose a collection when it is moved to a space, or without one: when no share is left."""
        async with self._uow.read(actor.tenant_id) as tx:
            collection, _ = await _owned(tx, actor, collection_id, Action.EDIT)
            if space_id is not None:
                target = await space_access(tx, actor, space_id)
                target.require(actor, _resource(collection), Action.CREATE)
                if target.space.kind == SpaceKind.ORGANIZATION:
                    return []
            kept = {space_id or collection.space_id}
            if space_id is not None:
                kept |= {share.space_id for share in await tx.knowledge.shares(collection_id)}
            users = await tx.assistants.with_collection(collection_id)
        return [Loss(assistant, space) for assistant, space in users if space.id not in kept]

    async def move(self, actor: Actor, collection_id: UUID, space_id: UUID) -> None:
        """Move a collection to another space. Assistants that may not use it from there lose it at once."""
        async with self._uow.begin(actor.tenant_id) as tx:
            collection, _ = await _owned(tx, actor, collection_id, Action.DELETE)
            target = await space_access(tx, actor, space_id)
            target.require(actor, _resource(collection), Action.CREATE)
            if collection.space_id == space_id:
                return
            await require_receiver(tx, target.space, collection)
            old = collection.space_id
            await tx.users.take_turns()
            size = (await tx.knowledge.sizes([collection_id])).get(collection_id)
            await require_room_in_space(tx, space_id, size.size if size else 0)
            held = (await tx.vectors.volumes([collection_id])).get(collection_id, Volume())
            documents = size.documents if size else 0
            await require_counts(tx, None, space_id, documents=documents, passages=held.chunks)
            await relocate(tx, collection, space_id)
            change = Change(
                "collection_transferred", "collection", collection.id, collection.name,
                old={"space_id": str(old)}, new={"space_id": str(space_id)},
            )  # fmt: skip
            tx.record(actor, change)
            _tell(tx, old, space_id)

    async def share(self, actor: Actor, collection_id: UUID, space_id: UUID) -> None:
        """Let another space read a collection and use it in its assistants."""
        async with self._uow.begin(actor.tenant_id) as tx:
            collection, _ = await _owned(tx, actor, collection_id, Action.EDIT)
            await share_with(tx, actor, collection, await space_access(tx, actor, space_id))

    async def unshare(self, actor: Actor, collection_id: UUID, space_id: UUID) -> None:
        """End a share, from either side: the other space's assistants lose the collection at once."""
        async with self._uow.begin(actor.tenant_id) as tx:
            collection = await tx.get(Collection, collection_id)
            share = next((s for s in await tx.knowledge.shares(collection_id) if s.space_id == space_id), None)
            if collection is None or share is None or not await _may_end(tx, actor, collection, space_id):
                raise NotFound(N_("The collection was not found."))
            await tx.remove(share)
            await withdraw(tx, collection)
            old = {"space_id": str(space_id)}
            tx.record(actor, Change("collection_unshared", "collection", collection.id, collection.name, old=old))
            _tell(tx, collection.space_id, space_id)


async def share_with(tx: Transaction, actor: Actor, collection: Collection, target: SpaceAccess) -> None:
    """Share a collection that the actor may change with a space where the actor may make such."""
    target.require(actor, _resource(collection), Action.CREATE)
    if target.space.kind == SpaceKind.ORGANIZATION:
        raise BadRequest(N_("Move it to the organisation's space to share it with everybody."))
    shares, space_id = await tx.knowledge.shares(collection.id), target.space.id
    if collection.space_id == space_id or any(share.space_id == space_id for share in shares):
        return
    await require_receiver(tx, target.space, collection)
    await tx.add(
        CollectionShare(
            tenant_id=actor.tenant_id, collection_id=collection.id, space_id=space_id, user_id=actor.user_id
        )
    )
    new = {"space_id": str(space_id), "space": target.space.name}
    tx.record(actor, Change("collection_shared", "collection", collection.id, collection.name, new=new))
    _tell(tx, collection.space_id, space_id)


async def may_share(tx: Transaction, actor: Actor, collection: Collection, target: SpaceAccess) -> bool:
    """Whether the actor may share a collection with a space."""
    try:
        await _owned(tx, actor, collection.id, Action.EDIT)
        target.require(actor, _resource(collection), Action.CREATE)
    except (Forbidden, NotFound):
        return False
    return target.space.kind != SpaceKind.ORGANIZATION


async def relocate(tx: Transaction, collection: Collection, space_id: UUID) -> None:
    """Put a collection into another space; a share with that space is not needed any more."""
    collection.space_id = space_id
    if collection.kind == CollectionKind.WEBSITE:
        website = await tx.get(Website, collection.id)
        if website is not None:
            website.space_id = space_id
    for share in await tx.knowledge.shares(collection.id):
        if share.space_id == space_id:
            await tx.remove(share)
    await tx.flush()
    await withdraw(tx, collection)


async def withdraw(tx: Transaction, collection: Collection) -> None:
    """Take a collection from the assistants of spaces that may not use it; all may use the organisation's."""
    own = await tx.get(Space, collection.space_id)
    if own is not None and own.kind == SpaceKind.ORGANIZATION:
        return
    shares = await tx.knowledge.shares(collection.id)
    await tx.assistants.withdraw_collection(collection.id, [collection.space_id, *(s.space_id for s in shares)])


def _resource(collection: Collection) -> Resource:
    return Resource.WEBSITE if collection.kind == CollectionKind.WEBSITE else Resource.COLLECTION


async def _owned(tx: Transaction, actor: Actor, collection_id: UUID, action: Action) -> tuple[Collection, SpaceAccess]:
    """A collection that the actor may change where it belongs."""
    collection = await tx.get(Collection, collection_id)
    missing = NotFound(N_("The collection was not found."))
    if collection is None:
        raise missing
    access = await knowledge_access(tx, actor, collection, missing)
    access.require(actor, _resource(collection), action)
    return collection, access


async def _may_take(tx: Transaction, actor: Actor, space: Space, collection: Collection) -> bool:
    try:
        access = await space_access(tx, actor, space.id)
    except NotFound:
        return False
    return Action.CREATE in access.permissions(actor, _resource(collection))


async def _may_end(tx: Transaction, actor: Actor, collection: Collection, space_id: UUID) -> bool:
    for place in (collection.space_id, space_id):
        try:
            access = await space_access(tx, actor, place)
        except NotFound:
            continue
        if Action.EDIT in access.permissions(actor, _resource(collection)):
            return True
    return False


def _tell(tx: Transaction, *space_ids: UUID) -> None:
    for space_id in space_ids:
        tx.signal(Signal(f"space:{space_id}", "collections_changed"))
        tx.signal(Signal(f"space:{space_id}", "website", {"state": "changed"}))
        tx.signal(Signal(f"space:{space_id}", "assistants_changed"))
