"""Certificates of deletion: they belong to no organisation, since theirs is gone."""

from sqlalchemy import BigInteger, Column, String, Table, UniqueConstraint, Uuid

from domain.tenants.deletion import DeletionCertificate
from storage.tables.base import Json, Moment, mapper, metadata

deletion_certificates = Table(
    "deletion_certificates",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("name", String(255), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("begun_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("counts", Json, nullable=False),
    Column("audit_sequence", BigInteger, nullable=False),
    Column("audit_hash", String(64), nullable=False),
    Column("signature", String(64), nullable=False),
    UniqueConstraint("tenant_id"),
)
mapper.map_imperatively(DeletionCertificate, deletion_certificates)
