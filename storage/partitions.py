"""Tables that grow for ever are kept in a part for each month, on Postgres.

Ids begin with the moment at which they were made, so a month is a range of ids: the newest rows, which are read most, share
small indexes, and what is old is left alone by the database's upkeep. Rows are written and read through the whole table
alone; its policies hold, and the program may not touch the parts. What belongs to no month that is there goes to the rest,
and is sorted in at night. SQLite has no such thing, and needs none.
"""

import re
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

from sqlalchemy import Connection, text

from domain.kernel.clock import now
from storage.postgres import PROGRAM_ROLE

DIVIDED = ("audit_entries", "model_calls")
AHEAD = 3
"""So many months are there before they begin."""
FIRST_YEAR = 2020
"""Ids that are older are none that were made by time."""
ONCE = {"audit_entries": "(tenant_id, sequence)"}
"""What is unique within a month: for the whole table that cannot be asked of it unless it begins with the id."""
_PART = re.compile(rf"({'|'.join(DIVIDED)})_(\d{{4}}_\d{{2}}|rest|before)")
_MOMENT = "(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)"
"""When an id was made, in seconds since 1970 (RFC 9562, 5.7)."""


def is_part(name: str) -> bool:
    """Whether a table is a part of another one."""
    return _PART.fullmatch(name) is not None


def loses_unique(name: str | None) -> bool:
    """Whether a constraint of the tables holds for each month only."""
    return name in {f"uq_{table}_tenant_id_sequence" for table in ONCE}


def divide(connection: Connection, table: str) -> None:
    """Put a table that is whole into parts, with all its rows. Its triggers, policies and grants have to be made anew."""
    find = text("select relkind = 'p' from pg_class where oid = to_regclass(:table)")
    if connection.scalar(find, {"table": f"public.{table}"}):
        return
    run = connection.exec_driver_sql
    run(f"alter table {table} no force row level security")
    run(f"alter table {table} rename to {table}_before")
    rules = run(
        "select conname, pg_get_constraintdef(oid) from pg_constraint where contype in ('p', 'u', 'f') "
        f"and conrelid = '{table}_before'::regclass order by contype = 'f'"
    ).all()
    named = {name for name, _ in rules}
    indexes = run(f"select indexname, indexdef from pg_indexes where tablename = '{table}_before'").all()
    for name, _ in rules:
        run(f"alter table {table}_before drop constraint {name}")
    for name, _ in indexes:
        run(f"drop index if exists {name}")
    run(f"create table {table} (like {table}_before including defaults) partition by range (id)")
    for name, rule in rules:
        if not loses_unique(name):
            run(f"alter table {table} add constraint {name} {rule}")
    for name, made in indexes:
        if name not in named:
            run(made.replace(f" ON public.{table}_before ", f" ON public.{table} "))
    _fill(connection, table)


def spread(connection: Connection) -> int:
    """Make the parts of the months to come, and sort in what had none; how many parts were made."""
    made = 0
    for table in DIVIDED:
        made += _ahead(connection, table) if not _astray(connection, table) else _again(connection, table)
    return made


def close_parts(connection: Connection) -> None:
    """Nobody but the owner reaches a part by itself."""
    parts = "select inhrelid::regclass::text from pg_inherits where inhparent::regclass::text in ('{}')"
    for (name,) in connection.exec_driver_sql(parts.format("', '".join(DIVIDED))).all():
        connection.exec_driver_sql(f"revoke all on {name} from {PROGRAM_ROLE}")


def _astray(connection: Connection, table: str) -> bool:
    wanted = text(f"select exists (select from {table}_rest where id >= :begin and id < :end)")
    return bool(connection.scalar(wanted, _bounds()))


def _bounds() -> dict[str, UUID]:
    """Between these are the ids that have a month."""
    return {"begin": _floor(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)), "end": _floor(_months(now(), AHEAD)[-1])}


def _again(connection: Connection, table: str) -> int:
    run = connection.exec_driver_sql
    run(f"alter table {table} no force row level security")
    run(f"alter table {table} detach partition {table}_rest")
    run(f"alter table {table}_rest rename to {table}_before")
    made = _fill(connection, table)
    run(f"alter table {table} force row level security")
    return made


def _fill(connection: Connection, table: str) -> int:
    """Make the parts that the rows of `…_before` want, and put the rows there."""
    run = connection.exec_driver_sql
    moments = connection.scalars(
        text(
            f"select distinct date_trunc('month', to_timestamp({_MOMENT}) at time zone 'utc') from {table}_before "
            "where id >= :begin and id < :end order by 1"
        ),
        _bounds(),
    )
    months = [moment.replace(tzinfo=UTC) for moment in moments]
    made = sum(_part(connection, table, begin, _months(begin, 1)[-1]) for begin in months)
    made += _ahead(connection, table)
    run(f"create table {table}_rest partition of {table} default")
    _guard(connection, table, f"{table}_rest")
    run(f"insert into {table} select * from {table}_before")
    run(f"drop table {table}_before")
    return made


def _ahead(connection: Connection, table: str) -> int:
    return sum(_part(connection, table, begin, end) for begin, end in pairwise(_months(now(), AHEAD)))


def _part(connection: Connection, table: str, begin: datetime, end: datetime) -> int:
    """One month, unless it is there; how many were made."""
    name = f"{table}_{begin:%Y_%m}"
    if connection.scalar(text("select to_regclass(:name) is not null"), {"name": f"public.{name}"}):
        return 0
    connection.exec_driver_sql(
        f"create table {name} partition of {table} for values from ('{_floor(begin)}') to ('{_floor(end)}')"
    )
    _guard(connection, table, name)
    return 1


def _guard(connection: Connection, table: str, name: str) -> None:
    connection.exec_driver_sql(f"alter table {name} enable row level security")
    if table in ONCE:
        connection.exec_driver_sql(f"create unique index on {name} {ONCE[table]}")


def _months(moment: datetime, count: int) -> list[datetime]:
    """The beginnings of a moment's month and of `count` after it."""
    ahead = (divmod(moment.month - 1 + months, 12) for months in range(count + 1))
    return [datetime(moment.year + years, month + 1, 1, tzinfo=UTC) for years, month in ahead]


def _floor(moment: datetime) -> UUID:
    """The smallest id that can be made then."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
