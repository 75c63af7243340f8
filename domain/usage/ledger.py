"""Writing the usage ledger: a row before the call goes out, its end whatever happens."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import tzinfo
from time import monotonic
from uuid import UUID

from domain.budgets.reserving import Room, reserve, room, settle
from domain.kernel.clock import now
from domain.kernel.errors import Failure
from domain.models.entities import AnyModel, ModelPrice, ModelProvider, ProviderType, kind_of, title_of
from domain.models.money import cost
from domain.ports import ChatDelta, Directory
from domain.transaction import Transaction, UnitOfWork
from domain.usage.attribution import Attribution, present
from domain.usage.entities import LEASE, ModelCall, Outcome

log = logging.getLogger(__name__)


class Ledger:
    """Opens and closes the rows of calls."""

    def __init__(self, uow: UnitOfWork, directory: Directory, zone: tzinfo) -> None:
        self._uow, self._directory, self.zone = uow, directory, zone

    async def open(
        self,
        tx: Transaction,
        model: AnyModel,
        provider: ModelProvider,
        *,
        tokens_in: int,
        seconds: float = 0.0,
        most_out: int = 0,
        price: ModelPrice | None = None,
        budgets: bool = True,
    ) -> ModelCall:
        """Write down that a call goes out for whoever the present task works for; `tokens_in` is an estimate.

        What was collected for them is written with it.
        Where there are `budgets`, what it may use at most is held back of them; raises `BudgetExhausted`.
        """
        call = self._row(model, provider, present())
        call.tokens_in, call.seconds, call.lease_until = tokens_in, seconds, now() + LEASE
        if budgets:
            most = cost(price, tokens_in, most_out, 0, seconds) if price else 0
            call.reservations = await reserve(tx, present(), self.zone, tokens_in + most_out, most)
        collected = present().collected or []
        await tx.write(*collected, call)
        collected.clear()
        return call

    def _row(self, model: AnyModel, provider: ModelProvider, who: Attribution) -> ModelCall:
        call = ModelCall(
            tenant_id=model.tenant_id,
            day=now().astimezone(self.zone).date(),
            kind=kind_of(model),
            purpose=who.purpose,
            model_id=model.id,
            model_name=title_of(model),
            provider_name=provider.name,
            user_id=who.user_id,
            api_key_id=who.api_key_id,
            space_id=who.space_id,
            assistant_id=who.assistant_id,
            conversation_id=who.conversation_id,
            message_id=who.message_id,
        )
        if who.seen is not None:
            who.seen.append(call)
        return call

    async def close(self, tx: Transaction, call: ModelCall, outcome: str, price: ModelPrice | None) -> None:
        """Write down how it ended, and what it cost."""
        call.outcome, call.finished_at, call.lease_until = outcome, now(), None
        if price is not None:
            call.cost = cost(price, call.tokens_in, call.tokens_out, call.tokens_cached, call.seconds)
            call.currency = price.currency
        if await tx.usage.close(call) and call.reservations:
            await settle(tx, call)

    async def room(self, tx: Transaction, who: Attribution) -> Room:
        """What the budgets that count for `who` still allow."""
        return await room(tx, who, self.zone)

    @asynccontextmanager
    async def call(
        self, model: AnyModel, provider: ModelProvider, *, tokens_in: int = 0, seconds: float = 0.0
    ) -> AsyncIterator[ModelCall]:
        """Around a call: the row is there before it goes out, and gets its end even when it fails or is cancelled."""
        if provider.type == ProviderType.BUILTIN:
            async with self._free(model, provider, tokens_in) as call:
                yield call
            return
        begun = monotonic()
        async with self._uow.begin(model.tenant_id) as tx:
            price = await tx.models.price(model.id, now().date())
            call = await self.open(tx, model, provider, tokens_in=tokens_in, seconds=seconds, price=price)
        try:
            yield call
        except BaseException as error:
            await asyncio.shield(self._end(call, outcome_of(error), begun, price, error))
            raise
        await asyncio.shield(self._end(call, Outcome.DONE, begun, price))

    async def _end(
        self, call: ModelCall, outcome: str, begun: float, price: ModelPrice | None, error: BaseException | None = None
    ) -> None:
        call.total_ms = round((monotonic() - begun) * 1000)
        if isinstance(error, Failure):
            call.error_code = error.code
        if error is not None and call.estimated:
            # Whether the provider counts what it did not answer is not known; what it refused costs nothing.
            call.tokens_in = 0 if isinstance(error, Failure) else call.tokens_in
            call.seconds = 0.0 if isinstance(error, Failure) else call.seconds
        try:
            async with self._uow.begin(call.tenant_id) as tx:
                await self.close(tx, call, outcome, price)
        except Exception:
            log.exception("could not write the end of a call of a model; it will be closed later")

    @asynccontextmanager
    async def _free(self, model: AnyModel, provider: ModelProvider, tokens_in: int) -> AsyncIterator[ModelCall]:
        """A call that costs nothing is written down when it has ended, together with what is written anyway."""
        who, begun = present(), monotonic()
        call = self._row(model, provider, who)
        call.tokens_in = tokens_in
        yield call
        call.outcome, call.finished_at = Outcome.DONE, now()
        call.total_ms = round((monotonic() - begun) * 1000)
        if who.collected is not None:
            who.collected.append(call)
            return
        async with self._uow.begin(call.tenant_id) as tx:
            await tx.write(call)

    async def interrupted(self, tx: Transaction, message_id: UUID, tokens_out: int) -> None:
        """Close the calls for an answer whose process has died, with what had come of it."""
        for call in await tx.usage.running(message_id):
            call.tokens_out = tokens_out
            await self.close(
                tx, call, Outcome.INTERRUPTED, await tx.models.price(call.model_id, call.created_at.date())
            )

    async def sweep(self) -> int:
        """Close the calls whose process has died, in all organisations; how many."""
        count = 0
        for tenant_id in await self._directory.stale_calls():
            async with self._uow.begin(tenant_id) as tx:
                # After the clock was set back none may last longer than it can.
                await tx.usage.cut_leases(now() + LEASE)
                for call in await tx.usage.expired(now()):
                    price = await tx.models.price(call.model_id, call.created_at.date())
                    await self.close(tx, call, Outcome.INTERRUPTED, price)
                    count += 1
        return count


def outcome_of(error: BaseException) -> Outcome:
    """How a call ended that raised this."""
    return Outcome.STOPPED if isinstance(error, asyncio.CancelledError) else Outcome.FAILED


def count_in(call: ModelCall, delta: ChatDelta) -> None:
    """Take over what the provider has counted."""
    if delta.tokens_question is not None:
        call.tokens_in, call.estimated = delta.tokens_question, False
    if delta.tokens_answer is not None:
        call.tokens_out = delta.tokens_answer
    if delta.tokens_cached is not None:
        call.tokens_cached = delta.tokens_cached
