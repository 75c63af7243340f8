"""Whatever dies while a document is read, the document ends ready or failed with a reason, once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from redis import Redis
from sqlalchemy import text, update

from app.bootstrap import Runtime
from app.jobs.lanes import Dispatcher
from domain.jobs.entities import Job, JobState
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.knowledge.entities import DocumentState
from domain.knowledge.service import DocumentView
from domain.models.service import ProviderDraft
from storage.tables.jobs import jobs
from tests.support.provider import DIMS, Provider
from tests.support.valkey import Valkey
from tests.support.worker import WorkerProcess, until

# What does not depend on the database is tried on one of them.
ON_SQLITE = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize("place", ["postgres"], indirect=True)
PARAGRAPH = "Handläggningstiden för bygglov är högst tio veckor. "


@dataclass
class House:
    """An installation with a collection, whose embeddings come from the scripted provider."""

    runtime: Runtime
    owner: Actor
    collection_id: UUID
    provider: Provider
    redis_url: str

    async def upload(self, name: str = "bygglov.txt", pages: int = 400) -> UUID:
        """Take in a text that is embedded in several batches; its id."""

        async def stream() -> AsyncIterator[bytes]:
            for number in range(pages):
                yield f"Avsnitt {number}\n\n{PARAGRAPH * 20}\n\n".encode()

        uploaded = await self.runtime.services.knowledge.upload(self.owner, self.collection_id, name, stream())
        return uploaded.document.id

    async def upload_until_embedding(self) -> UUID:
        """Take in a text whose first embeddings are asked for, and held back until `release_embeddings`; its id."""
        self.provider.hold_embeddings()
        document_id = await self.upload()
        assert await asyncio.to_thread(self.provider.wait_for_embedding)
        return document_id

    async def view(self, document_id: UUID) -> DocumentView:
        """The document as it is now."""
        return await self.runtime.services.knowledge.document(self.owner, document_id)

    async def state(self, document_id: UUID) -> str:
        """The document's state now."""
        return (await self.view(document_id)).version.state

    async def job(self, document_id: UUID) -> Job:
        """The document's job now."""
        job_id = (await self.view(document_id)).version.job_id
        assert job_id is not None
        return await self.runtime.services.jobs.get(self.owner, job_id)

    async def reached(self, document_id: UUID, *states: str) -> None:
        """Wait until the document is in one of `states`."""

        async def there() -> bool:
            return await self.state(document_id) in states

        await until(there)

    async def let_time_pass(self, document_id: UUID) -> None:
        """The lease of the document's job has run out, and Redis has known of it for long."""
        job = await self.job(document_id)
        long_ago = now() - timedelta(minutes=5)
        async with self.runtime.database.session(self.owner.tenant_id) as session:
            expired = update(Job).where(jobs.c.id == job.id, jobs.c.state == JobState.RUNNING)
            await session.execute(
                expired.values(lease_until=long_ago), execution_options={"synchronize_session": False}
            )
            await session.commit()
        with Redis.from_url(self.redis_url) as client:
            if client.exists(f"rq:job:{job.id.hex}"):
                client.hset(f"rq:job:{job.id.hex}", "started_at", long_ago.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))

    async def ended(self, document_id: UUID, state: JobState) -> None:
        """Wait until the document's job has ended in `state`."""

        async def there() -> bool:
            return (await self.job(document_id)).state == state

        await until(there)

    async def ready_once(self, document_id: UUID) -> None:
        """The document becomes ready, and each chunk of it is stored and indexed exactly once."""
        await self.ended(document_id, JobState.DONE)
        view = await self.view(document_id)
        assert view.version.state == DocumentState.READY
        async with self.runtime.database.session(self.owner.tenant_id, write=False) as session:
            connection = await session.connection()
            index = "chunk_places" if connection.dialect.name == "sqlite" else "chunk_index"
            for table in ("chunks", index):
                count = (await connection.execute(text(f"select count(*) from {table}"))).scalar_one()
                assert count == view.version.chunk_count, table

    async def ready_by_another(self, document_id: UUID, workers: list[WorkerProcess]) -> None:
        """The lease runs out, and a new worker makes the document ready."""
        await self.let_time_pass(document_id)
        workers.append(WorkerProcess(self.runtime.settings))
        await self.ready_once(document_id)


@pytest.fixture
async def house(runtime: Runtime, owner: Actor, provider: Provider, valkey: Valkey) -> AsyncIterator[House]:
    services = runtime.services
    draft = ProviderDraft("Test", "openai_compatible", provider.url)
    models = await services.models.add_provider(owner, draft)
    model = await services.models.add_embedding_model(owner, models.id, "ok", dimensions=DIMS)
    space = await services.spaces.create(owner, "Bygg")
    collection = await services.knowledge.create_collection(owner, space.space.id, "Bygglov", model.id)
    dispatcher = Dispatcher(valkey.url, runtime.directory, services.jobs, runtime.bus)
    running = asyncio.create_task(dispatcher.run())
    yield House(runtime, owner, collection.collection.id, provider, valkey.url)
    provider.release_embeddings()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def workers(house: House) -> Iterator[list[WorkerProcess]]:
    """Worker processes that are running; ended after the test."""
    started = [WorkerProcess(house.runtime.settings)]
    yield started
    for worker in started:
        worker.kill()


async def test_killed_while_parsing(house: House, workers: list[WorkerProcess]) -> None:
    document = await house.upload()
    await house.reached(document, DocumentState.PARSING)
    workers[0].kill()
    assert await house.state(document) == DocumentState.PARSING
    await house.ready_by_another(document, workers)
    assert (await house.job(document)).attempt == 2


async def test_killed_while_embedding(house: House, workers: list[WorkerProcess]) -> None:
    document = await house.upload_until_embedding()
    workers[0].kill()
    house.provider.release_embeddings()
    assert await house.state(document) == DocumentState.INDEXING
    await house.ready_by_another(document, workers)


async def test_killed_while_storing(house: House, workers: list[WorkerProcess]) -> None:
    document = await house.upload()

    async def embedded() -> bool:
        return (await house.view(document)).version.progress > 0.96

    await until(embedded)
    workers[0].kill()
    await house.ready_by_another(document, workers)


@ON_SQLITE
async def test_only_the_work_horse_is_killed(house: House, workers: list[WorkerProcess]) -> None:
    document = await house.upload_until_embedding()
    workers[0].kill_horse()
    house.provider.release_embeddings()
    await house.let_time_pass(document)
    await house.ready_once(document)


@ON_POSTGRES
async def test_the_job_goes_on_when_only_the_worker_is_killed(house: House, workers: list[WorkerProcess]) -> None:
    document = await house.upload_until_embedding()
    workers[0].kill_parent()
    house.provider.release_embeddings()
    await house.reached(document, DocumentState.READY)
    await house.ready_once(document)
    assert (await house.job(document)).attempt == 1


@ON_SQLITE
async def test_a_redis_that_forgot_everything(house: House, valkey: Valkey) -> None:
    document = await house.upload()
    job_id = (await house.job(document)).id

    async def on_its_lane() -> bool:
        with Redis.from_url(valkey.url) as client:
            return bool(client.exists(f"rq:job:{job_id.hex}"))

    await until(on_its_lane)
    with Redis.from_url(valkey.url) as client:
        client.flushall()
    worker = WorkerProcess(house.runtime.settings)
    try:
        await house.ready_once(document)
    finally:
        worker.kill()


@ON_SQLITE
async def test_what_a_worker_has_just_taken_is_left_to_it(house: House, valkey: Valkey) -> None:
    job = await house.job(await house.upload())
    services, lane = house.runtime.services, f"rq:queue:{job.lane}"
    with Redis.from_url(valkey.url) as client:

        async def taken() -> bool:
            return client.lrem(lane, 1, job.id.hex) == 1

        await until(taken)
        await Dispatcher(valkey.url, house.runtime.directory, services.jobs, house.runtime.bus).fill()
        assert client.llen(lane) == 0
        assert client.exists(f"rq:job:{job.id.hex}")


@ON_POSTGRES
async def test_a_provider_that_fails_is_tried_again(house: House, workers: list[WorkerProcess]) -> None:
    models = await house.runtime.services.models.providers(house.owner)
    compatible = next(each for each in models if each.base_url)
    services = house.runtime.services
    model = await services.models.add_embedding_model(house.owner, compatible.id, "retry:1", dimensions=DIMS)
    space = await services.spaces.create(house.owner, "Annat")
    collection = await services.knowledge.create_collection(house.owner, space.space.id, "Annat", model.id)
    house.collection_id = collection.collection.id
    document = await house.upload(pages=2)
    await house.reached(document, DocumentState.READY)
    assert house.provider.seen.calls["retry:1"] >= 2


@ON_SQLITE
async def test_cancelled_while_embedding(house: House, workers: list[WorkerProcess]) -> None:
    document = await house.upload_until_embedding()
    await house.runtime.services.knowledge.cancel(house.owner, document)
    # The call at the provider ends as well, not only our waiting for it.
    assert await asyncio.to_thread(house.provider.wait_for_disconnect)
    await house.ended(document, JobState.CANCELLED)
    assert await house.state(document) == DocumentState.CANCELLED
    await house.runtime.services.knowledge.retry(house.owner, document)
    house.provider.release_embeddings()
    await house.ready_once(document)


async def test_a_worker_that_dies_every_time_ends_in_a_reason(house: House) -> None:
    document = await house.upload(pages=1)
    jobs_service, tenant_id = house.runtime.services.jobs, house.owner.tenant_id
    for _ in range(10):
        job = await house.job(document)
        if job.state != JobState.QUEUED:
            break
        async with house.runtime.database.session(tenant_id) as session:
            at_once = update(Job).where(jobs.c.id == job.id).values(run_after=None)
            await session.execute(at_once, execution_options={"synchronize_session": False})
            await session.commit()
        assert await jobs_service.claim(tenant_id, job.id) is not None
        await house.let_time_pass(document)
        await jobs_service.sweep()
    job, view = await house.job(document), await house.view(document)
    assert job.state == JobState.DEAD
    assert job.attempt == job.max_attempts
    assert view.version.state == DocumentState.FAILED
    assert view.version.error
