"""Stored content and attached files."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, UniqueConstraint, Uuid

from domain.files.entities import Blob, File
from storage.sealing import SealedText
from storage.tables.base import belongs_to, mapper, tenant_table

blobs = tenant_table(
    "blobs",
    Column("name", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "sha256"),
)
files = tenant_table(
    "files",
    Column("user_id", Uuid, nullable=False),
    Column("name", String(255), nullable=False),
    Column("media_type", String(150), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("blob_id", Uuid, nullable=False),
    Column("text", SealedText("files.text")),
    Column("token_count", Integer),
    Column("api_key_id", Uuid),
    belongs_to("user_id", "users"),
    belongs_to("api_key_id", "api_keys"),
    belongs_to("blob_id", "blobs", ondelete="RESTRICT"),
)
Index("ix_files_tenant_id_user_id", files.c.tenant_id, files.c.user_id)
Index("ix_files_tenant_id_api_key_id", files.c.tenant_id, files.c.api_key_id)
Index("ix_files_tenant_id_blob_id", files.c.tenant_id, files.c.blob_id)
mapper.map_imperatively(Blob, blobs)
mapper.map_imperatively(File, files)
