"""How the models are doing: one that fails again and again is left alone for a while (a circuit breaker; Nygard, 2018).

Each process keeps its own count, since each has its own way to the provider. Nothing here waits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from domain.kernel.errors import ProviderFailed, Trouble

FAILURES = 3
"""So many failures after one another, and the model rests."""
REST_SECONDS, LONGEST_REST = 15.0, 300.0
"""How long it rests at first, and at the most: each time that it fails again it rests twice as long."""
TRIAL_SECONDS = 60.0
"""So long one call may show whether it answers again, before another one tries."""
MOST_KNOWN = 10_000
WEIGHT = 0.2
"""How much the newest first word counts in the average."""
COUNTED = frozenset(Trouble) - {Trouble.REJECTED, Trouble.RESTING}
"""What is the provider's fault and not the request's."""


@dataclass(slots=True)
class Record:
    """What is known of a model: failures after one another, since when, and until when it rests."""

    failures: int = 0
    rest: float = 0.0
    until: float = 0.0
    trouble: Trouble = Trouble.DOWN


class Health:
    """The records of the models that this process calls. Times are in seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._records: dict[UUID, Record] = {}
        self._waits: dict[UUID, float] = {}

    def resting(self, model_id: UUID) -> float:
        """How much longer the model rests; 0 when it may be called."""
        record = self._records.get(model_id)
        return max(0.0, record.until - self._clock()) if record else 0.0

    def began(self, model_id: UUID, milliseconds: int) -> None:
        """Its first word came after so long; remembered as a moving average."""
        if len(self._waits) >= MOST_KNOWN:
            self._waits.clear()
        known = self._waits.get(model_id, float(milliseconds))
        self._waits[model_id] = known + WEIGHT * (milliseconds - known)

    def wait(self, model_id: UUID) -> float | None:
        """How many milliseconds its first word takes of late; None when it has not answered yet."""
        return self._waits.get(model_id)

    def calling(self, model_id: UUID) -> None:
        """It is called now: if it has rested, others wait for how that ends."""
        record = self._records.get(model_id)
        if record is not None and record.rest:
            record.until = self._clock() + TRIAL_SECONDS

    def answers(self, model_id: UUID) -> None:
        """It has begun to answer."""
        self._records.pop(model_id, None)

    def left(self, model_id: UUID) -> None:
        """A call ended before it could show anything: the next one may."""
        record = self._records.get(model_id)
        if record is not None and record.rest:
            record.until = self._clock()

    def failed(self, model_id: UUID, failure: ProviderFailed) -> None:
        """It did not answer."""
        if failure.trouble not in COUNTED:
            self.left(model_id)
            return
        if len(self._records) >= MOST_KNOWN:
            self._records.clear()
        record = self._records.setdefault(model_id, Record())
        record.failures, record.trouble = record.failures + 1, failure.trouble
        if record.failures >= FAILURES:
            record.rest = min(LONGEST_REST, record.rest * 2 or REST_SECONDS)
            record.until = self._clock() + min(LONGEST_REST, max(record.rest, failure.retry_after or 0.0))

    def troubled(self) -> Mapping[UUID, Record]:
        """The models that rest now, or whose trial has not ended."""
        return {model_id: record for model_id, record in self._records.items() if record.rest}
