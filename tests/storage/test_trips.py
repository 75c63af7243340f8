"""Transactions on SQLite: what travels together to the connection's thread."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from domain.kernel.ids import new_id
from domain.spaces.entities import Space
from storage import one_trip
from storage.database import Database
from storage.one_trip import OneTripConnection
from storage.tables.spaces import spaces
from tests.conftest import Place
from tests.storage.test_isolation import Two, _two

NUMBER = select(func.count()).select_from(Space)


@pytest.fixture
async def two(sqlite_place: Place) -> AsyncIterator[Two]:
    database = Database.sqlite(sqlite_place.data / "samrad.db")
    yield await _two(database, None)
    await database.close()


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What went to a connection's thread and came back: how many rows waited, and the transaction that began with it."""
    made: list[str] = []
    real = OneTripConnection.trip

    async def counted(self: OneTripConnection, work: one_trip.Work) -> object:
        made.append(f"{self._begin or ''} {len(self._waiting)}".strip())
        return await real(self, work)

    monkeypatch.setattr(OneTripConnection, "trip", counted)
    return made


async def space(two: Two, **values: object) -> Space:
    async with two.database.session(two.our_id, write=False) as session:
        known = await session.get(Space, two.ours["spaces"]["id"])
    return Space(**({c.name: getattr(known, c.name) for c in spaces.c} | {"id": new_id(), "user_id": None} | values))


async def test_a_transaction_that_only_adds_makes_one_trip(two: Two, trips: list[str]) -> None:
    new = [await space(two), await space(two)]
    trips.clear()
    async with two.database.session(two.our_id) as session:
        session.add(new[0])
        await session.flush()
        session.add(new[1])
        await session.commit()
    assert trips == ["BEGIN IMMEDIATE 2"]
    async with two.database.session(two.our_id, write=False) as session:
        assert await session.scalar(NUMBER) == 3


async def test_what_was_added_is_seen_by_the_next_statement(two: Two, trips: list[str]) -> None:
    new = await space(two)
    trips.clear()
    async with two.database.session(two.our_id) as session:
        session.add(new)
        await session.flush()
        assert await session.scalar(NUMBER) == 2
    assert trips[0] == "BEGIN IMMEDIATE 1"
    async with two.database.session(two.our_id, write=False) as session:
        assert await session.scalar(NUMBER) == 1


async def test_what_is_given_up_before_it_travels_makes_no_trip_and_is_forgotten(two: Two, trips: list[str]) -> None:
    new, other = await space(two), await space(two)
    trips.clear()
    async with two.database.session(two.our_id) as session:
        session.add(new)
        await session.flush()
        await session.rollback()
        session.add(other)
        await session.commit()
    assert trips == ["BEGIN IMMEDIATE 1"]
    async with two.database.session(two.our_id, write=False) as session:
        assert await session.get(Space, new.id) is None
        assert await session.get(Space, other.id) is not None


async def test_a_row_that_is_wrong_is_refused_at_the_commit_and_nothing_stays(two: Two) -> None:
    good, wrong = await space(two), await space(two, user_id=two.theirs["users"]["id"])
    async with two.database.session(two.our_id) as session:
        session.add(good)
        await session.flush()
        session.add(wrong)
        await session.flush()
        with pytest.raises(IntegrityError):
            await session.commit()
    async with two.database.session(two.our_id) as session:
        assert await session.scalar(NUMBER) == 1
        session.add(await space(two))
        await session.commit()
        assert await session.scalar(NUMBER) == 2


async def test_a_savepoint_says_itself_what_could_not_be_inserted(two: Two) -> None:
    wrong = await space(two, user_id=two.theirs["users"]["id"])
    good = await space(two)
    async with two.database.session(two.our_id) as session:
        savepoint = await session.begin_nested()
        session.add(wrong)
        with pytest.raises(IntegrityError):
            await session.flush()
        await savepoint.rollback()
        session.add(good)
        await session.commit()
        assert await session.scalar(NUMBER) == 2


async def test_a_change_answers_at_once_with_what_it_touched(two: Two, trips: list[str]) -> None:
    async with two.database.session(two.our_id) as session:
        change = update(Space).where(spaces.c.id == two.theirs["spaces"]["id"]).values(name="Vår")
        done = await session.execute(change, execution_options={"synchronize_session": False})
        assert done.rowcount == 0  # type: ignore[attr-defined]
        assert trips[-1] == "BEGIN IMMEDIATE 0"
