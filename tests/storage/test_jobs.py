"""Jobs as rows: claimed once, leased, retried, taking turns between tenants."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.bootstrap import Runtime
from domain.jobs.entities import Job, JobState, Lane
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import BadRequest, CorruptFile, NotFound, ProviderFailed
from storage.tables.jobs import jobs
from tests.conftest import found


async def _queued(runtime: Runtime, actor: Actor, **more: object) -> Job:
    values: dict[str, object] = {"task": "nothing", "lane": Lane.INGEST, "name": "x"}
    job = Job(tenant_id=actor.tenant_id, user_id=actor.user_id, **(values | more))  # type: ignore[arg-type]
    async with runtime.database.session(actor.tenant_id) as session:
        session.add(job)
        await session.commit()
    return job


async def _row(runtime: Runtime, job: Job) -> Job:
    async with runtime.database.session(job.tenant_id, write=False) as session:
        return (await session.scalars(select(Job).where(jobs.c.id == job.id))).one()


async def _set(runtime: Runtime, job: Job, **values: object) -> None:
    async with runtime.database.session(job.tenant_id) as session:
        statement = update(Job).where(jobs.c.id == job.id).values(**values)
        await session.execute(statement, execution_options={"synchronize_session": False})
        await session.commit()


async def test_one_of_many_gets_it(runtime: Runtime, owner: Actor) -> None:
    job = await _queued(runtime, owner)
    service = runtime.services.jobs
    taken = await asyncio.gather(*(service.claim(owner.tenant_id, job.id) for _ in range(8)))
    got = [each for each in taken if each is not None]
    assert len(got) == 1
    assert got[0].attempt == 1
    assert got[0].lease_token


async def test_a_job_that_must_wait_is_not_taken(runtime: Runtime, owner: Actor) -> None:
    job = await _queued(runtime, owner, run_after=now() + timedelta(minutes=1))
    assert await runtime.services.jobs.claim(owner.tenant_id, job.id) is None
    assert await runtime.directory.due_jobs(Lane.INGEST, 10) == []


async def test_who_lost_the_lease_changes_nothing(runtime: Runtime, owner: Actor) -> None:
    service, job = runtime.services.jobs, await _queued(runtime, owner)
    first = await service.claim(owner.tenant_id, job.id)
    assert first is not None
    assert await service.renew(first) is False
    await _set(runtime, job, lease_until=now() - timedelta(seconds=1))
    assert await service.sweep() == 1
    await _set(runtime, job, run_after=None)
    second = await service.claim(owner.tenant_id, job.id)
    assert second is not None
    assert await service.renew(first) is None
    await service.progress(first, 0.9, "late")
    await service.finish(first)
    row = await _row(runtime, job)
    assert (row.state, row.attempt, row.progress) == (JobState.RUNNING, 2, 0.0)
    await service.finish(second, "/there")
    row = await _row(runtime, job)
    assert (row.state, row.result_location, row.lease_token) == (JobState.DONE, "/there", None)


async def test_a_living_lease_is_left_alone(runtime: Runtime, owner: Actor) -> None:
    job = await _queued(runtime, owner)
    await runtime.services.jobs.claim(owner.tenant_id, job.id)
    assert await runtime.services.jobs.sweep() == 0


async def test_two_sweepers_count_one_death_once(runtime: Runtime, owner: Actor) -> None:
    service, job = runtime.services.jobs, await _queued(runtime, owner)
    await service.claim(owner.tenant_id, job.id)
    await _set(runtime, job, lease_until=now() - timedelta(seconds=1))
    counts = await asyncio.gather(*(service.sweep() for _ in range(4)))
    assert max(counts) == 1
    row = await _row(runtime, job)
    assert (row.state, row.attempt) == (JobState.QUEUED, 1)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (CorruptFile(), JobState.FAILED),
        (ProviderFailed(), JobState.QUEUED),
        (ZeroDivisionError("secret inside"), JobState.QUEUED),
    ],
)
async def test_what_can_help_is_tried_again(runtime: Runtime, owner: Actor, error: Exception, state: str) -> None:
    service, job = runtime.services.jobs, await _queued(runtime, owner)
    claimed = await service.claim(owner.tenant_id, job.id)
    assert claimed is not None
    await service.fail(claimed, error, "abc123")
    row = await _row(runtime, job)
    assert row.state == state
    assert row.error
    assert "secret" not in row.error
    if state == JobState.QUEUED:
        assert row.run_after is not None
        assert row.run_after > now()


async def test_after_all_attempts_it_is_dead_and_can_be_retried(runtime: Runtime, owner: Actor) -> None:
    service, job = runtime.services.jobs, await _queued(runtime, owner, max_attempts=2)
    waits = []
    for _ in range(2):
        claimed = await service.claim(owner.tenant_id, job.id)
        assert claimed is not None
        await service.fail(claimed, ProviderFailed(), "abc123")
        row = await _row(runtime, job)
        waits.append(row.run_after)
        await _set(runtime, job, run_after=None)
    assert (await _row(runtime, job)).state == JobState.DEAD
    await service.retry(owner, job.id)
    row = await _row(runtime, job)
    assert (row.state, row.attempt, row.error) == (JobState.QUEUED, 0, None)
    with pytest.raises(BadRequest):
        await service.retry(owner, job.id)


async def test_cancelling(runtime: Runtime, owner: Actor) -> None:
    service = runtime.services.jobs
    waiting, running = await _queued(runtime, owner), await _queued(runtime, owner)
    claimed = await service.claim(owner.tenant_id, running.id)
    assert claimed is not None
    await service.cancel(owner, waiting.id)
    await service.cancel(owner, running.id)
    assert (await _row(runtime, waiting)).state == JobState.CANCELLED
    assert (await _row(runtime, running)).state == JobState.RUNNING
    assert await service.renew(claimed) is True
    await service.cancelled(claimed)
    assert (await _row(runtime, running)).state == JobState.CANCELLED


async def test_other_people_do_not_see_it(runtime: Runtime, owner: Actor) -> None:
    job, stranger = await _queued(runtime, owner), await found(runtime, "Grannkommunen", "spion@example.org")
    for call in (runtime.services.jobs.get, runtime.services.jobs.cancel, runtime.services.jobs.retry):
        with pytest.raises(NotFound):
            await call(stranger, job.id)
    assert await runtime.services.jobs.recent(stranger) == []
    assert await runtime.services.jobs.claim(stranger.tenant_id, job.id) is None


async def test_tenants_take_turns(runtime: Runtime, owner: Actor) -> None:
    other = await found(runtime, "Grannkommunen", "spion@example.org")
    many = [(await _queued(runtime, owner)).id for _ in range(5)]
    few = [(await _queued(runtime, other)).id for _ in range(2)]
    due = [located.id for located in await runtime.directory.due_jobs(Lane.INGEST, 6)]
    assert due == [many[0], few[0], many[1], few[1], many[2], many[3]]
    assert await runtime.directory.due_jobs(Lane.INTERACTIVE, 6) == []
