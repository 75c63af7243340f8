"""How an installation is doing, and what is said to everybody who uses it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.kernel.errors import N_

SHARE = 100


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """A lane of jobs: how many wait and run, and for how many seconds the first has waited."""

    lane: str
    waiting: int
    running: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class EndedJobs:
    """Jobs of a kind that have ended in the last hour: how many, and their mean time from queueing to end."""

    task: str
    state: str
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """Calls of AI providers of a kind since this process began; times in seconds."""

    type: str
    calls: int
    failures: int
    first_token_seconds: float
    last_failure: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What one process sees of the installation. None means that it is not known or does not apply."""

    version: str
    moment: datetime
    dialect: str
    database: bool
    redis: bool
    workers: int | None
    lanes: Sequence[LaneStatus]
    ended: Sequence[EndedJobs]
    streams: int
    pages: int
    providers: Sequence[ProviderStatus]
    disk_free: int
    disk_size: int
    memory: int
    connections_used: int
    connections: int
    requests: int
    errors: int
    last_backup: datetime | None
    backup_wanted: bool

    @property
    def waits_in_vain(self) -> bool:
        """Whether jobs wait although nobody works."""
        return self.workers == 0 and any(lane.waiting for lane in self.lanes)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on something is said."""

    queue_seconds: float
    disk_free: int
    error_percent: float
    backup: timedelta = timedelta(hours=26)
    least_requests: int = 20
    least_calls: int = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to look at: `message` is a message id with `params`; `key` stays the same for as long as it lasts."""

    key: str
    message: str
    params: Mapping[str, Any] = field(default_factory=dict)


DATABASE = N_("The database does not answer.")
REDIS = N_("Redis does not answer: jobs and events wait.")
NO_WORKER = N_("Jobs wait, and no worker is running.")
QUEUE = N_("The first job in the lane {lane} has waited for {minutes} minutes.")
DISK = N_("Only {gigabytes} GB are free in the data folder.")
BACKUP = N_("The last backup is too old, or there is none.")
ERRORS = N_("{percent} % of the requests of the last minutes failed.")
PROVIDER = N_("Calls of AI providers of the kind {type} fail: {count} of the last {calls}.")


def faults(status: Status, limits: Thresholds, before: Status | None = None) -> list[Fault]:
    """What is wrong; requests and calls are counted since `before`."""
    found = []
    if not status.database:
        found.append(Fault("database", DATABASE))
    if not status.redis:
        found.append(Fault("redis", REDIS))
    if status.waits_in_vain:
        found.append(Fault("workers", NO_WORKER))
    for lane in status.lanes:
        if lane.oldest_seconds > limits.queue_seconds:
            minutes = round(lane.oldest_seconds / 60)
            found.append(Fault(f"queue:{lane.lane}", QUEUE, {"lane": lane.lane, "minutes": minutes}))
    if status.disk_free < limits.disk_free:
        found.append(Fault("disk", DISK, {"gigabytes": round(status.disk_free / 1024**3, 1)}))
    if status.backup_wanted and (status.last_backup is None or status.moment - status.last_backup > limits.backup):
        found.append(Fault("backup", BACKUP))
    return found + _shares(status, limits, before)


def _shares(status: Status, limits: Thresholds, before: Status | None) -> list[Fault]:
    found = []
    requests = status.requests - (before.requests if before else 0)
    errors = status.errors - (before.errors if before else 0)
    if requests >= limits.least_requests and errors * SHARE > requests * limits.error_percent:
        percent = round(errors * SHARE / requests)
        found.append(Fault("errors", ERRORS, {"percent": percent}))
    earlier = {each.type: each for each in before.providers} if before else {}
    for each in status.providers:
        calls = each.calls - (earlier[each.type].calls if each.type in earlier else 0)
        failures = each.failures - (earlier[each.type].failures if each.type in earlier else 0)
        if calls >= limits.least_calls and failures * 2 > calls:
            params = {"type": each.type, "count": failures, "calls": calls}
            found.append(Fault(f"provider:{each.type}", PROVIDER, params))
    return found


class NoticeLevel(StrEnum):
    """How a notice looks, and whether work goes on."""

    INFO = "info"
    WARNING = "warning"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Notice:
    """A banner on all pages until `until`. During maintenance nobody but the operator gets in."""

    level: str
    text_sv: str
    text_en: str
    until: datetime

    @property
    def closed(self) -> bool:
        """Whether the product is closed."""
        return self.level == NoticeLevel.MAINTENANCE

    def text(self, language: str) -> str:
        """The text in a language; the other one where it is missing."""
        first, second = (self.text_sv, self.text_en) if language == "sv" else (self.text_en, self.text_sv)
        return first or second
