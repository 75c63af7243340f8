"""A proxy that does to what passes through it what proxies do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


@dataclass
class BadProxy:
    """Before the program at `behind` (host:port).

    `buffer`: so many bytes of an answer are collected before they are handed on. `cut_after`: an answer is cut when so many
    bytes have come through. `idle`: a connection is cut when nothing has come for so many seconds. Without `upgrades`, the
    wish for a websocket is not handed on.
    """

    behind: str
    buffer: int = 0
    cut_after: int | None = None
    idle: float | None = None
    upgrades: bool = True
    cuts: int = 0

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        down: Writer | None = None
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            host, port = self.behind.split(":")
            up, down = await asyncio.open_connection(host, int(port))
            down.write(self._head(head))
            sending = asyncio.create_task(self._hand_on(reader, down))
            await self._bring_back(up, writer)
            sending.cancel()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in filter(None, (down, writer)):
                end.close()

    def _head(self, head: bytes) -> bytes:
        lines = [line for line in head.split(b"\r\n") if line]
        if self.upgrades and any(line.lower().startswith(b"upgrade:") for line in lines):
            return head
        kept = [line for line in lines if not line.lower().startswith((b"connection:", b"upgrade:"))]
        return b"\r\n".join([*kept, b"Connection: close", b"", b""])

    @staticmethod
    async def _hand_on(reader: Reader, down: Writer) -> None:
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(65536):
                down.write(part)
                await down.drain()

    async def _bring_back(self, up: Reader, writer: Writer) -> None:
        held, passed = b"", 0
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(self.idle):
                    part = await up.read(65536)
                held += part
                if part and len(held) < self.buffer:
                    continue
                if self.cut_after is not None and passed + len(held) > self.cut_after:
                    writer.write(held[: self.cut_after - passed])
                    await writer.drain()
                    break
                writer.write(held)
                await writer.drain()
                passed, held = passed + len(held), b""
                if not part:
                    return
        self.cuts += 1

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """The address to which people come, until the block is left."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
