"""The audit log."""

from sqlalchemy import Column, Index, String, Text, Uuid

from domain.audit.entities import AuditEntry
from storage.tables.base import Json, mapper, tenant_table

audit_entries = tenant_table(
    "audit_entries",
    Column("actor_id", Uuid),
    Column("actor_kind", String(20), nullable=False),
    Column("action", String(80), nullable=False),
    Column("entity_type", String(80), nullable=False),
    Column("entity_id", Uuid),
    Column("description", Text, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("changes", Json, nullable=False),
    Column("ip", String(64)),
    Column("user_agent", String(500)),
    Column("request_id", String(64)),
)
Index("ix_audit_entries_tenant_id_created_at", audit_entries.c.tenant_id, audit_entries.c.created_at)
mapper.map_imperatively(AuditEntry, audit_entries)
