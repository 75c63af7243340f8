"""Spaces and their members."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Text, UniqueConstraint, Uuid

from domain.spaces.entities import Space, SpaceGroup, SpaceMember
from storage.tables.base import Json, belongs_to, mapper, partial_index, tenant_table
from storage.tables.classifications import classified

spaces = tenant_table(
    "spaces",
    Column("name", String(255), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("user_id", Uuid),
    Column("description", Text),
    Column("data_retention_days", Integer),
    Column("quota_limit", BigInteger),
    Column("security_classification_id", Uuid),
    Column("allowed_models", Json),
    Column("icon_id", Uuid),
    belongs_to("user_id", "users"),
    belongs_to("icon_id", "icons", ondelete="RESTRICT"),
    classified("spaces"),
    UniqueConstraint("tenant_id", "user_id"),
    CheckConstraint("(kind = 'personal') = (user_id is not null)", name="personal_has_owner"),
    CheckConstraint("kind = 'shared' or security_classification_id is null", name="only_shared_are_classified"),
    CheckConstraint("data_retention_days between 1 and 2555", name="retention_range"),
)
Index("ix_spaces_tenant_id_icon_id", spaces.c.tenant_id, spaces.c.icon_id)
partial_index("uq_spaces_organization", spaces.c.tenant_id, where="kind = 'organization'", unique=True)
space_members = tenant_table(
    "space_members",
    Column("space_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("role", String(20), nullable=False),
    belongs_to("space_id", "spaces"),
    belongs_to("user_id", "users"),
    UniqueConstraint("tenant_id", "space_id", "user_id"),
)
Index("ix_space_members_tenant_id_user_id", space_members.c.tenant_id, space_members.c.user_id)
space_groups = tenant_table(
    "space_groups",
    Column("space_id", Uuid, nullable=False),
    Column("group_id", Uuid, nullable=False),
    Column("role", String(20), nullable=False),
    belongs_to("space_id", "spaces"),
    belongs_to("group_id", "user_groups"),
    UniqueConstraint("tenant_id", "space_id", "group_id"),
)
Index("ix_space_groups_tenant_id_group_id", space_groups.c.tenant_id, space_groups.c.group_id)
mapper.map_imperatively(Space, spaces)
mapper.map_imperatively(SpaceGroup, space_groups)
mapper.map_imperatively(SpaceMember, space_members)
