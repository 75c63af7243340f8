"""What the audit log asks of storage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.audit.entities import AuditAccess, AuditCheckpoint, AuditEntry, AuditExport, AuditTrail
from domain.kernel.paging import Page


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; `about` finds a user as the one who acted or the one it was done to."""

    actor_id: UUID | None = None
    actions: tuple[str, ...] = ()
    entity_type: str | None = None
    entity_id: UUID | None = None
    outcome: str | None = None
    about: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str = ""


class AuditRepository(Protocol):
    """The audit log of the transaction's tenant. Entries are added by `Transaction.record` alone."""

    async def trail(self, *, lock: bool = False) -> AuditTrail:
        """The end of the chain with its settings, locked for a change."""

    async def page(
        self, wanted: AuditFilter, *, limit: int, cursor: str | None = None, offset: int = 0, count: bool = True
    ) -> Page[AuditEntry]:
        """Entries, newest first."""

    async def count(self, wanted: AuditFilter) -> int:
        """How many entries there are."""

    async def in_order(self, after: int, limit: int) -> Sequence[AuditEntry]:
        """The next entries of the chain after a sequence number."""

    async def checkpoint(self) -> AuditCheckpoint | None:
        """Where the chain begins now, when entries were removed."""

    async def last_before(self, moment: datetime) -> AuditEntry | None:
        """The last entry of the chain that is older than `moment`."""

    async def remove_up_to(self, sequence: int | None, moment: datetime) -> int:
        """Delete the entries that a checkpoint covers, and unchained ones older than `moment`; how many."""

    async def accesses_since(self, user_id: UUID, moment: datetime) -> int:
        """How often somebody has justified reading the log since `moment`."""

    async def access(self, user_id: UUID, *, token_hash: str | None, sign_in_id: UUID | None) -> AuditAccess | None:
        """The newest leave with this token, or of this sign-in session."""

    async def forget_accesses(self, before: datetime) -> None:
        """Delete leaves that ended before `before`."""

    async def export(self, job_id: UUID) -> AuditExport | None:
        """The export that a job makes."""

    async def exports(self, *, limit: int) -> Sequence[AuditExport]:
        """The newest exports."""

    async def expired_exports(self, moment: datetime) -> Sequence[AuditExport]:
        """Exports whose file is to be deleted."""
