"""The search index on Postgres: pgvector, tsvector and a table of words.

Vectors stand apart from words (`chunk_vectors`), since a collection that changes its model has two sets of them for a while.

Row-level security holds on the index tables too. Chunks are found by their words through `app.chunks_with` (see
`storage.migrations.ddl`), a SECURITY DEFINER function that names the tenant itself: under row-level security the planner may
not use the GIN index for `@@`.
"""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from sqlalchemy import BigInteger, Float, Integer, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Text, Uuid

from domain.knowledge.repository import IndexEntry, VectorCount
from domain.ports import SearchHit, TextHits
from storage.database import Database
from storage.migrations.ddl import NEAR_DIMENSIONS
from storage.search.texts import Counts, Longer, search
from storage.search.words import ALL, LAST, Group, backwards, by_scope, prominent, tally

FLOAT_BYTES = 4
EXACT_ROWS = 30_000
"""Up to so many chunks in scope the exact search is fast, and it never misses one."""
BY_HAND = {"scoped_by_hand": True}

_PUT = text(
    "insert into chunk_index(tenant_id, chunk_key, chunk_id, collection_id, document_id, lexemes, terms) "
    "values (app.tenant(), :key, :chunk, :collection, :document, array_to_tsvector(:lexemes), :terms)"
).bindparams(bindparam("lexemes", type_=ARRAY(Text)))
_PUT_VECTOR = text(
    "insert into chunk_vectors(tenant_id, chunk_key, vector_set, collection_id, dims, embedding) "
    "values (app.tenant(), :key, :vector_set, :collection, :dims, cast(:vector as halfvec))"
)
_WITHOUT_VECTOR = text(
    "select i.chunk_key from chunk_index i where i.collection_id = :collection and not exists "
    "(select 1 from chunk_vectors v where v.chunk_key = i.chunk_key and v.vector_set = :vector_set) limit :most"
)
_BARE = text(
    "select i.chunk_key from chunk_index i where i.chunk_key = any(:keys) and not exists "
    "(select 1 from chunk_vectors v where v.chunk_key = i.chunk_key and v.vector_set = :vector_set)"
)
_VECTOR_COUNT = text(
    "select (select count(*) from chunk_index where collection_id = :collection) as chunks, "
    "(select count(*) from chunk_vectors where collection_id = :collection and vector_set = :vector_set) as vectors"
)
_DROP_VECTORS = text(
    "delete from chunk_vectors where (chunk_key, vector_set) in (select chunk_key, vector_set from chunk_vectors "
    "where collection_id = :collection and vector_set = :vector_set limit :most) returning chunk_key"
)
_EXACT = text(
    "select chunk_key as key, 1 - (embedding <=> cast(:vector as halfvec)) as score from ("
    "select chunk_key, embedding from chunk_vectors "
    "where collection_id = any(:scope) and vector_set = :vector_set and dims = :dims offset 0) s "
    "order by embedding <=> cast(:vector as halfvec) limit :most"
).bindparams(bindparam("scope", type_=ARRAY(Uuid)))
_NEAR = {
    dims: text(
        f"select chunk_key as key, 1 - (embedding::halfvec({dims}) <=> cast(:vector as halfvec({dims}))) as score "
        f"from chunk_vectors where collection_id = any(:scope) and vector_set = :vector_set and dims = {dims} "
        f"order by embedding::halfvec({dims}) <=> cast(:vector as halfvec({dims})) limit :most"
    ).bindparams(bindparam("scope", type_=ARRAY(Uuid)))
    for dims in NEAR_DIMENSIONS
}
_PREPARE = text(
    "select coalesce(sum(chunks), 0), set_config('hnsw.iterative_scan', 'relaxed_order', true), "
    "set_config('hnsw.ef_search', '100', true) from chunk_words where collection_id = any(:scope) and word = :word"
).bindparams(bindparam("scope", type_=ARRAY(Uuid)), bindparam("word", ALL))
_PLACES = text("select collection_id, terms from chunk_index where chunk_key = any(:keys)")
_REMOVE = text("delete from chunk_index where chunk_key = any(:keys)")
# Whoever changes the words of a collection waits here for others who do: so two cannot block each other.
_TURN = text("select pg_advisory_xact_lock(hashtextextended(:name, 0))")
_PUT_WORDS = text(
    "insert into chunk_words(tenant_id, collection_id, word, backwards, chunks, occurrences) "
    "select app.tenant(), :collection, w.word, w.backwards, w.chunks, w.occurrences "
    "from unnest(:words, :backwards, :chunks, :occurrences) as w(word, backwards, chunks, occurrences) "
    "on conflict (collection_id, word) do update set chunks = chunk_words.chunks + excluded.chunks, "
    "occurrences = chunk_words.occurrences + excluded.occurrences"
).bindparams(
    bindparam("words", type_=ARRAY(Text)), bindparam("backwards", type_=ARRAY(Text)),
    bindparam("chunks", type_=ARRAY(Integer)), bindparam("occurrences", type_=ARRAY(BigInteger)),
)  # fmt: skip
_TAKE_WORDS = text(
    "update chunk_words c set chunks = c.chunks - w.chunks, occurrences = c.occurrences - w.occurrences "
    "from unnest(:words, :chunks, :occurrences) as w(word, chunks, occurrences) "
    "where c.collection_id = :collection and c.word = w.word"
).bindparams(
    bindparam("words", type_=ARRAY(Text)), bindparam("chunks", type_=ARRAY(Integer)),
    bindparam("occurrences", type_=ARRAY(BigInteger)),
)  # fmt: skip
_DROP_WORDS = text(
    "delete from chunk_words where collection_id = :collection and word = any(:words) and chunks <= 0"
).bindparams(bindparam("words", type_=ARRAY(Text)))
_LONGER = """(
    select p.part, found.word, found.chunks from unnest(:parts, :{column}_lows, :{column}_highs) as p(part, low, high)
    cross join lateral (
      select c.word, sum(c.chunks) as chunks from unnest(:scope) as s(id)
      join chunk_words c on c.collection_id = s.id
        and c.{column} > p.low collate "C" and c.{column} < p.high collate "C"
      group by c.word order by 2 desc, 1 limit :most
    ) found
)"""
_EVERY_LONGER = " union all ".join(_LONGER.format(column=column) for column in ("word", "backwards"))
_ENDS = (
    bindparam("scope", type_=ARRAY(Uuid)), bindparam("parts", type_=ARRAY(Text)),
    *(bindparam(f"{column}_{end}", type_=ARRAY(Text)) for column in ("word", "backwards") for end in ("lows", "highs")),
)  # fmt: skip
_LONGER_WORDS = text(_EVERY_LONGER).bindparams(*_ENDS)
_KNOWN = text(
    "select null as part, word, sum(chunks) as chunks, sum(occurrences) as occurrences from chunk_words "
    "where collection_id = any(:scope) and word = any(:words) group by word "
    f"union all select part, word, chunks, 0 from ({_EVERY_LONGER}) as longer"
).bindparams(*_ENDS, bindparam("words", type_=ARRAY(Text)))
# `offset 0`: each chunk is looked up by its key, whatever the planner expects of the function.
_COLLECT = text(
    "select best.key, held.terms "
    "from app.chunks_with(:scope, cast(cast(:queries as text[]) as tsquery[]), :most, :worth, :limit) as best "
    "cross join lateral (select i.terms from chunk_index i where i.chunk_key = best.key offset 0) as held"
).bindparams(
    bindparam("scope", type_=ARRAY(Uuid)), bindparam("queries", type_=ARRAY(Text)),
    bindparam("most", type_=ARRAY(Integer)), bindparam("worth", type_=ARRAY(Float)),
)  # fmt: skip


def _literal(vector: bytes) -> str:
    values = memoryview(vector).cast("f")
    return "[" + ",".join(f"{value:.6g}" for value in values) + "]"


def _vector_row(key: int, vector_set: int, collection_id: UUID, vector: bytes) -> dict[str, object]:
    return {
        "key": key,
        "vector_set": vector_set,
        "collection": collection_id,
        "dims": len(vector) // FLOAT_BYTES,
        "vector": _literal(vector),
    }


class PostgresSearchIndex:
    """See `SearchIndex`."""

    async def put(self, session: AsyncSession, entries: Sequence[IndexEntry]) -> None:
        """Add chunks to both legs."""
        rows = [
            {
                "key": e.key,
                "chunk": e.chunk_id,
                "collection": e.collection_id,
                "document": e.document_id,
                "lexemes": prominent(e.terms),
                "terms": e.terms,
            }
            for e in entries
        ]
        if not rows:
            return
        await session.execute(_PUT, rows, execution_options=BY_HAND)
        vectors = [_vector_row(e.key, e.vector_set, e.collection_id, e.vector) for e in entries]
        await session.execute(_PUT_VECTOR, vectors, execution_options=BY_HAND)
        for collection, terms in by_scope((e.collection_id, e.terms) for e in entries):
            words = sorted(tally(terms).items())
            await self._take_turn(session, collection)
            values = {
                "collection": collection,
                "words": [word for word, _ in words],
                "backwards": [backwards(word) for word, _ in words],
                "chunks": [chunks for _, (chunks, _) in words],
                "occurrences": [occurrences for _, (_, occurrences) in words],
            }
            await session.execute(_PUT_WORDS, values, execution_options=BY_HAND)

    async def put_vectors(
        self, session: AsyncSession, collection_id: UUID, vector_set: int, vectors: Sequence[tuple[int, bytes]]
    ) -> None:
        """Add vectors beside those of the other set."""
        rows = [_vector_row(key, vector_set, collection_id, vector) for key, vector in vectors]
        if rows:
            await session.execute(_PUT_VECTOR, rows, execution_options=BY_HAND)

    async def without_vector(
        self, session: AsyncSession, collection_id: UUID, vector_set: int, limit: int
    ) -> Sequence[int]:
        """Indexed chunks that have no vector in the set."""
        values = {"collection": collection_id, "vector_set": vector_set, "most": limit}
        return [key for (key,) in await session.execute(_WITHOUT_VECTOR, values, execution_options=BY_HAND)]

    async def bare(self, session: AsyncSession, keys: Sequence[int], vector_set: int) -> Collection[int]:
        """Those of the chunks that are indexed and have no vector in the set."""
        values = {"keys": list(keys), "vector_set": vector_set}
        return {key for (key,) in await session.execute(_BARE, values, execution_options=BY_HAND)}

    async def count(self, session: AsyncSession, collection_id: UUID, vector_set: int) -> VectorCount:
        """Chunks that are indexed, and vectors of the set."""
        values = {"collection": collection_id, "vector_set": vector_set}
        row = (await session.execute(_VECTOR_COUNT, values, execution_options=BY_HAND)).one()
        return VectorCount(row.chunks, row.vectors)

    async def drop_vectors(self, session: AsyncSession, collection_id: UUID, vector_set: int, limit: int) -> int:
        """Remove some vectors of a set."""
        values = {"collection": collection_id, "vector_set": vector_set, "most": limit}
        return len((await session.execute(_DROP_VECTORS, values, execution_options=BY_HAND)).all())

    async def hold(self, session: AsyncSession, collection_id: UUID) -> None:
        """Wait for others who change the collection's index, and let those who come wait."""
        await self._take_turn(session, collection_id)

    async def remove(self, session: AsyncSession, keys: Sequence[int]) -> None:
        """Remove chunks from both legs."""
        if not keys:
            return
        places = await session.execute(_PLACES, {"keys": list(keys)}, execution_options=BY_HAND)
        for collection, terms in by_scope((row.collection_id, row.terms) for row in places):
            words = tally(terms)
            await self._take_turn(session, collection)
            values = {
                "collection": collection,
                "words": list(words),
                "chunks": [chunks for chunks, _ in words.values()],
                "occurrences": [occurrences for _, occurrences in words.values()],
            }
            await session.execute(_TAKE_WORDS, values, execution_options=BY_HAND)
            gone = {"collection": collection, "words": list(words)}
            await session.execute(_DROP_WORDS, gone, execution_options=BY_HAND)
        await session.execute(_REMOVE, {"keys": list(keys)}, execution_options=BY_HAND)

    @staticmethod
    async def _take_turn(session: AsyncSession, collection_id: UUID) -> None:
        await session.execute(_TURN, {"name": f"words of {collection_id}"}, execution_options=BY_HAND)

    async def compact(self, database: Database) -> None:
        """Nothing: the server does it by itself."""

    async def erase_traces(self, database: Database) -> bool:
        """Nothing: the server's vacuum frees what rows held."""
        return False

    async def vectors(
        self, session: AsyncSession, collection_ids: Sequence[UUID], vector: bytes, limit: int, vector_set: int = 0
    ) -> Sequence[SearchHit]:
        """Exact in small scopes; by the HNSW index, walked until enough rows pass the filter, in large ones."""
        dims = len(vector) // FLOAT_BYTES
        # One trip for how much is in scope and for how the index is walked.
        count = await session.execute(_PREPARE, {"scope": list(collection_ids)}, execution_options=BY_HAND)
        values = {
            "scope": list(collection_ids), "vector_set": vector_set, "vector": _literal(vector), "most": limit
        }  # fmt: skip
        if count.scalar_one() <= EXACT_ROWS or dims not in _NEAR:
            rows = await session.execute(_EXACT, values | {"dims": dims}, execution_options=BY_HAND)
        else:
            rows = await session.execute(_NEAR[dims], values, execution_options=BY_HAND)
        hits = [SearchHit(row.key, float(row.score)) for row in rows]
        return sorted(hits, key=lambda hit: (-hit.score, hit.key))

    async def texts(self, session: AsyncSession, collection_ids: Sequence[UUID], query: str, limit: int) -> TextHits:
        """BM25 among the chunks of these collections."""
        return await search(PostgresWords(session), collection_ids, query, limit)


class PostgresWords:
    """See `WordIndex`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def known(
        self, scope: Sequence[UUID], wanted: Sequence[str], parts: Sequence[str], most: int
    ) -> tuple[Counts, Longer]:
        """See `WordIndex`."""
        values = {**_ends(scope, parts, most), "words": list(wanted)}
        rows = (await self._session.execute(_KNOWN, values, execution_options=BY_HAND)).all()
        counts = {row.word: (int(row.chunks), int(row.occurrences)) for row in rows if row.part is None}
        return counts, [(row.part, row.word, int(row.chunks)) for row in rows if row.part is not None]

    async def longer(self, scope: Sequence[UUID], parts: Sequence[str], most: int) -> Longer:
        """See `WordIndex`."""
        rows = await self._session.execute(_LONGER_WORDS, _ends(scope, parts, most), execution_options=BY_HAND)
        return [(row.part, row.word, int(row.chunks)) for row in rows]

    async def collect(self, scope: Sequence[UUID], groups: Sequence[Group], limit: int) -> Iterable[tuple[int, str]]:
        """See `WordIndex`."""
        values = {
            "scope": list(scope),
            "queries": [" | ".join(f"'{term}'" for term in group.terms) for group in groups],
            "most": [group.most for group in groups],
            "worth": [group.worth for group in groups],
            "limit": limit,
        }
        rows = await self._session.execute(_COLLECT, values, execution_options=BY_HAND)
        return [(key, terms) for key, terms in rows]


def _ends(scope: Sequence[UUID], parts: Sequence[str], most: int) -> dict[str, object]:
    """Where words that begin or end with the parts stand in the two indexes."""
    ends = [part[::-1] for part in parts]
    return {
        "scope": list(scope),
        "parts": list(parts),
        "word_lows": list(parts),
        "word_highs": [part + LAST for part in parts],
        "backwards_lows": ends,
        "backwards_highs": [end + LAST for end in ends],
        "most": most,
    }
