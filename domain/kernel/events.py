"""What happened: recorded in the transaction that did it, published after its commit."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Change:
    """An audited action: `action` and `entity_type` are the words of the audit log.

    `old` and `new` hold the changed values without secrets; `error` says why a failure was one.
    """

    action: str
    entity_type: str
    entity_id: UUID | None
    description: str = ""
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)
    outcome: str = "success"
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """News for browsers and sockets, sent after commit.

    `topic` names the stream (for instance `space:<id>`, `user:<id>`, `run:<id>`); the payload must hold ids and
    states only, since every subscriber of the topic sees it.
    """

    topic: str
    kind: str
    data: dict[str, Any] = field(default_factory=dict)
