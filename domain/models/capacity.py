"""How much a provider can take at once: calls beyond that wait, and everybody who waits gets a turn (round robin).

One process keeps the queue in memory. Several share the places, the tokens of the minute and the order of turns; while
what they share is away each counts its own calls, so that limits are wider for a while but nobody waits for nothing.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol
from uuid import UUID

from domain.kernel.errors import N_, ProviderFailed, Trouble
from domain.kernel.ids import new_id
from domain.models.entities import ModelProvider

WINDOW = 60.0
LONGEST_WAIT = 120.0
"""Seconds; whoever has waited so long is told that there is too much to do."""
KEPT_SECONDS = 6.0
"""So long a place belongs to a process that gives no sign of life; it gives one three times as often."""
ASK_SECONDS = 0.5
"""How often a process that waits asks, for the case that no news of a free place reaches it."""
FULL = N_("So many people are asking this AI provider that your turn did not come. Wait a moment and try again.")
PARALLEL, RATE = "max_parallel", "tokens_per_minute"
"""What a provider's options call its limits; none of them there, and it is not limited."""

LEAVING = "giving a place back"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that waits for its `turn`; `tokens` is about what it takes."""

    user_id: UUID
    tokens: int
    turn: "asyncio.Future[None]"
    id: str = field(default_factory=lambda: new_id().hex)


@dataclass(slots=True)
class Queue:
    """The calls of one provider in this process: which run, the tokens of the last minute, and who waits."""

    provider_id: UUID
    parallel: int = 0
    rate: int = 0
    running: set[str] = field(default_factory=set)
    spent: "deque[tuple[float, int]]" = field(default_factory=deque)
    waiting: OrderedDict[UUID, deque[Call]] = field(default_factory=OrderedDict)
    alarm: asyncio.TimerHandle | None = None
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    asking: bool = False

    @property
    def first(self) -> list[Call]:
        """The calls whose turn is next, one for each user."""
        return [theirs[0] for theirs in self.waiting.values()]

    def drop(self, call: Call) -> None:
        """The call waits no longer."""
        left = deque(each for each in self.waiting.get(call.user_id, ()) if each is not call)
        if left:
            self.waiting[call.user_id] = left
        else:
            self.waiting.pop(call.user_id, None)


class Places(Protocol):
    """The places at providers that all processes share."""

    async def ask(self, queue: Queue, calls: Sequence[Call]) -> tuple[Sequence[str], float | None] | None:
        """Which of the calls, one for each user who waits here, have their turn; when to ask again, if that is known.

        None while the others cannot be reached.
        """

    async def leave(self, provider_id: UUID, call_id: str) -> None:
        """The call has ended."""

    async def keep(self, provider_id: UUID, call_ids: Sequence[str]) -> None:
        """The calls still run."""

    def hearing(self, provider_id: UUID, hear: Callable[[], object]) -> AbstractAsyncContextManager[None]:
        """Be told of each place that becomes free."""


class Capacity:
    """The queues of the providers that this process calls."""

    def __init__(self, clock: Callable[[], float] = monotonic, places: Places | None = None) -> None:
        self._clock, self._places = clock, places
        self._queues: dict[UUID, Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._keeping = False

    def waiting(self, provider_id: UUID) -> int:
        """How many calls of this process wait for the provider."""
        queue = self._queues.get(provider_id)
        return sum(map(len, queue.waiting.values())) if queue else 0

    @asynccontextmanager
    async def place(
        self, provider: ModelProvider, user_id: UUID, tokens: int, patience: float = LONGEST_WAIT
    ) -> AsyncIterator[None]:
        """A place for a call of about so many tokens. Raises `ProviderFailed` when none comes in `patience` seconds."""
        parallel, rate = provider.config.get(PARALLEL), provider.config.get(RATE)
        if not parallel and not rate:
            yield
            return
        queue = self._queues.setdefault(provider.id, Queue(provider.id))
        queue.parallel, queue.rate = parallel or 0, rate or 0
        call = Call(user_id, tokens, asyncio.get_running_loop().create_future())
        await self._turn(queue, call, patience)
        try:
            yield
        finally:
            self._ended(queue, call)
            if not (queue.running or queue.waiting or queue.spent or queue.asking):
                self._queues.pop(provider.id, None)

    async def _turn(self, queue: Queue, call: Call, patience: float) -> None:
        queue.waiting.setdefault(call.user_id, deque()).append(call)
        self._stir(queue)
        try:
            async with asyncio.timeout(patience):
                await call.turn
        except BaseException as reason:
            if call.id in queue.running:
                # The place was given in the same moment: the next one gets it.
                self._ended(queue, call)
            else:
                queue.drop(call)
                self._stir(queue)
            if isinstance(reason, TimeoutError):
                raise ProviderFailed(FULL, trouble=Trouble.RESTING) from reason
            raise

    def _ended(self, queue: Queue, call: Call) -> None:
        queue.running.discard(call.id)
        if self._places is not None:
            self._begin(self._places.leave(queue.provider_id, call.id), LEAVING)
        self._stir(queue)

    def _stir(self, queue: Queue) -> None:
        """Something has changed: see who gets a turn."""
        if self._places is None:
            self._admit(queue)
            return
        queue.stirred.set()
        if queue.waiting and not queue.asking:
            queue.asking = True
            self._begin(self._ask(queue, self._places), "asking for places")

    # Alone

    def _admit(self, queue: Queue) -> None:
        """Give out the places that there are, to one caller after the other; look again when the minute has room."""
        wait = self._give_out(queue)
        if wait is not None:
            if queue.alarm is not None:
                queue.alarm.cancel()
            queue.alarm = asyncio.get_running_loop().call_later(wait, self._admit, queue)

    def _give_out(self, queue: Queue) -> float | None:
        """The same; in how many seconds the minute has room, if it has none."""
        while queue.waiting:
            if queue.parallel and len(queue.running) >= queue.parallel:
                return None
            call = queue.first[0]
            wait = self._until_room(queue, call.tokens)
            if wait:
                return wait
            self._give(queue, call)
        return None

    def _give(self, queue: Queue, call: Call) -> None:
        queue.drop(call)
        if call.user_id in queue.waiting:
            queue.waiting.move_to_end(call.user_id)
        if call.turn.done():
            return
        queue.running.add(call.id)
        if queue.rate:
            queue.spent.append((self._clock(), call.tokens))
        call.turn.set_result(None)

    def _until_room(self, queue: Queue, tokens: int) -> float:
        """How many seconds until the oldest call leaves the minute; 0 when it has room for so many tokens."""
        now = self._clock()
        while queue.spent and queue.spent[0][0] <= now - WINDOW:
            queue.spent.popleft()
        # What is larger than a whole minute goes when nothing else does.
        if not queue.rate or not queue.spent or sum(each for _, each in queue.spent) + tokens <= queue.rate:
            return 0.0
        return max(0.01, queue.spent[0][0] + WINDOW - now)

    # Together

    async def _ask(self, queue: Queue, places: Places) -> None:
        """Ask for all who wait here until nobody does."""
        try:
            async with places.hearing(queue.provider_id, queue.stirred.set):
                while True:
                    queue.stirred.clear()
                    calls = queue.first
                    answer = await places.ask(queue, calls)
                    wait = self._answered(queue, calls, answer)
                    if not queue.waiting and (answer is None or len(answer[0]) == len(calls)):
                        # Nobody here stands in the line any more.
                        break
                    with suppress(TimeoutError):
                        async with asyncio.timeout(wait):
                            await queue.stirred.wait()
        finally:
            queue.asking = False
        if queue.waiting:
            self._stir(queue)

    def _answered(
        self, queue: Queue, calls: Sequence[Call], answer: tuple[Sequence[str], float | None] | None
    ) -> float:
        """Hand out what was given; after how many seconds to ask again."""
        if answer is None:
            wait = self._give_out(queue)
        else:
            given, wait = answer
            for call in calls:
                if call.id in given and not call.turn.done():
                    self._give(queue, call)
                elif call.id in given:
                    self._ended(queue, call)
            if len(given) and queue.waiting:
                queue.stirred.set()
        if queue.running and not self._keeping:
            self._keeping = True
            self._begin(self._keep(), "keeping places")
        return min(wait or ASK_SECONDS, ASK_SECONDS)

    async def _keep(self) -> None:
        """Give signs of life for the calls that run, until none does."""
        try:
            while self._places is not None and any(queue.running for queue in self._queues.values()):
                await asyncio.sleep(KEPT_SECONDS / 3)
                for queue in [each for each in self._queues.values() if each.running]:
                    await self._places.keep(queue.provider_id, sorted(queue.running))
        finally:
            self._keeping = False

    async def settle(self) -> None:
        """Give back the places of calls that have just ended, before the process does."""
        leaving = [task for task in self._tasks if task.get_name() == LEAVING]
        if leaving:
            await asyncio.wait(leaving, timeout=1.0)

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
