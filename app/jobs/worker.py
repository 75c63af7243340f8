"""Worker processes and who looks after them."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from app.config import Settings
from app.jobs import valkey
from app.jobs.lanes import connect
from domain.jobs.entities import Lane

log = logging.getLogger(__name__)
RESTART_SECONDS = (0.5, 1, 2, 5, 15)


def work(settings: Settings, lanes: list[str]) -> None:
    """A worker: takes jobs from its lanes, each into a forked process. Ends warmly on SIGTERM."""
    from rq import Queue, Worker

    import app.from_settings
    import app.jobs.work

    if settings.otel_exporter_otlp_endpoint is not None:
        # Each job is a process of its own: what is loaded before it is made, it has already.
        import app.observability.traces

    connection = connect(app.from_settings.redis_url(settings))
    worker = Worker(
        [Queue(lane, connection=connection) for lane in lanes],
        connection=connection,
        worker_ttl=30,
        maintenance_interval=10,
        job_monitoring_interval=5,
    )
    worker.work(logging_level="WARNING")


def lanes_of(names: str | None) -> list[str]:
    """The lanes in `names` (with commas), or all, in order of urgency."""
    wanted = [name.strip() for name in (names or "").split(",") if name.strip()]
    unknown = set(wanted) - set(Lane)
    if unknown:
        raise ValueError(f"there is no lane {', '.join(sorted(unknown))}; there are {', '.join(Lane)}")
    return [lane for lane in Lane if not wanted or lane in wanted]


class Supervisor:
    """Starts the private Valkey where needed and the worker processes, and starts them again when they die."""

    def __init__(self, settings: Settings, workers: int, lanes: list[str]) -> None:
        self._settings, self._count, self._lanes = settings, workers, lanes
        self._valkey: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes]] = []
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start everything. Called from the main thread: the children follow the thread that made them."""
        if self._settings.redis_url is None:
            self._valkey = valkey.start(self._settings.data_dir)
        self._workers = [self._spawn() for _ in range(self._count)]
        self._keeper = asyncio.create_task(self._keep(), name="supervisor")

    def _spawn(self) -> subprocess.Popen[bytes]:
        program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, str(_main())]
        command = [*program, "work", "--lanes", ",".join(self._lanes)]
        environment = {**os.environ, "DATA_DIR": str(self._settings.data_dir.resolve())}
        return subprocess.Popen(command, preexec_fn=valkey.die_with_parent, env=environment, start_new_session=True)

    async def _keep(self) -> None:
        failures = 0
        while True:
            await asyncio.sleep(RESTART_SECONDS[min(failures, len(RESTART_SECONDS) - 1)])
            died = 0
            if self._settings.redis_url is None and (self._valkey is None or self._valkey.poll() is not None):
                # Another process of this folder may have one; when that ends, it is for us to go on.
                self._valkey = valkey.spawn(self._settings.data_dir)
                if self._valkey is not None:
                    log.warning("the private Valkey server had ended; another one was started")
                    died += 1
            for index, worker in enumerate(self._workers):
                if worker.poll() is not None:
                    log.warning("worker %s ended with status %s; starting another", worker.pid, worker.returncode)
                    self._workers[index] = self._spawn()
                    died += 1
            failures = failures + 1 if died else 0

    async def stop(self) -> None:
        """End the workers, then the Valkey server."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        for worker in self._workers:
            worker.send_signal(signal.SIGTERM)
        await asyncio.to_thread(_wait, self._workers, 8.0)
        if self._valkey is not None:
            self._valkey.terminate()
            await asyncio.to_thread(_wait, [self._valkey], 5.0)


def _main() -> Path:
    return Path(__file__).resolve().parents[2] / "main.py"


def _wait(processes: list[subprocess.Popen[bytes]], seconds: float) -> None:
    for process in processes:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
