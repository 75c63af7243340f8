"""All tables: importing this package maps every entity."""

from storage.tables import (
    allowed_origins,
    api_keys,
    assistants,
    audit,
    conversations,
    credentials,
    federation,
    files,
    identity,
    jobs,
    knowledge,
    models,
    roles,
    spaces,
    tenants,
    user_groups,
    users,
)
from storage.tables.base import metadata

__all__ = [
    "allowed_origins",
    "api_keys",
    "assistants",
    "audit",
    "conversations",
    "credentials",
    "federation",
    "files",
    "identity",
    "jobs",
    "knowledge",
    "metadata",
    "models",
    "roles",
    "spaces",
    "tenants",
    "user_groups",
    "users",
]
