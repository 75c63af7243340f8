"""Entries as files: CSV, JSON and JSON lines, made piece by piece."""

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from domain.audit.entities import AuditEntry

FORMATS: Mapping[str, str] = {"csv": "text/csv", "json": "application/json", "jsonl": "application/x-ndjson"}
"""What can be exported, with its media type."""
COLUMNS = (
    "Timestamp", "Actor ID", "Actor Type", "Action", "Entity Type", "Entity ID", "Description", "Outcome",
    "Error Message", "Metadata", "Actor", "IP Address", "User Agent", "Request ID", "Sequence", "Hash",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def metadata(entry: AuditEntry) -> dict[str, Any]:
    """Who, what and which changes, as clients read them."""
    old, new = entry.changes.get("old") or {}, entry.changes.get("new") or {}
    changes = {name: {"old": old.get(name), "new": new.get(name)} for name in sorted({*old, *new})}
    return {
        "actor": {
            "id": str(entry.actor_id) if entry.actor_id else None,
            "name": entry.actor_name,
            "email": entry.actor_name.split(" · ")[0] if "@" in entry.actor_name else None,
            "type": entry.actor_kind,
            "api_key": entry.changes.get("api_key"),
        },
        "target": {"id": str(entry.entity_id) if entry.entity_id else None, "name": entry.description},
        "changes": changes,
        "extra": {"sequence": entry.sequence, "hash": entry.hash},
    }


def record(entry: AuditEntry) -> dict[str, Any]:
    """An entry as one JSON object."""
    return {
        "id": str(entry.id),
        "tenant_id": str(entry.tenant_id),
        "timestamp": entry.created_at.isoformat(),
        "actor_id": str(entry.actor_id) if entry.actor_id else None,
        "actor_type": entry.actor_kind,
        "action": entry.action,
        "entity_type": entry.entity_type,
        "entity_id": str(entry.entity_id) if entry.entity_id else None,
        "description": entry.description,
        "outcome": entry.outcome,
        "error_message": entry.error,
        "metadata": metadata(entry),
        "ip_address": entry.ip,
        "user_agent": entry.user_agent,
        "request_id": entry.request_id,
        "sequence": entry.sequence,
        "previous_hash": entry.previous,
        "hash": entry.hash,
    }


def safe_cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _row(entry: AuditEntry) -> list[str]:
    details = json.dumps(metadata(entry), ensure_ascii=False)
    values = (
        entry.created_at.isoformat(), entry.actor_id, entry.actor_kind, entry.action, entry.entity_type, entry.entity_id,
        entry.description, entry.outcome, entry.error, details, entry.actor_name, entry.ip, entry.user_agent,
        entry.request_id, entry.sequence, entry.hash,
    )  # fmt: skip
    return [safe_cell(value) for value in values]


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


async def written(file_format: str, batches: AsyncIterator[Sequence[AuditEntry]]) -> AsyncIterator[bytes]:
    """The file, a batch at a time."""
    first = True
    if file_format == "csv":
        yield _csv([COLUMNS])
    async for batch in batches:
        if file_format == "csv":
            yield _csv([_row(entry) for entry in batch])
            continue
        lines = [json.dumps(record(entry), ensure_ascii=False) for entry in batch]
        if file_format == "jsonl":
            yield "".join(f"{line}\n" for line in lines).encode()
        else:
            yield (("[" if first else ",\n") + ",\n".join(lines)).encode()
        first = False
    if file_format == "json":
        yield b"[]" if first else b"]"
