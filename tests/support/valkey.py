"""A private Valkey server for tests of jobs and events."""

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from redis import Redis

from app.jobs import valkey


class Valkey:
    """The server that a single node starts, in a folder of its own; it can be killed and started again."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="samrad-valkey-"))
        self.url = valkey.url_of(self._folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, with what it had written before."""
        self._process = valkey.start(self._folder)

    def kill(self) -> None:
        """End it without warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it answer nothing, with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        """Let it forget everything."""
        with Redis.from_url(self.url) as client:
            client.flushall()

    def stop(self) -> None:
        """End it and delete its folder."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
