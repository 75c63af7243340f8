"""How tables are made: one metadata, UUID keys, tenant id and composite foreign keys everywhere."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    column,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.dialects.sqlite import DATETIME
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeEngine

from domain.kernel.entity import Owned

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)
mapper = registry(metadata=metadata)


class Moment(TypeDecorator[datetime]):
    """An aware moment: timestamptz on Postgres, UTC text of fixed width on SQLite. Naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column type of `dialect`."""
        timestamp = TIMESTAMP(timezone=True) if dialect.name == "postgresql" else DATETIME()  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(timestamp)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; without its zone on SQLite."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Always aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


SEALED_COLUMN = {"sealed": True}
"""Marks a column whose values are sealed above storage (see `domain.ports.Vault`), so that they can be turned over."""
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def tenant_table(name: str, *columns: Any) -> Table:
    """A table of rows that one tenant owns: id, tenant id, the two moments, and `columns`.

    `(tenant_id, id)` is unique so that other tables can refer to it and to its tenant at once.
    """
    references_tenant = (
        []
        if name == "tenants"
        else [
            ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE", name=f"fk_{name}_tenant_id_tenants")
        ]
    )
    return Table(
        name,
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("tenant_id", Uuid, nullable=False),
        *columns,
        Column("created_at", Moment, nullable=False, server_default=func.now()),
        Column("updated_at", Moment, nullable=False, server_default=func.now()),
        UniqueConstraint("tenant_id", "id"),
        *references_tenant,
        info={"tenant": True},
    )


def belongs_to(column: str, table: str, *, ondelete: str = "CASCADE") -> ForeignKeyConstraint:
    """A composite foreign key to a row of the same tenant."""
    return ForeignKeyConstraint(["tenant_id", column], [f"{table}.tenant_id", f"{table}.id"], ondelete=ondelete)


# SQLAlchemy tries the tenant criterion of `storage.guard` on the base class itself, which is not mapped.
Owned.tenant_id = column("tenant_id", Uuid)  # type: ignore[assignment]


def partial_index(name: str, *columns: Any, where: str, unique: bool = False) -> Index:
    """An index of those rows for which `where` is true, on either database."""
    chosen = text(where)
    return Index(name, *columns, unique=unique, postgresql_where=chosen, sqlite_where=chosen)
