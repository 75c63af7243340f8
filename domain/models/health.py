"""How the models are doing: one that fails again and again is left alone for a while (a circuit breaker; Nygard, 2018).

Where several processes run, what one of them finds holds for all: it stands on a board that they share. Each of them looks
at its own copy, so that asking costs nothing, and while the board is away each goes on with what it knows.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from secrets import token_hex
from time import monotonic
from typing import Protocol
from uuid import UUID

from domain.kernel.errors import ProviderFailed, Trouble

log = logging.getLogger(__name__)
FAILURES = 3
"""So many failures after one another, and the model rests."""
REST_SECONDS, LONGEST_REST = 15.0, 300.0
"""How long it rests at first, and at the most: each time that it fails again it rests twice as long."""
TRIAL_SECONDS = 60.0
"""So long one call may show whether it answers again, before another one tries."""
LOOK_SECONDS = 1.0
"""How often a process looks at what the others have found."""
MOST_KNOWN = 10_000
WEIGHT = 0.2
"""How much the newest first word counts in the average."""
COUNTED = frozenset(Trouble) - {Trouble.REJECTED, Trouble.RESTING}
"""What is the provider's fault and not the request's."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a model: failures after one another, how long it rests and until when; `trial`: one call tries it.

    Times are those of this process's monotonic clock. The `mark` tells this state of the record from every other.
    """

    failures: int = 0
    rest: float = 0.0
    until: float = 0.0
    trouble: Trouble = Trouble.DOWN
    trial: bool = False
    mark: str = ""


class Board(Protocol):
    """The records that all processes share. While it cannot be reached, it is as if there were this process alone."""

    async def records(self) -> Mapping[UUID, Record] | None:
        """All of them; None while they cannot be read."""

    async def swap(self, model_id: UUID, former: Record | None, record: Record | None) -> Record | None:
        """Put `record` in the place of `former` if that still stands there. What stands there now."""


class Health:
    """The records of the models. Times are in seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic, board: Board | None = None) -> None:
        self._clock, self._board = clock, board
        self._records: dict[UUID, Record] = {}
        self._waits: dict[UUID, float] = {}
        self._swaps = 0

    def resting(self, model_id: UUID) -> float:
        """How much longer the model rests; 0 when it may be called."""
        record = self._records.get(model_id)
        return max(0.0, record.until - self._clock()) if record else 0.0

    def troubled(self) -> Mapping[UUID, Record]:
        """The models that rest now, or whose trial has not ended."""
        return {model_id: record for model_id, record in self._records.items() if record.rest}

    def began(self, model_id: UUID, milliseconds: int) -> None:
        """Its first word came after so long; remembered as a moving average, by each process for itself."""
        if len(self._waits) >= MOST_KNOWN:
            self._waits.clear()
        known = self._waits.get(model_id, float(milliseconds))
        self._waits[model_id] = known + WEIGHT * (milliseconds - known)

    def wait(self, model_id: UUID) -> float | None:
        """How many milliseconds its first word takes of late; None when it has not answered yet."""
        return self._waits.get(model_id)

    async def calling(self, model_id: UUID) -> float:
        """It is to be called: how much longer it rests, 0 when it may be. If it has rested, others wait for how it ends."""
        while (record := self._records.get(model_id)) is not None and record.rest:
            seconds = self.resting(model_id)
            if seconds:
                return seconds
            trial = replace(record, until=self._clock() + TRIAL_SECONDS, trial=True)
            if await self._swap(model_id, record, trial):
                break
        return 0.0

    async def answers(self, model_id: UUID) -> None:
        """It has begun to answer."""
        while (record := self._records.get(model_id)) is not None and not await self._swap(model_id, record, None):
            pass

    async def left(self, model_id: UUID) -> None:
        """A call ended before it could show anything: the next one may."""
        record = self._records.get(model_id)
        if record is not None and record.trial:
            await self._swap(model_id, record, replace(record, until=self._clock(), trial=False))

    async def failed(self, model_id: UUID, failure: ProviderFailed) -> None:
        """It did not answer."""
        if failure.trouble not in COUNTED:
            await self.left(model_id)
            return
        while True:
            record = self._records.get(model_id)
            if record is not None and record.rest and not record.trial:
                # Called before it was left alone: that it failed is known.
                return
            if await self._swap(model_id, record, self._worse(record or Record(), failure)):
                return

    def _worse(self, record: Record, failure: ProviderFailed) -> Record:
        failures, rest, until = record.failures + 1, record.rest, 0.0
        if failures >= FAILURES:
            rest = min(LONGEST_REST, rest * 2 or REST_SECONDS)
            until = self._clock() + min(LONGEST_REST, max(rest, failure.retry_after or 0.0))
        return Record(failures, rest, until, failure.trouble)

    async def _swap(self, model_id: UUID, former: Record | None, record: Record | None) -> bool:
        """Whether the record could be changed; if not, another process was faster, and what it found is known now."""
        wanted = replace(record, mark=token_hex(8)) if record else None
        now = await self._board.swap(model_id, former, wanted) if self._board else wanted
        self._swaps += 1
        if len(self._records) >= MOST_KNOWN:
            self._records.clear()
        if now is None:
            self._records.pop(model_id, None)
        else:
            self._records[model_id] = now
        return (now.mark if now else None) == (wanted.mark if wanted else None)

    async def look(self) -> None:
        """Take over what stands on the board, unless something was changed meanwhile."""
        swaps = self._swaps
        records = await self._board.records() if self._board else None
        if records is not None and swaps == self._swaps:
            self._records = dict(records)

    async def follow(self) -> None:
        """Look for ever."""
        while self._board is not None:
            try:
                await self.look()
            except Exception:
                log.exception("what other processes know of the AI models is not read")
            await asyncio.sleep(LOOK_SECONDS)
