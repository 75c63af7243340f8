"""The audit log: one entry for each action, written in the action's own transaction and chained to the one before it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.kernel.entity import Owned

DEFAULT_RETENTION_DAYS = 365


@dataclass(eq=False, kw_only=True)
class AuditEntry(Owned):
    """Who did what to what, from where, and how it ended. `changes` holds old and new values without secrets.

    `hash` covers everything here but `signature`, and `previous`, the hash of the entry before; `sequence` counts from 1
    without gaps in each organisation. Entries from before there was a chain have none of these.
    """

    actor_id: UUID | None
    actor_kind: str
    action: str
    entity_type: str
    entity_id: UUID | None
    actor_name: str = ""
    description: str = ""
    outcome: str = "success"
    error: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    sequence: int | None = None
    previous: str | None = None
    hash: str | None = None
    signature: str | None = None


@dataclass(eq=False, kw_only=True)
class AuditTrail(Owned):
    """The end of an organisation's chain, what it records, and for how many days it keeps it. Its `id` is the tenant's.

    The database moves the end when an entry follows it. `signature` is that entry's, made with a key that is not in the
    database, so that nobody who has only the database can write another chain in place of this one.
    """

    sequence: int = 0
    hash: str = ""
    signature: str = ""
    enabled: bool = True
    categories: dict[str, bool] = field(default_factory=dict)
    actions: dict[str, bool] = field(default_factory=dict)
    retention_days: int = DEFAULT_RETENTION_DAYS
    last_purge_at: datetime | None = None
    purge_count: int = 0


@dataclass(eq=False, kw_only=True)
class AuditCheckpoint(Owned):
    """Where the chain begins after the entries up to `sequence` were removed; `hash` is that of the last one removed."""

    sequence: int
    hash: str
    removed: int
    signature: str


@dataclass(eq=False, kw_only=True)
class AuditAccess(Owned):
    """Somebody's leave to read the log for a while, for the reason they gave. Only the token's SHA-256 is stored."""

    user_id: UUID
    sign_in_id: UUID | None
    token_hash: str
    category: str
    description: str
    expires_at: datetime


@dataclass(eq=False, kw_only=True)
class AuditExport(Owned):
    """An export made by a job: what was asked for, how far it has come, and where its file is."""

    user_id: UUID
    job_id: UUID
    format: str
    filters: dict[str, Any]
    most: int
    expires_at: datetime
    total: int = 0
    processed: int = 0
    content: str | None = None
    size: int | None = None
    started_at: datetime | None = None
