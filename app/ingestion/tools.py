"""Programs of the machine that make more files readable. None of them is needed: what is missing is said."""

import os
import shutil
import subprocess
from collections.abc import Sequence

from domain.kernel.errors import N_, CorruptFile, UnreadableFile

LIBREOFFICE, TESSERACT, FFMPEG = "soffice", "tesseract", "ffmpeg"
SEARCH_PATH = f"{os.defpath}:/usr/local/bin"
SLOW = N_("Reading the file took longer than {seconds} seconds. Split it or save it in another format.")


def find(program: str) -> str | None:
    """Where the program is; None when the machine does not have it."""
    return shutil.which(program, path=SEARCH_PATH)


def run(command: Sequence[str], seconds: float) -> str:
    """What a program says; raises `UnreadableFile` when it fails or takes longer than `seconds`. For the child only."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise UnreadableFile(SLOW, seconds=int(seconds)) from None
    if done.returncode:
        raise CorruptFile
    return done.stdout.decode("utf-8", "replace")
