"""News between processes and to browsers: fan-out in this process, Redis pub/sub between processes.

Redis may be away at any time: what happens in this process still reaches its own browsers, and pages reload their lists
when they reconnect.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from domain.kernel.events import Signal

log = logging.getLogger(__name__)
CHANNEL = "samrad:events"
QUEUE_LENGTH = 500
WAITING_NEWS = 5_000
"""So many are kept for Redis while it is slow; with more, the other processes load again what they show."""
SEND_SECONDS = 2.0
"""So long Redis may take for one piece of news."""
MEND_SECONDS = 1.0
RESYNC = "resync"
"""Kind of the news that some was lost: load again what you show."""
EVERYTHING = ""
"""The topic of those who tell other processes so."""


class _Signals:
    """Signals as they come. Waiting for one can be given up and begun again, which would end a generator."""

    def __init__(self, queue: "asyncio.Queue[Signal]") -> None:
        self._queue = queue

    def __aiter__(self) -> "_Signals":
        return self

    async def __anext__(self) -> Signal:
        return await self._queue.get()


class Bus:
    """Publishes signals and lets others listen to a topic."""

    def __init__(self, redis_url: str | None) -> None:
        self._url = redis_url
        self._origin = secrets.token_hex(8)
        self._listeners: dict[str, set[asyncio.Queue[Signal]]] = defaultdict(set)
        self._redis: Any = None
        self._bridge: asyncio.Task[None] | None = None
        self._outbox: asyncio.Queue[Signal] = asyncio.Queue(WAITING_NEWS)
        self._sender: asyncio.Task[None] | None = None

    def _client(self) -> Any:
        if self._redis is None and self._url is not None:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            self._redis = Redis.from_url(
                self._url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=2, socket_timeout=None
            )
        return self._redis

    async def publish(self, signal: Signal) -> None:
        """Tell the listeners in this process now, and the other processes in a moment: nobody waits for Redis."""
        self._deliver(signal)
        if self._url is None:
            return
        if self._outbox.full():
            self._forget_waiting()
            signal = Signal(EVERYTHING, RESYNC)
        self._outbox.put_nowait(signal)
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all(), name="news for other processes")

    async def _send_all(self) -> None:
        while True:
            signal = await self._outbox.get()
            try:
                await self._send(signal)
            except Exception as error:
                log.warning("events do not reach other processes: %r", error)
                await self._mend()
            finally:
                self._outbox.task_done()

    async def _send(self, signal: Signal) -> None:
        message = {"origin": self._origin, "topic": signal.topic, "kind": signal.kind, "data": signal.data}
        async with asyncio.timeout(SEND_SECONDS):
            await self._client().publish(CHANNEL, json.dumps(message))

    async def _mend(self) -> None:
        """Once Redis answers, let the other processes load again what was not told to them meanwhile."""
        while True:
            await asyncio.sleep(MEND_SECONDS)
            self._forget_waiting()
            with contextlib.suppress(Exception):
                await self._send(Signal(EVERYTHING, RESYNC))
                log.warning("events reach other processes again")
                return

    def _forget_waiting(self) -> None:
        while not self._outbox.empty():
            self._outbox.get_nowait()
            self._outbox.task_done()

    def _deliver(self, signal: Signal) -> None:
        for queue in list(self._listeners.get(signal.topic, ())):
            try:
                queue.put_nowait(signal)
            except asyncio.QueueFull:
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(Signal(signal.topic, RESYNC))

    @asynccontextmanager
    async def subscribe(self, *topics: str) -> AsyncIterator[AsyncIterator[Signal]]:
        """The signals of `topics` from now on."""
        queue: asyncio.Queue[Signal] = asyncio.Queue(QUEUE_LENGTH)
        for topic in topics:
            self._listeners[topic].add(queue)

        try:
            yield _Signals(queue)
        finally:
            for topic in topics:
                self._listeners[topic].discard(queue)
                if not self._listeners[topic]:
                    del self._listeners[topic]

    def start(self) -> None:
        """Bring in what other processes publish."""
        if self._url is not None:
            self._bridge = asyncio.create_task(self._listen(), name="event bridge")

    async def _listen(self) -> None:
        deaf = False
        while True:
            try:
                async with self._client().pubsub() as subscription:
                    await subscription.subscribe(CHANNEL)
                    async for message in subscription.listen():
                        if message["type"] == "message":
                            self._take(message["data"])
                        elif deaf:
                            deaf = False
                            log.warning("events of other processes are received again")
                            self._resync()
            except Exception as error:
                if not deaf:
                    log.warning("events of other processes are not received: %s", error)
                deaf = True
                await asyncio.sleep(1)

    def _resync(self) -> None:
        """What others told meanwhile is lost: everybody loads again what they show."""
        for topic in list(self._listeners):
            self._deliver(Signal(topic, RESYNC))

    def _take(self, encoded: bytes) -> None:
        with contextlib.suppress(ValueError, KeyError):
            message = json.loads(encoded)
            if message["origin"] == self._origin:
                return
            if message["topic"] == EVERYTHING:
                self._resync()
            else:
                self._deliver(Signal(message["topic"], message["kind"], message["data"]))

    async def close(self) -> None:
        """Send what is left, stop listening and disconnect."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._outbox.join(), SEND_SECONDS)
        tasks = [task for task in (self._bridge, self._sender) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._redis is not None:
            await self._redis.aclose()
