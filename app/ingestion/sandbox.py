"""Running the child process within limits: memory, time, file size, and nothing of ours in its environment."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.ingestion.tools import SEARCH_PATH
from domain.kernel import errors
from domain.kernel.errors import N_, CorruptFile, Failure, UnreadableFile

TIMED_OUT = N_("Reading the file took longer than {seconds} seconds. Split it or save it in another format.")
OUT_OF_MEMORY = N_("Reading the file needs more memory than is allowed. Split it or save it in another format.")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child may use."""

    memory_bytes: int = 1_500 * 1024 * 1024
    cpu_seconds: int = 240
    wall_seconds: int = 300
    file_bytes: int = 512 * 1024 * 1024


def confine(limits: Limits) -> None:
    """Take everything beyond `limits` from this process. In the child, after fork and before exec."""
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 2))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)


def command() -> list[str]:
    """How the child is started; a frozen program is its own interpreter."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "child"]
    return [sys.executable, "-m", "app.ingestion.child"]


async def run_child(task: str, source: Path, detail: Mapping[str, object], limits: Limits) -> bytes:
    """What the child wrote for `task`; its refusal, or whatever befell it, as a `Failure`."""
    async with child(task, source, detail, limits) as target:
        return await asyncio.to_thread(target.read_bytes)


@contextlib.asynccontextmanager
async def child(task: str, source: Path, detail: Mapping[str, object], limits: Limits) -> AsyncIterator[Path]:
    """As `run_child`, for tasks that write a folder; what it wrote is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="samrad-child-", dir=source.parent) as folder:
        target = Path(folder) / "out"
        process = await asyncio.create_subprocess_exec(
            *command(), task, str(source), json.dumps(detail), str(target),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            cwd=ROOT, start_new_session=True, preexec_fn=lambda: confine(limits), env=_environment(folder),
        )  # fmt: skip
        try:
            async with asyncio.timeout(limits.wall_seconds):
                _, said = await process.communicate()
        except TimeoutError:
            raise UnreadableFile(TIMED_OUT, seconds=limits.wall_seconds) from None
        finally:
            # The programs that the child started are in its group, and go with it however it ended.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if process.returncode is None:
                await process.wait()
        if process.returncode:
            raise _failure(process.returncode, said, limits)
        yield target


def _environment(folder: str) -> dict[str, str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OMP_THREAD_LIMIT"), "1")
    return {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", "HOME": folder, "TMPDIR": folder, **threads}


def _failure(status: int, said: bytes, limits: Limits) -> Failure:
    if status == -signal.SIGXCPU or status == -signal.SIGKILL:
        return UnreadableFile(TIMED_OUT, seconds=limits.cpu_seconds)
    if status in (4, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGXFSZ):
        return UnreadableFile(OUT_OF_MEMORY)
    try:
        refusal = json.loads(said)
        kind = getattr(errors, refusal["kind"])
        failure: Failure = kind(refusal["message"], **refusal["params"])
    except (ValueError, KeyError, AttributeError, TypeError):
        return CorruptFile()
    return failure
