"""The audit log: one row for each action, written in the action's own transaction."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.kernel.entity import Owned


@dataclass(eq=False, kw_only=True)
class AuditEntry(Owned):
    """Who did what to what, from where, and how it ended. `changes` holds old and new values without secrets."""

    actor_id: UUID | None
    actor_kind: str
    action: str
    entity_type: str
    entity_id: UUID | None
    description: str = ""
    outcome: str = "success"
    changes: dict[str, Any] = field(default_factory=dict)
    ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
