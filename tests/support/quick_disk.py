"""Temporary files of the tests in memory, where there is room for them."""

import os
import shutil
import tempfile
from pathlib import Path

import psutil

IN_MEMORY = Path("/dev/shm")
ROOM = 6 * 1024**3
"""A whole run with two processes keeps less than half of this at a time. Containers often have 64 MB."""


def use() -> None:
    """Put temporary files there, also those of the programs that tests start; whoever has set `TMPDIR` knows better.

    Every test on Postgres copies the 800 files of the template: that takes a third of the time it takes on a disk.
    """
    if "TMPDIR" not in os.environ and _room() >= ROOM:
        os.environ["TMPDIR"] = str(IN_MEMORY)
        tempfile.tempdir = None


def _room() -> int:
    """What fits there: a file system in memory promises half of it, whoever uses it. Programs have to run from there too."""
    if not os.access(IN_MEMORY, os.W_OK | os.X_OK) or os.statvfs(IN_MEMORY).f_flag & os.ST_NOEXEC:
        return 0
    return min(shutil.disk_usage(IN_MEMORY).free, psutil.virtual_memory().available)
