"""Reaching collections and documents: the object, if it is the actor's to know and the policy allows what is wanted."""

from uuid import UUID

from domain.classifications.approval import readable_in
from domain.kernel.access import Action, Resource, Role
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Forbidden, NotFound
from domain.knowledge.entities import Collection, CollectionKind, Document
from domain.spaces.entities import Space, SpaceKind
from domain.spaces.service import SpaceAccess, space_access
from domain.transaction import Transaction


async def knowledge_access(
    tx: Transaction, actor: Actor, collection: Collection, missing: NotFound, resource: Resource = Resource.COLLECTION
) -> SpaceAccess:
    """The actor's place where a collection is to be read: in its own space, else where it is shared, as a reader only.

    What lies in the organisation's space is everybody's to read. Raises `missing` when it is not the actor's to know.
    """
    places = [collection.space_id, *(share.space_id for share in await tx.knowledge.shares(collection.id))]
    for space_id in places:
        space = await tx.get(Space, space_id)
        if space is None:
            continue
        try:
            access = await space_access(tx, actor, space_id)
        except NotFound:
            if space.kind == SpaceKind.ORGANIZATION:
                return SpaceAccess(space, Role.EDITOR, shared=True)
            continue
        if space_id != collection.space_id and not await readable_in(tx, access.space, [collection]):
            continue
        if Action.READ in access.permissions(actor, resource):
            return SpaceAccess(space, access.role, shared=space_id != collection.space_id)
    raise missing


async def collection_access(
    tx: Transaction, actor: Actor, collection_id: UUID, action: Action, resource: Resource = Resource.COLLECTION
) -> tuple[Collection, SpaceAccess]:
    """A collection and the actor's place in its space; `NotFound` when it is not the actor's to know."""
    collection = await tx.get(Collection, collection_id)
    missing = NotFound(N_("The collection was not found."))
    if collection is None:
        raise missing
    access = await knowledge_access(tx, actor, collection, missing)
    access.require(actor, resource, action)
    if collection.kind == CollectionKind.WEBSITE and action != Action.READ:
        raise Forbidden(N_("The pages of a website are kept by its crawls."))
    return collection, access


async def document_access(
    tx: Transaction, actor: Actor, document_id: UUID, action: Action
) -> tuple[Document, Collection, SpaceAccess]:
    """A document with its collection; `NotFound` when it is not the actor's to know."""
    document = await tx.get(Document, document_id)
    missing = NotFound(N_("The document was not found."))
    if document is None:
        raise missing
    try:
        collection, access = await collection_access(tx, actor, document.collection_id, action, Resource.DOCUMENT)
    except NotFound:
        raise missing from None
    return document, collection, access
