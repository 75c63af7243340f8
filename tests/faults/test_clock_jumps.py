"""The system's clock is set forward or back by hours while jobs, answers and sign-ins are under way.

For what is kept, that is the same as if all its moments lay hours away: they are moved, on both databases. For what is
decided by the clock alone, the clock itself is.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from domain.conversations.entities import AnswerState, Message
from domain.jobs.entities import Job, JobState
from domain.kernel import clock
from domain.kernel.clock import now
from storage.tables.conversations import messages
from storage.tables.jobs import jobs
from tests.api.test_routing import chain, done, english
from tests.conftest import PASSWORD
from tests.support.api import Api, make_collection, make_space, upload
from tests.support.provider import Provider
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
    assert await sweep() == 0
    await change(api, Message, here, heartbeat_at=now() - jump)
    assert await sweep() == 1
    [message] = (await client.get(path)).json()["messages"]
    assert (message["state"], message["answer"]) == ("interrupted", answer["text"])


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
