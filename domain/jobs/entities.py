"""Jobs: work that outlives a request. The row is the truth; the queue only carries its id."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.kernel import tracing
from domain.kernel.entity import Owned


class JobState(StrEnum):
    """A job's life; `dead` is failed for good after all attempts."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"


class Lane(StrEnum):
    """Queues in order of urgency."""

    INTERACTIVE = "interactive"
    INGEST = "ingest"
    MAINTENANCE = "maintenance"


@dataclass(eq=False, kw_only=True)
class Job(Owned):
    """A piece of work.

    While running it holds a lease: `lease_token` proves that the worker which writes is the one that claimed it, and
    after `lease_until` anybody may put it back. `progress` is from 0 to 1; `error` a message id with `error_params`;
    `trace` what was being done when it was queued, if traces are collected.
    """

    user_id: UUID
    task: str
    lane: str
    name: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    state: str = JobState.QUEUED
    attempt: int = 0
    max_attempts: int = 4
    run_after: datetime | None = None
    lease_token: str | None = None
    lease_until: datetime | None = None
    cancel_requested: bool = False
    progress: float = 0.0
    step: str = ""
    error: str | None = None
    error_params: dict[str, Any] = field(default_factory=dict)
    result_location: str | None = None
    finished_at: datetime | None = None
    trace: str | None = field(default_factory=tracing.carried)
