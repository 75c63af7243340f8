"""Putting jobs on their lanes. A lane holds few jobs at a time, chosen so that the tenants take turns."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from app.realtime.bus import Bus
from domain.jobs.entities import Lane
from domain.jobs.service import JobService
from domain.kernel.events import Signal
from domain.ports import Directory, Located

log = logging.getLogger(__name__)
WAKE = "jobs:wake"
"""Topic of the news that a job was queued."""
LANE_LENGTH = 6
"""Jobs that wait in a lane at the most: the fewer, the sooner another tenant's turn comes."""
POLL_SECONDS = 1.0
SWEEP_SECONDS = 2.0
TIMEOUT_SECONDS = 4 * 3600
STARTING_SECONDS = 20.0
"""A worker that has taken a job from its lane claims the row within this time, or it is dead."""


def connect(url: str) -> Any:
    """A Redis connection that outlives short failures of the server."""
    from redis import ConnectionError as Lost
    from redis import Redis
    from redis import TimeoutError as TooSlow
    from redis.backoff import ExponentialBackoff
    from redis.retry import Retry

    return Redis.from_url(
        url,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), 60),
        retry_on_error=[Lost, TooSlow],
        health_check_interval=15,
    )


class Dispatcher:
    """Keeps the lanes filled and puts back what dead workers dropped. Any number may run at once."""

    def __init__(self, url: str, directory: Directory, jobs: JobService, bus: Bus) -> None:
        self._url, self._directory, self._jobs, self._bus = url, directory, jobs, bus
        self._redis: Any = None
        self._taken: dict[str, dict[str, float]] = {}
        """For each lane, when a job was first seen to be gone from it without being claimed."""

    async def run(self) -> None:
        """For ever."""
        sweeper = asyncio.create_task(self._sweep(), name="job sweeper")
        try:
            async with self._bus.subscribe(WAKE) as signals:
                while True:
                    try:
                        await self.fill()
                    except Exception as error:
                        log.warning("jobs are not dispatched: %s", error)
                    try:
                        async with asyncio.timeout(POLL_SECONDS):
                            await anext(signals)
                    except TimeoutError:
                        continue
        finally:
            sweeper.cancel()

    async def _sweep(self) -> None:
        while True:
            try:
                await self._jobs.sweep()
            except Exception as error:
                log.warning("jobs are not swept: %s", error)
            await asyncio.sleep(SWEEP_SECONDS)

    async def fill(self) -> None:
        """Top up every lane."""
        for lane in Lane:
            due = await self._directory.due_jobs(lane, LANE_LENGTH)
            if due:
                await asyncio.to_thread(self._put, lane, due)

    def _put(self, lane: str, due: Sequence[Located]) -> None:
        from rq import Queue
        from rq.job import Job as QueuedJob

        self._redis = self._redis or connect(self._url)
        queue = Queue(lane, connection=self._redis)
        waiting = set(queue.get_job_ids(0, 50))
        gone = {located.id.hex for located in due} - waiting
        taken = {name: seen for name, seen in self._taken.get(lane, {}).items() if name in gone}
        self._taken[lane] = taken
        for located in due:
            name = located.id.hex
            if name in waiting or len(waiting) >= LANE_LENGTH:
                continue
            known = QueuedJob.fetch_many([name], connection=self._redis)[0]
            if known is not None:
                if _starting(taken.setdefault(name, monotonic()), known.started_at):
                    continue
                # Whoever had taken it from the lane has died before claiming the row.
                known.delete()
            queue.enqueue(
                "app.jobs.work.run", str(located.tenant_id), str(located.id),
                job_id=name, job_timeout=TIMEOUT_SECONDS, result_ttl=0, failure_ttl=60,
            )  # fmt: skip
            waiting.add(name)


def _starting(taken: float, started_at: datetime | None) -> bool:
    """Whether a worker may be about to claim the row; between taking a job and saying so, it is on no list."""
    return (_age(started_at) if started_at else monotonic() - taken) < STARTING_SECONDS


def _age(moment: datetime) -> float:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (datetime.now(UTC) - aware).total_seconds()


async def wake(bus: Bus) -> None:
    """Tell the dispatchers that a job was queued."""
    await bus.publish(Signal(WAKE, "queued"))
