"""The words of collections on SQLite, looked up in the connection's thread: all that a search asks is one trip there.

What takes the time of a short statement is the way to the thread and back, while the event loop has other things to do.
"""

import json
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from sqlite3 import Connection
from typing import Any
from uuid import UUID

from domain.ports import TextHits
from storage.search.texts import Counts, Longer, search
from storage.search.words import LAST, NEARLY_ALL, Group

_COUNTS = (
    "select c.word, sum(c.chunks) as chunks, sum(c.occurrences) as occurrences from json_each(:scopes) s "
    "cross join json_each(:words) w cross join chunk_words c on c.scope = s.value and c.word = w.value group by c.word"
)
_LONGER = (
    "select * from (select :part_{n} as part, c.word as word, sum(c.chunks) as chunks from json_each(:scopes) s "
    "cross join chunk_words c on c.scope = s.value and c.{column} > :low_{n} and c.{column} < :high_{n} "
    "group by c.word order by 3 desc, 2 limit :most)"
)
_COLLECT = (
    "select * from (select rowid as key, :worth_{n} as worth from chunk_terms where chunk_terms match :match_{n} "
    "limit :most_{n})"
)
_BEST = "select key from ({collected}) group by key order by sum(worth) desc, key limit :most"
_SHARE = (
    "select 1.0 * sum(case when 'c' || substr(scope, 2) in (select value from json_each(:scopes)) then chunks end) "
    "/ sum(chunks) from chunk_blocks"
)
_INSIDE = (
    "select p.key from json_each(:keys) k cross join chunk_places p on p.key = k.value "
    "where p.scope in (select value from json_each(:scopes)) order by k.key"
)
_TERMS = "select p.key, p.terms from json_each(:keys) k cross join chunk_places p on p.key = k.value"


def find(connection: Connection, collection_ids: Sequence[UUID], query: str, limit: int) -> TextHits:
    """BM25 among the chunks of these collections; blocks."""
    return _finished(search(SqliteWords(connection), collection_ids, query, limit))


def scope_of(collection_id: UUID) -> str:
    """The name of a collection in the index."""
    return f"c{collection_id.hex}"


class SqliteWords:
    """See `WordIndex`. Nothing here waits for the event loop, see `find`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def known(
        self, scope: Sequence[UUID], wanted: Sequence[str], parts: Sequence[str], most: int
    ) -> tuple[Counts, Longer]:
        """See `WordIndex`."""
        rows = self._rows(_COUNTS, {"scopes": _scopes(scope), "words": json.dumps(list(wanted))})
        counts = {word: (chunks, occurrences) for word, chunks, occurrences in rows}
        return counts, await self.longer(scope, parts, most) if parts else ()

    async def longer(self, scope: Sequence[UUID], parts: Sequence[str], most: int) -> Longer:
        """See `WordIndex`."""
        values: dict[str, object] = {"scopes": _scopes(scope), "most": most}
        selects = []
        for n, (part, column) in enumerate((p, c) for p in parts for c in ("word", "backwards")):
            low = part if column == "word" else part[::-1]
            values |= {f"part_{n}": part, f"low_{n}": low, f"high_{n}": low + LAST}
            selects.append(_LONGER.format(n=n, column=column))
        return self._rows(" union all ".join(selects), values)

    async def collect(self, scope: Sequence[UUID], groups: Sequence[Group], limit: int) -> Iterable[tuple[int, str]]:
        """See `WordIndex`."""
        return self._rows(_TERMS, {"keys": json.dumps(self._collected(scope, groups, limit))})

    def _collected(self, scope: Sequence[UUID], groups: Sequence[Group], limit: int) -> Sequence[int]:
        """The keys of the chunks.

        Where nearly every chunk of the database is in scope, that is checked of the best ones only: for each term the index
        would go through all of the scope.
        """
        scopes = _scopes(scope)
        [(share,)] = self._rows(_SHARE, {"scopes": scopes})
        if share is not None and share >= NEARLY_ALL:
            wanted = int(limit / share) + 1
            best = self._collect("", groups, wanted, 1 / share)
            found = [key for (key,) in self._rows(_INSIDE, {"scopes": scopes, "keys": json.dumps(best)})]
            if len(found) >= limit or len(best) < wanted:
                return found[:limit]
        inside_only = " OR ".join(f'"{scope_of(c)}"' for c in scope)
        return self._collect(f"scope : ({inside_only}) AND ", groups, limit, 1.0)

    def _collect(self, where: str, groups: Sequence[Group], limit: int, more: float) -> Sequence[int]:
        values: dict[str, object] = {"most": limit}
        for n, group in enumerate(groups):
            terms = " OR ".join(f'"{term}"' for term in group.terms)
            values[f"match_{n}"] = f"{where}terms : ({terms})"
            values |= {f"most_{n}": int(group.most * more), f"worth_{n}": group.worth}
        collected = " union all ".join(_COLLECT.format(n=n) for n in range(len(groups)))
        return [key for (key,) in self._rows(_BEST.format(collected=collected), values)]

    def _rows(self, sql: str, values: Mapping[str, object]) -> list[Any]:
        return self._connection.execute(sql, values).fetchall()


def _scopes(collection_ids: Sequence[UUID]) -> str:
    return json.dumps([scope_of(collection_id) for collection_id in collection_ids])


def _finished(work: Coroutine[Any, Any, TextHits]) -> TextHits:
    """The result of a coroutine that never has to wait."""
    try:
        work.send(None)
    except StopIteration as ended:
        found: TextHits = ended.value
        return found
    raise RuntimeError("a search in the thread of a connection waited for something")
