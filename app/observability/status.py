"""Looking at everything at once: for the page of status, /metrics, /readyz and alerts."""

import asyncio
import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from app import __version__, scheduled_backup
from app.config import Settings
from app.jobs import valkey
from app.observability.metrics import Labels, Metrics, family
from domain.kernel.clock import now
from domain.operations.entities import EndedJobs, LaneStatus, ProviderStatus, Status
from storage.database import Database
from storage.directory import SqlDirectory

log = logging.getLogger(__name__)
ANSWER_SECONDS = 3.0
LATELY = timedelta(hours=1)
WORKER_SECONDS = 2.0


class Watcher:
    """Gathers a `Status`. Nothing here raises: what cannot be seen is said to be away."""

    def __init__(
        self, settings: Settings, database: Database, directory: SqlDirectory, metrics: Metrics, redis_url: str,
        streams: Callable[[], int],
    ) -> None:  # fmt: skip
        self._settings, self._database, self._directory = settings, database, directory
        self._metrics, self._redis_url, self._streams = metrics, redis_url, streams
        self.pages: Callable[[], int] = lambda: 0

    async def database_answers(self) -> bool:
        """Whether the database answers in time."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._directory.has_tenants()
        except Exception as error:
            log.warning("the database does not answer: %s", error)
            return False
        return True

    async def redis_answers(self) -> bool:
        """Whether Redis answers."""
        return await asyncio.to_thread(valkey.answers, self._redis_url)

    async def gather(self) -> Status:
        """Everything."""
        database, redis = await asyncio.gather(self.database_answers(), self.redis_answers())
        lanes: Sequence[LaneStatus] = ()
        ended: Sequence[EndedJobs] = ()
        if database:
            lanes, ended = await self._directory.open_jobs(), await self._directory.ended_jobs(now() - LATELY)
        workers = await asyncio.to_thread(_workers, self._redis_url) if redis else None
        disk = shutil.disk_usage(self._settings.data_dir)
        pool: Any = self._database.writer.pool
        return Status(
            version=__version__, moment=now(), dialect=self._database.dialect, database=database, redis=redis,
            workers=workers, lanes=lanes, ended=ended, streams=self._streams(), pages=self.pages(),
            providers=[
                ProviderStatus(
                    kind, found.calls, found.failures, found.first_token.sum / max(1, found.first_token.count),
                    found.last_failure,
                )
                for kind, found in sorted(self._metrics.providers.items())
            ],
            disk_free=disk.free, disk_size=disk.total, memory=_memory(),
            connections_used=pool.checkedout(), connections=pool.size(),
            requests=sum(self._metrics.statuses.values()), errors=self._metrics.errors,
            last_backup=await asyncio.to_thread(scheduled_backup.last, self._settings),
            backup_wanted=bool(self._settings.backup_schedule and self._settings.single_node),
        )  # fmt: skip


def _workers(url: str) -> int | None:
    """How many worker processes have given a sign of life lately; a killed one stays listed, what it said of itself ends."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry
    from rq import Worker

    client = Redis.from_url(
        url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=WORKER_SECONDS, socket_timeout=WORKER_SECONDS
    )
    try:
        listed = Worker.all_keys(connection=client)
        return int(client.exists(*listed)) if listed else 0
    except RedisError:
        return None
    finally:
        client.close()


def _memory() -> int:
    """Bytes of memory that this process holds."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def lines_of(status: Status) -> Iterable[str]:
    """A status as Prometheus reads it."""
    backup = status.last_backup.timestamp() if status.last_backup else None
    plain: dict[str, tuple[str, float | None]] = {
        "samrad_database_up": ("Whether the database answers.", status.database),
        "samrad_redis_up": ("Whether Redis answers.", status.redis),
        "samrad_workers": ("Worker processes that are alive.", status.workers),
        "samrad_streams": ("Answers that are being written in this process.", status.streams),
        "samrad_pages": ("Open pages of this process.", status.pages),
        "samrad_disk_free_bytes": ("Free bytes where the data folder is.", status.disk_free),
        "samrad_disk_size_bytes": ("Bytes of the disk where the data folder is.", status.disk_size),
        "samrad_memory_bytes": ("Memory of this process.", status.memory),
        "samrad_connections_used": ("Connections to the database in use.", status.connections_used),
        "samrad_connections": ("Connections to the database that are kept.", status.connections),
        "samrad_last_backup_timestamp_seconds": (
            "When the newest scheduled backup was made.", backup,
        ),
    }  # fmt: skip
    yield from family(
        "samrad_info", "gauge", "What runs.", {(("version", status.version), ("database", status.dialect)): 1}
    )
    for name, (about, value) in plain.items():
        yield from family(name, "gauge", about, {} if value is None else {(): float(value)})
    lanes = [(lane, (("lane", lane.lane),)) for lane in status.lanes]
    for name, about, attribute in (
        ("samrad_jobs_waiting", "Jobs that wait.", "waiting"),
        ("samrad_jobs_running", "Jobs that run.", "running"),
        ("samrad_jobs_oldest_seconds", "How long the first job has waited.", "oldest_seconds"),
    ):
        yield from family(name, "gauge", about, {labels: float(getattr(lane, attribute)) for lane, labels in lanes})
    ended = [(each, (("task", each.task), ("state", each.state))) for each in status.ended]
    counts: dict[Labels, float] = {labels: float(each.count) for each, labels in ended}
    yield from family("samrad_jobs_ended_last_hour", "gauge", "Jobs that ended in the last hour.", counts)
    seconds: dict[Labels, float] = {labels: each.seconds for each, labels in ended}
    yield from family("samrad_job_seconds_last_hour", "gauge", "Their mean time from queueing to end.", seconds)
