"""Modules of the installation, and which organisations have them."""

from sqlalchemy import Column, String, Table, UniqueConstraint, Uuid

from domain.tenants.modules import Module, TenantModule
from storage.tables.base import Moment, mapper, metadata, tenant_table

modules = Table(
    "modules",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("name"),
)
tenant_modules = tenant_table(
    "tenant_modules",
    # No foreign key: it would leave the organisation. Modules are never deleted.
    Column("module_id", Uuid, nullable=False),
    UniqueConstraint("tenant_id", "module_id"),
)
mapper.map_imperatively(Module, modules)
mapper.map_imperatively(TenantModule, tenant_modules)
