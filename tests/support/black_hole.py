"""Addresses behind which nobody answers, each in its own way."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.postgres import free_port

LIFE_SECONDS = 0.05


@dataclass(slots=True)
class Hole:
    """An address as one would give it to an OpenAI client, and how often somebody came."""

    url: str
    calls: int = 0


@asynccontextmanager
async def silent() -> AsyncIterator[Hole]:
    """Takes every connection and what is sent on it, and says nothing."""
    async with _listening(lambda writer: asyncio.sleep(3600)) as hole:
        yield hole


@asynccontextmanager
async def alive() -> AsyncIterator[Hole]:
    """Begins an event stream and sends signs of life for ever, but nothing else."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        while True:
            writer.write(b": still here\n\n")
            await writer.drain()
            await asyncio.sleep(LIFE_SECONDS)

    async with _listening(drip) as hole:
        yield hole


@asynccontextmanager
async def _listening(then: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[Hole]:
    hole = Hole("")

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hole.calls += 1
        talking = asyncio.ensure_future(then(writer))
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
        finally:
            talking.cancel()
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    hole.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield hole
    finally:
        server.close()


@asynccontextmanager
async def refused() -> AsyncIterator[Hole]:
    """Nobody listens."""
    yield Hole(f"http://127.0.0.1:{free_port()}/v1")


@asynccontextmanager
async def dropped() -> AsyncIterator[Hole]:
    """The first packet of a connection is thrown away, as a firewall does: here since nobody takes those that wait."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = []
    for _ in range(3):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(full.getsockname())
        waiting.append(one)
    try:
        yield Hole(f"http://127.0.0.1:{full.getsockname()[1]}/v1")
    finally:
        for one in (*waiting, full):
            one.close()


KINDS = {"silent": silent, "alive": alive, "refused": refused, "dropped": dropped}
