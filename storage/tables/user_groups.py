"""User groups and who is in them."""

from sqlalchemy import Column, Index, String, UniqueConstraint, Uuid

from domain.user_groups.entities import UserGroup, UserGroupMember
from storage.tables.base import belongs_to, mapper, tenant_table

user_groups = tenant_table(
    "user_groups",
    Column("name", String(255), nullable=False),
    UniqueConstraint("tenant_id", "name"),
)
user_group_members = tenant_table(
    "user_group_members",
    Column("group_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    belongs_to("group_id", "user_groups"),
    belongs_to("user_id", "users"),
    UniqueConstraint("tenant_id", "group_id", "user_id"),
)
Index("ix_user_group_members_tenant_id_user_id", user_group_members.c.tenant_id, user_group_members.c.user_id)
mapper.map_imperatively(UserGroup, user_groups)
mapper.map_imperatively(UserGroupMember, user_group_members)
