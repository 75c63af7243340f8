"""Answers whose process has died."""

from datetime import datetime
from time import monotonic
from uuid import UUID

from domain.conversations.answering import INTERRUPTED
from domain.conversations.checking import note_citations
from domain.conversations.citations import Stems
from domain.conversations.entities import AnswerState, Conversation, Message
from domain.conversations.evidence import cited_numbers
from domain.conversations.plan import FORGOTTEN
from domain.conversations.run import Runs
from domain.conversations.tokens import estimate
from domain.kernel.clock import now
from domain.ports import Directory
from domain.transaction import UnitOfWork
from domain.usage.ledger import Ledger

STALE_SECONDS, SURE_SECONDS = 15.0, 5.0
"""An answer without a sign of life for so long is closed when none comes for some more by a clock that cannot be set."""


class Interrupted:
    """Closes the runs of processes that have died."""

    def __init__(self, uow: UnitOfWork, directory: Directory, runs: Runs, ledger: Ledger, stems: Stems) -> None:
        self._uow, self._directory, self._runs, self._ledger, self._stems = uow, directory, runs, ledger, stems
        self._silent: dict[UUID, tuple[datetime | None, float]] = {}
        """For answers that seem to be left, their last sign of life, and when it was seen first."""

    async def sweep(self, sure_seconds: float = SURE_SECONDS) -> int:
        """Close the runs whose process has died, with the text they had; how many."""
        found = await self._directory.stale_runs(STALE_SECONDS)
        left = {each.id: each.tenant_id for each in found if self._runs.get(each.id) is None}
        self._silent = {message_id: seen for message_id, seen in self._silent.items() if message_id in left}
        dead = [id_ for id_, tenant_id in left.items() if await self._seems_dead(tenant_id, id_, sure_seconds)]
        return sum([await self._close_dead(left[message_id], message_id) for message_id in dead])

    async def _seems_dead(self, tenant_id: UUID, message_id: UUID, sure_seconds: float) -> bool:
        """Whether no sign of life has come since it was looked for first: the clock may just have been set forward."""
        async with self._uow.read(tenant_id) as tx:
            message = await tx.get(Message, message_id)
            sign = message.heartbeat_at if message else None
        before, since = self._silent.setdefault(message_id, (sign, monotonic()))
        if sign != before:
            self._silent[message_id] = sign, monotonic()
            return False
        return monotonic() - since >= sure_seconds

    async def _close_dead(self, tenant_id: UUID, message_id: UUID) -> bool:
        async with self._uow.begin(tenant_id) as tx:
            if not await tx.conversations.take_silent(message_id, self._silent[message_id][0]):
                return False
            message = await tx.get(Message, message_id)
            if message is None:
                return False
            message.state, message.error = AnswerState.INTERRUPTED, INTERRUPTED
            message.finished_at, message.heartbeat_at = now(), None
            message.tokens_answer = estimate(message.answer)
            await self._ledger.interrupted(tx, message.id, message.tokens_answer)
            conversation = await tx.get(Conversation, message.conversation_id)
            if message.trace.get(FORGOTTEN) and conversation is not None:
                await tx.remove(conversation)
                return True
            sources = (await tx.conversations.sources([message.id])).get(message.id, ())
            await note_citations(message, sources, self._stems)
            await tx.conversations.mark_cited(message.id, cited_numbers(message.answer, len(sources)))
        return True
