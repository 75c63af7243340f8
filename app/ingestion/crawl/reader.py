"""The sandboxed child that reads one page after another, and is replaced when a page was too much for it."""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Any

from app.ingestion.crawl.page import FRAME
from app.ingestion.sandbox import ROOT, Limits, command, confine
from domain.websites.entities import Reason
from domain.websites.web import PageFailed

PAGE_SECONDS = 30
PAGES_OF_A_CHILD = 300
LIMITS = Limits(memory_bytes=1_000 * 1024**2, cpu_seconds=240, file_bytes=0)
ANSWER_LIMIT = 256 * 1024**2


class PageReader:
    """Reads pages in a child process without secrets, network names or files; one page at a time."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._served = 0
        self._turn = asyncio.Lock()
        self._home = tempfile.TemporaryDirectory(prefix="samrad-pages-")

    async def ask(self, task: str, body: bytes, charset: str | None = None) -> dict[str, Any]:
        """What the child says to `task` (page or sitemap); raises `PageFailed` when it cannot or takes too long."""
        head = json.dumps({"task": task, "charset": charset}).encode()
        async with self._turn:
            try:
                async with asyncio.timeout(PAGE_SECONDS):
                    answer = await self._exchange(head, body)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                await self._end()
                raise PageFailed(Reason.UNREADABLE, "too long or damaged") from error
            except asyncio.CancelledError:
                # Half an exchange is on the line: nobody could understand the next one.
                await self._end()
                raise
        if "error" in answer:
            raise PageFailed(Reason.UNREADABLE, str(answer["error"]))
        return answer

    async def _exchange(self, head: bytes, body: bytes) -> dict[str, Any]:
        if self._process is None or self._served >= PAGES_OF_A_CHILD:
            await self._end()
            self._process, self._served = await self._start(), 0
        self._served += 1
        to, back = self._process.stdin, self._process.stdout
        if to is None or back is None:
            raise OSError
        to.write(FRAME.pack(len(head), len(body)) + head + body)
        await to.drain()
        length, _ = FRAME.unpack(await back.readexactly(FRAME.size))
        if length > ANSWER_LIMIT:
            raise ValueError
        answer: dict[str, Any] = await asyncio.to_thread(json.loads, await back.readexactly(length))
        return answer

    async def _start(self) -> Process:
        home = self._home.name
        return await asyncio.create_subprocess_exec(
            *command(), "pages", "-", "{}", "-", stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd=ROOT, start_new_session=True,
            preexec_fn=lambda: confine(LIMITS),
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "HOME": home, "TMPDIR": home},
        )  # fmt: skip

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def close(self) -> None:
        """End the child."""
        await self._end()
        self._home.cleanup()
