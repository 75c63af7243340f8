"""The tenant scope of a session: every statement sees one tenant, or says explicitly that it belongs to none.

On Postgres row-level security is the guard and the session names the tenant at each BEGIN. On SQLite the session adds
the tenant criterion to every statement and refuses what it cannot scope; triggers refuse foreign writes. Both dialects
use the same session class, so that a missing tenant shows on either.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Alias, Connection, Executable, Join, Select, Uuid, bindparam, event
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, UOWTransaction, with_loader_criteria
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.schema import Table
from sqlalchemy.sql.selectable import AliasedReturnsRows

from domain.kernel.entity import Owned
from storage import tables  # noqa: F401 — maps the entities, which the criterion below must find mapped
from storage.sealing import AT_HAND
from storage.sqlite import READS_ONLY, TENANT_CELL

SYSTEM: Final = "*"
"""The explicit scope of the few statements that cross tenants (see `storage.directory`)."""
TENANT: Final = "tenant_id"
KEYS: Final = "keys"
"""Where a session holds its tenant's keys, in `Session.info`."""
Froms = set[Any]
"""Tables and aliases; a mapped class in a FROM equals its table."""
S = TypeVar("S", bound=Executable)
_SCOPE: Final = bindparam("scope_of_tenant", type_=Uuid)
_OF_TENANT: Final = with_loader_criteria(Owned, lambda cls: cls.tenant_id == _SCOPE, include_aliases=True)
_STANDING: dict[int, tuple[Executable, Any]] = {}
"""Standing statements by identity, which stays theirs because they are kept here, with their scoped form."""


class TenantError(RuntimeError):
    """A statement without a tenant, or for another tenant's rows."""


class TenantSession(Session):
    """A session of exactly one tenant, named in `info[TENANT]`, or of `SYSTEM`."""


def tenant_of(session: Session) -> Any:
    """The tenant of a session; raises `TenantError` when none was named."""
    try:
        return session.info[TENANT]
    except KeyError:
        raise TenantError("no tenant on this session") from None


@event.listens_for(TenantSession, "after_begin")
def _name_tenant(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    tenant = tenant_of(session)
    if connection.get_execution_options().get(READS_ONLY):
        return
    if connection.dialect.name == "sqlite":
        connection.info[TENANT_CELL]["id"] = SYSTEM if tenant == SYSTEM else tenant.hex
    elif not transaction.nested:
        from storage.postgres_connection import name_tenant

        name_tenant(connection, None if tenant == SYSTEM else tenant)


@event.listens_for(TenantSession, "do_orm_execute")
def _scope(state: ORMExecuteState) -> None:
    tenant = tenant_of(state.session)
    AT_HAND.set(state.session.info.get(KEYS))
    if tenant == SYSTEM or state.execution_options.get("scoped_by_hand"):
        return
    standing_one = _STANDING.get(id(state.statement))
    if standing_one is None:
        _check_statement(state)
        if not state.is_orm_statement or state.is_column_load:
            return
    state.statement = standing_one[1] if standing_one else state.statement.options(_OF_TENANT)
    # A copy: the caller's own parameters stay as they are.
    state.parameters = {**cast("dict[str, Any]", state.parameters or {}), _SCOPE.key: tenant}


def _check_statement(state: ORMExecuteState) -> None:
    if isinstance(state.statement, TextClause):
        raise TenantError("text() in a tenant's session")
    refuse_raw_tables(state.statement)
    if state.is_insert:
        raise TenantError("insert() in a tenant's session: add entities instead")


def standing(statement: S) -> S:
    """A statement that is built, checked and scoped once, for what is asked at every request. Values come as parameters.

    It is known by its identity: what is derived from it is an ordinary statement again, checked when it is executed.
    """
    refuse_raw_tables(statement)
    _STANDING[id(statement)] = statement, statement.options(_OF_TENANT)
    return statement


def refuse_raw_tables(statement: Any) -> None:
    """Raise `TenantError` when a tenant's table stands in a statement without its mapped class.

    Only the class carries the tenant criterion; columns may be named through the table once the class is in the same
    FROM, or in the FROM of the statement around a correlated sub-select.
    """
    around: Froms = set()
    if isinstance(statement, UpdateBase):
        target = statement.entity_description["table"]
        if _is_mapped(statement.table):
            around = {target}
        _refuse(set(_tenant_froms((target,))), around)
        for criterion in getattr(statement, "_where_criteria", ()):
            _refuse(set(_tenant_froms(criterion._from_objects)), around)
            _check(criterion, around)
    else:
        _check(statement, around)


def _check(element: Any, around: Froms) -> None:
    if isinstance(element, Select):
        standing, mentioned, mapped = _named(element)
        _refuse(standing, mapped)
        # A select with a FROM of its own refers to the statement around it; one without would read the whole table.
        _refuse(mentioned, mapped | around if mapped - around and element._auto_correlate else mapped)
        around = around | mapped
    elif isinstance(element, AliasedReturnsRows):
        # What stands in a FROM does not see the statement around it.
        around = set()
    for child in element.get_children():
        _check(child, around)


def _refuse(plain: Froms, mapped: Froms) -> None:
    if plain - mapped:
        names = sorted(str(getattr(each, "name", each)) for each in plain - mapped)
        raise TenantError(f"Core statement on tenant tables {', '.join(names)}")


def _is_mapped(element: Any) -> bool:
    return "parententity" in element._annotations


def _named(select: Select[Any]) -> tuple[Froms, Froms, Froms]:
    """The tenants' tables of a select: plain ones in its FROM, plain ones behind its columns, and mapped classes."""
    joins: Any = select._setup_joins
    standing: Froms = set()
    mentioned: Froms = set()
    mapped: Froms = set()
    for parts, plain in (
        ((*select._from_obj, *(join[0] for join in joins)), standing),
        (select._raw_columns, mentioned),
        (select._where_criteria, mentioned),
    ):
        for part in parts:
            if isinstance(part, TextClause):
                raise TenantError("text() in a select")
            # `Class.column` among the columns brings its class along; a bare column brings only its table.
            brings = parts is not select._where_criteria and _is_mapped(part)
            for found in _tenant_froms(part._from_objects):
                (mapped if brings or _is_mapped(found) else plain).add(found)
    return standing, mentioned, mapped


def _tenant_froms(elements: Iterable[Any]) -> Iterator[Any]:
    """The tenants' tables, and aliases of them, among FROM elements and inside joins."""
    for element in elements:
        if isinstance(element, Join):
            yield from _tenant_froms((element.left, element.right))
        table = element.element if isinstance(element, Alias) else element
        if isinstance(table, Table) and table.info.get("tenant"):
            yield element


@event.listens_for(TenantSession, "before_flush")
def _check_writes(session: Session, flush: UOWTransaction, instances: Any) -> None:
    AT_HAND.set(session.info.get(KEYS))
    for entity in [*session.new, *session.dirty, *session.deleted]:
        check_owner(session, entity)


def check_owner(session: Session, entity: Any) -> None:
    """Raise `TenantError` where an entity that is written is not of the session's tenant."""
    tenant = tenant_of(session)
    if tenant != SYSTEM and isinstance(entity, Owned) and entity.tenant_id != tenant:
        raise TenantError("write to another tenant")


@event.listens_for(TenantSession, "loaded_as_persistent")
def _check_loads(session: Session, entity: Any) -> None:
    tenant = session.info.get(TENANT)
    if tenant != SYSTEM and isinstance(entity, Owned) and entity.__dict__.get(TENANT, tenant) != tenant:
        raise TenantError("a row of another tenant was loaded")
