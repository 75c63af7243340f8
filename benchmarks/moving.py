"""Moving an installation between the databases: messages and passages with vectors, there and back.

    python -m benchmarks.moving [--messages 10000] [--chunks 100000] [--postgres postgresql://owner@host/empty]

Without --postgres the tests' own server is used.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np
from sqlalchemy import insert

from domain.kernel.ids import new_id
from domain.knowledge.repository import IndexEntry
from storage import migrate
from storage.archive.copying import copy_rows
from storage.archive.loading import into_postgres, into_sqlite
from storage.archive.rows import shapes_of
from storage.archive.snapshot import snapshot
from storage.database import Database
from storage.search.analysis import analyse
from storage.search.sqlite import SqliteSearchIndex
from storage.tables import metadata
from tests.conftest import MASTER_KEY
from tests.support.rows import Rows, fill, row_of

BATCH = 1_000
WORDS = "bygglov altan avgift beslut kommun handläggare överklaga staket grannar karta detaljplan ansökan skola".split()


async def _fill(database: Database, messages: int, chunks: int) -> None:
    tenant_id, random = new_id(), np.random.default_rng(3)
    rows: Rows = await fill(database, None, tenant_id)
    async with database.reader.connect() as connection:
        # Of plain types: what is encrypted otherwise is a text like others here.
        plain = {shape.name: shape.table() for shape in await connection.run_sync(shapes_of)}
    for name, number in (("messages", messages), ("chunks", chunks)):
        table = metadata.tables[name]
        for first in range(0, number, BATCH):
            made = [row_of(table, tenant_id, rows) for _ in range(min(BATCH, number - first))]
            for position, values in enumerate(made, first + 1_000_000):
                words = " ".join(random.choice(WORDS, 40))
                values |= {"text": f"{position} {words}", "position": position} if name == "chunks" else {}
            async with database.session(tenant_id) as session:
                connection = await session.connection()
                await connection.execute(insert(plain[name]), made)
                if name == "chunks":
                    vectors = random.normal(size=(len(made), 384)).astype(np.float32)
                    found = [
                        IndexEntry(
                            v["key"],
                            v["id"],
                            v["collection_id"],
                            v["document_id"],
                            analyse(v["text"], "sv"),
                            e.tobytes(),
                        )
                        for v, e in zip(made, vectors, strict=True)
                    ]
                    await SqliteSearchIndex().put(session, found)
                await session.commit()


async def measure(messages: int, chunks: int, url: str, program_url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder, "samrad.db"), Path(folder, "again.db")
        await migrate.migrate_sqlite(path)
        here = Database.sqlite(path)
        started = time.monotonic()
        await _fill(here, messages, chunks)
        print(f"made      {time.monotonic() - started:7.1f} s  {path.stat().st_size / 1e6:.0f} MB")
        started = time.monotonic()
        async with snapshot(here) as found, into_postgres(url, None) as loader:
            await copy_rows(found, loader)
        rows = sum(loader.counts.values())
        print(f"to Postgres {time.monotonic() - started:5.1f} s  {rows} rows, all read back and equal")
        there = Database.postgres(url, [MASTER_KEY], program_url=program_url)
        started = time.monotonic()
        async with snapshot(there) as found, into_sqlite(again) as loader:
            await copy_rows(found, loader)
        print(
            f"to SQLite {time.monotonic() - started:7.1f} s  {sum(loader.counts.values())} rows, all read back and equal"
        )
        await here.close()
        await there.close()


def main() -> None:
    from tests.support.postgres import OWNER, Postgres

    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--messages", type=int, default=10_000)
    told.add_argument("--chunks", type=int, default=100_000)
    told.add_argument("--postgres")
    chosen = told.parse_args()
    if chosen.postgres:
        asyncio.run(measure(chosen.messages, chosen.chunks, chosen.postgres, chosen.postgres))
        return
    server = Postgres()
    try:
        for role in (OWNER, "samrad_app"):
            asyncio.run(server.execute(f"create role {role} login createrole"))
        asyncio.run(server.create("moving"))
        asyncio.run(server.execute("create extension vector", "moving"))
        url = server.url("moving")
        asyncio.run(measure(chosen.messages, chosen.chunks, url, server.url("moving", user="samrad_app")))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
