"""Tags for many documents at once."""

from collections.abc import Sequence
from uuid import UUID

from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Invalid, NotFound
from domain.kernel.events import Change, Signal
from domain.knowledge.access import collection_access
from domain.knowledge.entities import Document
from domain.knowledge.filters import MOST_TAGS, clean_tags
from domain.transaction import Transaction, UnitOfWork

MOST_DOCUMENTS = 500


class TaggingService:
    """Use case of those who may change the documents of a collection."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def change(
        self,
        actor: Actor,
        collection_id: UUID,
        document_ids: Sequence[UUID],
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> int:
        """Give documents of a collection tags and take others from them: all of them or none. How many have changed."""
        added, removed = clean_tags(add), {tag.casefold() for tag in clean_tags(remove)}
        wanted = set(document_ids)
        async with self._uow.begin(actor.tenant_id) as tx:
            await collection_access(tx, actor, collection_id, Action.EDIT, Resource.DOCUMENT)
            if not 1 <= len(wanted) <= MOST_DOCUMENTS:
                text = N_("Choose between 1 and {limit} documents.")
                raise Invalid(text, field="info_blob_ids", limit=MOST_DOCUMENTS)
            found = await tx.knowledge.documents_by_id(collection_id, wanted)
            if len(found) < len(wanted):
                raise NotFound(N_("One of the documents was not found. Load the page again."), field="info_blob_ids")
            if not added and not removed:
                raise Invalid(N_("Name at least one tag to add or to take away."), field="add")
            changed = [document for document in found if self._retag(tx, actor, document, added, removed)]
            if changed:
                tx.signal(Signal(f"collection:{collection_id}", "documents_changed"))
        return len(changed)

    @staticmethod
    def _retag(tx: Transaction, actor: Actor, document: Document, added: Sequence[str], removed: set[str]) -> bool:
        """Whether the tags of the document have become others."""
        old = list(document.tags)
        kept = [tag for tag in old if tag.casefold() not in removed]
        held = {tag.casefold() for tag in kept}
        tags = kept + [tag for tag in added if tag.casefold() not in held]
        if tags == old:
            return False
        if len(tags) > MOST_TAGS:
            text = N_("“{name}” would have more than {limit} tags. Take some from it first.")
            raise Invalid(text, field="add", name=document.title, limit=MOST_TAGS)
        document.tags = tags
        change = Change(
            "document_updated", "document", document.id, document.title, old={"tags": old}, new={"tags": tags}
        )
        tx.record(actor, change)
        return True
