"""Search among many chunks on both databases: vectors, full text, and both with the passages they give."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import numpy as np

from app.bootstrap import build
from app.config import Settings
from app.databases import migrate_database
from benchmarks.installation import arguments, quantile, row
from domain.audit.chain import Signer
from domain.kernel.actor import Actor, Permission
from domain.kernel.ids import new_id
from domain.knowledge.entities import Chunk, Document, DocumentState, DocumentVersion, chunk_key
from domain.knowledge.repository import IndexEntry
from domain.knowledge.search import LEG_DEPTH, QueryVector, find_passages
from domain.tenants.service import Setup
from storage.database import Database
from storage.search.analysis import analyse
from storage.search.postgres import PostgresSearchIndex
from storage.search.sqlite import SqliteSearchIndex
from storage.unit_of_work import SqlUnitOfWork
from tests.support.postgres import OWNER, Postgres
from tests.support.server import EMAIL, PASSWORD

KEY = bytes(range(32))
MEMORY = "1GB"
"""What the files in `deploy/` set aside for PostgreSQL."""
DIMENSIONS, TOPICS = 384, 200
CHUNKS_EACH, WORDS_EACH, VOCABULARY = 500, 120, 20_000
SYLLABLES = "bygg lov plan kom mun när hand lägg ning av gift bi drag skol barn väg sjö stad land rätt".split()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the measurement happens."""

    uow: SqlUnitOfWork
    database: Database
    actor: Actor
    collection_id: UUID


@dataclass(frozen=True, slots=True)
class Made:
    """A document with what belongs to it."""

    document: Document
    version: DocumentVersion
    chunks: list[Chunk]
    entries: list[IndexEntry]


class Texts:
    """Synthetic chunks: words by Zipf's law, vectors around topics. The same seed gives the same chunks."""

    def __init__(self, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._topics = self._random.normal(size=(TOPICS, DIMENSIONS))
        shares = 1 / np.arange(1, VOCABULARY + 1)
        self._shares = shares / shares.sum()

    @staticmethod
    def _word(number: int) -> str:
        parts = []
        while True:
            number, rest = divmod(number, len(SYLLABLES))
            parts.append(SYLLABLES[rest])
            if not number:
                return "".join(parts)

    def text(self, words: int = WORDS_EACH) -> str:
        """A text of so many words."""
        picked = self._random.choice(VOCABULARY, words, p=self._shares)
        return " ".join(self._word(int(number)) for number in picked)

    def vector(self) -> bytes:
        """A unit vector near one of the topics."""
        values = self._topics[self._random.integers(TOPICS)] + 0.7 * self._random.normal(size=DIMENSIONS)
        return bytes((values / np.linalg.norm(values)).astype(np.float32).tobytes())


async def fill(place: Place, texts: Texts, count: int) -> None:
    """Store `count` chunks in documents of CHUNKS_EACH."""
    for number in range(-(-count // CHUNKS_EACH)):
        size = min(CHUNKS_EACH, count - number * CHUNKS_EACH)
        await _store(place, document(place, texts, f"Dokument {new_id()}", size))


def document(place: Place, texts: Texts, title: str, size: int) -> Made:
    """A document of `size` chunks that is not stored yet."""
    tenant, owner = place.actor.tenant_id, place.actor.user_id
    document = Document(tenant_id=tenant, collection_id=place.collection_id, user_id=owner, title=title)
    version = DocumentVersion(
        tenant_id=tenant, document_id=document.id, number=1, filename="a.txt", media_type="text/plain", size=size,
        sha256=document.id.hex * 2, blob_id=None, state=DocumentState.READY, language="sv", chunk_count=size,
    )  # fmt: skip
    chunks, entries = [], []
    for position in range(size):
        text, chunk_id = texts.text(), new_id()
        chunk = Chunk(
            tenant_id=tenant, id=chunk_id, collection_id=place.collection_id, document_id=document.id,
            version_id=version.id, key=chunk_key(chunk_id), position=position, text=text, start=position * 2_000,
            end=position * 2_000 + len(text), token_count=250,
        )  # fmt: skip
        chunks.append(chunk)
        entries.append(
            IndexEntry(chunk.key, chunk.id, chunk.collection_id, document.id, analyse(text, "sv"), texts.vector())
        )
    return Made(document, version, chunks, entries)


async def _store(place: Place, made: Made) -> None:
    async with place.uow.begin(place.actor.tenant_id) as tx:
        await tx.add(made.document, made.version)
        made.document.version_id = made.version.id
        await tx.knowledge.store_chunks(made.version, made.chunks, made.entries)


async def measure(name: str, place: Place, texts: Texts, count: int, queries: int) -> None:
    """Search `queries` times and print what it took."""
    taken: dict[str, list[float]] = {"vectors": [], "texts": [], "whole": []}
    for number in range(queries + 5):
        question, vector = texts.text(6), texts.vector()
        async with place.uow.read(place.actor.tenant_id) as tx:
            began = time.perf_counter()
            await tx.knowledge.search_vectors([place.collection_id], vector, LEG_DEPTH)
            middle = time.perf_counter()
            await tx.knowledge.search_texts([place.collection_id], question, LEG_DEPTH)
            searched = time.perf_counter()
        asked, vector = texts.text(6), texts.vector()
        scope = [place.collection_id]
        async with place.uow.read(place.actor.tenant_id) as tx:
            started = time.perf_counter()
            chosen = await find_passages(tx, asked, [QueryVector(scope, vector)], scope, 10)
            ended = time.perf_counter()
        assert chosen.passages, "nothing was found"
        # The first searches warm the caches.
        if number >= 5:
            taken["vectors"].append((middle - began) * 1_000)
            taken["texts"].append((searched - middle) * 1_000)
            taken["whole"].append((ended - started) * 1_000)
    values = {f"{leg}_p{share}_ms": quantile(times, share / 100) for leg, times in taken.items() for share in (50, 95)}
    row(f"retrieval, {name}, {count:,} chunks", **values, queries=queries)


@asynccontextmanager
async def opened(folder: Path, url: str | None) -> AsyncIterator[Place]:
    """An installation with an empty collection."""
    settings = Settings(
        _env_file=None, data_dir=folder, database_url=url, encryption_key=KEY.hex(), redis_url="redis://127.0.0.1:1"
    )
    await migrate_database(settings)
    runtime = await build(settings, listen=False)

    async def ignore(*_: object) -> None:
        """Nobody listens and no job is run here."""

    try:
        owner = await runtime.services.setup.run(Setup("Kommun", EMAIL, PASSWORD))
        actor = replace(owner, permissions=frozenset(Permission))
        personal = await runtime.services.spaces.personal(actor)
        made = await runtime.services.knowledge.create_collection(actor, personal.space.id, "Mätning")
        index = SqliteSearchIndex() if url is None else PostgresSearchIndex()
        uow = SqlUnitOfWork(
            runtime.database, index, Signer(b""), runtime.ring, publish=ignore, enqueue=ignore, forget=ignore
        )
        yield Place(uow, runtime.database, actor, made.collection.id)
    finally:
        await runtime.close()


async def run(name: str, folder: Path, url: str | None, counts: Sequence[int], queries: int) -> None:
    async with opened(folder, url) as place:
        texts, stored = Texts(), 0
        for count in counts:
            await fill(place, texts, count - stored)
            stored = count
            await measure(name, place, texts, count, queries)


async def run_postgres(folder: Path, counts: Sequence[int], queries: int) -> None:
    server = await asyncio.to_thread(Postgres, MEMORY)
    try:
        await server.execute(f"create role {OWNER} login createrole")
        name = await server.create()
        await server.execute("create extension vector", name)
        await run("postgres", folder, server.url(name), counts, queries)
    finally:
        server.stop()


def main() -> None:
    chosen = arguments(__doc__, queries=(200, 10), chunks=(100_000, 1_000))
    counts = sorted({min(10_000, chosen.chunks), chosen.chunks})
    folder = Path(tempfile.mkdtemp(prefix="samrad-bench-"))
    try:
        asyncio.run(run("sqlite", folder / "sqlite", None, counts, chosen.queries))
        asyncio.run(run_postgres(folder / "postgres", counts, chosen.queries))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
