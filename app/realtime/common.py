"""What several processes know in common: small scripts that Redis runs, each of them one trip there and back.

Redis may be away at any time. Then nobody waits for it: for a few seconds each process does without, and asks again.
"""

import logging
import time
from collections.abc import Sequence
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


class Common:
    """Runs scripts for one kind of state; `what` it is the log says when it cannot be shared."""

    def __init__(self, url: str, what: str) -> None:
        self._url, self._what = url, what
        self._client: Any = None
        self._scripts: dict[str, Any] = {}
        self._away_until = self._complained = 0.0

    async def run(self, script: str, keys: Sequence[str], *arguments: str | int) -> Any:
        """What the script returns; raises `Away`."""
        if time.monotonic() < self._away_until:
            raise Away
        if self._away_until:
            # The others do not wait for how this ends.
            self._away_until = time.monotonic() + PATIENCE
        try:
            found = await self._known(script)(keys, arguments)
        except Exception as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            self._complain(error)
            raise Away from error
        self._away_until = 0.0
        return found

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

    def _complain(self, error: Exception) -> None:
        if time.monotonic() - self._complained > COMPLAIN_SECONDS:
            self._complained = time.monotonic()
            log.warning("%s by each process alone: %s", self._what, error)

    async def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            await self._client.aclose()
