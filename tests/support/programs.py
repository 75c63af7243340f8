"""Processes of the product: how they are killed and started again, and how they are found."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.support.server import ROOT

STOP_SECONDS = 20


class Program:
    """One process of the product; what it writes goes to `name`.log in a folder."""

    def __init__(self, name: str, words: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name, self._words, self._environment = name, words, environment
        self.log = folder / f"{name}.log"
        self.start()

    def start(self) -> None:
        """Start it, for the first time or again."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "main.py", *self._words],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it in order."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


def children(path: Path) -> list[str]:
    """Processes that have `path` on their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if str(path).encode() in (folder / "cmdline").read_bytes():
                    found.append(folder.name)
            except OSError:
                continue
    return found
