"""What of an answer is written down: what it rests on, what its calls have cost, and how it ended."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from domain.conversations.checking import note_citations
from domain.conversations.citations import Stems
from domain.conversations.context import Context
from domain.conversations.entities import AnswerState, Message
from domain.conversations.evidence import cited_numbers
from domain.conversations.explaining import explanation
from domain.conversations.narrowing import narrowed
from domain.conversations.plan import Plan
from domain.conversations.reuse import reusable
from domain.conversations.run import Run, within
from domain.conversations.saving import SAVE_SECONDS
from domain.conversations.tokens import estimate
from domain.kernel.clock import now
from domain.kernel.errors import Conflict, ProviderFailed
from domain.kernel.events import Change
from domain.kernel.persistence import persistently
from domain.knowledge.retrieval import Retrieval
from domain.knowledge.unanswered import note_unanswered
from domain.ports import ChatRequest
from domain.transaction import Transaction, UnitOfWork
from domain.usage.ledger import Ledger

log = logging.getLogger(__name__)
KEPT_SECONDS = 60.0
"""So long the end of an answer is kept in memory for a database that is away."""
EXPLAINED_SECONDS = 0.05
"""What an answer rests on is kept when most have begun to answer."""


class Records:
    """Writes down what becomes of the answers of this process."""

    def __init__(self, uow: UnitOfWork, ledger: Ledger, stems: Stems, owner: str) -> None:
        self._uow, self._ledger, self._stems, self._owner = uow, ledger, stems, owner

    async def explain(
        self,
        plan: Plan,
        run: Run,
        request: ChatRequest,
        context: Context,
        retrieval: Retrieval | None,
        ended: asyncio.Event,
    ) -> None:
        """Keep what the model was sent and how it was found, while the answer comes; an answer is never lost for it."""
        message = plan.message
        # Whoever reads waits for the first word, not for this.
        await within(EXPLAINED_SECONDS, ended)

        async def keep() -> None:
            async with self._uow.begin(plan.actor.tenant_id) as tx:
                await tx.write(*run.sources)
                # Both take their time; others have a turn between.
                await asyncio.sleep(0)
                former = await tx.conversations.explanation(message.id) if plan.explained else None
                if former is not None:
                    await tx.remove(former)
                plan.explained = True
                await tx.write(explanation(message, request, context, retrieval))
                # Once, however many models were asked; and only where all of the knowledge was searched.
                unanswered = retrieval is not None and (retrieval.unsure or not retrieval.passages)
                if unanswered and former is None and not plan.temporary and not narrowed(message):
                    await note_unanswered(tx, plan.assistant, message.question)

        try:
            await persistently(keep, f"what answer {message.id} rests on", seconds=KEPT_SECONDS, pause=SAVE_SECONDS)
        except Conflict:
            log.info("answer %s was deleted while it came", message.id)
        except Exception:
            log.exception("could not keep how an answer came about")

    async def end_attempt(self, plan: Plan, run: Run, failure: ProviderFailed) -> None:
        """Close the row of a call that another one follows."""
        message = plan.message
        message.trace |= {"total_ms": plan.milliseconds, "error_code": failure.code}
        try:
            async with self._uow.begin(run.tenant_id) as tx:
                await self._account(tx, plan, run, AnswerState.FAILED)
        finally:
            plan.call = None
            message.trace.pop("error_code", None)

    async def close(self, plan: Plan, run: Run, state: str, error: str | None, params: dict[str, Any]) -> None:
        """Save how an answer has ended, and tell those who read it."""
        message, cited = plan.message, cited_numbers(run.text, len(run.sources))
        message.answer, message.thought, message.state = run.text, run.thought, state
        message.error, message.error_params = error, params
        message.finished_at, message.heartbeat_at = now(), None
        message.tokens_answer = message.tokens_answer or estimate(run.thought + run.text)
        message.trace["total_ms"] = plan.milliseconds
        await note_citations(message, run.sources, self._stems)
        try:
            await self._save_end(plan, run, state, cited)
        except Exception:
            log.exception("could not save the end of an answer; it will be closed as interrupted")
        for source in run.sources:
            source.cited = source.number in cited
        run.close(state)

    async def _save_end(self, plan: Plan, run: Run, state: str, cited: Sequence[int]) -> None:
        """Write the outcome; tried again for a while where the database is away, since people have read the answer."""

        async def write() -> None:
            async with self._uow.begin(run.tenant_id) as tx:
                await self._write_end(tx, plan, run, state, cited)

        await persistently(write, f"the end of answer {run.message_id}", seconds=KEPT_SECONDS, pause=SAVE_SECONDS)

    async def _write_end(self, tx: Transaction, plan: Plan, run: Run, state: str, cited: Sequence[int]) -> None:
        message = plan.message
        await self._account(tx, plan, run, state)
        if not await tx.conversations.finish(message, self._owner):
            return
        if cited:
            await tx.conversations.mark_cited(run.message_id, cited)
        if state == AnswerState.DONE and plan.marks is not None and plan.earlier is None:
            await tx.add(reusable(message, plan.marks))
        outcome = "success" if state in (AnswerState.DONE, AnswerState.STOPPED) else "failure"
        tx.record(plan.actor, _call(message, outcome))

    async def _account(self, tx: Transaction, plan: Plan, run: Run, state: str) -> None:
        """Close the row of the call, whether or not there is still a message to save the answer in."""
        call, message = plan.call, plan.message
        if call is None:
            return
        made = run.thought[len(plan.thought) :] + run.text[plan.kept :]
        if call.estimated:
            call.tokens_out = estimate(made)
            # What a provider refuses costs nothing.
            call.tokens_in = 0 if state == AnswerState.FAILED and not made else call.tokens_in
        call.first_token_ms, call.total_ms = message.trace.get("first_token_ms"), message.trace["total_ms"]
        call.error_code = message.trace.get("error_code")
        await self._ledger.close(tx, call, state, plan.choice.price)


def _call(message: Message, outcome: str) -> Change:
    new = {"model": message.model_name, "tokens": [message.tokens_question, message.tokens_answer]}
    return Change("model_called", "conversation", message.conversation_id, new=new, outcome=outcome)
