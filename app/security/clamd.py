"""The virus scanner ClamAV, asked through the socket of its daemon (INSTREAM: length and bytes, in parts)."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from domain.kernel.errors import N_, InfectedFile, ScannerUnreachable

ANSWER_SECONDS = 120.0
CONNECT_SECONDS = 5.0
PART = 1 << 18
LONGEST_ANSWER = 10_000
TOO_LARGE = N_("The file is larger than the virus scanner can look at. Ask the operator to raise its limit.")
_ANSWER = re.compile(r"^(?:\d+: )?stream: (?:(?P<found>.+) FOUND|OK|(?P<error>.+) ERROR)$")


class Clamd:
    """See `domain.ports.Scanner`. The address is `unix:/path/of/socket` or `tcp://host:port`."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def scan(self, parts: AsyncIterator[bytes]) -> str | None:
        """The name of what was found, or None."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                line = await self._open()
            with line:
                return _found(await _ask(line, parts))
        except (OSError, TimeoutError) as error:
            raise ScannerUnreachable from error

    async def _open(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        if self._address.startswith("unix:"):
            line = socket.socket(socket.AF_UNIX)
            where: Any = self._address.removeprefix("unix:")
        else:
            parts = urlsplit(self._address)
            family, kind, protocol, _, where = (
                await loop.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
            )[0]
            line = socket.socket(family, kind, protocol)
        line.setblocking(False)
        try:
            await loop.sock_connect(line, where)
        except BaseException:
            line.close()
            raise
        return line


async def _ask(line: socket.socket, parts: AsyncIterator[bytes]) -> str:
    loop = asyncio.get_running_loop()
    # A scanner that has seen enough answers and hangs up, whatever is still on its way: its answer counts.
    with contextlib.suppress(ConnectionError):
        await loop.sock_sendall(line, b"zINSTREAM\0")
        async for part in parts:
            for start in range(0, len(part), PART):
                piece = part[start : start + PART]
                async with asyncio.timeout(ANSWER_SECONDS):
                    await loop.sock_sendall(line, len(piece).to_bytes(4, "big") + piece)
        await loop.sock_sendall(line, bytes(4))
    answer = b""
    async with asyncio.timeout(ANSWER_SECONDS):
        while b"\0" not in answer and len(answer) < LONGEST_ANSWER:
            received = await loop.sock_recv(line, 4096)
            if not received:
                break
            answer += received
    return answer.split(b"\0")[0].decode("utf-8", "replace").strip()


def _found(answer: str) -> str | None:
    if "size limit exceeded" in answer.lower():
        raise TooLargeToScan(TOO_LARGE)
    match = _ANSWER.match(answer)
    if match is None or match["error"]:
        raise ScannerUnreachable
    return match["found"]


class TooLargeToScan(InfectedFile):
    """The scanner does not look at files of this size."""
