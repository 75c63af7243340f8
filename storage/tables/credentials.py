"""Keys of organisations at AI providers."""

from sqlalchemy import Column, String, Text, UniqueConstraint

from domain.credentials.entities import TenantCredential
from storage.tables.base import SEALED_COLUMN, Moment, mapper, tenant_table

tenant_credentials = tenant_table(
    "tenant_credentials",
    Column("provider", String(40), nullable=False),
    Column("secret", Text, nullable=False, info=SEALED_COLUMN),
    Column("key_tail", String(4)),
    Column("endpoint", String(2000)),
    Column("api_version", String(2000)),
    Column("deployment_name", String(2000)),
    Column("set_at", Moment, nullable=False),
    UniqueConstraint("tenant_id", "provider"),
)
mapper.map_imperatively(TenantCredential, tenant_credentials)
