"""Web sites that may call the API."""

from sqlalchemy import Column, String, UniqueConstraint

from domain.allowed_origins.entities import AllowedOrigin
from storage.tables.base import mapper, tenant_table

allowed_origins = tenant_table(
    "allowed_origins",
    Column("url", String(255), nullable=False),
    UniqueConstraint("tenant_id", "url"),
)
mapper.map_imperatively(AllowedOrigin, allowed_origins)
