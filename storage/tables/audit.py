"""The audit log: entries, the end of each organisation's chain, leave to read it, and exports."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Text, UniqueConstraint, Uuid

from domain.audit.entities import AuditAccess, AuditCheckpoint, AuditEntry, AuditExport, AuditTrail
from storage.tables.base import Json, Moment, belongs_to, mapper, tenant_table

audit_entries = tenant_table(
    "audit_entries",
    Column("actor_id", Uuid),
    Column("actor_kind", String(20), nullable=False),
    Column("actor_name", String(400), nullable=False, server_default=""),
    Column("action", String(80), nullable=False),
    Column("entity_type", String(80), nullable=False),
    Column("entity_id", Uuid),
    Column("description", Text, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("error", Text),
    Column("changes", Json, nullable=False),
    Column("ip", String(64)),
    Column("user_agent", String(500)),
    Column("request_id", String(64)),
    Column("sequence", BigInteger),
    Column("previous", String(64)),
    Column("hash", String(64)),
    Column("signature", String(64)),
    UniqueConstraint("tenant_id", "sequence"),
)
Index("ix_audit_entries_tenant_id_created_at", audit_entries.c.tenant_id, audit_entries.c.created_at)
Index(
    "ix_audit_entries_entity", audit_entries.c.tenant_id, audit_entries.c.entity_type, audit_entries.c.entity_id,
    audit_entries.c.id,
)  # fmt: skip
audit_trails = tenant_table(
    "audit_trails",
    Column("sequence", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("signature", String(64), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("categories", Json, nullable=False),
    Column("actions", Json, nullable=False),
    Column("retention_days", Integer, nullable=False),
    Column("last_purge_at", Moment),
    Column("purge_count", BigInteger, nullable=False),
)
audit_checkpoints = tenant_table(
    "audit_checkpoints",
    Column("sequence", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("removed", BigInteger, nullable=False),
    Column("signature", String(64), nullable=False),
)
Index("ix_audit_checkpoints_sequence", audit_checkpoints.c.tenant_id, audit_checkpoints.c.sequence)
audit_accesses = tenant_table(
    "audit_accesses",
    Column("user_id", Uuid, nullable=False),
    Column("sign_in_id", Uuid),
    Column("token_hash", String(64), nullable=False),
    Column("category", String(100), nullable=False),
    Column("description", String(500), nullable=False),
    Column("expires_at", Moment, nullable=False),
    belongs_to("user_id", "users"),
)
Index("ix_audit_accesses_tenant_id_user_id", audit_accesses.c.tenant_id, audit_accesses.c.user_id)
audit_exports = tenant_table(
    "audit_exports",
    Column("user_id", Uuid, nullable=False),
    Column("job_id", Uuid, nullable=False),
    Column("format", String(10), nullable=False),
    Column("filters", Json, nullable=False),
    Column("most", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("processed", Integer, nullable=False),
    Column("content", String(80)),
    Column("size", BigInteger),
    Column("started_at", Moment),
    Column("expires_at", Moment, nullable=False),
    belongs_to("user_id", "users"),
    belongs_to("job_id", "jobs"),
)
Index("ix_audit_exports_tenant_id_job_id", audit_exports.c.tenant_id, audit_exports.c.job_id)
mapper.map_imperatively(AuditEntry, audit_entries)
mapper.map_imperatively(AuditTrail, audit_trails)
mapper.map_imperatively(AuditCheckpoint, audit_checkpoints)
mapper.map_imperatively(AuditAccess, audit_accesses)
mapper.map_imperatively(AuditExport, audit_exports)
