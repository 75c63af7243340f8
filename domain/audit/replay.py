"""What a thing looked like, told from its entries."""

from collections.abc import Iterable, Sequence
from typing import Any

from domain.audit.chain import plain
from domain.audit.entities import AuditEntry


def snapshot(entity: Any, fields: Iterable[str]) -> dict[str, Any]:
    """The values of these fields as an entry holds them."""
    return {name: plain(getattr(entity, name)) for name in fields}


def difference(old: dict[str, Any], new: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of two snapshots, the fields that differ."""
    changed = [name for name in new if old.get(name) != new[name]]
    return {name: old.get(name) for name in changed}, {name: new[name] for name in changed}


def replayed(entries: Sequence[AuditEntry]) -> dict[str, Any]:
    """The values after these entries, the oldest first: the first one holds all of them, the others what changed."""
    values: dict[str, Any] = {}
    for entry in entries:
        values |= entry.changes.get("new") or {}
    return values


def before(present: dict[str, Any], later: Sequence[AuditEntry]) -> dict[str, Any]:
    """The values from before the entries in `later` (the newest first), told backwards from the present ones."""
    values = dict(present)
    for entry in later:
        values |= entry.changes.get("old") or {}
    return values
