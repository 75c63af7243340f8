"""How the search on Postgres grows: 10,000, 100,000 and 1,000,000 chunks in one collection, loaded in bulk.

The chunks are those of `benchmarks.retrieval`. They are copied into the tables, and the two large indexes are made when all
rows are there, as after a restored backup; what that takes and how large they become is printed. At the end the server
writes down the plans of one search.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import asyncpg

from benchmarks.installation import arguments, row
from benchmarks.retrieval import CHUNKS_EACH, DIMENSIONS, Made, Place, Texts, document, measure, opened
from domain.kernel.ids import new_id
from storage.migrations.ddl import near_index
from storage.search.postgres import _literal
from storage.search.words import backwards, prominent, tally
from tests.support.postgres import OWNER, Postgres

MEMORY = "4GB"
GIN, NEAR = "ix_chunk_index_lexemes", f"ix_chunk_vectors_near_{DIMENSIONS}"
Words = dict[str, list[int]]
PLANS = {
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_parameter_max_length": "0",
}
PLAN_WIDTH = 160


def _fields(*values: object) -> bytes:
    """A line of Postgres' text format; none of the values holds a backslash, a tab or a line break."""
    return ("\t".join(str(value) for value in values) + "\n").encode()


def _lines(made: Made) -> Iterator[tuple[bytes, bytes, bytes]]:
    """For each chunk its lines of chunks, chunk_index and chunk_vectors."""
    for chunk, entry in zip(made.chunks, made.entries, strict=True):
        tenant, lexemes = chunk.tenant_id, " ".join(f"'{term}'" for term in prominent(entry.terms))
        yield (
            _fields(
                chunk.id, tenant, chunk.collection_id, chunk.document_id, chunk.version_id, chunk.key, chunk.position,
                chunk.text, chunk.start, chunk.end, chunk.token_count, "[]",
            ),
            _fields(tenant, chunk.key, chunk.id, chunk.collection_id, chunk.document_id, lexemes, entry.terms),
            _fields(tenant, chunk.key, 0, chunk.collection_id, DIMENSIONS, _literal(entry.vector)),
        )  # fmt: skip


COLUMNS = {
    "chunks": (
        "id tenant_id collection_id document_id version_id key position text start end token_count heading_path".split()
    ),
    "chunk_index": "tenant_id chunk_key chunk_id collection_id document_id lexemes terms".split(),
    "chunk_vectors": "tenant_id chunk_key vector_set collection_id dims embedding".split(),
}


async def load(place: Place, connection: asyncpg.Connection, texts: Texts, count: int) -> None:
    """Copy `count` more chunks into the tables."""
    words: Words = {}
    for _ in range(-(-count // CHUNKS_EACH)):
        made = document(place, texts, f"Dokument {new_id()}", min(CHUNKS_EACH, count))
        async with place.uow.begin(place.actor.tenant_id) as tx:
            await tx.add(made.document, made.version)
            made.document.version_id = made.version.id
        for (table, columns), lines in zip(COLUMNS.items(), zip(*_lines(made), strict=True), strict=True):
            await connection.copy_to_table(table, source=_source(lines), columns=columns)
        for word, (chunks, often) in tally(entry.terms for entry in made.entries).items():
            counted = words.setdefault(word, [0, 0])
            counted[0], counted[1] = counted[0] + chunks, counted[1] + often
    await _count(place, connection, words)


async def _source(lines: Sequence[bytes]):  # type: ignore[no-untyped-def]
    yield b"".join(lines)


async def _count(place: Place, connection: asyncpg.Connection, words: Words) -> None:
    rows = [
        (place.actor.tenant_id, place.collection_id, word, backwards(word), chunks, often)
        for word, (chunks, often) in words.items()
    ]
    await connection.executemany(
        "insert into chunk_words(tenant_id, collection_id, word, backwards, chunks, occurrences) "
        "values ($1, $2, $3, $4, $5, $6) on conflict (collection_id, word) do update set "
        "chunks = chunk_words.chunks + excluded.chunks, occurrences = chunk_words.occurrences + excluded.occurrences",
        rows,
    )


async def drop_indexes(connection: asyncpg.Connection) -> dict[str, str]:
    """Drop the two large indexes; the statements that make them."""
    words = await connection.fetchval("select pg_get_indexdef($1::regclass)", GIN)
    await connection.execute(f"drop index {GIN}, {NEAR}")
    return {GIN: words, NEAR: near_index(DIMENSIONS)}


async def make_indexes(connection: asyncpg.Connection, statements: dict[str, str], count: int) -> None:
    """Make them again, and print what each takes."""
    await connection.execute("set maintenance_work_mem = '3GB'; set max_parallel_maintenance_workers = 1")
    for name, statement in statements.items():
        began = time.perf_counter()
        await connection.execute(statement)
        size = await connection.fetchval("select pg_relation_size($1::regclass)", name)
        taken = time.perf_counter() - began
        row(f"index {name}, {count:,} chunks", build_s=round(taken, 1), size_mb=round(size / 1e6))
    await connection.execute("vacuum analyze chunks, chunk_index, chunk_vectors, chunk_words")


async def plans(server: Postgres, connection: asyncpg.Connection, place: Place, texts: Texts) -> None:
    """Search once more and print the plans of all that the server was asked, long vectors cut."""
    for setting, value in PLANS.items():
        await connection.execute(f"alter system set {setting} = '{value}'")
    await connection.execute("select pg_reload_conf()")
    before = len(server.log())
    # The first search takes each connection of the pool past the new settings.
    for _ in range(3):
        await measure("postgres, plans written", place, texts, 0, 1)
    print("\n".join(line[:PLAN_WIDTH] for line in server.log()[before:].splitlines()), flush=True)


async def run(server: Postgres, folder: Path, counts: Sequence[int], queries: int) -> None:
    """Load, index and measure each of the counts, the smaller ones on the way."""
    await server.execute(f"create role {OWNER} login createrole")
    name = await server.create()
    await server.execute("create extension vector", name)
    await server.execute(f"alter database {name} set session_preload_libraries = 'auto_explain'")
    connection = await asyncpg.connect(server.url(name, user="postgres"))
    # The rows are whole by construction; without this each one would be looked up in the tables it refers to.
    await connection.execute("set session_replication_role = replica")
    try:
        async with opened(folder, server.url(name)) as place:
            texts, stored = Texts(), 0
            for count in counts:
                statements = await drop_indexes(connection)
                began = time.perf_counter()
                await load(place, connection, texts, count - stored)
                row(f"load, {count - stored:,} chunks", seconds=round(time.perf_counter() - began, 1))
                stored = count
                await make_indexes(connection, statements, count)
                await measure("postgres", place, Texts(7), count, queries)
            await plans(server, connection, place, Texts(8))
    finally:
        await connection.close()


def main() -> None:
    chosen = arguments(__doc__, queries=(200, 10), chunks=(1_000_000, 2_000))
    counts = sorted({min(count, chosen.chunks) for count in (10_000, 100_000, chosen.chunks)})
    server = Postgres(MEMORY)
    try:
        asyncio.run(run(server, Path(tempfile.mkdtemp(prefix="samrad-bench-")), counts, chosen.queries))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
