"""All tables: importing this package maps every entity."""

from storage.tables import (
    allowed_origins,
    assistants,
    audit,
    certificates,
    conversations,
    federation,
    files,
    identity,
    jobs,
    knowledge,
    models,
    modules,
    roles,
    spaces,
    tenants,
    user_groups,
    users,
)
from storage.tables.base import metadata

__all__ = [
    "allowed_origins",
    "assistants",
    "audit",
    "certificates",
    "conversations",
    "federation",
    "files",
    "identity",
    "jobs",
    "knowledge",
    "metadata",
    "models",
    "modules",
    "roles",
    "spaces",
    "tenants",
    "user_groups",
    "users",
]
