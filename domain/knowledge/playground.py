"""Trying the search: what a question finds, in which order, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from domain.assistants.access import readable_collections
from domain.classifications.approval import approved_in
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Invalid, NotFound
from domain.knowledge.explaining import Followed, follow
from domain.knowledge.filters import Filter
from domain.knowledge.retrieval import Passage
from domain.knowledge.searching import Mode, SearchService
from domain.models.rerank import rerank_in
from domain.spaces.service import space_access
from domain.transaction import UnitOfWork
from domain.usage.attribution import Attribution, attributed
from domain.usage.entities import Purpose

PASSAGES = 10


@dataclass(frozen=True, slots=True)
class Trial:
    """A search that was tried, and the passages an assistant would be given."""

    followed: Followed
    passages: Sequence[Passage]


class Playground:
    """Tries searches in the knowledge of a space, for those who may see it."""

    def __init__(self, uow: UnitOfWork, search: SearchService) -> None:
        self._uow, self._search = uow, search

    async def search(
        self,
        actor: Actor,
        space_id: UUID,
        query: str,
        *,
        collection_ids: Sequence[UUID] | None = None,
        mode: Mode = "hybrid",
        limit: int = PASSAGES,
        narrowed: Filter | None = None,
    ) -> Trial:
        """What a question finds in the collections of a space, or in some of them."""
        if not query.strip():
            raise Invalid(N_("Write what to search for."), field="query")
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            if Action.READ not in access.permissions(actor, Resource.COLLECTION):
                raise NotFound(N_("The space was not found."))
            collections = await readable_collections(tx, access.space)
        if collection_ids is not None:
            by_id = {collection.id: collection for collection in collections}
            if any(wanted not in by_id for wanted in collection_ids):
                raise NotFound(N_("The collection was not found."))
            collections = [by_id[wanted] for wanted in dict.fromkeys(collection_ids)]
        async with self._uow.read(actor.tenant_id) as tx:
            collections = await approved_in(tx, access.space, collections)
            reranker = await rerank_in(tx, access.space)
        with attributed(replace(Attribution.of(actor, Purpose.SEARCH), space_id=space_id)):
            retrieval = await self._search.in_collections(
                actor.tenant_id, query, collections, limit=limit, mode=mode, narrowed=narrowed, reranker=reranker
            )
        return Trial(follow(retrieval), retrieval.passages)
