"""How much a provider can take at once: calls beyond that wait, and everybody who waits gets a turn (round robin).

People come first: what nobody waits for has its turn when nobody else waits, and never takes all that there is.

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

BEHIND = "behind:"
"""How the names of calls begin that nobody waits for, and of those who wait with such."""
LATER_WAIT = 600.0
"""Seconds that such a call waits."""
SHARE = 0.75
"""How much of a minute's tokens they get at the most; of several places they leave one."""
LEAVING = "giving a place back"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that waits for its `turn`; `tokens` is about what it takes, `who` waits: somebody, or their background work."""

    who: str
    tokens: int
    turn: "asyncio.Future[None]"
    id: str

    @property
    def behind(self) -> bool:
        """Whether nobody waits for it."""
        return self.id.startswith(BEHIND)


def call_of(user_id: UUID, tokens: int, *, background: bool) -> Call:
    """A call that has no turn yet."""
    begin = BEHIND if background else ""
    return Call(begin + user_id.hex, tokens, asyncio.get_running_loop().create_future(), begin + new_id().hex)


@dataclass(slots=True)
class Queue:
    """The calls of one provider in this process: which run, the tokens of the last minute, and who waits."""

    provider_id: UUID
    parallel: int = 0
    rate: int = 0
    running: set[str] = field(default_factory=set)
    spent: "deque[tuple[float, Call]]" = field(default_factory=deque)
    waiting: OrderedDict[str, deque[Call]] = field(default_factory=OrderedDict)
    alarm: asyncio.TimerHandle | None = None
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    asking: bool = False

    @property
    def first(self) -> list[Call]:
        """The calls whose turn is next, one for each who waits; people before background work."""
        return sorted((theirs[0] for theirs in self.waiting.values()), key=lambda call: call.behind)

    def full(self, call: Call) -> bool:
        """Whether there is no place for the call."""
        if not self.parallel:
            return False
        behind = sum(each.startswith(BEHIND) for each in self.running)
        return len(self.running) >= self.parallel or (call.behind and behind >= places_behind(self.parallel))

    def drop(self, call: Call) -> None:
        """The call waits no longer."""
        left = deque(each for each in self.waiting.get(call.who, ()) if each is not call)
        if left:
            self.waiting[call.who] = left
        else:
            self.waiting.pop(call.who, None)


def places_behind(parallel: int) -> int:
    """How many of a provider's places are given to calls that nobody waits for."""
    return max(1, parallel - 1)


def tokens_behind(rate: int) -> int:
    """How many of a minute's tokens are."""
    return int(rate * SHARE)


class Places(Protocol):
    """The places at providers that all processes share."""

    async def ask(self, queue: Queue, calls: Sequence[Call]) -> tuple[Sequence[str], float | None] | None:
        """Which of the calls, one for each who waits here, have their turn; when to ask again, if that is known.

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
        self,
        provider: ModelProvider,
        user_id: UUID,
        tokens: int,
        patience: float | None = None,
        *,
        background: bool = False,
    ) -> AsyncIterator[None]:
        """A place for a call of about so many tokens. Raises `ProviderFailed` when none comes in `patience` seconds."""
        parallel, rate = provider.config.get(PARALLEL), provider.config.get(RATE)
        if not parallel and not rate:
            yield
            return
        queue = self._queues.setdefault(provider.id, Queue(provider.id))
        queue.parallel, queue.rate = parallel or 0, rate or 0
        call = call_of(user_id, tokens, background=background)
        longest = LATER_WAIT if background else LONGEST_WAIT
        await self._turn(queue, call, longest if patience is None else patience)
        try:
            yield
        finally:
            self._ended(queue, call)
            if not (queue.running or queue.waiting or queue.spent or queue.asking):
                self._queues.pop(provider.id, None)

    async def _turn(self, queue: Queue, call: Call, patience: float) -> None:
        queue.waiting.setdefault(call.who, deque()).append(call)
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
            call = queue.first[0]
            if queue.full(call):
                return None
            wait = self._until_room(queue, call)
            if wait:
                return wait
            self._give(queue, call)
        return None

    def _give(self, queue: Queue, call: Call) -> None:
        queue.drop(call)
        if call.who in queue.waiting:
            queue.waiting.move_to_end(call.who)
        if call.turn.done():
            return
        queue.running.add(call.id)
        if queue.rate:
            queue.spent.append((self._clock(), call))
        call.turn.set_result(None)

    def _until_room(self, queue: Queue, call: Call) -> float:
        """How many seconds until the oldest call leaves the minute; 0 when it has room for this one."""
        now = self._clock()
        while queue.spent and queue.spent[0][0] <= now - WINDOW:
            queue.spent.popleft()
        spent = [each for _, each in queue.spent]
        behind = [each for each in spent if each.behind]
        if not queue.rate or (
            _fits(call, spent, queue.rate) and (not call.behind or _fits(call, behind, tokens_behind(queue.rate)))
        ):
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


def _fits(call: Call, spent: Sequence[Call], rate: int) -> bool:
    # What is larger than a whole minute goes when nothing else does.
    return not spent or sum(each.tokens for each in spent) + call.tokens <= rate
