"""No tenant sees or touches another tenant's rows: every table, every verb, both databases, raw statements included."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import delete, exists, func, insert, literal_column, select, text, union_all, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import aliased

from domain.kernel.ids import new_id
from domain.spaces.entities import Space
from domain.users.entities import User
from storage.database import Database
from storage.guard import TenantError
from storage.tables import metadata
from storage.tables.base import mapper
from storage.tables.spaces import spaces
from storage.tables.users import users
from tests.conftest import MASTER_KEY, Place
from tests.support.postgres import Postgres
from tests.support.rows import TABLES, Rows, fill, row_of, stored

CLASSES = {m.local_table.name: m.class_ for m in mapper.mappers}


class Two:
    """Two tenants, each with a row in every table."""

    def __init__(self, database: Database, ours: Rows, theirs: Rows) -> None:
        self.database, self.ours, self.theirs = database, ours, theirs

    @property
    def our_id(self) -> UUID:
        found: UUID = self.ours["tenants"]["id"]
        return found

    @property
    def their_id(self) -> UUID:
        found: UUID = self.theirs["tenants"]["id"]
        return found


async def _two(database: Database, url: str | None) -> Two:
    return Two(database, await fill(database, url, new_id()), await fill(database, url, new_id()))


@pytest.fixture
async def two(database: Database, place: Place, request: pytest.FixtureRequest) -> Two:
    if place.url is None:
        return await _two(database, None)
    server: Postgres = request.getfixturevalue("postgres")
    return await _two(database, server.url(place.url.rsplit("/", 1)[1], user="postgres"))


@pytest.fixture
async def raw(postgres: Postgres, postgres_place: Place) -> AsyncIterator[Two]:
    """On Postgres, which guards raw statements too."""
    url = postgres_place.url or ""
    database = Database.postgres(url, MASTER_KEY, program_url=postgres_place.program_url, pool_size=4)
    yield await _two(database, postgres.url(url.rsplit("/", 1)[1], user="postgres"))
    await database.close()


def test_every_table_is_tenant_owned_or_known_not_to_be() -> None:
    known = {"login_throttles", "switches", "modules", "deletion_certificates"}
    assert {t.name for t in metadata.sorted_tables} - {t.name for t in TABLES} == known
    assert set(CLASSES) >= {t.name for t in TABLES}


async def test_mapped_select_gives_own_rows_only(two: Two) -> None:
    async with two.database.session(two.our_id) as session:
        for table in TABLES:
            cls = CLASSES[table.name]
            own = (await session.scalars(select(cls))).all()
            assert [entity.tenant_id for entity in own] == [two.our_id], table.name
            assert await session.get(cls, two.theirs[table.name]["id"]) is None, table.name
            by_column = select(table.c.tenant_id).select_from(cls).where(table.c.id == two.theirs[table.name]["id"])
            assert (await session.execute(by_column)).all() == [], table.name


async def test_mapped_update_and_delete_touch_own_rows_only(two: Two) -> None:
    options = {"synchronize_session": False}
    async with two.database.session(two.our_id) as session:
        for table in reversed(TABLES):
            cls = CLASSES[table.name]
            change = update(cls).where(table.c.id == two.theirs[table.name]["id"]).values(created_at=func.now())
            assert (await session.execute(change, execution_options=options)).rowcount == 0, table.name
            removal = delete(cls).where(table.c.id == two.theirs[table.name]["id"])
            assert (await session.execute(removal, execution_options=options)).rowcount == 0, table.name
        await session.commit()
    async with two.database.session(two.their_id) as session:
        for table in TABLES:
            assert await session.get(CLASSES[table.name], two.theirs[table.name]["id"]) is not None, table.name


async def test_mapped_insert_for_another_tenant_is_refused(two: Two) -> None:
    for table in TABLES:
        nothing = {column.name: None for column in table.columns if column.nullable}
        entity = CLASSES[table.name](**(nothing | row_of(table, two.their_id, two.theirs)))
        async with two.database.session(two.our_id) as session:
            session.add(entity)
            with pytest.raises(TenantError):
                await session.flush()


async def test_statements_of_many_shapes_are_scoped(two: Two) -> None:
    other = aliased(Space)
    near = select(spaces.c.id).select_from(Space).subquery()
    shapes = [
        select(func.count()).select_from(Space),
        select(func.count(spaces.c.id)).select_from(Space),
        select(func.count()).select_from(other),
        select(func.count()).select_from(near),
        select(func.count()).select_from(User).join(Space, users.c.id != spaces.c.id),
        select(func.count()).select_from(Space).where(exists(select(users.c.id).select_from(User))),
        select(func.count()).select_from(
            union_all(select(spaces.c.id).select_from(Space), select(spaces.c.id).select_from(Space).where(False))
            .subquery()
        ),
    ]  # fmt: skip
    async with two.database.session(two.our_id) as session:
        for statement in shapes:
            assert (await session.execute(statement)).scalar_one() == 1, str(statement)
        correlated = exists(select(users.c.id).select_from(User).where(users.c.id == spaces.c.user_id))
        assert len((await session.scalars(select(Space).where(~correlated))).all()) == 1
        inside = select(spaces.c.id).select_from(Space).where(spaces.c.id == two.theirs["spaces"]["id"])
        found = select(func.count()).select_from(User).where(exists(inside))
        assert (await session.execute(found)).scalar_one() == 0
        found = select(func.count()).select_from(User).where(users.c.id.in_(select(users.c.id).select_from(User)))
        assert (await session.execute(found)).scalar_one() == 1
        cte = select(spaces.c.tenant_id).select_from(Space).cte()
        assert (await session.execute(select(cte.c.tenant_id))).scalars().all() == [two.our_id]


async def test_a_statement_that_cannot_be_scoped_is_refused(two: Two) -> None:
    refused = [
        text("select * from spaces"),
        select(spaces.c.id),
        select(spaces),
        select(literal_column("1")).select_from(spaces),
        select(func.count()).select_from(User).where(exists(select(spaces.c.id))),
        select(users.c.id).select_from(User).where(users.c.id.in_(select(spaces.c.user_id))),
        select(User).where(users.c.id != Space.id),
        select(spaces.c.id).select_from(aliased(Space)),
        select(spaces.alias()),
        select(Space).where(exists(select(spaces.c.id))),
        select(Space, select(func.max(spaces.c.name)).scalar_subquery()),
        select(Space).where(exists(select(users.c.id).select_from(User).join(spaces, spaces.c.id != users.c.id))),
        select(func.count()).select_from(text("spaces")),
        select(func.count()).select_from(User).join(spaces, spaces.c.user_id != users.c.id),
        union_all(select(spaces.c.id).select_from(Space), select(spaces.c.id)),
        select(Space).where(spaces.c.id.in_(union_all(select(spaces.c.id), select(users.c.id).select_from(User)))),
        select(Space).join(select(spaces.c.id).subquery(), spaces.c.id != Space.id),
        select(func.count()).select_from(select(spaces.c.id).cte()),
        delete(Space).where(spaces.c.user_id == users.c.id),
        insert(spaces).values(**row_of(spaces, two.our_id, two.ours)),
        insert(Space).values(**row_of(spaces, two.our_id, two.ours)),
        update(spaces).values(name="x"),
        delete(spaces),
    ]
    for statement in refused:
        async with two.database.session(two.our_id) as session:
            with pytest.raises(TenantError):
                await session.execute(statement)


async def test_a_session_without_a_tenant_does_nothing(two: Two) -> None:
    async with two.database._write() as session:
        with pytest.raises(TenantError):
            await session.execute(select(Space))


async def test_a_reference_to_another_tenants_row_cannot_be_stored(two: Two) -> None:
    async with two.database.session(two.our_id) as session:
        space = await session.get(Space, two.ours["spaces"]["id"])
        values = {c.name: getattr(space, c.name) for c in spaces.c} | {"id": new_id()}
        values["user_id"] = two.theirs["users"]["id"]
        session.add(Space(**values))
        with pytest.raises(IntegrityError):
            await session.commit()


async def test_moving_a_row_to_another_tenant_is_refused(two: Two) -> None:
    async with two.database.session(two.our_id) as session:
        space = await session.get(Space, two.ours["spaces"]["id"])
        assert space is not None
        space.tenant_id = two.their_id
        with pytest.raises(TenantError):
            await session.flush()


async def test_sqlite_triggers_refuse_what_the_session_let_through(sqlite_place: Place) -> None:
    database = Database.sqlite(sqlite_place.data / "samrad.db")
    try:
        two = await _two(database, None)
        async with database.session(two.our_id) as session:
            connection = await session.connection()
            for table in reversed(TABLES):
                theirs = two.theirs[table.name]["id"].hex
                for statement in (
                    f"update {table.name} set created_at = created_at where id = '{theirs}'",
                    f"delete from {table.name} where id = '{theirs}'",
                    (
                        f"update {table.name} set tenant_id = '{two.their_id.hex}' where id = "
                        f"'{two.ours[table.name]['id'].hex}'"
                    ),
                ):
                    with pytest.raises(IntegrityError, match="another tenant"):
                        await connection.exec_driver_sql(statement)
                await connection.execute(insert(table).values(stored(table, row_of(table, two.their_id, two.theirs))))
                # The row travels with what comes next.
                with pytest.raises(IntegrityError, match="another tenant"):
                    await connection.exec_driver_sql("select 1")
        async with database.writer.connect() as connection:
            with pytest.raises(IntegrityError, match="another tenant"):
                await connection.exec_driver_sql("delete from spaces")
    finally:
        await database.close()


async def test_raw_statements_on_postgres_reach_own_rows_only(raw: Two) -> None:
    for table in reversed(TABLES):
        theirs = {"id": raw.theirs[table.name]["id"]}
        async with raw.database.session(raw.our_id) as session:
            connection = await session.connection()
            seen = await connection.execute(text(f"select tenant_id from {table.name}"))
            assert {row[0] for row in seen} == {raw.our_id}, table.name
            for statement in (
                f"select 1 from {table.name} where id = :id",
                f"update {table.name} set created_at = now() where id = :id returning 1",
                f"delete from {table.name} where id = :id returning 1",
            ):
                assert (await connection.execute(text(statement), theirs)).all() == [], statement
        moved = text(f"update {table.name} set tenant_id = '{raw.their_id}'")
        for refused, reason in (
            (insert(table).values(stored(table, row_of(table, raw.their_id, raw.theirs))), "row-level security"),
            (moved, "row-level security"),
            (text(f"truncate {table.name} cascade"), "permission denied"),
        ):
            async with raw.database.session(raw.our_id) as session:
                connection = await session.connection()
                with pytest.raises(DBAPIError, match=reason):
                    await connection.execute(refused)


async def test_raw_statements_on_postgres_need_a_tenant(raw: Two) -> None:
    for table in TABLES:
        for statement in (
            text(f"select count(*) from {table.name}"),
            text(f"update {table.name} set created_at = now()"),
            text(f"delete from {table.name}"),
            insert(table).values(stored(table, row_of(table, new_id(), raw.ours))),
        ):
            async with raw.database.writer.connect() as connection:
                with pytest.raises(DBAPIError, match="no tenant"):
                    await connection.execute(statement)


async def test_the_search_index_of_postgres_is_guarded_too(raw: Two) -> None:
    async with raw.database.writer.connect() as connection:
        for statement in ("select 1 from chunk_index", "delete from chunk_index"):
            with pytest.raises(DBAPIError, match="no tenant"):
                await connection.execute(text(statement))
            await connection.rollback()


async def test_the_programs_role_is_bound_by_the_policies(raw: Two) -> None:
    async with raw.database.writer.connect() as connection:
        role = (
            await connection.execute(
                text("select rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = current_user")
            )
        ).one()
        assert tuple(role) == (False, False, False)
        owned = text(
            "select count(*) from pg_class where relowner = (select oid from pg_roles where rolname = current_user)"
        )
        assert (await connection.execute(owned)).scalar_one() == 0
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(text("set role samrad_owner"))


async def test_a_scope_ends_with_its_transaction(raw: Two) -> None:
    async with raw.database.session(raw.our_id) as session:
        await session.execute(select(Space))
        await session.commit()
        assert len((await session.scalars(select(Space))).all()) == 1
    for _ in range(8):
        async with raw.database.writer.connect() as connection:
            with pytest.raises(DBAPIError, match="no tenant"):
                await connection.execute(text("select 1 from spaces"))
