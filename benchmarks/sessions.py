"""One web process with many people: idle browser sessions, and then answers that stream to others beside them.

Everybody is a person of their own, so that news of one are not drawn for all. A session is what a browser makes of it:
signed in, the chat page loaded, its websocket open and greeted. How late the event loop is the program says itself
(`samrad_event_loop_lag_seconds`); how it feels from outside is how long the liveness probe takes to be answered.
"""

import ast
import asyncio
import re
import time
from typing import Any
from uuid import uuid4

import httpx
import psutil
import socketio

from benchmarks.installation import (
    Installation,
    arguments,
    assistant_of,
    proportional_memory,
    quantile,
    row,
    stream_times,
)
from tests.support.provider import Provider
from tests.support.server import PASSWORD

MODEL = "rate:20:100"
ANSWER_SECONDS = 5.0
QUERY = re.compile(r"query: (\{.*?\}),\n", re.S)
PROBE_SECONDS = 0.02
PATIENCE_SECONDS = 30
TOGETHER = 4
"""Browsers that load their page at the same time."""


class Browser:
    """A tab with the chat page, as the server sees it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.socket = socketio.AsyncClient(reconnection=False, logger=False)

    async def open(self, cookie: str) -> None:
        """Load the page and greet the server over its websocket."""
        async with httpx.AsyncClient(
            base_url=self._url, headers={"cookie": cookie}, timeout=60, trust_env=False
        ) as client:
            page = await client.get("/chat")
        found = QUERY.search(page.text)
        if page.status_code != 200 or not found:
            raise RuntimeError(f"the page answers {page.status_code}")
        query: dict[str, Any] = ast.literal_eval(found[1]) | {"document_id": str(uuid4()), "tab_id": str(uuid4())}
        told = "&".join(f"{name}={value}" for name, value in query.items() if value is not None)
        await self.socket.connect(
            f"{self._url}?{told}", headers={"cookie": cookie, "origin": self._url}, transports=["websocket"],
            socketio_path="/_nicegui_ws/socket.io", wait_timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        if not query.get("implicit_handshake") and not await self.socket.call("handshake", query):
            raise RuntimeError("the server does not know the page")


async def signed_in(url: str, email: str) -> str:
    """A session of its own, as a cookie."""
    async with httpx.AsyncClient(base_url=url, headers={"origin": url}, timeout=60, trust_env=False) as client:
        answer = await client.post("/auth/sign-in", json={"email": email, "password": PASSWORD})
        answer.raise_for_status()
        return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())


def lags(url: str) -> list[tuple[float, int]]:
    """How often the event loop was at most so many milliseconds late, as counted since the program began."""
    found = re.findall(r'samrad_event_loop_lag_seconds_bucket{le="(.+?)"} (\d+)', httpx.get(f"{url}/metrics").text)
    return [(float(edge) * 1_000, int(count)) for edge, count in found]


def lag_quantile(before: list[tuple[float, int]], after: list[tuple[float, int]], share: float) -> float:
    """The smallest edge of a bucket, in milliseconds, below which `share` of what was counted between lies."""
    counts = [(edge, count - former) for (edge, count), (_, former) in zip(after, before, strict=True)]
    return next(edge for edge, count in counts if count >= share * counts[-1][1])


async def probed(url: str, seconds: float) -> list[float]:
    """What the liveness probe took, in milliseconds."""
    taken: list[float] = []
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            began = time.perf_counter()
            (await client.get("/livez")).raise_for_status()
            taken.append((time.perf_counter() - began) * 1_000)
            await asyncio.sleep(PROBE_SECONDS)
    return taken


async def watched(name: str, installation: Installation, seconds: float, **more: object) -> None:
    """Print memory, processor time and the probe's times over `seconds`."""
    web = psutil.Process(installation.processes["serve"].pid)
    before, late = installation.cpu_seconds(), lags(installation.url)
    taken = await probed(installation.url, seconds)
    row(
        name,
        memory_MB=proportional_memory(web) / 1e6,
        processor_ms_per_s=(installation.cpu_seconds() - before) / seconds * 1_000,
        lag_p50_ms_at_most=lag_quantile(late, lags(installation.url), 0.5),
        lag_p99_ms_at_most=lag_quantile(late, lags(installation.url), 0.99),
        probe_p50_ms=quantile(taken, 0.5),
        probe_p99_ms=quantile(taken, 0.99),
        probe_worst_ms=max(taken),
        **more,
    )


async def ask(
    installation: Installation, token: str, assistant: str, wait: float, until: float, whole: list[int]
) -> None:
    """Begin after `wait` seconds, ask anew as soon as an answer has ended; note the words of each answer."""
    await asyncio.sleep(wait)
    asked = {"assistant_id": assistant, "question": "Vad gäller?", "stream": True}
    url = f"{installation.url}/api/v1/conversations/"
    while time.perf_counter() < until:
        _, _, seen = await stream_times(url, {"Authorization": token}, asked, b"event: text")
        whole.append(len(set(re.findall(rb"w\d+ ", seen))))


async def run(installation: Installation, sessions: int, streams: int, seconds: float) -> None:
    """Nobody, then `sessions` idle browsers, then `streams` answers beside them."""
    with installation.client() as client:
        assistant, token = assistant_of(client), client.headers["Authorization"]
        people = [f"person.{number}@sundvik.se" for number in range(sessions)]
        for email in people:
            client.post("/api/v1/admin/users/", json={"email": email, "password": PASSWORD}).raise_for_status()
    await watched("one web process, nobody there", installation, seconds / 3)
    browsers: list[Browser] = []
    turn = asyncio.Semaphore(TOGETHER)

    async def come(email: str) -> None:
        async with turn:
            browser = Browser(installation.url)
            await browser.open(await signed_in(installation.url, email))
            browsers.append(browser)

    began = time.perf_counter()
    await asyncio.gather(*map(come, people))
    arrived = time.perf_counter() - began
    await watched(f"{sessions} idle sessions", installation, seconds, all_there_after_s=arrived)
    whole: list[int] = []
    until = time.perf_counter() + ANSWER_SECONDS + seconds
    # People do not ask in the same moment: what a hundred questions at once do is another benchmark's matter.
    waits = [ANSWER_SECONDS * number / streams for number in range(streams)]
    asking = [asyncio.create_task(ask(installation, token, assistant, wait, until, whole)) for wait in waits]
    await asyncio.sleep(ANSWER_SECONDS)
    await watched(f"{sessions} idle sessions, {streams} streams", installation, seconds)
    await asyncio.gather(*asking)
    alive = sum(browser.socket.connected for browser in browsers)
    row("afterwards", sessions_alive=alive, answers=len(whole), answers_cut=sum(words < 100 for words in whole))
    await asyncio.gather(*(browser.socket.disconnect() for browser in browsers))


def main() -> None:
    chosen = arguments(__doc__, sessions=(500, 10), streams=(100, 5), seconds=(60, 6))
    provider = Provider()
    provider.start()
    try:
        with Installation(provider_url=provider.url, model=MODEL) as installation:
            asyncio.run(run(installation, chosen.sessions, chosen.streams, chosen.seconds))
    finally:
        provider.stop()


if __name__ == "__main__":
    main()
