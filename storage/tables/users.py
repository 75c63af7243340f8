"""People and their roles."""

from sqlalchemy import BigInteger, Boolean, Column, Index, String, UniqueConstraint, Uuid

from domain.users.entities import RoleAssignment, User
from storage.tables.base import Json, Moment, belongs_to, mapper, partial_index, tenant_table

users = tenant_table(
    "users",
    Column("email", String(320), nullable=False),
    Column("username", String(255)),
    Column("password_hash", String(255)),
    Column("state", String(20), nullable=False),
    Column("language", String(10), nullable=False),
    Column("theme", String(10), nullable=False),
    Column("email_verified", Boolean, nullable=False),
    Column("quota_limit", BigInteger),
    Column("last_sign_in_at", Moment),
    Column("deleted_at", Moment),
    Column("preferences", Json, nullable=False),
    Column("state_changed_at", Moment),
    Column("kind", String(20), nullable=False, server_default="person"),
    Column("description", String(500)),
)
# One living account per address (in lower case) on the installation: the address alone finds the organisation.
partial_index("uq_users_living_email", users.c.email, where="deleted_at is null", unique=True)
Index("ix_users_tenant_id_email", users.c.tenant_id, users.c.email)
role_assignments = tenant_table(
    "role_assignments",
    Column("user_id", Uuid, nullable=False),
    Column("role", String(50), nullable=False),
    Column("role_id", Uuid),
    belongs_to("user_id", "users"),
    belongs_to("role_id", "roles"),
    UniqueConstraint("tenant_id", "user_id", "role"),
)
Index("ix_role_assignments_tenant_id_role", role_assignments.c.tenant_id, role_assignments.c.role)
Index("ix_role_assignments_tenant_id_role_id", role_assignments.c.tenant_id, role_assignments.c.role_id)
mapper.map_imperatively(User, users)
mapper.map_imperatively(RoleAssignment, role_assignments)
