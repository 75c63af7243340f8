"""`doctor --url`: whether the proxy before the product lets through what it needs."""

import asyncio
import base64
import os
import ssl
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx

from app.config import Settings

SECONDS = 10.0
ANSWER_SECONDS = 4.0
TOO_LARGE = 413
SPREAD_SECONDS = 0.3
"""Lines sent over three quarters of a second come at once only when somebody holds them back."""
Finding = tuple[bool, str]


async def look(settings: Settings, url: str) -> AsyncIterator[Finding]:
    """What the way from here to the product at `url` does to answers, sockets and uploads."""
    base = url.rstrip("/")
    try:
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
            answer = await client.get(f"{base}/livez")
            yield answer.status_code == 200, f"{base}/livez answers {answer.status_code}; 200 is wanted."
            if answer.status_code != 200:
                return
            yield await _streams(client, base)
        yield await _socket(base)
        yield await _body(base, settings.upload_max_file_size)
    except (httpx.HTTPError, OSError) as error:
        yield False, f"{base} does not answer: {error}. Check the address, the proxy and its certificate."


async def _streams(client: httpx.AsyncClient, base: str) -> Finding:
    times: list[float] = []
    async with client.stream("GET", f"{base}/livez/stream") as answer:
        async for _ in answer.aiter_raw():
            times.append(time.monotonic())
    spread = times[-1] - times[0] if times else 0.0
    told = "Answers are streamed as they are written."
    held = (
        "The proxy holds answers back: switch buffering off (nginx: proxy_buffering off), or answers come all at once."
    )
    return (True, told) if spread > SPREAD_SECONDS else (False, held)


async def _raw(base: str, lines: list[str]) -> int | None:
    """The status that a request without a body gets at once; None when the answer is waited for in vain."""
    parts = urlsplit(base)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    context = ssl.create_default_context() if secure else None
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
    try:
        # One line of an HTTP/1.1 head after another.
        writer.write("\r\n".join([*lines, f"Host: {parts.netloc}", "", ""]).encode())
        await writer.drain()
        async with asyncio.timeout(ANSWER_SECONDS):
            status = (await reader.readline()).split()
        return int(status[1]) if len(status) > 1 else None
    except TimeoutError:
        return None
    finally:
        writer.close()


async def _socket(base: str) -> Finding:
    parts = urlsplit(base)
    path = f"{parts.path}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    key = base64.b64encode(os.urandom(16)).decode()
    status = await _raw(
        base,
        [f"GET {path} HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
         f"Sec-WebSocket-Key: {key}", f"Origin: {parts.scheme}://{parts.netloc}"],
    )  # fmt: skip
    # Without a session the product itself refuses, with 403; a proxy that drops the upgrade makes it a plain request.
    good = status in (101, 403)
    wanted = (
        "The proxy must hand on Upgrade and Connection (websockets), and Host unless PUBLIC_ORIGIN names this address, "
        "or pages do not come to life"
    )
    return good, "Websockets come through." if good else f"{wanted}: the answer was {status}."


async def _body(base: str, limit: int) -> Finding:
    path = f"{urlsplit(base).path}/api/v1/groups/00000000-0000-0000-0000-000000000000/documents/"
    head = [f"PUT {path} HTTP/1.1", f"Content-Length: {limit}", "Content-Type: application/octet-stream"]
    status = await _raw(base, head)
    megabytes = limit / 1024**2
    wanted = f"The proxy refuses uploads of {megabytes:.0f} MB (UPLOAD_MAX_FILE_SIZE): raise its limit for bodies"
    return (
        status != TOO_LARGE,
        f"{wanted}." if status == TOO_LARGE else f"Uploads of {megabytes:.0f} MB may come through.",
    )
