"""The system's clock is set forward or back by hours while jobs, answers and sign-ins are under way.

For what is kept, that is the same as if all its moments lay hours away: they are moved, on both databases. For what is
decided by the clock alone, the clock itself is.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.bootstrap import Runtime, build
from domain.conversations.entities import AnswerState, Message
from domain.jobs.entities import Job, JobState
from domain.kernel import clock
from domain.kernel.clock import now
from domain.kernel.ids import new_id
from domain.usage.entities import LEASE, ModelCall
from storage.repositories.usage import CALLS
from storage.tables.conversations import messages
from storage.tables.jobs import jobs
from tests.api.test_routing import chain, done, english
from tests.conftest import PASSWORD, Place
from tests.support.api import Api, make_collection, make_space, upload
from tests.support.provider import Provider
from tests.support.valkey import Valkey
from tests.support.worker import until

HOURS = timedelta(hours=3)


async def change(api: Api, kind: type, condition: Any, **values: Any) -> None:
    """Write what a clock that goes wrong has written."""
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        statement = update(kind).where(condition).values(**values)
        await session.execute(statement, execution_options={"synchronize_session": False})
        await session.commit()


async def queued(api: Api) -> UUID:
    """The job of a document that waits to be read."""
    client = await english(api)
    collection = await make_collection(client, await make_space(client))
    return UUID((await upload(client, collection, "a.txt", b"Avgiften till 300 kronor.")).json()["id"])


async def becomes_done(api: Api, job_id: UUID) -> None:
    async def ended() -> bool:
        await api.work()
        return (await api.runtime.services.jobs.get(api.owner, job_id)).state == JobState.DONE

    await until(ended)


async def test_a_job_that_waited_when_the_clock_was_set_back_does_not_wait_for_hours(api: Api) -> None:
    job_id = await queued(api)
    await change(api, Job, jobs.c.id == job_id, run_after=now() + timedelta(seconds=60))
    await api.work()
    assert (await api.runtime.services.jobs.get(api.owner, job_id)).state == JobState.QUEUED
    await change(api, Job, jobs.c.id == job_id, run_after=now() + HOURS)
    await becomes_done(api, job_id)


@pytest.mark.parametrize("jump", [HOURS, -HOURS], ids=["forward", "back"])
async def test_a_job_whose_worker_died_is_taken_by_another_whatever_the_clock_did(api: Api, jump: timedelta) -> None:
    service, job_id = api.runtime.services.jobs, await queued(api)
    former = await service.claim(api.owner.tenant_id, job_id)
    assert former is not None
    assert await service.sweep() == 0
    await change(api, Job, jobs.c.id == job_id, lease_until=now() - jump)
    assert await service.sweep() == 1
    # Who had it before the jump, and lives, is told that it has it no longer, and writes nothing.
    assert await service.renew(former) is None
    await service.finish(former, "/nowhere/")
    assert (await service.get(api.owner, job_id)).state == JobState.QUEUED
    await becomes_done(api, job_id)
    assert (await service.get(api.owner, job_id)).result_location != "/nowhere/"


@pytest.mark.parametrize("jump", [HOURS, -HOURS], ids=["forward", "back"])
async def test_an_answer_whose_process_died_is_closed_whatever_the_clock_did(
    api: Api, provider: Provider, jump: timedelta
) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "ok:5")
    answer = await done(client, assistant)
    path = f"/api/v1/conversations/{answer['session_id']}/"
    [message] = (await client.get(path)).json()["messages"]
    here, sweep = messages.c.id == UUID(message["id"]), api.runtime.services.conversations.sweep
    await change(api, Message, here, state=AnswerState.RUNNING, heartbeat_at=now())
    assert await sweep(0) == 0
    await change(api, Message, here, heartbeat_at=now() - jump)
    # Not at the first look: the clock may have been set a moment ago.
    assert await sweep() == 0
    assert await sweep(0) == 1
    assert await sweep(0) == 0
    [message] = (await client.get(path)).json()["messages"]
    assert (message["state"], message["answer"]) == ("interrupted", answer["text"])


@pytest.fixture
async def neighbour(api: Api, place: Place, shared_valkey: Valkey) -> AsyncIterator[Runtime]:
    """Another process of the same installation."""
    runtime = await build(place.settings(redis_url=shared_valkey.url), listen=False)
    yield runtime
    await runtime.close()


async def test_an_answer_under_way_outlives_a_clock_that_jumps_forward(
    api: Api, neighbour: Runtime, provider: Provider
) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "hang:3")
    asking = asyncio.create_task(done(client, assistant))
    conversations, sweep = api.runtime.services.conversations, neighbour.services.conversations.sweep
    assert await asyncio.to_thread(provider.wait_for_question)
    [run] = conversations.runs._runs.values()
    here = messages.c.id == run.message_id

    async def sign() -> Any:
        async with api.runtime.database.session(api.owner.tenant_id) as session:
            return await session.scalar(select(messages.c.heartbeat_at).select_from(Message).where(here))

    for _ in range(2):
        await change(api, Message, here, heartbeat_at=(jumped := now() - HOURS))
        assert await sweep() == 0

        async def lives(jumped: Any = jumped) -> bool:
            return bool(await sign() > jumped + HOURS / 2)

        await until(lives)
        assert await sweep(0) == 0
    await conversations.stop(api.owner, run.message_id)
    assert (await asking)["state"] == "stopped"


async def left(api: Api, provider: Provider) -> Any:
    """An answer whose process has given no sign of life for hours, as a condition on messages."""
    client = await english(api)
    answer = await done(client, await chain(client, provider, "ok:5"))
    here = messages.c.id == UUID(answer["id"])
    await change(api, Message, here, state=AnswerState.RUNNING, heartbeat_at=now() - HOURS)
    return here


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_several_processes_close_a_left_answer_once(api: Api, neighbour: Runtime, provider: Provider) -> None:
    await left(api, provider)
    sweeps = [each.services.conversations.sweep for each in (api.runtime, neighbour)]
    assert sum(await asyncio.gather(*(sweep(0) for sweep in sweeps for _ in range(3)))) == 1


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_a_left_answer_is_closed_while_something_that_belongs_to_it_is_written(
    api: Api, provider: Provider
) -> None:
    here = await left(api, provider)
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        # What a foreign key holds while its row is not committed.
        await session.execute(
            select(messages.c.id).select_from(Message).where(here).with_for_update(read=True, key_share=True)
        )
        assert await api.runtime.services.conversations.sweep(0) == 1


async def test_a_call_of_a_dead_process_does_not_last_for_hours_when_the_clock_was_set_back(api: Api) -> None:
    sweep = api.runtime.services.ledger.sweep
    call = ModelCall(
        tenant_id=api.owner.tenant_id, day=now().date(), kind="completion", purpose="answer", model_id=new_id(),
        model_name="m", provider_name="p", lease_until=now() + LEASE + HOURS,
    )  # fmt: skip
    async with api.runtime.database.session(api.owner.tenant_id, write=True) as session:
        session.add(call)
        await session.commit()
    # It may live: it is given the time that a call may take, counted from now.
    assert await sweep() == 0
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        [until_then] = await session.scalars(select(CALLS.lease_until).select_from(ModelCall))
    assert now() < until_then <= now() + LEASE


async def test_who_was_held_back_is_not_for_hours_when_the_clock_was_set_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, browser = _Clock(monkeypatch), api.browser()
    good = {"email": "owner@example.se", "password": PASSWORD}
    while (await browser.post("/auth/sign-in", json={**good, "password": "fel lösenord"})).status_code != 429:
        pass
    assert (await browser.post("/auth/sign-in", json=good)).status_code == 429
    system.ahead = -HOURS
    assert (await browser.post("/auth/sign-in", json=good)).status_code == 204


class _Clock:
    """The system's clock, `ahead` of what it was."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = timedelta()
        real, own = time.time, self

        class Moved(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return datetime.now(tz or UTC) + own.ahead

        monkeypatch.setattr(clock, "datetime", Moved)
        monkeypatch.setattr(time, "time", lambda: real() + own.ahead.total_seconds())


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_people_stay_signed_in_when_the_clock_is_set_and_no_longer_than_they_may(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = _Clock(monkeypatch)
    program, browser = await api.client(), api.browser()
    form = {"email": "owner@example.se", "password": PASSWORD}
    cookie = (await browser.post("/auth/sign-in", json=form)).headers["set-cookie"]
    browser.headers["cookie"] = cookie.split(";")[0]
    for ahead, good in ((-HOURS, True), (HOURS, True), (timedelta(), True), (timedelta(days=40), False)):
        system.ahead = ahead
        for client in (program, browser):
            assert ((await client.get("/api/v1/users/me/")).status_code == 200) is good, (ahead, client is program)
