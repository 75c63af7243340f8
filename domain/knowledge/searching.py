"""Knowledge: searching it."""

import logging
from asyncio import gather
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Literal
from uuid import UUID

from domain.assistants.access import readable_assistant, readable_collections
from domain.classifications.approval import approved_in
from domain.kernel import tracing
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Invalid, ProviderFailed
from domain.knowledge.access import collection_access
from domain.knowledge.entities import Collection
from domain.knowledge.filters import Filter
from domain.knowledge.reranking import Reranking
from domain.knowledge.retrieval import Passage, Retrieval, best, doubtful
from domain.knowledge.search import QueryVector, find_passages, find_words, leg_depth
from domain.knowledge.whole import widened
from domain.models.choice import RerankChoice
from domain.models.entities import EmbeddingModel, ModelProvider
from domain.models.rerank import rerank_in
from domain.ports import Embedder, TextHits
from domain.spaces.entities import Space
from domain.spaces.service import space_access
from domain.transaction import Transaction, UnitOfWork
from domain.usage.attribution import Attribution, attributed
from domain.usage.entities import Purpose

Embedding = tuple[EmbeddingModel, ModelProvider]
Mode = Literal["hybrid", "vector", "text"]
MAX_PASSAGES = 200
QUERY_LIMIT = 10_000
QUERY_SECONDS = 15.0
"""How long a question waits for an embedding model before only its words are sought."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SearchScope:
    """Where to search: exactly one of the three."""

    space_id: UUID | None = None
    collection_ids: Sequence[UUID] | None = None
    assistant_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class AskedVector:
    """A query as an embedding model sees it, or why it could not be asked."""

    model: EmbeddingModel
    vector: bytes = b""
    failure: ProviderFailed | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """A query as each embedding model sees it, and how long they took."""

    asked: Sequence[AskedVector]
    milliseconds: int


class SearchService:
    """Use cases of search."""

    def __init__(self, uow: UnitOfWork, embedder: Embedder, reranking: Reranking) -> None:
        self._uow, self._embedder, self.reranking = uow, embedder, reranking

    async def find(
        self,
        actor: Actor,
        query: str,
        scope: SearchScope,
        *,
        limit: int = 10,
        mode: Mode = "hybrid",
        narrowed: Filter | None = None,
    ) -> list[Passage]:
        """The best passages for a question among what the actor may read in `scope`."""
        if not query.strip():
            raise Invalid(N_("Write what to search for."), field="query")
        async with self._uow.read(actor.tenant_id) as tx:
            collections, space = await self._in_scope(tx, actor, scope)
            reranker = await rerank_in(tx, space) if space is not None else None
        who = replace(Attribution.of(actor, Purpose.SEARCH), space_id=scope.space_id, assistant_id=scope.assistant_id)
        with attributed(who):
            found = await self.in_collections(
                actor.tenant_id, query, collections, limit=limit, mode=mode, narrowed=narrowed, reranker=reranker
            )
        return found.passages

    @tracing.traced("retrieve")
    async def in_collections(
        self,
        tenant_id: UUID,
        query: str,
        collections: Sequence[Collection],
        *,
        limit: int,
        mode: Mode = "hybrid",
        narrowed: Filter | None = None,
        whole_tokens: int = 0,
        reranker: RerankChoice | None = None,
        meaning: Awaitable[Meaning] | None = None,
    ) -> Retrieval:
        """The search itself, in collections whose reading was allowed before.

        A `reranker` puts what meaning and words have found in order. With `whole_tokens` the
        documents found are given as a whole, as far as so many tokens reach. `meaning` is what the embedding models of
        the collections make of the query, where they have been asked already.
        """
        query, limit = _clean(query), max(1, min(limit, MAX_PASSAGES))
        reranker = reranker if mode == "hybrid" else None
        if not collections:
            return Retrieval(query, [])
        ids = [] if mode == "vector" else [c.id for c in collections]
        while True:
            times: dict[str, int] = {}
            # Side by side: the embedding model answers from another process.
            texts, meant = await gather(
                self._words(tenant_id, query, ids, leg_depth(limit), times),
                meaning or self.meaning(tenant_id, query, () if mode == "text" else collections),
            )
            vectors, times["embedding"] = meant.asked, meant.milliseconds
            if mode == "vector":
                for each in vectors:
                    if each.failure is not None:
                        raise each.failure
            by_meaning = [place for each in vectors for place in _places(collections, each)]
            async with self._uow.read(tenant_id) as tx:
                found = await find_passages(
                    tx, query, by_meaning, ids, limit, narrowed, texts, deep=reranker is not None
                )
                if whole_tokens and reranker is None:
                    found.passages = await widened(tx, found, whole_tokens)
                sets = await tx.knowledge.vector_sets([c.id for c in collections]) if vectors else {}
                # A collection may have got another model between the embedding of the query and the search.
                if all(sets.get(c.id, c.vector_set) == c.vector_set for c in collections):
                    break
                collections, meaning = await tx.knowledge.collections_by_id([c.id for c in collections]), None
        if reranker is not None:
            # No connection to the database waits for the model.
            await self.reranking.order(found, reranker, limit)
            if whole_tokens:
                async with self._uow.read(tenant_id) as tx:
                    found.passages = await widened(tx, found, whole_tokens)
        found.milliseconds |= {name: took + found.milliseconds.get(name, 0) for name, took in times.items()}
        found.silent = [each.model.name for each in vectors if each.failure is not None]
        found.meant = next((each.vector for each in vectors if each.failure is None), None)
        names = [each.model.name for each in vectors]
        found.unsure = mode == "hybrid" and not found.silent and doubtful(names, found.vectors, best(found.texts))
        return found

    async def wake(self, actor: Actor, collections: Sequence[Collection]) -> None:
        """Start what a first search of the collections would have to wait for."""
        if not collections:
            return
        async with self._uow.read(actor.tenant_id) as tx:
            models = await embedders_of(tx, collections)
        for _model, provider in models:
            await self._embedder.wake(provider)

    def expect(self, query: str) -> None:
        """Let the built-in model begin on what will be searched for in a moment."""
        self._embedder.expect(_clean(query))

    async def _in_scope(
        self, tx: Transaction, actor: Actor, scope: SearchScope
    ) -> tuple[list[Collection], Space | None]:
        """What is searched, and the space in which it is read, if that is one."""
        if sum(part is not None for part in (scope.space_id, scope.collection_ids, scope.assistant_id)) != 1:
            raise Invalid(N_("Give exactly one of space_id, collection_ids and assistant_id."), field="space_id")
        if scope.space_id is not None:
            access = await space_access(tx, actor, scope.space_id)
            access.require(actor, Resource.COLLECTION, Action.READ)
            return await approved_in(tx, access.space, await readable_collections(tx, access.space)), access.space
        if scope.assistant_id is not None:
            assistant, access = await readable_assistant(tx, actor, scope.assistant_id)
            ids = (await tx.assistants.collection_ids([assistant.id])).get(assistant.id, ())
            return await approved_in(tx, access.space, await tx.knowledge.collections_by_id(ids)), access.space
        ids = list(dict.fromkeys(scope.collection_ids or ()))
        found = [await collection_access(tx, actor, i, Action.READ) for i in ids]
        approved = [one for each, access in found for one in await approved_in(tx, access.space, [each])]
        spaces = {access.space.id: access.space for _each, access in found}
        return approved, next(iter(spaces.values())) if len(spaces) == 1 else None

    async def _words(
        self, tenant_id: UUID, query: str, collection_ids: Sequence[UUID], depth: int, times: dict[str, int]
    ) -> TextHits:
        if not collection_ids:
            return TextHits()
        async with self._uow.read(tenant_id) as tx:
            return await find_words(tx, query, collection_ids, depth, times)

    async def meaning(
        self, tenant_id: UUID, query: str, collections: Sequence[Collection], embedders: Sequence[Embedding] = ()
    ) -> Meaning:
        """The query as each embedding model sees it; a model that does not answer leaves its collections to the words.

        `embedders` are the models of the collections, and maybe of others, where they are known already.
        """
        began = monotonic()
        if collections and not embedders:
            async with self._uow.read(tenant_id) as tx:
                embedders = await embedders_of(tx, collections)
        wanted, asked = {c.embedding_model_id for c in collections}, []
        for model, provider in embedders:
            if model.id not in wanted:
                continue
            try:
                vectors = await self._embedder.embed(
                    tenant_id, model, [_clean(query)], "query", provider, seconds=QUERY_SECONDS
                )
                asked.append(AskedVector(model, vectors[0]))
            except ProviderFailed as failure:
                log.warning("searching by words only, because an embedding model failed: %s", failure.text())
                asked.append(AskedVector(model, failure=failure))
        return Meaning(asked, round((monotonic() - began) * 1_000))


def _clean(query: str) -> str:
    return query.strip()[:QUERY_LIMIT]


def _places(collections: Sequence[Collection], asked: AskedVector) -> list[QueryVector]:
    """Where vectors of a model are searched: in either set those collections whose present set it is."""
    of_model = [c for c in collections if c.embedding_model_id == asked.model.id and asked.failure is None]
    return [
        QueryVector([c.id for c in of_model if c.vector_set == number], asked.vector, number)
        for number in sorted({c.vector_set for c in of_model})
    ]


async def embedders_of(tx: Transaction, collections: Sequence[Collection]) -> Sequence[Embedding]:
    """The embedding models of some collections, with their providers."""
    return await tx.models.embedding_models_by_id({c.embedding_model_id for c in collections}) if collections else ()
