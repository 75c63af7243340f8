"""The places at providers that all processes share, in Redis. See `domain.models.capacity.Places`.

A place belongs to a call for as long as its process gives signs of life. Those who wait stand in one line for each provider,
by the order in which they came or were last served, whatever process they wait in. What nobody waits for
stands behind them.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from app.realtime.bus import Bus
from app.realtime.common import Away, Common
from domain.kernel.events import Signal
from domain.models.capacity import (
    ASK_SECONDS,
    BEHIND,
    KEPT_SECONDS,
    WINDOW,
    Call,
    Queue,
    places_behind,
    tokens_behind,
)

FREE = "places:"
"""Topic of the news that a place at a provider became free."""
KEPT_MS, LINE_MS, WINDOW_MS = int(KEPT_SECONDS * 1000), int(ASK_SECONDS * 4 * 1000), int(WINDOW * 1000)
FORGET_MS = 2 * WINDOW_MS
TIDY = """
-- Forget what is over. After the clock was set back nothing may lie further ahead than it can be.
local function tidy(key, ahead)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  for _, late in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. now + ahead, '+inf')) do
    redis.call('ZADD', key, now + ahead, late)
  end
end
"""
ASK = (
    TIDY
    + """
local places, spent, line, here, number = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local process, parallel, rate = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local kept, waits, minute = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local begin, most_behind, rate_behind = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local function is_behind(name) return name:sub(1, #begin) == begin end
tidy(places, kept)
tidy(spent, minute)
tidy(here, waits)
local mine = {}
for i = 11, #ARGV, 3 do
  mine[ARGV[i]] = {call = ARGV[i + 1], tokens = tonumber(ARGV[i + 2])}
  redis.call('ZADD', here, now + waits, ARGV[i] .. '|' .. process)
  if not redis.call('ZSCORE', line, ARGV[i]) then
    -- 2^52: behind all who do not begin so, and still a whole number.
    redis.call('ZADD', line, redis.call('INCR', number) + (is_behind(ARGV[i]) and 4503599627370496 or 0), ARGV[i])
  end
end
local waiting = {}
for _, each in ipairs(redis.call('ZRANGE', here, 0, -1)) do
  local user, where = each:match('^(.-)|(.*)$')
  if where == process and not mine[user] then
    redis.call('ZREM', here, each)
  else
    waiting[user] = true
  end
end
local running, running_behind = redis.call('ZCARD', places), 0
for _, call in ipairs(redis.call('ZRANGE', places, 0, -1)) do
  if is_behind(call) then running_behind = running_behind + 1 end
end
local sum, sum_behind, calls = 0, 0, redis.call('ZRANGE', spent, 0, -1, 'WITHSCORES')
for i = 1, #calls, 2 do
  local tokens = tonumber(calls[i]:match('|(.*)$'))
  sum = sum + tokens
  if is_behind(calls[i]) then sum_behind = sum_behind + tokens end
end
local function fits(spent, tokens, rate) return rate == 0 or spent == 0 or spent + tokens <= rate end
local pause, given = 0, {}
for _, user in ipairs(redis.call('ZRANGE', line, 0, -1)) do
  local own, behind = mine[user], is_behind(user)
  if not waiting[user] then
    redis.call('ZREM', line, user)
  elseif not own or (parallel > 0 and (running >= parallel or (behind and running_behind >= most_behind))) then
    break
  elseif not (fits(sum, own.tokens, rate) and (not behind or fits(sum_behind, own.tokens, rate_behind))) then
    pause = calls[2] and calls[2] - now or minute
    break
  else
    redis.call('ZADD', places, now + kept, own.call)
    if rate > 0 then redis.call('ZADD', spent, now + minute, own.call .. '|' .. own.tokens) end
    running, sum = running + 1, sum + own.tokens
    if behind then running_behind, sum_behind = running_behind + 1, sum_behind + own.tokens end
    redis.call('ZREM', line, user)
    redis.call('ZREM', here, user .. '|' .. process)
    given[#given + 1] = own.call
  end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, tonumber(ARGV[7])) end
return {pause, given}
"""
)
LEAVE = """
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('ZCOUNT', KEYS[2], now, '+inf')
"""
KEEP = """
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]))
"""


class RedisPlaces:
    """One process's way to the places. News of free ones go by the bus, since only those who wait want to hear of them."""

    def __init__(self, url: str, bus: Bus) -> None:
        self._common, self._bus = Common(url, "limits of AI providers are kept"), bus
        self._process = secrets.token_hex(8)

    async def ask(self, queue: Queue, calls: Sequence[Call]) -> tuple[Sequence[str], float | None] | None:
        """See `Places`."""
        told = [part for call in calls for part in (call.who, call.id, call.tokens)]
        try:
            pause, given = await self._common.run(
                ASK, _keys(queue.provider_id), self._process, queue.parallel, queue.rate,
                KEPT_MS, LINE_MS, WINDOW_MS, FORGET_MS,
                BEHIND, places_behind(queue.parallel), tokens_behind(queue.rate), *told,
            )  # fmt: skip
        except Away:
            return None
        return given, pause / 1000 or None

    async def leave(self, provider_id: UUID, call_id: str) -> None:
        """See `Places`."""
        places, _, _, here, _ = _keys(provider_id)
        try:
            waiting = await self._common.run(LEAVE, [places, here], call_id)
        except Away:
            return
        if waiting:
            await self._bus.publish(Signal(FREE + str(provider_id), "free"))

    async def keep(self, provider_id: UUID, call_ids: Sequence[str]) -> None:
        """See `Places`."""
        try:
            await self._common.run(KEEP, _keys(provider_id)[:1], KEPT_MS, FORGET_MS, *call_ids)
        except Away:
            return

    @asynccontextmanager
    async def hearing(self, provider_id: UUID, hear: Callable[[], object]) -> AsyncIterator[None]:
        """See `Places`."""
        async with self._bus.subscribe(FREE + str(provider_id)) as signals:

            async def listen() -> None:
                async for _ in signals:
                    hear()

            listening = asyncio.create_task(listen(), name="free places")
            try:
                yield
            finally:
                listening.cancel()

    async def close(self) -> None:
        """Disconnect."""
        await self._common.close()


def _keys(provider_id: UUID) -> list[str]:
    # In braces, so that a cluster keeps them on one server.
    begin = f"samrad:places:{{{provider_id.hex}}}"
    return [begin, *(f"{begin}:{part}" for part in ("spent", "line", "here", "number"))]
