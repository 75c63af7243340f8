"""Roles that organisations have made themselves."""

from sqlalchemy import Column, String, UniqueConstraint

from domain.roles.entities import Role
from storage.tables.base import Json, mapper, tenant_table

roles = tenant_table(
    "roles",
    Column("name", String(100), nullable=False),
    Column("permissions", Json, nullable=False),
    UniqueConstraint("tenant_id", "name"),
)
mapper.map_imperatively(Role, roles)
