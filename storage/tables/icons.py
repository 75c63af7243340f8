"""Pictures of assistants and spaces."""

from sqlalchemy import Column, Index, Uuid

from domain.icons.entities import Icon
from storage.tables.base import belongs_to, mapper, tenant_table

icons = tenant_table(
    "icons",
    Column("user_id", Uuid, nullable=False),
    Column("blob_id", Uuid, nullable=False),
    belongs_to("user_id", "users", ondelete="RESTRICT"),
    belongs_to("blob_id", "blobs", ondelete="RESTRICT"),
)
Index("ix_icons_tenant_id_user_id", icons.c.tenant_id, icons.c.user_id)
Index("ix_icons_tenant_id_blob_id", icons.c.tenant_id, icons.c.blob_id)
mapper.map_imperatively(Icon, icons)
