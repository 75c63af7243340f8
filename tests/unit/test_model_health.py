"""Models that fail are left alone for a while, and providers get no more calls than they can take."""

import asyncio
from uuid import UUID

import pytest

from domain.kernel.errors import ProviderFailed, Trouble
from domain.kernel.ids import new_id
from domain.models.capacity import PARALLEL, RATE, WINDOW, Capacity
from domain.models.entities import ModelProvider
from domain.models.health import FAILURES, LONGEST_REST, REST_SECONDS, TRIAL_SECONDS, Health


class Clock:
    """Time as the test says."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


DOWN = ProviderFailed(trouble=Trouble.DOWN)


async def failed_often(clock: Clock) -> tuple[Health, UUID]:
    health, model = Health(clock), new_id()
    for _ in range(FAILURES):
        assert health.resting(model) == 0
        await health.failed(model, DOWN)
    return health, model


async def test_a_model_that_fails_again_and_again_rests_and_is_tried_by_one_call() -> None:
    clock = Clock()
    health, model = await failed_often(clock)
    assert health.resting(model) == REST_SECONDS
    clock.now += REST_SECONDS
    assert health.resting(model) == 0
    assert await health.calling(model) == 0
    # Others wait for how this call ends.
    assert await health.calling(model) == TRIAL_SECONDS
    assert health.resting(model) == TRIAL_SECONDS
    await health.answers(model)
    assert (health.resting(model), health.troubled()) == (0, {})


async def test_each_failed_trial_doubles_the_rest_up_to_a_bound() -> None:
    clock = Clock()
    health, model = await failed_often(clock)
    rests = []
    for _ in range(8):
        rests.append(health.resting(model))
        clock.now += rests[-1]
        await health.calling(model)
        await health.failed(model, DOWN)
    assert rests[:4] == [REST_SECONDS, 2 * REST_SECONDS, 4 * REST_SECONDS, 8 * REST_SECONDS]
    assert rests[-1] == LONGEST_REST


async def test_a_trial_that_is_stopped_lets_the_next_call_try() -> None:
    clock = Clock()
    health, model = await failed_often(clock)
    clock.now += REST_SECONDS
    await health.calling(model)
    await health.left(model)
    assert health.resting(model) == 0


async def test_what_the_request_is_to_blame_for_does_not_count() -> None:
    health, model = Health(Clock()), new_id()
    for _ in range(2 * FAILURES):
        await health.failed(model, ProviderFailed(trouble=Trouble.REJECTED))
    assert health.resting(model) == 0


async def test_a_provider_that_says_when_it_wants_to_be_asked_again_is_heard() -> None:
    health, model = Health(Clock()), new_id()
    for _ in range(FAILURES):
        await health.failed(model, ProviderFailed(trouble=Trouble.BUSY, retry_after=90))
    assert health.resting(model) == 90


async def test_calls_from_before_a_model_rested_make_its_rest_no_longer_and_no_shorter() -> None:
    health, model = await failed_often(Clock())
    for _ in range(5):
        await health.failed(model, DOWN)
    assert health.resting(model) == REST_SECONDS
    await health.left(model)
    assert health.resting(model) == REST_SECONDS


def provider(**config: int) -> ModelProvider:
    return ModelProvider(tenant_id=new_id(), name="Server", type="openai_compatible", config=dict(config))


class Calls:
    """Calls of a provider that last until they are ended."""

    def __init__(self, capacity: Capacity, called: ModelProvider) -> None:
        self.capacity, self.called = capacity, called
        self.running: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(
        self, name: str, user_id: UUID, tokens: int = 10, patience: float = 60, *, background: bool = False
    ) -> None:
        self.ends[name] = asyncio.Event()

        async def call() -> None:
            async with self.capacity.place(self.called, user_id, tokens, patience, background=background):
                self.running.append(name)
                await self.ends[name].wait()
                self.running.remove(name)

        self.tasks[name] = asyncio.create_task(call())
        await self.settled()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await self.tasks[name]
        await self.settled()

    @staticmethod
    async def settled() -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def test_only_so_many_calls_at_once_and_everybody_gets_a_turn() -> None:
    calls, anna, bo = Calls(Capacity(), provider(**{PARALLEL: 1})), new_id(), new_id()
    for name, user in (("a1", anna), ("a2", anna), ("a3", anna), ("b1", bo)):
        await calls.begin(name, user)
    order = []
    while calls.running:
        [name] = calls.running
        order.append(name)
        await calls.end(name)
    # Bo came last, but does not wait for all of Anna's.
    assert order == ["a1", "a2", "b1", "a3"]


async def test_people_come_before_work_that_nobody_waits_for_which_is_shared_out_too() -> None:
    calls, anna, bo, cia = Calls(Capacity(), provider(**{PARALLEL: 1})), new_id(), new_id(), new_id()
    for name, user in (("w1", anna), ("w2", anna), ("w3", anna), ("v1", bo)):
        await calls.begin(name, user, background=True)
    await calls.begin("anna", anna)
    await calls.begin("cia", cia)
    order = []
    while calls.running:
        [name] = calls.running
        order.append(name)
        await calls.end(name)
    assert order == ["w1", "anna", "cia", "w2", "v1", "w3"]


async def test_work_that_nobody_waits_for_leaves_a_place_and_a_part_of_the_minute() -> None:
    clock = Clock()
    calls, anna = Calls(Capacity(clock), provider(**{PARALLEL: 3, RATE: 100})), new_id()
    for number in range(4):
        await calls.begin(f"w{number}", new_id(), 30, background=True)
    # The third place is for people.
    assert calls.running == ["w0", "w1"]
    await calls.begin("anna", anna, 40)
    assert calls.running == ["w0", "w1", "anna"]
    # Of the hundred tokens 60 are taken by work: the next 30 would be more than three quarters.
    await calls.end("w0")
    await calls.end("anna")
    assert calls.running == ["w1"]
    clock.now += WINDOW
    await calls.begin("bo", new_id(), 40)
    assert sorted(calls.running) == ["bo", "w1", "w2"]
    for name in ("w1", "bo", "w2", "w3"):
        await calls.end(name)


async def test_who_waits_too_long_is_told_and_who_goes_away_leaves_no_gap() -> None:
    capacity = Capacity()
    called = provider(**{PARALLEL: 1})
    calls, anna = Calls(capacity, called), new_id()
    await calls.begin("first", anna)
    await calls.begin("short", anna, patience=0.01)
    with pytest.raises(ProviderFailed) as told:
        await calls.tasks["short"]
    assert told.value.trouble is Trouble.RESTING
    await calls.begin("gone", anna)
    await calls.begin("last", anna)
    calls.tasks["gone"].cancel()
    await calls.settled()
    assert capacity.waiting(called.id) == 1
    await calls.end("first")
    assert calls.running == ["last"]
    await calls.end("last")
    assert capacity.waiting(called.id) == 0


async def test_only_so_many_tokens_a_minute() -> None:
    clock = Clock()
    calls, anna = Calls(Capacity(clock), provider(**{RATE: 100})), new_id()
    await calls.begin("one", anna, 60)
    await calls.begin("two", anna, 60)
    assert calls.running == ["one"]
    # The place is free, the minute is not over.
    await calls.end("one")
    assert calls.running == []
    clock.now += WINDOW
    await calls.begin("three", anna, 30)
    assert sorted(calls.running) == ["three", "two"]
    for name in ("two", "three"):
        await calls.end(name)


async def test_what_is_larger_than_a_minute_goes_alone() -> None:
    calls = Calls(Capacity(Clock()), provider(**{RATE: 100}))
    await calls.begin("large", new_id(), 5_000)
    assert calls.running == ["large"]
    await calls.end("large")


async def test_without_limits_nobody_waits() -> None:
    capacity, called = Capacity(), provider()
    calls = Calls(capacity, called)
    for number in range(50):
        await calls.begin(str(number), new_id())
    assert (len(calls.running), capacity.waiting(called.id)) == (50, 0)
    for name in list(calls.running):
        await calls.end(name)
