"""Pages whose text is made by scripts: the system's Chromium runs them, and what it then shows is read.

It knows no way to the network but our forward proxy, which looks at every address as for any other request. Each page gets a
profile of its own, which is gone afterwards.
"""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from app.ingestion.tools import SEARCH_PATH
from app.security.forward import forward_proxy
from app.security.outbound import OutboundGuard
from domain.websites.entities import Reason
from domain.websites.web import PageFailed

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PAGE_SECONDS, SCRIPT_MILLISECONDS = 45.0, 8_000
OFF = "off"
FLAGS = (
    "--headless=new", "--dump-dom", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--mute-audio",
    "--blink-settings=imagesEnabled=false", "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--proxy-bypass-list=<-loopback>", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    f"--virtual-time-budget={SCRIPT_MILLISECONDS}",
)  # fmt: skip
"""No name is looked up by the browser itself, and loopback is no exception from the proxy."""


def find_browser(wanted: str) -> str | None:
    """The browser's program: `wanted`, or the first of the system's; None where there is none, or it is off."""
    if wanted == OFF:
        return None
    programs: Sequence[str] = (wanted,) if wanted else PROGRAMS
    return next((found for name in programs if (found := shutil.which(name, path=SEARCH_PATH))), None)


class Browser:
    """Runs the scripts of pages, one page at a time."""

    def __init__(self, guard: OutboundGuard, program: str, agent: str, limit: int) -> None:
        self._guard, self._program, self._agent, self._limit = guard, program, agent, limit
        self._turn = asyncio.Lock()

    async def shown(self, url: str) -> bytes:
        """The page as it stands when its scripts have run, in UTF-8; raises `PageFailed`."""
        async with self._turn, forward_proxy(self._guard) as proxy:
            with tempfile.TemporaryDirectory(prefix="samrad-browser-", ignore_cleanup_errors=True) as profile:
                return await self._run(url, proxy, profile)

    async def _run(self, url: str, proxy: str, profile: str) -> bytes:
        # Its sandbox needs an unprivileged user; root has none to give up.
        rootless = ("--no-sandbox",) if os.geteuid() == 0 else ()
        process = await asyncio.create_subprocess_exec(
            self._program, *FLAGS, *rootless, f"--proxy-server={proxy}", f"--user-data-dir={profile}",
            f"--user-agent={self._agent}", url,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": SEARCH_PATH, "HOME": profile, "LANG": "C.UTF-8"}, start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PAGE_SECONDS):
                body = await self._taken(process.stdout)
                await process.wait()
        except TimeoutError:
            raise PageFailed(Reason.UNREADABLE, f"{PAGE_SECONDS:.0f} s", answer=200) from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if process.returncode != 0 or not body.strip():
            raise PageFailed(Reason.UNREADABLE, os.path.basename(self._program), answer=200)
        return body

    async def _taken(self, stream: asyncio.StreamReader | None) -> bytes:
        body = bytearray()
        while stream is not None and (block := await stream.read(65_536)):
            body += block
            if len(body) > self._limit:
                raise PageFailed(Reason.TOO_LARGE, f"{self._limit} B", answer=200)
        return bytes(body)
