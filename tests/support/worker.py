"""A real worker process for tests of what survives its death."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil

from app.config import Settings

ROOT = Path(__file__).resolve().parents[2]
NAMES = (
    "data_dir",
    "database_url",
    "database_app_url",
    "redis_url",
    "encryption_key",
    "models_dir",
    "outbound_allow",
    "crawl_allow",
)


class WorkerProcess:
    """`main.py work` with the settings of a test."""

    def __init__(self, settings: Settings) -> None:
        values = {name.upper(): str(getattr(settings, name)) for name in NAMES if getattr(settings, name) is not None}
        self._log = settings.data_dir / "worker.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "main.py"), "work"],
                env={**os.environ, **values},
                cwd=settings.data_dir,
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log.read_text()

    @property
    def alive(self) -> bool:
        """Whether it is still the process that was started."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it without warning, and with it all that it has started."""
        if self._process.poll() is not None:
            return
        parent = psutil.Process(self._process.pid)
        # Stopped first, so that it starts nobody while its children are being ended.
        parent.suspend()
        _kill(parent.children(recursive=True))
        parent.kill()
        self._process.wait()

    def kill_horse(self) -> None:
        """End only the process that carries out the present job, and what it has started."""
        _kill(psutil.Process(self._process.pid).children(recursive=True))

    def kill_parent(self) -> None:
        """End only the process that takes jobs; the present job has to go on by itself."""
        self._process.kill()
        self._process.wait()


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        # One may have come to its own end by now.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 40) -> None:
    """Wait until `condition` holds; fails the test after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)
