"""Asking the embedding process, and starting it when it is not there."""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

from app.ai.embedding import DIMENSIONS
from domain.kernel.errors import N_, ProviderFailed

EXPECTED, EXPECTED_SECONDS = 32, 10.0
"""So many queries are begun on that nobody has asked for yet, and kept for so long."""
START_SECONDS, END_SECONDS = 120, 10
VECTOR_BYTES = DIMENSIONS * 4
KEPT = 4
"""So many connections are kept for the next questions."""
SOCKET_LIMIT = 100
LINE_LIMIT = 256 * 1024 * 1024
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
ROOT = Path(__file__).resolve().parents[3]
UNAVAILABLE = N_("The built-in embedding model could not be started. Run: python main.py doctor")


class BuiltinEmbedder:
    """The built-in model as the other processes see it."""

    def __init__(self, model: Path, run: Path, *, idle_seconds: float = 120) -> None:
        self._model, self._run, self._idle = model.resolve(), run.resolve(), idle_seconds
        socket = self._run / "embed.sock"
        if len(str(socket)) > SOCKET_LIMIT:
            # A unix socket's path has a short limit: deep data folders use one in the temporary folder.
            digest = hashlib.sha256(str(self._run).encode()).hexdigest()[:16]
            socket = Path(tempfile.gettempdir()) / f"samrad-{digest}" / "embed.sock"
        self._socket = socket
        self._expected: dict[str, asyncio.Task[list[bytes]]] = {}
        self._kept: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Connection]] = WeakKeyDictionary()

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[bytes]:
        """Unit-length float32 vectors of 384 numbers."""
        if not texts:
            return []
        begun = self._expected.pop(texts[0], None) if kind == "query" and len(texts) == 1 else None
        return await (begun or self._vectors(texts, kind))

    def expect(self, query: str) -> None:
        """Begin on a query; whoever asks for it next takes it over."""
        if query in self._expected or len(self._expected) >= EXPECTED:
            return
        task = self._expected[query] = asyncio.create_task(self._vectors([query], "query"), name="expected query")
        # Whoever asks hears of a failure; nobody else has to.
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        asyncio.get_running_loop().call_later(EXPECTED_SECONDS, self._expected.pop, query, None)

    async def _vectors(self, texts: Sequence[str], kind: str) -> list[bytes]:
        answer = await self._ask({"kind": kind, "texts": list(texts)})
        return [answer[i : i + VECTOR_BYTES] for i in range(0, len(answer), VECTOR_BYTES)]

    async def wake(self) -> None:
        """Have the process running, which takes some seconds; it goes when idle."""
        try:
            _, writer = await self._connect()
        except (OSError, TimeoutError) as error:
            raise ProviderFailed(UNAVAILABLE) from error
        writer.close()

    async def end(self) -> None:
        """Have the process gone, where it runs: whoever stops an installation leaves nothing behind."""
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_unix_connection(str(self._socket))
            try:
                writer.write(json.dumps({"kind": "end"}).encode() + b"\n")
                await writer.drain()
                # It closes the connection when it goes.
                async with asyncio.timeout(END_SECONDS):
                    await reader.read()
            finally:
                writer.close()

    async def token_offsets(self, text: str) -> list[int]:
        """The character at which each token starts."""
        offsets: list[int] = json.loads(await self._ask({"kind": "offsets", "text": text}))
        return offsets

    async def _ask(self, request: dict[str, Any]) -> bytes:
        line = json.dumps(request).encode() + b"\n"
        kept = self._kept.setdefault(asyncio.get_running_loop(), [])
        for attempt in (1, 2, 3):
            try:
                reader, writer = kept.pop() if kept else await self._connect()
            except (OSError, TimeoutError) as error:
                raise ProviderFailed(UNAVAILABLE) from error
            try:
                writer.write(line)
                await writer.drain()
                answer = await reader.readexactly(int(await reader.readline()))
            except (ConnectionError, asyncio.IncompleteReadError, ValueError) as error:
                # The process may have gone idle, or been killed, before it was asked; then all its connections are gone.
                writer.close()
                _close(kept)
                if attempt == 3:
                    raise ProviderFailed(UNAVAILABLE) from error
            except BaseException:
                # What is still to come is nobody else's answer.
                writer.close()
                raise
            else:
                kept.append((reader, writer))
                _close(kept, KEPT)
                return answer
        raise ProviderFailed(UNAVAILABLE)

    async def _connect(self) -> Connection:
        try:
            return await asyncio.open_unix_connection(str(self._socket), limit=LINE_LIMIT)
        except (FileNotFoundError, ConnectionRefusedError):
            await self._start()
            return await asyncio.open_unix_connection(str(self._socket), limit=LINE_LIMIT)

    async def _start(self) -> None:
        for folder in (self._run, self._socket.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (self._socket.parent / "embed.lock").open("w")
        try:
            async with asyncio.timeout(START_SECONDS):
                while not _try_lock(lock):
                    await asyncio.sleep(0.05)
                if not await self._alive():
                    await self._spawn()
        finally:
            lock.close()

    async def _alive(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            self._socket.unlink(missing_ok=True)
            return False
        writer.close()
        return True

    async def _spawn(self) -> None:
        await self._prepare()
        with (self._run / "embed.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command("app.ai.embedding.server", "embed-server"),
                str(self._model), str(self._socket), str(self._idle),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=ROOT, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        while not self._socket.exists():
            if process.returncode is not None:
                raise OSError(f"the embedding process ended with status {process.returncode}")
            await asyncio.sleep(0.02)

    async def _prepare(self) -> None:
        if all((self._model / name).exists() for name in ("encoder.onnx", "words.npz", "tokenizer.json")):
            return
        process = await asyncio.create_subprocess_exec(
            *command("app.ai.embedding.convert", "embed-convert"), str(self._model), cwd=ROOT
        )
        if await process.wait():
            raise OSError("the built-in model could not be prepared")


def command(module: str, frozen: str) -> list[str]:
    """How a helper process is started; a frozen program is its own interpreter."""
    return [sys.executable, frozen] if getattr(sys, "frozen", False) else [sys.executable, "-m", module]


def _close(connections: list[Connection], left: int = 0) -> None:
    """Close the oldest, until so many are left."""
    while len(connections) > left:
        connections.pop(0)[1].close()


def _try_lock(handle: Any) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
