"""How long conversations are kept: as the assistant says, else its space, else until somebody deletes them."""

from datetime import datetime, timedelta
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.events import Change, Signal
from domain.ports import Directory
from domain.transaction import UnitOfWork

BATCH = 100
"""Conversations to a transaction."""


class RetentionService:
    """Removes conversations whose time is over."""

    def __init__(self, uow: UnitOfWork, directory: Directory) -> None:
        self._uow, self._directory = uow, directory

    async def retain_everywhere(self) -> int:
        """Delete what is older than assistant or space keep it, in all organisations; how many conversations."""
        count, moment = 0, now()
        for tenant_id in await self._directory.tenant_ids():
            async with self._uow.read(tenant_id) as tx:
                kept = await tx.conversations.kept_days()
            for assistant_id, days in kept:
                count += await self._remove(tenant_id, assistant_id, days, moment)
        return count

    async def _remove(self, tenant_id: UUID, assistant_id: UUID, days: int, moment: datetime) -> int:
        count, before = 0, moment - timedelta(days=days)
        while True:
            async with self._uow.begin(tenant_id) as tx:
                found = await tx.conversations.older(assistant_id, before, BATCH)
                for conversation in found:
                    await tx.remove(conversation)
                for user_id in {conversation.user_id for conversation in found}:
                    tx.signal(Signal(f"user:{user_id}", "conversations_changed"))
                if found:
                    new = {"removed": len(found), "retention_days": days}
                    change = Change("retention_policy_applied", "assistant", assistant_id, new=new)
                    tx.record(Actor.system(tenant_id), change)
            count += len(found)
            if len(found) < BATCH:
                return count
