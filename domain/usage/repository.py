"""What the usage ledger asks of storage."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.kernel.paging import Page
from domain.usage.entities import Grouping, ModelCall, UsageQuery, Used, UsedBy


class UsageRepository(Protocol):
    """The ledger of the transaction's tenant."""

    async def close(self, call: ModelCall) -> bool:
        """Write how a call ended; False when that was written before."""

    async def running(self, message_id: UUID) -> Sequence[ModelCall]:
        """The calls for a message that have not ended."""

    async def cut_leases(self, longest: datetime) -> None:
        """Let no lease reach further than this."""

    async def expired(self, moment: datetime) -> Sequence[ModelCall]:
        """Calls that should have ended before."""

    async def of_messages(self, message_ids: Sequence[UUID]) -> Sequence[ModelCall]:
        """The calls of completion models for messages, the oldest first."""

    async def total(self, query: UsageQuery) -> Used:
        """What the calls add up to."""

    async def by(
        self,
        grouping: Grouping,
        query: UsageQuery,
        *,
        limit: int,
        offset: int = 0,
        order: str = "tokens",
        up: bool = False,
    ) -> Sequence[UsedBy]:
        """What they add up to for each model, space …, in order of `order`, the most first unless `up`; days in order."""

    async def count_by(self, grouping: Grouping, query: UsageQuery) -> int:
        """How many models, spaces … there are."""

    async def page(self, query: UsageQuery, *, limit: int, cursor: str | None) -> Page[ModelCall]:
        """The calls themselves, the newest first."""
