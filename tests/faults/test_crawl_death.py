"""A worker dies in the middle of a crawl: another one goes on with the pages that are left."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import update

from app.bootstrap import Runtime
from app.jobs.lanes import Dispatcher
from domain.jobs.entities import Job, JobState
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.models.service import ProviderDraft
from domain.websites.entities import PageState, RunState
from domain.websites.service import WebsiteView
from storage.tables.jobs import jobs
from tests.support.provider import DIMS, Provider
from tests.support.site import Site, html
from tests.support.valkey import Valkey
from tests.support.worker import WorkerProcess, until

PAGES = 12


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    paths = [f"/sida{number}" for number in range(PAGES - 1)]
    made.pages = {path: html(f"Sida {path}", f"Text om ämnet {path}.") for path in paths}
    made.pages["/"] = html("Start", "Alla sidor.", paths)
    yield made
    made.stop()


@pytest.fixture
async def added(
    runtime: Runtime, owner: Actor, provider: Provider, valkey: Valkey, site: Site
) -> AsyncIterator[WebsiteView]:
    """A website whose first crawl is dispatched; its seventh page does not answer until the gate is open."""
    services = runtime.services
    found = await services.models.add_provider(owner, ProviderDraft("Test", "openai_compatible", provider.url))
    model = await services.models.add_embedding_model(owner, found.id, "ok", dimensions=DIMS)
    space = await services.spaces.create(owner, "Bygg")
    site.gated = frozenset({"/sida6"})
    site.gate.clear()
    dispatcher = Dispatcher(valkey.url, runtime.directory, services.jobs, runtime.bus)
    running = asyncio.create_task(dispatcher.run())
    values: dict[str, Any] = {"url": site.url, "delay": 0, "concurrency": 1}
    yield await services.websites.create(owner, space.space.id, values, model.id)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_killed_while_crawling_another_worker_goes_on(
    runtime: Runtime, owner: Actor, provider: Provider, valkey: Valkey, site: Site, added: WebsiteView
) -> None:
    websites, website_id = runtime.services.websites, added.website.id
    worker = WorkerProcess(runtime.settings)
    try:
        assert await asyncio.to_thread(site.wait_until_held)
        worker.kill()
        embedded = len(provider.seen.embedded)
        assert embedded >= 7
        site.gate.set()
        await _let_time_pass(runtime, owner, valkey)
        worker = WorkerProcess(runtime.settings)

        async def done() -> bool:
            latest = (await websites.get(owner, website_id)).latest
            return latest is not None and latest.state == RunState.DONE

        await until(done, 60)
    finally:
        worker.kill()
    run = (await websites.get(owner, website_id)).latest
    assert run is not None
    assert run.counts == {PageState.ADDED: PAGES}
    # What the first one had taken was neither fetched nor embedded again, but for the page in its hands.
    assert len(provider.seen.embedded) == PAGES
    assert all(number <= 2 for path, number in site.requests.items() if path.startswith("/sida"))
    assert sum(number == 2 for path, number in site.requests.items() if path.startswith("/sida")) == 1


async def _let_time_pass(runtime: Runtime, owner: Actor, valkey: Valkey) -> None:
    """The lease of the job has run out, and Redis has known of it for long."""
    long_ago = now() - timedelta(minutes=5)
    async with runtime.database.session(owner.tenant_id) as session:
        expired = update(Job).where(jobs.c.state == JobState.RUNNING).values(lease_until=long_ago)
        found = await session.scalars(expired.returning(jobs.c.id), execution_options={"synchronize_session": False})
        ids = list(found)
        await session.commit()
    with Redis.from_url(valkey.url) as client:
        for job_id in ids:
            if client.exists(f"rq:job:{job_id.hex}"):
                client.hset(f"rq:job:{job_id.hex}", "started_at", long_ago.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
