"""Organisations and their keys."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, LargeBinary, String, UniqueConstraint

from domain.tenants.entities import Tenant, TenantKey
from storage.tables.base import Moment, mapper, tenant_table

tenants = tenant_table(
    "tenants",
    Column("name", String(255), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("display_name", String(255)),
    Column("state", String(20), nullable=False),
    Column("language", String(10), nullable=False),
    Column("quota_limit", BigInteger, nullable=False),
    Column("provisioning", Boolean, nullable=False),
    Column("security_enabled", Boolean, nullable=False),
    Column("privacy_policy", String(2000)),
    Column("domain", String(255)),
    # Its number in another system; on the wire zitadel_org_id.
    Column("external_id", String(255)),
    UniqueConstraint("name"),
    UniqueConstraint("slug"),
    CheckConstraint("tenant_id = id", name="is_its_own_tenant"),
)
tenant_keys = tenant_table(
    "tenant_keys",
    Column("wrapped", LargeBinary, nullable=False),
    Column("master_key_id", String(64), nullable=False),
    Column("retired_at", Moment),
)
mapper.map_imperatively(Tenant, tenants)
mapper.map_imperatively(TenantKey, tenant_keys)
