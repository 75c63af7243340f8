"""A forward proxy for a program of the machine: whatever it asks for goes out through the guard, and nothing else does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from app.security.outbound import OutboundGuard
from domain.kernel.errors import ProviderFailed

HEAD_LIMIT = 64 * 1024
BLOCK = 64 * 1024
CONNECT_SECONDS = 20.0
REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
UNREACHABLE = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
HOP_BY_HOP = ("connection:", "proxy-connection:", "keep-alive:", "proxy-authorization:")


@asynccontextmanager
async def forward_proxy(guard: OutboundGuard) -> AsyncIterator[str]:
    """A proxy on this machine alone, while the block runs; its address as a program takes it."""
    open_ones: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            open_ones.add(task)
            task.add_done_callback(open_ones.discard)
        try:
            await _one(guard, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # Whoever asked has gone, or speaks no HTTP.
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=HEAD_LIMIT)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in [*open_ones]:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)


async def _one(guard: OutboundGuard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection: a tunnel, or one plain request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *fields = head.split("\r\n")
    method, target, _ = first.split(" ", 2)
    parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
    port = parts.port or (443 if method == "CONNECT" else 80)
    if not parts.hostname or (method != "CONNECT" and parts.scheme != "http"):
        writer.write(REFUSED)
        return
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            address = await guard.resolve(parts.hostname, port)
            inward, outward = await asyncio.open_connection(address, port)
    except ProviderFailed:
        writer.write(REFUSED)
        return
    except (OSError, TimeoutError):
        writer.write(UNREACHABLE)
        return
    try:
        if method == "CONNECT":
            writer.write(ESTABLISHED)
        else:
            path = parts.path or "/"
            kept = [field for field in fields if field and not field.lower().startswith(HOP_BY_HOP)]
            query = f"?{parts.query}" if parts.query else ""
            lines = [f"{method} {path}{query} HTTP/1.1", *kept, "Connection: close", "", ""]
            outward.write("\r\n".join(lines).encode("latin-1"))
        await _both(_pipe(reader, outward), _pipe(inward, writer))
    finally:
        outward.close()


async def _both(*pipes: object) -> None:
    """Until one side has ended."""
    tasks = [asyncio.ensure_future(pipe) for pipe in pipes]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while block := await reader.read(BLOCK):
            writer.write(block)
            await writer.drain()
