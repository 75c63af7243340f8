"""Another embedding model for a collection, for all of a space, or wherever a model is used: use cases of people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.classifications.approval import SPACE_REFUSED, may_serve, rules_for
from domain.jobs.entities import Job, JobState, Lane
from domain.jobs.service import request_cancel
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import N_, BadRequest, Conflict, Invalid, NotApproved, NotFound
from domain.kernel.events import Change, Signal
from domain.knowledge.access import collection_access
from domain.knowledge.entities import ChangeState, Collection, CollectionKind, EmbeddingChange
from domain.knowledge.reembedding import TASK, change_ended, drop_spare, tell
from domain.knowledge.repository import Volume
from domain.models.choice import EmbeddingChoice
from domain.models.entities import EmbeddingModel
from domain.models.service import chosen_embedding, embedding_choices
from domain.ports import Embedder
from domain.spaces.service import SpaceAccess, space_access
from domain.transaction import Transaction, UnitOfWork

TRIAL = "Samråd"


@dataclass(frozen=True, slots=True)
class ChangeScope:
    """What changes its model: a collection, the collections of a space, or all that `model_id` embeds. One of the three."""

    collection_id: UUID | None = None
    space_id: UUID | None = None
    model_id: UUID | None = None

    @staticmethod
    def of(args: dict[str, Any]) -> "ChangeScope":
        """The scope as a job keeps it."""
        return ChangeScope(*(UUID(args[name]) if args.get(name) else None for name in ChangeScope.__slots__))

    def args(self) -> dict[str, Any]:
        """As a job keeps it."""
        return {name: str(getattr(self, name)) for name in ChangeScope.__slots__ if getattr(self, name)}


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """What a change would take: the collections that have another model now, and how much is embedded anew."""

    collections: Sequence[Collection]
    volume: Volume


@dataclass(frozen=True, slots=True)
class ChangeView:
    """How the change of a collection is doing."""

    change: EmbeddingChange
    collection: Collection
    model: EmbeddingModel


class EmbeddingChangeService:
    """Use cases of changes of embedding model."""

    def __init__(self, uow: UnitOfWork, embedder: Embedder) -> None:
        self._uow, self._embedder = uow, embedder

    async def offered(self, actor: Actor, scope: ChangeScope) -> list[EmbeddingChoice]:
        """The models that the scope may change to."""
        async with self._uow.read(actor.tenant_id) as tx:
            collections = (await _in_scope(tx, actor, scope))[1]
            present = {c.embedding_model_id for c in collections}
            choices = [c for c in await embedding_choices(tx) if c.usable and {c.model.id} != present]
            spaces = await tx.spaces.many({c.space_id for c in collections})
            rules = await rules_for(tx, spaces.values())
            return [c for c in choices if all(may_serve(rules, c.model, space) for space in spaces.values())]

    async def preview(self, actor: Actor, scope: ChangeScope, model_id: UUID) -> ChangePreview:
        """What a change would take."""
        async with self._uow.read(actor.tenant_id) as tx:
            choice = await chosen_embedding(tx, model_id)
            _, collections = await _in_scope(tx, actor, scope)
            affected = [c for c in collections if c.embedding_model_id != model_id]
            await _require_approved(tx, affected, choice)
            volumes = await tx.vectors.volumes([c.id for c in affected])
        return ChangePreview(affected, sum(volumes.values(), Volume()))

    async def start(self, actor: Actor, scope: ChangeScope, model_id: UUID) -> Job:
        """Begin a change. The model is tried before: one that cannot be called changes nothing."""
        async with self._uow.read(actor.tenant_id) as tx:
            choice = await chosen_embedding(tx, model_id)
            _, collections = await _in_scope(tx, actor, scope)
            await _require_approved(tx, collections, choice)
        await self._embedder.embed(actor.tenant_id, choice.model, [TRIAL], "passage", anyway=True)
        async with self._uow.begin(actor.tenant_id) as tx:
            choice = await chosen_embedding(tx, model_id)
            name, collections = await _in_scope(tx, actor, scope)
            affected = [c for c in collections if c.embedding_model_id != model_id]
            if not affected:
                raise BadRequest(N_("Everything here has this embedding model already."))
            await _require_approved(tx, affected, choice)
            job = Job(
                tenant_id=actor.tenant_id,
                user_id=actor.user_id,
                task=TASK,
                lane=Lane.MAINTENANCE,
                name=name,
                args={**scope.args(), "target_id": str(model_id)},
            )
            await tx.add(job)
            await self._begin_each(tx, job, affected, model_id)
            tx.enqueue(job)
            new = {"embedding_model": choice.model.name, "collections": len(affected)}
            entity = "collection" if scope.collection_id else "space" if scope.space_id else "embedding_model"
            target = scope.collection_id or scope.space_id or scope.model_id
            tx.record(actor, Change("embedding_model_change_started", entity, target, name, new=new))
            return job

    @staticmethod
    async def _begin_each(tx: Transaction, job: Job, collections: Sequence[Collection], model_id: UUID) -> None:
        volumes = await tx.vectors.volumes([c.id for c in collections])
        places, kept = {c.id: c for c in collections}, {}
        for change in await tx.vectors.changes(list(places)):
            if ChangeState(change.state).open:
                name = places[change.collection_id].name
                raise Conflict(
                    N_("“{name}” is changing its embedding model already. Wait for it or cancel it."), name=name
                )
            if change.state == ChangeState.FAILED and change.model_id == model_id:
                kept[change.collection_id] = change.done
            await tx.remove(change)
        changes = [
            EmbeddingChange(
                tenant_id=job.tenant_id,
                collection_id=collection.id,
                model_id=model_id,
                job_id=job.id,
                done=kept.get(collection.id, 0),
                total=volumes.get(collection.id, Volume()).chunks,
            )
            for collection in collections
        ]
        await tx.add(*changes)
        for change in changes:
            await tell(tx, change)

    async def running(self, actor: Actor, scope: ChangeScope) -> list[ChangeView]:
        """The changes that are going on, or that ended without success, in order of collections.

        Without a collection or a space: all of the organisation.
        """
        async with self._uow.read(actor.tenant_id) as tx:
            found = await _readable(tx, actor, scope)
            collections = {c.id: c for c in found}
            models = {c.model.id: c.model for c in await embedding_choices(tx)}
            changes = {c.collection_id: c for c in await tx.vectors.changes(list(collections))}
        return [
            ChangeView(changes[c.id], c, models[changes[c.id].model_id])
            for c in found
            if c.id in changes and changes[c.id].state != ChangeState.DONE
        ]

    async def give_up(self, actor: Actor, collection_id: UUID) -> None:
        """Forget a change that has failed, with the vectors that it has left for another attempt."""
        async with self._uow.begin(actor.tenant_id) as tx:
            collection, _ = await _changeable(tx, actor, collection_id)
            change = next(iter(await tx.vectors.changes([collection_id])), None)
            if change is None or ChangeState(change.state).open or change.state == ChangeState.DONE:
                raise BadRequest(N_("There is no failed change to give up."))
            await drop_spare(tx, collection)
            await tx.remove(change)
            tx.record(actor, Change("embedding_model_change_given_up", "collection", collection_id, collection.name))
            tx.signal(Signal(f"collection:{collection_id}", "embedding_change", {"id": str(collection_id)}))
            tx.signal(Signal(f"space:{collection.space_id}", "embedding_change", {"id": str(collection_id)}))
            tx.signal(Signal(f"embedding_changes:{actor.tenant_id}", "embedding_change", {"id": str(collection_id)}))

    async def cancel(self, actor: Actor, collection_id: UUID) -> Job:
        """Stop the job that changes a collection. Collections that have changed over keep their new model."""
        async with self._uow.begin(actor.tenant_id) as tx:
            collection, _ = await _changeable(tx, actor, collection_id)
            change = next(iter(await tx.vectors.changes([collection_id])), None)
            job = await tx.get(Job, change.job_id) if change and ChangeState(change.state).open else None
            if job is None or job.state not in (JobState.QUEUED, JobState.RUNNING):
                raise BadRequest(N_("There is nothing to cancel."))
            # A job for more than this collection belongs to those who may change all of it.
            await _in_scope(tx, actor, ChangeScope.of(job.args))
            await request_cancel(tx, job, {TASK: change_ended})
            tx.record(actor, Change("job_cancelled", "job", job.id, job.name or collection.name))
            tx.signal(Signal(f"collection:{collection_id}", "embedding_change", {"id": str(collection_id)}))
            return job


async def _in_scope(tx: Transaction, actor: Actor, scope: ChangeScope) -> tuple[str, list[Collection]]:
    """The name of a scope and its collections, for those who may change them."""
    if scope.collection_id is not None:
        collection, _ = await _changeable(tx, actor, scope.collection_id)
        return collection.name, [collection]
    if scope.space_id is not None:
        access = await space_access(tx, actor, scope.space_id)
        access.require(actor, Resource.COLLECTION, Action.EDIT)
        return access.space.name, list(await tx.knowledge.collections([scope.space_id]))
    if scope.model_id is None:
        raise Invalid(N_("Say what is to change its model."), field="collection_id")
    actor.require(Permission.ADMIN)
    model = await tx.get(EmbeddingModel, scope.model_id)
    if model is None:
        raise NotFound(N_("The model was not found."))
    return model.name, list(await tx.vectors.collections_of(model.id))


async def _require_approved(tx: Transaction, collections: Sequence[Collection], choice: EmbeddingChoice) -> None:
    """Raise `NotApproved` unless the model may serve all spaces that the collections are in."""
    spaces = await tx.spaces.many({c.space_id for c in collections})
    rules = await rules_for(tx, spaces.values())
    for space in spaces.values():
        if not may_serve(rules, choice.model, space):
            raise NotApproved(SPACE_REFUSED, model=choice.model.name, space=space.name)


async def _readable(tx: Transaction, actor: Actor, scope: ChangeScope) -> list[Collection]:
    if scope.collection_id is not None:
        return [(await collection_access(tx, actor, scope.collection_id, Action.READ))[0]]
    if scope.space_id is not None:
        access = await space_access(tx, actor, scope.space_id)
        access.require(actor, Resource.COLLECTION, Action.READ)
        return list(await tx.knowledge.collections([scope.space_id]))
    actor.require(Permission.ADMIN)
    if scope.model_id is not None and await tx.get(EmbeddingModel, scope.model_id) is None:
        raise NotFound(N_("The model was not found."))
    return list(await tx.vectors.changing())


async def _changeable(tx: Transaction, actor: Actor, collection_id: UUID) -> tuple[Collection, SpaceAccess]:
    """A collection whose model the actor may change; pages of websites are no exception."""
    collection, access = await collection_access(tx, actor, collection_id, Action.READ)
    website = collection.kind == CollectionKind.WEBSITE
    access.require(actor, Resource.WEBSITE if website else Resource.COLLECTION, Action.EDIT)
    return collection, access
