"""The chain: what an entry's hash covers, and how a chain is checked."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain.audit.entities import AuditCheckpoint, AuditEntry, AuditTrail
from domain.kernel.errors import N_

COVERED = (
    "id", "tenant_id", "sequence", "created_at", "actor_id", "actor_kind", "actor_name", "action", "entity_type",
    "entity_id", "description", "outcome", "error", "changes", "ip", "user_agent", "request_id",
)  # fmt: skip
"""The fields that the hash covers, besides the hash of the entry before."""


def plain(value: Any) -> Any:
    """`value` as both databases give it back: texts without NUL, whole numbers whole, everything else as text."""
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if value is None or isinstance(value, bool | int):
        return value
    return clean(value.isoformat() if isinstance(value, datetime) else str(value))


def clean(text: str) -> str:
    """A text that can be stored: without NUL and halves of characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def entry_hash(previous: str, values: Mapping[str, Any]) -> str:
    """SHA-256 of an entry's values and of the hash before it, in hexadecimal."""
    named = {name: _text(values[name]) for name in COVERED}
    canonical = json.dumps(named, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


def _text(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value


class Signer:
    """Signs the ends of chains (HMAC-SHA256). `former` keys are still believed, until what they signed is signed anew."""

    def __init__(self, key: bytes, *former: bytes) -> None:
        self._key, self._former = key, former

    def renew(self, key: bytes, *former: bytes) -> None:
        """Sign with another key from now on."""
        self._key, self._former = key, former

    def sign(self, tenant_id: UUID, sequence: int, digest: str) -> str:
        """The signature of the end of a chain."""
        return self._made(self._key, tenant_id, sequence, digest)

    def holds(self, tenant_id: UUID, sequence: int, digest: str, signature: str) -> bool:
        """Whether the signature is ours."""
        made = (self._made(key, tenant_id, sequence, digest) for key in (self._key, *self._former))
        return any(hmac.compare_digest(each, signature) for each in made)

    def current(self, tenant_id: UUID, sequence: int, digest: str, signature: str) -> bool:
        """Whether the signature was made with the present key."""
        return hmac.compare_digest(self.sign(tenant_id, sequence, digest), signature)

    @staticmethod
    def _made(key: bytes, tenant_id: UUID, sequence: int, digest: str) -> str:
        return hmac.new(key, f"{tenant_id.hex}:{sequence}:{digest}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a chain: a sentence with its parameters."""

    message: str
    params: Mapping[str, Any]

    def text(self) -> str:
        """The sentence in English."""
        return self.message.format(**self.params)


ALTERED = N_("Entry {sequence} ({id}, {action}) was altered.")
GAP = N_("Entries {first} to {last} are missing.")
RELINKED = N_("Entry {sequence} ({id}, {action}) does not follow the one before it.")
FORGED_END = N_("The end of the log (entry {sequence}) does not carry our signature.")
OTHER_END = N_("The last entry is {sequence}, and not the one that was signed.")
FORGED_START = N_("The entries up to {sequence} were removed without a signed checkpoint.")
NO_END = N_("The end of the log is missing.")


class ChainCheck:
    """Checks a chain entry by entry, in order of sequence; `faults` collects what is wrong."""

    def __init__(self, signer: Signer, tenant_id: UUID, start: AuditCheckpoint | None) -> None:
        self._signer, self._tenant_id = signer, tenant_id
        self.faults: list[Fault] = []
        self.checked = 0
        self._sequence, self._previous = (start.sequence, start.hash) if start else (0, "")
        if start and not signer.holds(tenant_id, start.sequence, start.hash, start.signature):
            self.faults.append(Fault(FORGED_START, {"sequence": start.sequence}))

    def take(self, entry: AuditEntry) -> None:
        """Check the next entry."""
        sequence = entry.sequence or 0
        named = {"sequence": sequence, "id": entry.id, "action": entry.action}
        if sequence != self._sequence + 1:
            self.faults.append(Fault(GAP, {"first": self._sequence + 1, "last": sequence - 1}))
        elif entry.previous != self._previous:
            self.faults.append(Fault(RELINKED, named))
        if entry.hash != entry_hash(entry.previous or "", {name: getattr(entry, name) for name in COVERED}):
            self.faults.append(Fault(ALTERED, named))
        self._sequence, self._previous = sequence, entry.hash or ""
        self.checked += 1

    def end(self, trail: AuditTrail | None) -> None:
        """Check the end against its signature."""
        if trail is None or not trail.sequence:
            if self.checked:
                self.faults.append(Fault(NO_END, {}))
            return
        if not self._signer.holds(self._tenant_id, trail.sequence, trail.hash, trail.signature):
            self.faults.append(Fault(FORGED_END, {"sequence": trail.sequence}))
        if trail.sequence > self._sequence:
            self.faults.append(Fault(GAP, {"first": self._sequence + 1, "last": trail.sequence}))
        elif (trail.sequence, trail.hash) != (self._sequence, self._previous):
            self.faults.append(Fault(OTHER_END, {"sequence": self._sequence}))
