"""The tenant scope of a session: every statement sees one tenant, or says explicitly that it belongs to none.

On Postgres row-level security is the guard and the session names the tenant at each BEGIN. On SQLite the session adds
the tenant criterion to every statement and refuses what it cannot scope; triggers refuse foreign writes. Both dialects
use the same session class, so that a missing tenant shows on either.
"""

from typing import Any, Final

from sqlalchemy import Connection, event, text
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, UOWTransaction, with_loader_criteria
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.schema import Table

from domain.kernel.entity import Owned

SYSTEM: Final = "*"
"""The explicit scope of the few statements that cross tenants (see `storage.directory`)."""
TENANT: Final = "tenant_id"
CHECKED: Final = {"tenant_checked": True}
_NAME_TENANT = text("select set_config('app.tenant_id', :tenant, true)").execution_options(**CHECKED)
_TELL_TENANT = text("select set_tenant(:tenant)").execution_options(**CHECKED)


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
    if connection.dialect.name == "sqlite":
        connection.execute(_TELL_TENANT, {"tenant": SYSTEM if tenant == SYSTEM else tenant.hex})
    elif tenant != SYSTEM:
        connection.execute(_NAME_TENANT, {"tenant": str(tenant)})


@event.listens_for(TenantSession, "do_orm_execute")
def _scope(state: ORMExecuteState) -> None:
    tenant = tenant_of(state.session)
    if tenant == SYSTEM or state.execution_options.get("scoped_by_hand"):
        return
    if isinstance(state.statement, TextClause):
        raise TenantError("text() in a tenant's session")
    refuse_raw_tables(state.statement)
    if state.is_orm_statement and not state.is_column_load and (state.is_select or state.is_update or state.is_delete):
        criterion = with_loader_criteria(Owned, lambda cls: cls.tenant_id == tenant, include_aliases=True)
        state.statement = state.statement.options(criterion)
    elif state.is_insert:
        raise TenantError("insert() in a tenant's session: add entities instead")


def refuse_raw_tables(statement: Any) -> None:
    """Raise `TenantError` when a tenant's table stands in a statement without its mapped class.

    Only the class carries the tenant criterion; columns may be named through the table once the class is there.
    """
    raw, mapped = set(), set()
    for element in visitors.iterate(statement):
        # A select names its FROM apart; the traversal shows only one of a table and its mapped twin.
        for part in (element, *getattr(element, "_from_obj", ())):
            if isinstance(part, Table) and part.info.get("tenant"):
                (mapped if "parententity" in part._annotations else raw).add(part.name)
    if raw - mapped:
        raise TenantError(f"Core statement on tenant tables {', '.join(sorted(raw - mapped))}")


@event.listens_for(TenantSession, "before_flush")
def _check_writes(session: Session, flush: UOWTransaction, instances: Any) -> None:
    tenant = tenant_of(session)
    if tenant == SYSTEM:
        return
    for entity in [*session.new, *session.dirty, *session.deleted]:
        if isinstance(entity, Owned) and entity.tenant_id != tenant:
            raise TenantError("write to another tenant")


@event.listens_for(TenantSession, "loaded_as_persistent")
def _check_loads(session: Session, entity: Any) -> None:
    tenant = session.info.get(TENANT)
    if tenant != SYSTEM and isinstance(entity, Owned) and entity.__dict__.get(TENANT, tenant) != tenant:
        raise TenantError("a row of another tenant was loaded")


