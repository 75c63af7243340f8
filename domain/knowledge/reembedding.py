"""Changing the embedding model of a collection while people search it: what a worker does.

The vectors of the new model are stored beside the old ones. When every chunk has one and they find what they should, the
collection changes over in one transaction; then the old ones are removed. It can be begun again at any point, and goes on
where it was: also when the job has failed for good and somebody begins the same change once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.classifications.approval import require_approved
from domain.jobs.entities import Job, JobState
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Failure, NotFound
from domain.kernel.events import Change, Signal
from domain.knowledge.entities import ChangeState, Collection, EmbeddingChange
from domain.knowledge.ingestion import BATCH, Report
from domain.knowledge.repository import EmbeddedChunk
from domain.models.entities import EmbeddingModel
from domain.ports import Embedder, SearchHit
from domain.transaction import Transaction, UnitOfWork
from domain.usage.attribution import work_in_space

TASK = "change_embedding_model"
STEP = "indexing"
SAMPLE = 5
"""Chunks that must find themselves among the first `NEAREST` hits."""
NEAREST = 10
ALIKE = 0.98
"""The cosine from which on two vectors are those of the same text: models do not always give the very same numbers."""
DROPPED = 500
"""Vectors removed in one transaction."""
LOST_ITSELF = N_("“{name}” keeps its embedding model: with the new one, passages did not find themselves.")


@dataclass(frozen=True, slots=True)
class _Share:
    """The part of a job's progress that one collection is."""

    report: Report
    first: float
    size: float

    async def __call__(self, fraction: float) -> None:
        await self.report(min(0.99, self.first + self.size * fraction), STEP)


class Reembedding:
    """Carries out changes of embedding model."""

    def __init__(self, uow: UnitOfWork, embedder: Embedder) -> None:
        self._uow, self._embedder = uow, embedder

    async def run(self, job: Job, report: Report) -> None:
        """Change every collection of the job over, one after the other."""
        async with self._uow.read(job.tenant_id) as tx:
            changes = await tx.vectors.changes_of(job.id)
        total = max(1, sum(change.total for change in changes))
        before = 0
        for change in changes:
            if change.state != ChangeState.DONE:
                await self._one(job, change, _Share(report, before / total, change.total / total))
            before += change.total

    async def _one(self, job: Job, change: EmbeddingChange, share: _Share) -> None:
        async with self._uow.read(job.tenant_id) as tx:
            collection = await tx.get(Collection, change.collection_id)
            model = await tx.get(EmbeddingModel, change.model_id)
        if collection is None:
            return
        if model is None:
            raise NotFound(N_("The model was not found."))
        spare = 1 - collection.vector_set
        if change.state != ChangeState.CLEARING:
            if change.state != ChangeState.EMBEDDING:
                if not change.done:
                    # What is there may be another model's; `done` counts what a failed change to this one has left.
                    await self._clear(collection, spare)
                await self._note(change, ChangeState.EMBEDDING)
            changed = False
            while not changed:
                await self._fill(change, collection, model, share)
                await self._check(collection, model)
                changed = await self._change_over(job, change, collection, model)
            spare = collection.vector_set
        await self._clear(collection, spare)
        await self._note(change, ChangeState.DONE)

    async def _fill(
        self, change: EmbeddingChange, collection: Collection, model: EmbeddingModel, share: _Share
    ) -> None:
        """Embed until every chunk has its new vector, those that come or change meanwhile too."""
        work_in_space(collection.space_id)
        spare = 1 - collection.vector_set
        while True:
            async with self._uow.read(collection.tenant_id) as tx:
                await require_approved(tx, collection, model)
                missing = await tx.vectors.without(collection.id, spare, BATCH)
            if not missing:
                return
            vectors = await self._vectors(model, missing)
            async with self._uow.begin(collection.tenant_id) as tx:
                await tx.vectors.put(collection.id, spare, list(zip(missing, vectors, strict=True)))
                counted = await tx.vectors.count(collection.id, spare)
                current = await tx.get(EmbeddingChange, change.id)
                if current is None:
                    raise NotFound(N_("The collection was deleted."))
                current.done, current.total = counted.vectors, counted.chunks
                await tell(tx, current)
            await share(counted.vectors / max(1, counted.chunks))

    async def _vectors(self, model: EmbeddingModel, chunks: Sequence[EmbeddedChunk]) -> Sequence[bytes]:
        vectors = await self._embedder.embed(model.tenant_id, model, [chunk.text for chunk in chunks], "passage")
        if len(vectors) != len(chunks):
            raise Failure(N_("The embedding model gave the wrong number of vectors. Try again."))
        return vectors

    async def _check(self, collection: Collection, model: EmbeddingModel) -> None:
        """Let some chunks look for themselves among the new vectors; raises `Failure` when one does not find itself."""
        async with self._uow.read(collection.tenant_id) as tx:
            sample = await tx.vectors.sample(collection.id, SAMPLE)
        vectors = await self._vectors(model, sample) if sample else ()
        async with self._uow.read(collection.tenant_id) as tx:
            # Somebody may have changed or removed one meanwhile.
            same = set(await tx.vectors.again(sample))
            for chunk, vector in zip(sample, vectors, strict=True):
                hits = await tx.knowledge.search_vectors([collection.id], vector, NEAREST, 1 - collection.vector_set)
                if chunk in same and not _finds(chunk.key, hits):
                    raise Failure(LOST_ITSELF, name=collection.name)

    async def _change_over(
        self, job: Job, change: EmbeddingChange, collection: Collection, model: EmbeddingModel
    ) -> bool:
        """Let the new vectors answer from now on; False when chunks have come that have none."""
        async with self._uow.begin(collection.tenant_id) as tx:
            await tx.vectors.hold(collection.id)
            current, done = await tx.get(Collection, collection.id), await tx.get(EmbeddingChange, change.id)
            if current is None or done is None:
                raise NotFound(N_("The collection was deleted."))
            counted = await tx.vectors.count(collection.id, 1 - collection.vector_set)
            if counted.chunks != counted.vectors:
                return False
            old = await tx.get(EmbeddingModel, current.embedding_model_id)
            current.embedding_model_id, current.vector_set = model.id, 1 - collection.vector_set
            done.state, done.done, done.total = ChangeState.CLEARING, counted.vectors, counted.chunks
            names = {"embedding_model": old.name if old else None}, {"embedding_model": model.name}
            entry = Change("embedding_model_changed", "collection", current.id, current.name, *names)
            tx.record(Actor.system(job.tenant_id, job.user_id), entry)
            await tell(tx, done)
            tx.signal(Signal(f"space:{current.space_id}", "collections_changed"))
            return True

    async def _clear(self, collection: Collection, vector_set: int) -> None:
        dropped = DROPPED
        while dropped == DROPPED:
            async with self._uow.begin(collection.tenant_id) as tx:
                dropped = await tx.vectors.drop(collection.id, vector_set, DROPPED)

    async def _note(self, change: EmbeddingChange, state: ChangeState) -> None:
        async with self._uow.begin(change.tenant_id) as tx:
            current = await tx.get(EmbeddingChange, change.id)
            if current is not None:
                current.state, current.error, current.error_params = state, None, {}
                await tell(tx, current)


def _finds(key: int, hits: Sequence[SearchHit]) -> bool:
    """Whether a chunk is among its nearest; or so many others say the same that it may not be."""
    alike = [hit.key for hit in hits if hit.score >= ALIKE]
    return key in alike or len(alike) == NEAREST


async def change_ended(tx: Transaction, job: Job) -> None:
    """The side of the collections of a job that ended without success: they keep the model that answers now."""
    if job.state == JobState.DONE:
        return
    for change in await tx.vectors.changes_of(job.id):
        collection = await tx.get(Collection, change.collection_id)
        if collection is None or not ChangeState(change.state).open:
            continue
        if not _may_go_on(job, change):
            await drop_spare(tx, collection)
            change.done = 0 if change.state != ChangeState.CLEARING else change.done
        if change.state == ChangeState.CLEARING:
            change.state = ChangeState.DONE
        else:
            change.state = ChangeState.CANCELLED if job.state == JobState.CANCELLED else ChangeState.FAILED
            change.error, change.error_params = job.error, dict(job.error_params)
        await tell(tx, change)


def _may_go_on(job: Job, change: EmbeddingChange) -> bool:
    """Whether the new vectors are kept for another attempt: not when somebody gave them up, or they found nothing."""
    return job.state != JobState.CANCELLED and change.state != ChangeState.CLEARING and job.error != LOST_ITSELF


async def drop_spare(tx: Transaction, collection: Collection) -> None:
    """Remove the vectors that do not answer."""
    await tx.vectors.hold(collection.id)
    while await tx.vectors.drop(collection.id, 1 - collection.vector_set, DROPPED):
        pass


async def tell(tx: Transaction, change: EmbeddingChange) -> None:
    """Tell the watching pages how a change is doing."""
    collection = await tx.get(Collection, change.collection_id)
    data = {"id": str(change.collection_id), "state": change.state, "done": change.done, "total": change.total}
    topics = [f"embedding_changes:{change.tenant_id}", f"collection:{change.collection_id}"]
    for topic in [*topics, *([f"space:{collection.space_id}"] if collection else [])]:
        tx.signal(Signal(topic, "embedding_change", data))
