"""Several web processes and workers on one Postgres and one Valkey are one product, also while they are killed."""

import asyncio
import random
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from domain.knowledge import intake
from domain.models.capacity import PARALLEL
from domain.models.health import FAILURES
from domain.websites import crawling
from tests.support.browser import in_thread, ready, sign_in
from tests.support.houses import House, ManyHouse
from tests.support.people import Answer, Person, Record, add_model
from tests.support.provider import Provider
from tests.support.worker import until

WORDS = 80
KILLING_SECONDS = 15
EVENT_MS = 30_000
KNOWN_SECONDS, CLOSED_SECONDS = 5.0, 40.0


@pytest.fixture(scope="module")
def house() -> Iterator[ManyHouse]:
    """Two web processes and two workers."""
    made = ManyHouse(2, 2)
    try:
        in_thread(made.ready())
        yield made
    finally:
        made.close()


async def person(house: House, number: int, model: str | None = None) -> Person:
    """Somebody with a space of their own and a document that is ready."""
    made = Person(number, house.urls, Record())
    await made.prepare(model)
    await made.upload()
    while made.waiting:
        await made.look_at_document()
        await asyncio.sleep(0.1)
    return made


def test_a_stream_goes_on_at_another_process_to_the_same_text(house: House, provider: Provider) -> None:
    async def through() -> None:
        model = await add_model(house.urls[0], provider, f"rate:60:{WORDS}")
        here, there = house.urls
        asking = await person(house, 1, model)
        answer = await asking.begin("Berätta om altan", at=here, words=10)
        assert 10 <= len(answer.text.split()) < WORDS
        await asking.read_on(answer, at=there)
        again = await asking.begin("Berätta om altan igen", at=there)
        assert (answer.state, again.state) == ("done", "done")
        assert len(answer.text.split()) == len(again.text.split()) == WORDS
        # What each process stores is what was read at the other.
        await asking.settle(10)
        assert not asking.record.wrong
        assert not asking.record.trouble
        await asking.leave()

    in_thread(through())


def test_a_provider_gets_no_more_at_once_than_it_takes_from_all_processes_together(
    house: House, provider: Provider
) -> None:
    async def through() -> None:
        model = await add_model(house.urls[0], provider, "rate:20:8", **{PARALLEL: 2})
        asking = Person(5, house.urls, Record())
        await asking.prepare(model)
        provider.reset()
        answers = await asyncio.gather(*(asking.begin("Hej?", at=house.urls[n % 2]) for n in range(12)))
        assert {answer.state for answer in answers} == {"done"}
        assert (provider.seen.most_open, provider.seen.calls["rate:20:8"]) == (2, 12)
        await asking.leave()

    in_thread(through())


def test_a_model_that_fails_at_one_process_is_left_alone_by_the_other(house: House, provider: Provider) -> None:
    async def through() -> None:
        here, there = house.urls
        model = await add_model(here, provider, "err:500")
        asking = Person(6, house.urls, Record())
        await asking.prepare(model)
        while not await _resting(asking, here):
            assert (await asking.begin("Hej?", at=here)).state == "failed"
        begun = time.monotonic()
        while not await _resting(asking, there):
            assert time.monotonic() < begun + KNOWN_SECONDS
            await asyncio.sleep(0.1)
        assert (await asking.begin("Hej?", at=there)).state == "failed"
        assert provider.seen.calls["err:500"] == FAILURES
        await asking.leave()

    in_thread(through())


async def _resting(asking: Person, url: str) -> bool:
    return bool(await asking.send("GET", "/api/v1/completion-models/health/", at=url))


def test_news_reach_the_browser_that_is_at_another_process(house: House, page: Page) -> None:
    here, there = house.urls
    made = in_thread(_prepared(house, 2))
    sign_in(page, here)
    page.goto(f"{here}/collections/{made.collection}")
    ready(page)
    in_thread(_upload(made, there))
    expect(page.get_by_role("listitem").filter(has_text="handbok-1").get_by_text("Klart")).to_be_visible(
        timeout=EVENT_MS
    )
    page.goto(f"{here}/spaces/{made.space}/assistants")
    ready(page)
    path = f"/api/v1/spaces/{made.space}/applications/assistants/"
    in_thread(_once(made, "POST", path, there, json={"name": "Den nya hjälpen"}))
    expect(page.get_by_role("main").get_by_text("Den nya hjälpen").first).to_be_visible(timeout=EVENT_MS)


async def _prepared(house: House, number: int) -> Person:
    made = Person(number, house.urls, Record())
    await made.prepare()
    await made.leave()
    return made


async def _upload(made: Person, url: str) -> None:
    made.urls = [url]
    await made.upload()
    await made.leave()


async def _once(made: Person, method: str, path: str, url: str, **more: object) -> None:
    await made.send(method, path, at=url, **more)
    await made.leave()


def test_workers_take_only_the_lanes_that_they_are_given(house: House) -> None:
    for program in house.programs[house.webs :]:
        program.kill()
    del house.programs[house.webs :]

    async def through() -> None:
        asking = await _prepared(house, 7)
        await asking.upload()
        body = {"url": "http://127.0.0.1:9/", "update_interval": "never"}
        path = f"/api/v1/spaces/{asking.space}/knowledge/websites/"
        await asking.send("POST", path, json=body)
        house.add("worker8", ["worker", "--count", "1", "--lanes", "maintenance"])
        await until(lambda: _ended(asking, crawling.TASK))
        assert not await _ended(asking, intake.TASK)
        house.add("worker9", ["worker", "--count", "1", "--lanes", "interactive,ingest"])
        await asking.settle(30)
        assert not asking.record.wrong
        await asking.leave()

    in_thread(through())


async def _ended(asking: Person, task: str) -> bool:
    """Whether the newest job of a kind has."""
    jobs = (await asking.send("GET", "/api/v1/jobs/"))["items"]
    found = [job["finished_at"] for job in sorted(jobs, key=lambda job: job["created_at"]) if job["task"] == task]
    return bool(found and found[-1])


def test_answers_of_a_killed_process_are_kept_and_those_of_others_come_to_their_end(
    house: House, provider: Provider
) -> None:
    async def through() -> None:
        here, there = house.urls
        asking = Person(8, house.urls, Record())
        await asking.prepare(await add_model(here, provider, f"rate:20:{WORDS}"))
        answers = await asyncio.gather(
            *(asking.begin("Hej?", at=url, words=10) for url in house.urls for _ in range(3)),
        )
        house.programs[0].kill()
        begun = time.monotonic()
        await asyncio.gather(*(asking.read_on(answer, at=there) for answer in answers))
        assert [answer.state for answer in answers] == ["interrupted"] * 3 + ["done"] * 3
        assert time.monotonic() - begun < CLOSED_SECONDS
        # Whoever was reading has lost nothing, and goes on where it ended.
        await asyncio.gather(*(_go_on(asking, answer, there) for answer in answers[:3]))
        house.programs[0].start()
        await house.ready()
        await asking.settle(30)
        assert not asking.record.wrong
        await asking.leave()

    in_thread(through())


async def _go_on(asking: Person, answer: Answer, url: str) -> None:
    messages = (await asking.send("GET", f"/api/v1/conversations/{answer.session}/"))["messages"]
    [kept] = [each["answer"] for each in messages if each["id"] == answer.id]
    # What came in the last second before the kill was read, but not kept.
    assert answer.text.startswith(kept)
    answer.text, answer.state = kept, ""
    path = f"/api/v1/conversations/{answer.session}/messages/{answer.id}/continue/"
    async for name, data, offset in asking.events("POST", path, url):
        asking.heard(answer, name, data, offset, None)
    assert answer.state == "done"
    assert len(answer.text.split()) >= WORDS


def test_what_is_started_before_its_database_waits_for_it(house: ManyHouse) -> None:
    web, worker = house.programs[0], house.programs[-1]
    house.hand.submit(house.database.kill).result()
    told = {}
    for program in (web, worker):
        program.kill()
        told[program] = program.log.stat().st_size
        program.start()

    async def waits() -> bool:
        return all(b"Waiting for the database" in each.log.read_bytes()[at:] for each, at in told.items())

    async def through() -> None:
        await until(waits)
        house.hand.submit(house.database.start).result()
        await house.ready()
        assert all(program.process.poll() is None for program in told)
        asking = await person(house, 9)
        await asking.settle(30)
        assert not asking.record.wrong
        await asking.leave()

    in_thread(through())


@pytest.mark.timeout(240)
def test_nothing_promised_is_lost_while_processes_are_killed(house: House, provider: Provider) -> None:
    async def through() -> None:
        # One of them asks a model that takes its time, so that there is always an answer under way.
        slow = await add_model(house.urls[0], provider, "rate:20:40")
        people = await asyncio.gather(person(house, 3), person(house, 4, slow))
        until = time.monotonic() + KILLING_SECONDS
        killing = asyncio.create_task(_kill(house, until))
        await asyncio.gather(*(each.work(until, 0.3) for each in people))
        await killing
        await house.ready()
        await asyncio.gather(*(each.settle(90) for each in people))
        assert not [line for each in people for line in each.record.wrong]
        assert all(each.answers and each.known for each in people)
        await asyncio.gather(*(each.leave() for each in people))

    in_thread(through())
    assert "whole and unaltered" in house.command("audit", "verify").stdout


async def _kill(house: House, until: float) -> None:
    accidents = house.accidents()
    kinds = random.sample(list(accidents), len(accidents))
    for name in kinds:
        if time.monotonic() > until:
            return
        await asyncio.get_running_loop().run_in_executor(house.hand, accidents[name])
        await asyncio.sleep(1)
