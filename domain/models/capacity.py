"""How much a provider can take at once: calls beyond that wait, and everybody who waits gets a turn (round robin).

Each process counts its own calls: with several web processes, each may use what is given here.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

from domain.kernel.errors import N_, ProviderFailed, Trouble
from domain.models.entities import ModelProvider

WINDOW = 60.0
LONGEST_WAIT = 120.0
"""Seconds; whoever has waited so long is told that there is too much to do."""
FULL = N_("So many people are asking this AI provider that your turn did not come. Wait a moment and try again.")
PARALLEL, RATE = "max_parallel", "tokens_per_minute"
"""What a provider's options call its limits; none of them there, and it is not limited."""
Waiting = OrderedDict[UUID, "deque[tuple[int, asyncio.Future[None]]]"]


@dataclass(slots=True)
class Queue:
    """The calls of one provider: how many run, the tokens of the last minute, and who waits."""

    running: int = 0
    spent: "deque[tuple[float, int]]" = field(default_factory=deque)
    waiting: Waiting = field(default_factory=OrderedDict)
    alarm: asyncio.TimerHandle | None = None
    parallel: int | None = None
    rate: int | None = None


class Capacity:
    """The queues of the providers that this process calls."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._queues: dict[UUID, Queue] = {}

    def waiting(self, provider_id: UUID) -> int:
        """How many calls wait for the provider."""
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
        queue = self._queues.setdefault(provider.id, Queue())
        queue.parallel, queue.rate = parallel, rate
        await self._turn(queue, user_id, tokens, patience)
        try:
            yield
        finally:
            queue.running -= 1
            self._admit(queue)
            if not queue.running and not queue.waiting and not queue.spent:
                self._queues.pop(provider.id, None)

    async def _turn(self, queue: Queue, user_id: UUID, tokens: int, patience: float) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.waiting.setdefault(user_id, deque()).append((tokens, turn))
        self._admit(queue)
        try:
            async with asyncio.timeout(patience):
                await turn
        except TimeoutError as error:
            self._leave(queue, user_id, turn)
            raise ProviderFailed(FULL, trouble=Trouble.RESTING) from error
        except asyncio.CancelledError:
            self._leave(queue, user_id, turn)
            raise

    def _leave(self, queue: Queue, user_id: UUID, turn: "asyncio.Future[None]") -> None:
        if turn.done() and not turn.cancelled():
            # The place was given in the same moment: the next one gets it.
            queue.running -= 1
        else:
            left = deque(each for each in queue.waiting.pop(user_id, ()) if each[1] is not turn)
            if left:
                queue.waiting[user_id] = left
        self._admit(queue)

    def _admit(self, queue: Queue) -> None:
        """Give out the places that there are, to one caller after the other."""
        while queue.waiting:
            if queue.parallel and queue.running >= queue.parallel:
                return
            user_id, theirs = next(iter(queue.waiting.items()))
            tokens, turn = theirs[0]
            if not self._has_tokens(queue, tokens):
                return
            theirs.popleft()
            queue.waiting.move_to_end(user_id)
            if not theirs:
                del queue.waiting[user_id]
            if turn.done():
                continue
            queue.running += 1
            if queue.rate:
                queue.spent.append((self._clock(), tokens))
            turn.set_result(None)

    def _has_tokens(self, queue: Queue, tokens: int) -> bool:
        """Whether the minute has room; if not, the queue is looked at again when the oldest call leaves the minute."""
        if not queue.rate:
            return True
        now = self._clock()
        while queue.spent and queue.spent[0][0] <= now - WINDOW:
            queue.spent.popleft()
        # What is larger than a whole minute goes when nothing else does.
        if not queue.spent or sum(each for _, each in queue.spent) + tokens <= queue.rate:
            return True
        if queue.alarm is not None:
            queue.alarm.cancel()
        wait = max(0.01, queue.spent[0][0] + WINDOW - now)
        queue.alarm = asyncio.get_running_loop().call_later(wait, self._admit, queue)
        return False
