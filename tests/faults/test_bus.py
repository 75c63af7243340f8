"""News reach everybody while Redis lives, and this process's own listeners whether it lives or not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.config import Settings
from app.jobs import valkey as private
from app.jobs.worker import Supervisor
from app.realtime.bus import QUEUE_LENGTH, RESYNC, SEND_SECONDS, WAITING_NEWS, Bus
from domain.kernel.events import Signal
from tests.support.valkey import Valkey
from tests.support.worker import until


@pytest.fixture
async def buses(valkey: Valkey) -> AsyncIterator[tuple[Bus, Bus]]:
    """Two processes' buses, connected."""
    pair = Bus(valkey.url), Bus(valkey.url)
    for bus in pair:
        bus.start()
    for there, here in (pair, pair[::-1]):
        await _connected(there, here)
    yield pair
    for bus in pair:
        await bus.close()


async def _connected(there: Bus, here: Bus) -> None:
    async with here.subscribe("probe") as signals:

        async def heard() -> bool:
            await there.publish(Signal("probe", "knock"))
            try:
                async with asyncio.timeout(0.1):
                    await anext(signals)
            except TimeoutError:
                return False
            return True

        await until(heard)


async def _next(signals: AsyncIterator[Signal]) -> Signal:
    async with asyncio.timeout(10):
        return await anext(signals)


async def test_news_of_another_process(buses: tuple[Bus, Bus]) -> None:
    there, here = buses
    async with here.subscribe("space:1", "space:2") as signals:
        await there.publish(Signal("space:3", "not ours"))
        await there.publish(Signal("space:2", "changed", {"id": "å"}))
        assert await _next(signals) == Signal("space:2", "changed", {"id": "å"})


async def test_ones_own_news_come_once(buses: tuple[Bus, Bus]) -> None:
    there, here = buses
    async with here.subscribe("space:1") as signals:
        await here.publish(Signal("space:1", "first"))
        await there.publish(Signal("space:1", "second"))
        assert [(await _next(signals)).kind, (await _next(signals)).kind] == ["first", "second"]


async def test_without_redis_this_process_still_hears_itself() -> None:
    bus = Bus("unix:///nowhere/valkey.sock")
    bus.start()
    async with bus.subscribe("space:1") as signals:
        await bus.publish(Signal("space:1", "changed"))
        assert (await _next(signals)).kind == "changed"
    await bus.close()


async def test_a_redis_that_comes_back() -> None:
    server = Valkey()
    there, here = Bus(server.url), Bus(server.url)
    try:
        here.start()
        await _connected(there, here)
        server.kill()
        async with here.subscribe("space:1") as signals:
            await here.publish(Signal("space:1", "alone"))
            assert (await _next(signals)).kind == "alone"
            await there.publish(Signal("space:1", "lost"))
            server.start()
            assert (await _next(signals)).kind == RESYNC
        await _connected(there, here)
    finally:
        await there.close()
        await here.close()
        server.stop()


async def test_nobody_waits_for_a_redis_that_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    server = Valkey()
    here, there = Bus(server.url), Bus(server.url)

    async def given_up() -> bool:
        return "events do not reach other processes" in caplog.text

    try:
        there.start()
        await _connected(here, there)
        async with here.subscribe("space:1") as own, there.subscribe("space:1") as others:
            await here.publish(Signal("space:1", "first"))
            assert (await _next(others)).kind == "first"
            server.pause()
            async with asyncio.timeout(SEND_SECONDS / 2):
                await here.publish(Signal("space:1", "second"))
                await here.publish(Signal("space:1", "third"))
            await until(given_up)
            server.resume()
            # Who listens in this process does not depend on it; the others load again what they missed.
            assert [(await _next(own)).kind for _ in range(3)] == ["first", "second", "third"]
            heard = [(await _next(others)).kind]
            while heard[-1] != RESYNC:
                heard.append((await _next(others)).kind)
            assert "third" not in heard
        await _connected(here, there)
    finally:
        await here.close()
        await there.close()
        server.stop()


async def test_more_news_than_redis_takes_are_told_as_one() -> None:
    server = Valkey()
    here, there = Bus(server.url), Bus(server.url)
    try:
        there.start()
        await _connected(here, there)
        async with there.subscribe("space:1") as others:
            server.pause()
            for number in range(WAITING_NEWS + 2):
                await here.publish(Signal("space:1", f"news {number}"))
            server.resume()
            heard = [(await _next(others)).kind for _ in range(2)]
            assert RESYNC in heard
    finally:
        await here.close()
        await there.close()
        server.stop()


async def test_what_was_told_just_before_the_end_arrives(valkey: Valkey) -> None:
    here, there = Bus(valkey.url), Bus(valkey.url)
    there.start()
    await _connected(here, there)
    async with there.subscribe("space:1") as others:
        await here.publish(Signal("space:1", "last"))
        await here.close()
        assert (await _next(others)).kind == "last"
    await there.close()


async def test_who_cannot_keep_up_is_told_to_load_again() -> None:
    bus = Bus(None)
    async with bus.subscribe("space:1") as slow:
        for number in range(QUEUE_LENGTH + 1):
            await bus.publish(Signal("space:1", "changed", {"number": number}))
        assert (await _next(slow)).kind == RESYNC


async def test_nothing_is_kept_for_those_who_left() -> None:
    bus = Bus(None)
    async with bus.subscribe("space:1"):
        pass
    assert not bus._listeners


def test_a_long_data_path_has_a_short_socket(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 40)
    assert len(str(private.socket_of(data))) <= private.SOCKET_LIMIT
    assert private.socket_of(data) == private.socket_of(data)


async def test_a_server_that_ends_after_another_process_came_is_followed_by_its_own(tmp_path: Path) -> None:
    # As after a kill and a start at once: the Valkey of the former process still answers while it ends.
    former, url = private.start(tmp_path), private.url_of(tmp_path)
    supervisor = Supervisor(Settings(_env_file=None, data_dir=tmp_path), 0, [])  # type: ignore[call-arg]
    assert former is not None
    try:
        await supervisor.start()
        former.terminate()
        await asyncio.to_thread(former.wait)

        async def answers() -> bool:
            return private.answers(url)

        await until(answers)
    finally:
        await supervisor.stop()
    assert not private.answers(url)
