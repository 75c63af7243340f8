"""Limits of providers, and the rest of models that fail, hold for all processes together, whatever becomes of Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic
from uuid import UUID

import pytest
from redis import Redis

from app.ai import board as boards
from app.ai.board import RedisBoard
from app.ai.places import RedisPlaces
from app.realtime import common
from app.realtime.bus import Bus
from domain.kernel.errors import ProviderFailed, Trouble
from domain.kernel.ids import new_id
from domain.models import capacity
from domain.models.capacity import PARALLEL, RATE, Capacity
from domain.models.entities import ModelProvider
from domain.models.health import FAILURES, LONGEST_REST, REST_SECONDS, TRIAL_SECONDS, Health
from tests.support.valkey import Valkey
from tests.support.worker import until
from tests.unit.test_model_health import Calls, provider

DOWN = ProviderFailed(trouble=Trouble.DOWN)
HOURS = 3 * 3600_000


class Process:
    """What a web process has of the limits."""

    def __init__(self, url: str) -> None:
        self.bus, self.board = Bus(url), RedisBoard(url)
        self.places = RedisPlaces(url, self.bus)
        self.capacity, self.health = Capacity(places=self.places), Health(board=self.board)
        self.everywhere: list[Everywhere] = []
        self.bus.start()

    async def die(self) -> None:
        """End without giving anything back."""
        for task in list(self.capacity._tasks):
            task.cancel()
        await self.close()

    async def close(self) -> None:
        """Disconnect."""
        await self.capacity.settle()
        await self.board.close()
        await self.places.close()
        await self.bus.close()


@pytest.fixture
async def processes(valkey: Valkey) -> AsyncIterator[list[Process]]:
    """Three of them."""
    made = [Process(valkey.url) for _ in range(3)]
    yield made
    for process in made:
        for calls in process.everywhere:
            await calls.stop()
    for process in made:
        await process.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Places of the dead are free after half a second, and nobody is away for long."""
    monkeypatch.setattr("app.ai.places.KEPT_MS", 600)
    monkeypatch.setattr("app.ai.places.LINE_MS", 600)
    monkeypatch.setattr(capacity, "KEPT_SECONDS", 0.3)
    monkeypatch.setattr(capacity, "ASK_SECONDS", 0.1)
    monkeypatch.setattr(common, "AWAY_SECONDS", 0.2)


class Everywhere:
    """Calls at all of the processes, and the most there were at once."""

    def __init__(self, processes: list[Process], called: ModelProvider) -> None:
        self.each = [Calls(process.capacity, called) for process in processes]
        processes[0].everywhere.append(self)

    async def begin(self, place: int, name: str, user_id: UUID, **more: float) -> None:
        await self.each[place].begin(name, user_id, **more)  # type: ignore[arg-type]

    @property
    def running(self) -> list[str]:
        return [name for calls in self.each for name in calls.running]

    async def end(self, name: str) -> None:
        [calls] = [calls for calls in self.each if name in calls.running]
        await calls.end(name)

    async def stop(self) -> None:
        """End all of them."""
        tasks = [task for calls in self.each for task in calls.tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def runs(self, count: int) -> list[str]:
        """Wait until so many run."""
        await until(_true(lambda: len(self.running) >= count))
        return self.running


def _true(condition: Callable[[], bool]) -> "Callable[[], object]":
    async def look() -> bool:
        return condition()

    return look


async def test_no_more_at_once_than_the_provider_takes_whatever_process_they_come_to(processes: list[Process]) -> None:
    calls = Everywhere(processes, provider(**{PARALLEL: 2}))
    await asyncio.gather(*(calls.begin(n % 3, str(n), new_id()) for n in range(12)))
    done: list[str] = []
    while len(done) < 12:
        running = await calls.runs(min(2, 12 - len(done)))
        assert len(running) <= 2
        done.append(running[0])
        await calls.end(running[0])
    assert sorted(done, key=int) == [str(n) for n in range(12)]


async def test_everybody_gets_a_turn_whatever_process_they_wait_in(processes: list[Process]) -> None:
    calls, anna, bo = Everywhere(processes, provider(**{PARALLEL: 1})), new_id(), new_id()
    await calls.begin(0, "a1", anna)
    await calls.runs(1)
    for place, name, user in ((0, "a2", anna), (0, "a3", anna), (1, "a4", anna), (2, "b1", bo), (2, "b2", bo)):
        await calls.begin(place, name, user)
        await _registered(processes[place])
    order = []
    for _ in range(6):
        [name] = await calls.runs(1)
        order.append(name[0])
        await calls.end(name)
    # Anna was in the line before Bo.
    assert "".join(order) == "aababa"


async def test_people_come_first_whatever_process_they_wait_in_and_work_never_takes_it_all(
    processes: list[Process],
) -> None:
    calls, anna = Everywhere(processes, provider(**{PARALLEL: 2, RATE: 1_000})), new_id()
    await calls.begin(0, "w1", anna, background=True, tokens=300)
    await calls.runs(1)
    for place, name, work in ((1, "w2", True), (2, "w3", True), (1, "a", False), (2, "b", False)):
        await calls.begin(place, name, anna if name == "a" else new_id(), background=work, tokens=100)
        await _registered(processes[place])
    # One of the two places is never given to work.
    assert calls.running == ["w1", "a"]
    await calls.end("w1")
    await calls.runs(2)
    assert sorted(calls.running) == ["a", "b"]
    await calls.end("a")
    await calls.runs(2)
    await calls.end("b")
    await _registered(processes[2])
    assert calls.running == ["w2"]
    # 400 of the 750 tokens that work may take are gone.
    await calls.end("w2")
    assert await calls.runs(1) == ["w3"]
    await calls.end("w3")
    await calls.begin(0, "large", anna, background=True, tokens=300)
    await _registered(processes[0])
    assert calls.running == []
    await calls.begin(1, "c", anna, tokens=300)
    assert await calls.runs(1) == ["c"]


async def _registered(process: Process) -> None:
    """Its queue has told Redis who waits."""
    queue = next(iter(process.capacity._queues.values()))
    queue.stirred.set()
    await until(_true(lambda: not queue.stirred.is_set()))
    await asyncio.sleep(0.05)


async def test_a_killed_process_holds_its_places_for_moments_only(processes: list[Process], quick: None) -> None:
    calls = Everywhere(processes, provider(**{PARALLEL: 2}))
    await calls.begin(0, "dead1", new_id())
    await calls.begin(1, "alive", new_id())
    await calls.runs(2)
    # Somebody who waits in the process that dies stands before the others.
    await calls.begin(0, "dead2", new_id())
    await _registered(processes[0])
    await processes[0].die()
    await calls.begin(2, "next", new_id())
    await until(_true(lambda: "next" in calls.running))
    # Who lives has its place much longer than one lasts without a sign of life.
    await calls.begin(2, "last", new_id())
    await asyncio.sleep(1.5)
    assert sorted(calls.running) == ["alive", "dead1", "next"]
    await calls.end("alive")
    await until(_true(lambda: "last" in calls.running))


async def test_while_redis_is_away_each_goes_on_alone_and_together_again_after(quick: None) -> None:
    server = Valkey()
    processes = [Process(server.url) for _ in range(2)]
    calls = Everywhere(processes, provider(**{PARALLEL: 1}))
    try:
        await calls.begin(0, "one", new_id())
        await calls.runs(1)
        await calls.begin(1, "two", new_id())
        await calls.begin(0, "three", new_id())
        server.kill()
        # Each keeps the limit by itself.
        assert sorted(await calls.runs(2)) == ["one", "two"]
        await calls.end("one")
        assert sorted(await calls.runs(2)) == ["three", "two"]
        server.start()
        await _held(server, 2)
        # What began meanwhile is counted.
        await calls.begin(0, "four", new_id())
        await calls.end("two")
        await asyncio.sleep(0.5)
        assert calls.running == ["three"]
        await calls.end("three")
        assert await calls.runs(1) == ["four"]
        await calls.end("four")
    finally:
        for process in processes:
            await process.close()
        server.stop()


async def _held(server: Valkey, count: int) -> None:
    """So many places are taken, as Redis knows it."""

    async def held() -> bool:
        with Redis.from_url(server.url) as client:
            [key] = [key for key in client.keys("samrad:places:*") if key.endswith(b"}")] or [b"none"]
            return client.zcount(key, client.time()[0] * 1000, "+inf") == count

    await until(held)


async def test_the_tokens_of_a_minute_are_shared(processes: list[Process]) -> None:
    called = provider(**{RATE: 100})
    calls = Everywhere(processes, called)
    await calls.begin(0, "one", new_id(), tokens=60)
    await calls.runs(1)
    await calls.begin(1, "two", new_id(), tokens=60, patience=0.7)
    with pytest.raises(ProviderFailed):
        await calls.each[1].tasks["two"]
    # Who went away stands in nobody's way.
    await calls.begin(2, "three", new_id(), tokens=40)
    assert sorted(await calls.runs(2)) == ["one", "three"]


async def test_a_clock_set_back_holds_no_place_and_no_tokens_for_hours(
    processes: list[Process], valkey: Valkey, quick: None
) -> None:
    called = provider(**{PARALLEL: 1})
    calls, key = Everywhere(processes, called), f"samrad:places:{{{called.id.hex}}}"
    with Redis.from_url(valkey.url) as client:
        ahead = client.time()[0] * 1000 + HOURS
        client.zadd(key, {"of-a-dead-process": ahead})
        client.zadd(f"{key}:here", {f"{new_id().hex}|dead": ahead})
        client.zadd(f"{key}:spent", {"call|1000000": ahead})
    await calls.begin(0, "one", new_id())
    assert await calls.runs(1) == ["one"]
    with Redis.from_url(valkey.url) as client:
        [(_, leaves)] = client.zrange(f"{key}:spent", 0, -1, withscores=True)
        assert leaves <= client.time()[0] * 1000 + 61_000


async def test_who_has_no_need_to_wait_asks_redis_once(processes: list[Process], valkey: Valkey) -> None:
    called = provider(**{PARALLEL: 2, RATE: 1_000_000})
    calls = Everywhere(processes, called)
    await calls.begin(0, "first", new_id())
    await calls.runs(1)
    with Redis.from_url(valkey.url) as client:
        before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        await calls.begin(0, "second", new_id())
        await calls.runs(2)
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 1


async def resting(processes: list[Process]) -> UUID:
    """A model that has failed at two of the processes until it rests."""
    model = new_id()
    for number in range(FAILURES):
        await processes[number % 2].health.failed(model, DOWN)
    return model


async def test_what_fails_at_one_process_rests_at_all_and_what_answers_answers_at_all(
    processes: list[Process],
) -> None:
    model = await resting(processes)
    for process in processes:
        await process.health.look()
        assert 0 < process.health.resting(model) <= REST_SECONDS
        assert await process.health.calling(model) > 0
    await processes[2].health.answers(model)
    for process in processes:
        await process.health.look()
        assert (process.health.resting(model), process.health.troubled()) == (0, {})


async def test_one_process_alone_tries_a_model_that_has_rested(
    processes: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.models.health.REST_SECONDS", 0.05)
    model = await resting(processes)
    await asyncio.gather(*(process.health.look() for process in processes))
    await until(_true(lambda: all(process.health.resting(model) == 0 for process in processes)))
    waits = await asyncio.gather(*(process.health.calling(model) for process in processes))
    assert sorted(wait > 0 for wait in waits) == [False, True, True]
    assert max(waits) == pytest.approx(TRIAL_SECONDS, abs=5)
    tries = processes[waits.index(0.0)]
    await tries.health.failed(model, DOWN)
    for process in processes:
        await process.health.look()
        [record] = process.health.troubled().values()
        assert (record.failures, record.rest) == (FAILURES + 1, 0.1)


async def test_the_rest_of_a_model_outlives_redis_and_a_clock_set_back(
    monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    server = Valkey()
    processes = [Process(server.url) for _ in range(2)]
    try:
        model = await resting(processes)
        server.kill()
        begun = monotonic()
        await processes[0].health.look()
        # Known here, and nobody waits for what is away; at the other it is counted anew.
        assert await processes[0].health.calling(model) > 0
        other = new_id()
        for _ in range(FAILURES):
            await processes[1].health.failed(other, DOWN)
        assert processes[1].health.resting(other) > 0
        assert monotonic() - begun < 2
        server.start()
        with Redis.from_url(server.url) as client:
            held = client.hget(boards.KEY, str(model)).decode()
            client.hset(boards.KEY, str(model), held.replace('"until":1', '"until":2'))

        async def shared() -> bool:
            await processes[1].health.look()
            return set(processes[1].health.troubled()) == {model}

        await until(shared)
        assert 0 < processes[1].health.resting(model) <= LONGEST_REST
        with Redis.from_url(server.url) as client:
            held = client.hget(boards.KEY, str(model)).decode()
            assert '"until":2' not in held
    finally:
        for process in processes:
            await process.close()
        server.stop()
