"""The search index on each database: what it finds, what it forgets, and that its short cuts miss little."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg
import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.bootstrap import Runtime
from domain.kernel.actor import Actor, Permission
from domain.kernel.ids import new_id
from domain.knowledge.entities import Chunk, Collection, Document, DocumentState, DocumentVersion, chunk_key
from domain.knowledge.filters import Filter
from domain.knowledge.repository import IndexEntry
from domain.knowledge.search import QueryVector, find_passages
from storage import migrate
from storage.search import SearchIndex
from storage.search.analysis import analyse
from storage.search.postgres import PostgresSearchIndex
from storage.search.sqlite import SqliteSearchIndex
from storage.search.sqlite_coarse import SqliteCoarse
from tests.conftest import MASTER_KEY, Place

BY_HAND = {"scoped_by_hand": True}
CODED_FROM = 300


class Shelf:
    """A collection, and chunks to put into it."""

    def __init__(self, runtime: Runtime, owner: Actor, collection: Collection) -> None:
        self.runtime, self.owner, self.collection = runtime, owner, collection
        sqlite = runtime.database.dialect == "sqlite"
        coarse = SqliteCoarse(exact_chunks=500, coded_from=CODED_FROM)
        self.index: SearchIndex = SqliteSearchIndex(coarse) if sqlite else PostgresSearchIndex()

    def session(self, *, write: bool = False) -> AsyncSession:
        return self.runtime.database.session(self.owner.tenant_id, write=write)

    async def put(self, texts: Sequence[str], vectors: Sequence[bytes], language: str = "sv") -> list[int]:
        """A document with these chunks; their keys."""
        tenant, collection = self.owner.tenant_id, self.collection.id
        document = Document(tenant_id=tenant, collection_id=collection, user_id=self.owner.user_id, title=str(new_id()))
        version = DocumentVersion(
            tenant_id=tenant, document_id=document.id, number=1, filename="a.txt", media_type="text/plain", size=1,
            sha256=document.id.hex * 2, blob_id=None, state=DocumentState.READY, language=language,
        )  # fmt: skip
        chunks = []
        for position, written in enumerate(texts):
            chunk_id = new_id()
            chunks.append(
                Chunk(
                    tenant_id=tenant, id=chunk_id, collection_id=collection, document_id=document.id,
                    version_id=version.id, key=chunk_key(chunk_id), position=position, text=written, start=position,
                    end=position + 1, token_count=1,
                )
            )  # fmt: skip
        entries = [
            IndexEntry(c.key, c.id, collection, document.id, analyse(c.text, language), vector)
            for c, vector in zip(chunks, vectors, strict=True)
        ]
        async with self.session(write=True) as session:
            session.add_all([document])
            await session.flush()
            session.add_all([version])
            await session.flush()
            session.add_all(chunks)
            await session.flush()
            await self.index.put(session, entries)
            await session.commit()
        return [c.key for c in chunks]

    async def remove(self, keys: Sequence[int]) -> None:
        async with self.session(write=True) as session:
            await self.index.remove(session, keys)
            await session.commit()

    async def texts(self, query: str, limit: int = 20) -> list[int]:
        async with self.session() as session:
            return [hit.key for hit in (await self.index.texts(session, [self.collection.id], query, limit)).hits]

    async def vectors(self, vector: bytes, limit: int = 10) -> dict[int, float]:
        async with self.session() as session:
            return {
                hit.key: hit.score for hit in await self.index.vectors(session, [self.collection.id], vector, limit)
            }

    async def words(self) -> dict[str, int]:
        """The words of all collections, with the number of chunks."""
        async with self.session() as session:
            rows = await session.execute(text("select word, chunks from chunk_words"), execution_options=BY_HAND)
            return {row.word: row.chunks for row in rows}


@pytest.fixture
async def shelf(runtime: Runtime, owner: Actor) -> Shelf:
    actor = replace(owner, permissions=frozenset(Permission))
    personal = await runtime.services.spaces.personal(actor)
    made = await runtime.services.knowledge.create_collection(actor, personal.space.id, "Hylla")
    return Shelf(runtime, actor, made.collection)


def cone(count: int, seed: int = 1, dimensions: int = 384) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Unit vectors as models make them: around topics, all of them in a narrow cone."""
    random = np.random.default_rng(seed)
    axis = random.normal(size=dimensions) * 2
    topics = random.normal(size=(40, dimensions))
    found = axis + topics[random.integers(40, size=count)] + 0.8 * random.normal(size=(count, dimensions))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def as_bytes(vectors: "np.ndarray[tuple[int, int], np.dtype[np.float32]]") -> list[bytes]:
    return [row.tobytes() for row in vectors]


SENTENCES = (
    "Ansök hos en bygglovshandläggare.", "Barnbidraget betalas ut den tjugonde.", "Ett café på torget.",
    "Se ärende 2026-114 i diariet.", "Ett får betar vid ån.", "Min far kom hem från an.",
)  # fmt: skip


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("handläggning av bygglov", 0), ("bygglov", 0), ("bidrag för barn", 1), ("CAFE", 2), ("2026-114", 3),
        ("får", 4), ("far", 5), ("bygglovshandläggning", 0), ("barbnidraget", 1), ("bygglobshandläggare", 0),
    ],
)  # fmt: skip
async def test_questions_find_their_sentence(shelf: Shelf, question: str, first: int) -> None:
    keys = await shelf.put(SENTENCES, as_bytes(cone(len(SENTENCES))))
    assert (await shelf.texts(question))[:1] == [keys[first]]


async def test_nothing_is_found_for_words_that_stand_nowhere(shelf: Shelf) -> None:
    await shelf.put(SENTENCES, as_bytes(cone(len(SENTENCES))))
    assert await shelf.texts("radonmätning") == []
    assert await shelf.texts("?!") == []


async def test_words_are_counted_and_forgotten_with_their_chunks(shelf: Shelf) -> None:
    first = await shelf.put(["Kommunen om radon.", "Kommunen om kommunen."], as_bytes(cone(2)))
    second = await shelf.put(["Kommunen om buller."], as_bytes(cone(1)))
    counted = await shelf.words()
    assert (counted[""], counted["kommun"], counted["radon"], counted["bull"]) == (3, 3, 1, 1)
    await shelf.remove(first)
    assert await shelf.words() == {"": 1, "kommun": 1, "om": 1, "bull": 1}
    assert await shelf.texts("radon") == []
    await shelf.remove(second)
    assert await shelf.words() == {}


async def test_the_coarse_pass_finds_what_comparing_everything_finds(shelf: Shelf) -> None:
    held = cone(3_000)
    keys: list[int] = []
    for first in range(0, 3_000, 250):
        part = held[first : first + 250]
        keys += await shelf.put([f"Text {n}" for n in range(len(part))], as_bytes(part))
    asked, hits = cone(20, seed=1)[:20] + 0.0, 0
    for row in asked:
        query = (row + 0.02 * np.random.default_rng(3).normal(size=384)).astype(np.float32)
        query /= np.linalg.norm(query)
        likeness = held @ query
        best = {keys[place] for place in np.argsort(-likeness)[:10]}
        found = await shelf.vectors(query.tobytes())
        hits += len(best & found.keys())
        for key, score in found.items():
            assert score == pytest.approx(float(likeness[keys.index(key)]), abs=2e-3)
    assert hits >= 0.97 * 10 * len(asked)


async def test_what_is_removed_from_a_large_collection_is_not_found_again(shelf: Shelf) -> None:
    held = cone(1_200)
    keys: list[int] = []
    for first in range(0, 1_200, 200):
        keys += await shelf.put([f"Text {n}" for n in range(200)], as_bytes(held[first : first + 200]))
    query = held[700].tobytes()
    assert next(iter(await shelf.vectors(query))) == keys[700]
    await shelf.remove(keys[600:800])
    assert not set(keys[600:800]) & (await shelf.vectors(query, 50)).keys()
    again = await shelf.put(["Text"], [query])
    assert next(iter(await shelf.vectors(query))) == again[0]
    await shelf.remove(keys[:600] + keys[800:] + again)
    assert await shelf.vectors(query) == {}
    if shelf.runtime.database.dialect == "sqlite":
        async with shelf.session() as session:
            for table in ("chunk_blocks", "chunk_codes", "chunk_centres", "chunk_places", "chunk_words"):
                left = await session.scalar(text(f"select count(*) from {table}"), execution_options=BY_HAND)
                assert left == 0, table


async def test_codes_are_found_whether_they_are_held_in_memory_or_not(shelf: Shelf) -> None:
    if shelf.runtime.database.dialect != "sqlite":
        pytest.skip("Postgres has an index of its own")
    held = cone(1_500)
    for first in range(0, 1_500, 250):
        await shelf.put([f"Text {n}" for n in range(250)], as_bytes(held[first : first + 250]))
    asked = [held[place].tobytes() for place in (3, 700, 1_499)]
    in_memory = [await shelf.vectors(vector) for vector in asked]
    shelf.index = SqliteSearchIndex(SqliteCoarse(exact_chunks=500, coded_from=CODED_FROM, held_bytes=0))
    assert [await shelf.vectors(vector) for vector in asked] == in_memory


async def test_a_large_collection_hides_no_words_of_another_and_shows_none(shelf: Shelf, place: Place) -> None:
    knowledge = shelf.runtime.services.knowledge
    other = (await knowledge.create_collection(shelf.owner, shelf.collection.space_id, "Liten")).collection
    vectors = as_bytes(cone(400))
    large = await shelf.put([f"Bygglov nummer {n}" for n in range(400)], vectors)
    first, shelf.collection = shelf.collection, other
    [secret] = await shelf.put(["Bygglov bygglov bygglov"], vectors[:1])
    assert await shelf.texts("bygglov") == [secret]
    shelf.collection = first
    found = await shelf.texts("bygglov", 400)
    assert found
    assert set(found) <= set(large)
    if place.url is not None:
        # Only now the server knows that the collection is nearly all there is, and does not look for it in the index.
        await _analyse(place.url)
        assert await shelf.texts("bygglov", 400) == found
        shelf.collection = other
        assert await shelf.texts("bygglov") == [secret]


async def _analyse(url: str) -> None:
    owner = await asyncpg.connect(url)
    await owner.execute("analyze chunk_index")
    await owner.close()


async def test_a_narrowed_search_asks_for_no_more_than_the_index_gives(shelf: Shelf) -> None:
    held = as_bytes(cone(1_750))
    for first in range(0, 1_750, 250):
        await shelf.put([f"Text {n}" for n in range(250)], held[first : first + 250])
    scope = [shelf.collection.id]
    async with shelf.runtime.rotation.unit_of_work.read(shelf.owner.tenant_id) as tx:
        for types, count in ((["pdf"], 0), (["txt"], 100)):
            asked = [QueryVector(scope, held[0])]
            found = await find_passages(tx, "text", asked, scope, 100, Filter.of(types=types))
            assert len(found.passages) == count


async def test_words_are_made_anew_where_chunks_have_none(
    shelf: Shelf, place: Place, request: pytest.FixtureRequest
) -> None:
    keys = await shelf.put(SENTENCES, as_bytes(cone(len(SENTENCES))))
    before = await shelf.words()
    if place.url is None:
        async with shelf.runtime.database.system_session(write=True) as session:
            for statement in (
                "insert into chunk_terms(chunk_terms) values ('delete-all')", "delete from chunk_words",
                "update chunk_places set terms = ''",
            ):  # fmt: skip
                await session.execute(text(statement), execution_options=BY_HAND)
            await session.commit()
        await migrate.migrate_sqlite(place.data / "samrad.db")
    else:
        name = place.url.rpartition("/")[2]
        postgres = request.getfixturevalue("postgres")
        await postgres.execute("truncate chunk_words", name)
        await postgres.execute("update chunk_index set terms = '', lexemes = ''", name)
        await migrate.migrate_postgres(place.url, MASTER_KEY)
    after = await shelf.words()
    # The titles of the documents are among the words too, as in the product.
    assert {word: after.get(word) for word in before} == before
    assert await shelf.texts("bygglov") == [keys[0]]


FORMER: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "alter table chunk_places add column dims integer not null default 384",
        "alter table chunk_places add column block integer",
        "update chunk_places set block = (select block from chunk_vector_places v where v.vector = chunk_places.key)",
        "drop table chunk_vector_places",
    ),
    "postgres": (
        "alter table chunk_index add column dims integer, add column embedding halfvec",
        (
            "update chunk_index i set dims = v.dims, embedding = v.embedding from chunk_vectors v "
            "where v.chunk_key = i.chunk_key"
        ),
        "drop table chunk_vectors",
    ),
}
"""From vectors that stand apart to those that stood beside the words."""
FORMER_TABLES = (
    "alter table collections drop column vector_set", "alter table chunks drop column header",
    "drop table embedding_changes", "update alembic_version set version_num = '0019'",
)  # fmt: skip


async def _move_apart(connection: AsyncConnection) -> None:
    """This one revision; those after it have been applied before."""
    await connection.run_sync(migrate.upgrade_tables, "0020")
    await connection.execute(text(f"update alembic_version set version_num = '{migrate.head()}'"))
    await connection.commit()


async def test_vectors_are_moved_apart_from_words(shelf: Shelf, place: Place, request: pytest.FixtureRequest) -> None:
    keys = await shelf.put([f"Stycke {n}" for n in range(CODED_FROM + 20)], as_bytes(cone(CODED_FROM + 20)))
    before = await shelf.vectors(cone(1)[0].tobytes(), 5)
    if place.url is None:
        async with shelf.runtime.database.system_session(write=True) as session:
            for statement in (*FORMER["sqlite"], *FORMER_TABLES):
                await session.execute(text(statement), execution_options=BY_HAND)
            await session.commit()
        async with migrate.sqlite_connection(place.data / "samrad.db") as connection:
            await _move_apart(connection)
        await migrate.migrate_sqlite(place.data / "samrad.db")
    else:
        name = place.url.rpartition("/")[2]
        for statement in (*FORMER["postgres"], *FORMER_TABLES):
            await request.getfixturevalue("postgres").execute(statement, name)
        async with migrate.postgres_connection(place.url) as connection:
            await _move_apart(connection)
        await migrate.migrate_postgres(place.url, MASTER_KEY)
    assert await shelf.vectors(cone(1)[0].tobytes(), 5) == before
    assert len(before) == 5
    await shelf.remove(keys)
    assert await shelf.vectors(cone(1)[0].tobytes(), 5) == {}


async def test_words_of_another_organisation_are_not_seen(shelf: Shelf, other: Actor) -> None:
    await shelf.put(SENTENCES, as_bytes(cone(len(SENTENCES))))
    foreign: UUID = shelf.collection.id
    async with shelf.runtime.database.session(other.tenant_id, write=False) as session:
        if shelf.runtime.database.dialect == "postgres":
            assert (await shelf.index.texts(session, [foreign], "bygglov", 10)).hits == []
            count = await session.scalar(text("select count(*) from chunk_words"), execution_options=BY_HAND)
            assert count == 0
    async with shelf.runtime.database.session(other.tenant_id, write=True) as session:
        keys = await shelf.vectors(cone(1)[0].tobytes(), 50)
        await shelf.index.remove(session, list(keys))
        await session.commit()
    assert await shelf.texts("bygglov")
