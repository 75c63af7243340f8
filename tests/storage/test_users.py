"""Lists of thousands of people stay quick: every statement finds its rows by an index."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event, insert

from app.bootstrap import Runtime
from domain.kernel.actor import Actor
from domain.kernel.ids import new_id
from domain.users.entities import PredefinedRole, UserState
from domain.users.repository import UserQuery
from storage.tables.users import role_assignments, users
from tests.conftest import Place

PEOPLE = 5000
Statement = tuple[str, Any]


async def fill(runtime: Runtime, actor: Actor, host: str, count: int) -> None:
    people = [
        {
            "id": new_id(), "tenant_id": actor.tenant_id, "email": f"person{n:05}@{host}", "username": f"Person {n}",
            "state": UserState.ACTIVE, "language": "sv", "theme": "system", "email_verified": False, "preferences": {},
        }
        for n in range(count)
    ]  # fmt: skip
    roles = [
        {"id": new_id(), "tenant_id": actor.tenant_id, "user_id": person["id"], "role": PredefinedRole.USER}
        for person in people
    ]
    async with runtime.database.session(actor.tenant_id) as session:
        connection = await session.connection()
        await connection.execute(insert(users), people)
        await connection.execute(insert(role_assignments), roles)
        await session.commit()


@contextmanager
def watched(runtime: Runtime) -> Iterator[list[Statement]]:
    """The statements that are sent meanwhile."""
    sent: list[Statement] = []
    engine = runtime.database.reader.sync_engine

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if "FROM users" in statement or "FROM role_assignments" in statement:
            sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def plan(runtime: Runtime, actor: Actor, statement: Statement) -> str:
    explain = "explain query plan" if runtime.database.dialect == "sqlite" else "explain"
    async with runtime.database.session(actor.tenant_id, write=False) as session:
        connection = await session.connection()
        rows = await connection.exec_driver_sql(f"{explain} {statement[0]}", statement[1])
        return "\n".join(str(row[-1]) for row in rows)


@pytest.fixture
async def many(runtime: Runtime, owner: Actor, other: Actor, place: Place) -> Actor:
    """An owner with 5,000 colleagues, beside another organisation with three times as many."""
    await fill(runtime, owner, "example.se", PEOPLE)
    await fill(runtime, other, "example.org", 3 * PEOPLE)
    if place.url is not None:
        connection = await asyncpg.connect(place.url)
        await connection.execute("analyze users; analyze role_assignments")
        await connection.close()
    return owner


QUERIES = [
    UserQuery(),
    UserQuery(descending=True),
    UserQuery(sort="created_at"),
    UserQuery(sort="username"),
    UserQuery(search="person04"),
    UserQuery(states=(UserState.INACTIVE,)),
    UserQuery(role=PredefinedRole.OWNER),
]


async def test_every_statement_of_the_list_uses_an_index(runtime: Runtime, many: Actor) -> None:
    service = runtime.services.users
    for query in QUERIES:
        with watched(runtime) as sent:
            page = await service.page(many, query, limit=50)
            await service.page(many, query, limit=50, cursor=page.next_cursor)
            await service.counts(many, query)
        assert 3 <= len(sent) <= 8, query
        for statement in sent:
            shown = await plan(runtime, many, statement)
            assert "SCAN users" not in shown, shown
            assert "SCAN role_assignments" not in shown, shown
            assert "Seq Scan on role_assignments" not in shown, shown
            # To count or to sort a quarter of a table, Postgres may well read it whole; not to show a page.
            counts = "count(" in statement[0] or query.sort == "username"
            assert counts or "Seq Scan on users" not in shown, shown


async def test_the_whole_list_can_be_walked(runtime: Runtime, many: Actor) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await runtime.services.users.page(many, UserQuery(descending=True), limit=200, cursor=cursor)
        seen += [view.user.email for view in page.items]
        assert page.total == PEOPLE + 1
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == PEOPLE + 1
    assert seen == sorted(seen, reverse=True)
    assert all(email.endswith("example.se") for email in seen)
