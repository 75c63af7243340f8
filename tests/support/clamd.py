"""A virus scanner of the tests' own: speaks the protocol of ClamAV's daemon over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

VIRUS = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
NAME = "Eicar-Test-Signature"


class Clamd:
    """Finds `VIRUS`. `limit` is the number of bytes it looks at, as the real one's StreamMaxLength."""

    def __init__(self, limit: int = 10_000_000) -> None:
        self.limit = limit
        self.scanned: list[bytes] = []
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one call."""
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        content = b""
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            content += await reader.readexactly(size)
            if len(content) > self.limit:
                writer.write(b"INSTREAM size limit exceeded. ERROR\0")
                writer.close()
                return
        self.scanned.append(content)
        writer.write(f"stream: {NAME} FOUND\0".encode() if VIRUS in content else b"stream: OK\0")
        writer.close()


@asynccontextmanager
async def listening(address: str, limit: int = 10_000_000) -> AsyncIterator[Clamd]:
    """A scanner at `unix:/path` or `tcp://127.0.0.1:port`; port 0 is a free one, then named by `address`."""
    scanner = Clamd(limit)
    if address.startswith("unix:"):
        server = await asyncio.start_unix_server(scanner.serve, address.removeprefix("unix:"))
        scanner.address = address
    else:
        server = await asyncio.start_server(scanner.serve, "127.0.0.1", int(address.rsplit(":", 1)[1]))
        scanner.address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scanner
    finally:
        server.close()
        if address.startswith("unix:"):
            Path(address.removeprefix("unix:")).unlink(missing_ok=True)
