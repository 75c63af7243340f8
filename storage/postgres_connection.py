"""asyncpg with the tenant named in the same trip as BEGIN; imported only where Postgres is used."""

from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Connection, text
from sqlalchemy.engine.interfaces import DBAPIConnection

_NAME = text("select set_config('app.tenant_id', :tenant, true)")


class NamingConnection(asyncpg.Connection):  # type: ignore[misc]
    """A driver's connection that says whose the next transaction is when it begins."""

    tenant: UUID | None = None

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """See asyncpg. The driver begins its transactions by this."""
        if self.tenant is not None and query.startswith("BEGIN"):
            query, self.tenant = f"{query.rstrip(';')}; set local app.tenant_id = '{self.tenant}'", None
        done: str = await super().execute(query, *args, timeout=timeout)
        return done


def name_tenant(connection: Connection, tenant: UUID | None) -> None:
    """Say whose the transaction is, or that it is nobody's: with its BEGIN, or now where it has begun already."""
    own = connection.connection.driver_connection
    assert isinstance(own, NamingConnection)
    if not own.is_in_transaction():
        own.tenant = tenant
    elif tenant is not None:
        connection.execute(_NAME, {"tenant": str(tenant)})


def forget_tenant(connection: DBAPIConnection) -> None:
    """What was to begin has not begun."""
    connection.driver_connection.tenant = None
