"""All tables: importing this package maps every entity."""

from storage.tables import (
    assistants,
    audit,
    conversations,
    federation,
    files,
    identity,
    jobs,
    knowledge,
    models,
    spaces,
    tenants,
    users,
)
from storage.tables.base import metadata

__all__ = [
    "assistants",
    "audit",
    "conversations",
    "federation",
    "files",
    "identity",
    "jobs",
    "knowledge",
    "metadata",
    "models",
    "spaces",
    "tenants",
    "users",
]
