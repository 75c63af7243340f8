"""The embedding process: one for a machine, on a unix socket, started on demand, gone when idle.

`python -m app.ai.embedding.server MODEL_FOLDER SOCKET IDLE_SECONDS`. A request is one line of JSON; the answer is a line
with its length and that many bytes. Queries overtake passages, so that a question does not wait behind an import. The kind
`end` lets it go at once.
"""

import asyncio
import contextlib
import itertools
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

LINE_LIMIT = 64 * 1024 * 1024
SLICE = 16
"""Passages computed between two looks at the queue."""


class Server:
    """Serves the model to the processes of this installation."""

    def __init__(self, engine: Any, idle_seconds: float) -> None:
        self._engine, self._idle = engine, idle_seconds
        self._queue: asyncio.PriorityQueue[tuple[int, int, Any, asyncio.Future[Any]]] = asyncio.PriorityQueue()
        self._turn = itertools.count()
        self._used = time.monotonic()
        self._busy = 0
        self._ended = asyncio.Event()
        self._thread = ThreadPoolExecutor(1)

    async def serve(self, socket: Path) -> None:
        """Until nobody has asked for `idle_seconds`, or somebody ends it."""
        server = await asyncio.start_unix_server(self._client, str(socket), limit=LINE_LIMIT)
        socket.chmod(0o600)
        worker = asyncio.create_task(self._work())
        while not self._ended.is_set() and (self._busy or time.monotonic() - self._used < self._idle):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), min(5.0, self._idle / 4))
        # Connections that others keep for their next question are not waited for.
        server.close()
        worker.cancel()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while not self._ended.is_set() and (line := await reader.readline()):
                answer = await self._answer(json.loads(line))
                writer.write(f"{len(answer)}\n".encode() + answer)
                await writer.drain()
        writer.close()

    async def _answer(self, request: dict[str, Any]) -> bytes:
        if request["kind"] == "end":
            self._ended.set()
            return b""
        if request["kind"] == "offsets":
            offsets = await self._do(1, lambda: self._engine.offsets(request["text"]))
            return json.dumps(offsets).encode()
        urgency = 0 if request["kind"] == "query" else 2
        texts, parts = request["texts"], []
        for first in range(0, len(texts), SLICE):
            part = texts[first : first + SLICE]
            parts.append(await self._do(urgency, lambda part=part: self._engine.embed(part, request["kind"]).tobytes()))
        return b"".join(parts)

    async def _do(self, urgency: int, work: Any) -> Any:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._busy += 1
        try:
            await self._queue.put((urgency, next(self._turn), work, done))
            return await done
        finally:
            self._busy -= 1
            self._used = time.monotonic()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            _, _, work, done = await self._queue.get()
            try:
                result = await loop.run_in_executor(self._thread, work)
                if not done.cancelled():
                    done.set_result(result)
            except Exception as error:
                if not done.cancelled():
                    done.set_exception(error)


def main(arguments: list[str]) -> None:
    """Load the model, then listen; the socket appears when the model is ready."""
    from app.ai.embedding.engine import Engine

    model, socket, idle = Path(arguments[0]), Path(arguments[1]), float(arguments[2])
    engine = Engine(model)
    starting = socket.with_suffix(f".{os.getpid()}")
    server = Server(engine, idle)

    async def run() -> None:
        serving = asyncio.create_task(server.serve(starting))
        while not starting.exists() and not serving.done():
            await asyncio.sleep(0.01)
        if starting.exists():
            starting.rename(socket)
        await serving

    try:
        asyncio.run(run())
    finally:
        socket.unlink(missing_ok=True)


if __name__ == "__main__":
    main(sys.argv[1:])
