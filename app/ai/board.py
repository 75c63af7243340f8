"""What all processes know of the models that fail, in Redis. See `domain.models.health.Board`.

A record lies there with the moment up to which it holds and how long that was, both by the clock of Redis.
"""

import json
from collections.abc import Mapping
from time import monotonic
from typing import Any
from uuid import UUID

from app.realtime.common import Away, Common
from domain.kernel.errors import Trouble
from domain.models.health import Record

KEY = "samrad:health"
FORGET_MS = 3600_000
"""So long after a model rested it is forgotten that it did, if nobody has called it since."""
LEFT = """
-- How long a record still holds; after the clock was set back not longer than when it was written.
local function left(record)
  return math.max(0, math.min(record['until'] - now, record.span))
end
"""
RECORDS = (
    LEFT
    + """
local found, known = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #known, 2 do
  local record = cjson.decode(known[i + 1])
  if now - record['until'] > tonumber(ARGV[1]) then
    redis.call('HDEL', KEYS[1], known[i])
  else
    if record['until'] - now > record.span then
      record['until'] = now + record.span
      redis.call('HSET', KEYS[1], known[i], cjson.encode(record))
    end
    found[#found + 1] = {known[i], left(record), record.mark, record.told}
  end
end
return found
"""
)
SWAP = (
    LEFT
    + """
local held = redis.call('HGET', KEYS[1], ARGV[1])
local record = held and cjson.decode(held)
if (record and record.mark or '') == ARGV[2] then
  if ARGV[3] == '' then
    redis.call('HDEL', KEYS[1], ARGV[1])
    return nil
  end
  local span = tonumber(ARGV[4])
  record = {mark = ARGV[3], span = span, told = ARGV[5]}
  record['until'] = now + span
  redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(record))
end
return record and {ARGV[1], left(record), record.mark, record.told}
"""
)


class RedisBoard:
    """One process's way to the board."""

    def __init__(self, url: str) -> None:
        self._common = Common(url, "which AI models rest is known")

    async def records(self) -> Mapping[UUID, Record] | None:
        """See `Board`."""
        try:
            found = await self._common.run(RECORDS, [KEY], FORGET_MS)
        except Away:
            return None
        return {UUID(row[0]): _record(row) for row in found}

    async def swap(self, model_id: UUID, former: Record | None, record: Record | None) -> Record | None:
        """See `Board`."""
        span = max(0, round((record.until - monotonic()) * 1000)) if record else 0
        told = json.dumps([record.failures, record.rest, record.trouble, record.trial]) if record else ""
        try:
            row = await self._common.run(
                SWAP, [KEY], str(model_id), former.mark if former else "", record.mark if record else "", span, told
            )
        except Away:
            return record
        return _record(row) if row else None

    async def close(self) -> None:
        """Disconnect."""
        await self._common.close()


def _record(row: list[Any]) -> Record:
    _, left, mark, told = row
    failures, rest, trouble, trial = json.loads(told)
    # A process of another release may know other kinds of trouble.
    kind = Trouble(trouble) if trouble in set(Trouble) else Trouble.DOWN
    return Record(failures, rest, monotonic() + left / 1000, kind, trial, mark)
