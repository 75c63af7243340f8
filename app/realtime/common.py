"""What several processes know in common: small scripts that Redis runs, each of them one trip there and back.

Redis may be away at any time. Then nobody waits for it: for a few seconds each process does without, and asks again.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)
AWAY_SECONDS = 3.0
"""So long nobody asks again once there was no answer."""
PATIENCE = 0.5
COMPLAIN_SECONDS = 60.0
NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
"""How scripts begin: the time is that of Redis, in milliseconds, so that no two processes differ about it."""


class Away(Exception):
    """Redis does not answer."""


class Absence:
    """Whether Redis was away a moment ago; `what` it is the log says when it cannot be shared."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._until = self._complained = 0.0

    @contextmanager
    def noted(self) -> Iterator[None]:
        """For what asks Redis: raises `Away` where that fails, and at once for a while after it did."""
        if time.monotonic() < self._until:
            raise Away
        if self._until:
            # The others do not wait for how this ends.
            self._until = time.monotonic() + PATIENCE
        try:
            yield
        except Exception as error:
            self._until = time.monotonic() + AWAY_SECONDS
            self._complain(error)
            raise Away from error
        self._until = 0.0

    def _complain(self, error: Exception) -> None:
        if time.monotonic() - self._complained > COMPLAIN_SECONDS:
            self._complained = time.monotonic()
            log.warning("%s by each process alone: %s", self._what, error)


class Common:
    """Runs scripts for one kind of state; `what` it is the log says when it cannot be shared."""

    def __init__(self, url: str, what: str) -> None:
        self._url, self._absence = url, Absence(what)
        self._client: Any = None
        self._scripts: dict[str, Any] = {}

    async def run(self, script: str, keys: Sequence[str], *arguments: str | int) -> Any:
        """What the script returns; raises `Away`."""
        with self._absence.noted():
            return await self._known(script)(keys, arguments)

    # The library takes a tenth of a second to load, which the start can do without.
    def _known(self, script: str) -> Any:
        if self._client is None:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            self._client = Redis.from_url(
                self._url, retry=Retry(NoBackoff(), 0), decode_responses=True,
                socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE,
            )  # fmt: skip
        if script not in self._scripts:
            self._scripts[script] = self._client.register_script(NOW + script)
        return self._scripts[script]

    async def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            await self._client.aclose()
