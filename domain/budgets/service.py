"""Budgets: for administrators to set, for everybody to see those that hold for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
from uuid import UUID

from domain.assistants.access import readable_assistant
from domain.assistants.entities import Assistant
from domain.budgets.entities import WARN_SHARE, Budget, BudgetScope, BudgetView, Span
from domain.budgets.reserving import standings
from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest, Invalid, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.paging import MAX_LIMIT, Page, clamp
from domain.kernel.text import clean_name
from domain.models.money import clean_currency, from_decimal
from domain.spaces.entities import Space
from domain.transaction import Transaction, UnitOfWork
from domain.usage.attribution import Attribution
from domain.usage.entities import Purpose
from domain.users.entities import User

MOST_TOKENS = 10**12
TARGETS: dict[BudgetScope, type[Space] | type[User] | type[Assistant]] = {
    BudgetScope.SPACE: Space,
    BudgetScope.USER: User,
    BudgetScope.ASSISTANT: Assistant,
}


@dataclass(frozen=True, slots=True)
class BudgetDraft:
    """What an administrator enters. Without a target it holds for each space, user or assistant by itself."""

    scope: str
    span: str
    targets: Mapping[str, UUID] = field(default_factory=dict)
    tokens: int | None = None
    cost: Decimal | None = None
    currency: str = "SEK"
    contact: str = ""
    enabled: bool = True


class BudgetService:
    """Use cases of budgets."""

    def __init__(self, uow: UnitOfWork, zone: tzinfo) -> None:
        self._uow, self._zone = uow, zone

    async def page(self, actor: Actor, *, limit: int | None = None, cursor: str | None = None) -> Page[BudgetView]:
        """The budgets with what their present spans have used, for administrators."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            found = await tx.budgets.page(limit=clamp(limit), cursor=cursor)
            return Page(await self._views(tx, found.items), found.next_cursor)

    async def _views(self, tx: Transaction, budgets: Sequence[Budget]) -> list[BudgetView]:
        names = await tx.budgets.subjects(budgets)
        begun = {budget.id: self._begun(budget) for budget in budgets}
        most = await tx.budgets.most(list(begun.items()))
        return [
            BudgetView(b, *most.get(b.id, (0, 0)), Span(b.span).ends(begun[b.id]), names.get(b.id, "")) for b in budgets
        ]

    def _begun(self, budget: Budget) -> datetime:
        return Span(budget.span).begins(now(), self._zone)

    async def add(self, actor: Actor, draft: BudgetDraft) -> BudgetView:
        """Set a budget. It counts what is used from now on."""
        actor.require(Permission.ADMIN)
        if draft.scope not in set(BudgetScope):
            raise Invalid(N_("Choose one of the listed values."), field="scope")
        budget = Budget(tenant_id=actor.tenant_id, scope=draft.scope, span=draft.span)
        async with self._uow.begin(actor.tenant_id) as tx:
            if len((await tx.budgets.page(limit=MAX_LIMIT, cursor=None)).items) >= MAX_LIMIT:
                raise BadRequest(N_("There are {limit} budgets already. Delete some first."), limit=MAX_LIMIT)
            await self._aim(tx, budget, draft)
            await self._fill(tx, actor, budget, draft)
            await tx.add(budget)
            self._changed(tx, actor, "budget_created", budget)
            return (await self._views(tx, [budget]))[0]

    async def update(self, actor: Actor, budget_id: UUID, draft: BudgetDraft) -> BudgetView:
        """Change how much, how long, whom to ask; for whom it is stays."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            budget = await self._budget(tx, budget_id)
            old = _values(budget)
            await self._fill(tx, actor, budget, draft)
            self._changed(tx, actor, "budget_updated", budget, old)
            await tx.flush()
            return (await self._views(tx, [budget]))[0]

    async def get(self, actor: Actor, budget_id: UUID) -> BudgetView:
        """One budget, for administrators."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            return (await self._views(tx, [await self._budget(tx, budget_id)]))[0]

    async def delete(self, actor: Actor, budget_id: UUID) -> None:
        """Take a budget away."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            budget = await self._budget(tx, budget_id)
            await tx.remove(budget)
            self._changed(tx, actor, "budget_deleted", budget)

    @staticmethod
    async def _budget(tx: Transaction, budget_id: UUID) -> Budget:
        budget = await tx.get(Budget, budget_id)
        if budget is None:
            raise NotFound(N_("The budget was not found."))
        return budget

    @staticmethod
    async def _aim(tx: Transaction, budget: Budget, draft: BudgetDraft) -> None:
        for scope, target_id in draft.targets.items():
            target: Space | User | Assistant | None = await tx.get(TARGETS[BudgetScope(scope)], target_id)
            if target is None:
                raise NotFound(N_("What the budget is for was not found."), field=f"{scope}_id")
        if set(draft.targets) - {draft.scope}:
            raise Invalid(N_("Name only what the budget's scope says."), field="scope")
        if draft.targets:
            setattr(budget, f"{draft.scope}_id", draft.targets[draft.scope])

    @staticmethod
    async def _fill(tx: Transaction, actor: Actor, budget: Budget, draft: BudgetDraft) -> None:
        if draft.span not in set(Span):
            raise Invalid(N_("Choose one of the listed values."), field="span")
        if draft.tokens is None and draft.cost is None:
            raise Invalid(N_("Say how many tokens or how much money."), field="tokens")
        if draft.tokens is not None and not 0 <= draft.tokens <= MOST_TOKENS:
            raise Invalid(N_("Give a number from {low} to {high}."), field="tokens", low=0, high=MOST_TOKENS)
        budget.span, budget.tokens, budget.enabled = draft.span, draft.tokens, draft.enabled
        budget.cost = None if draft.cost is None else from_decimal(draft.cost, "cost")
        budget.currency = None
        if budget.cost is not None:
            budget.currency = clean_currency(draft.currency)
            prices = await tx.models.currency()
            if prices not in (None, budget.currency):
                raise Invalid(
                    N_("Your prices are in {currency}: a budget in money must be, too."),
                    field="currency",
                    currency=prices,
                )
        budget.contact = clean_name(draft.contact or actor.email or actor.name, "contact")

    @staticmethod
    def _changed(
        tx: Transaction, actor: Actor, action: str, budget: Budget, old: dict[str, object] | None = None
    ) -> None:
        tx.record(actor, Change(action, "budget", budget.id, old=old or {}, new=_values(budget)))
        tx.signal(Signal(f"tenant:{actor.tenant_id}", "budgets_changed"))

    async def concerning(self, actor: Actor, assistant_id: UUID | None = None) -> list[BudgetView]:
        """The budgets that the actor's questions (to this assistant) count in, the fullest first."""
        async with self._uow.read(actor.tenant_id) as tx:
            space_id = None
            if assistant_id is not None:
                assistant, _ = await readable_assistant(tx, actor, assistant_id)
                space_id = assistant.space_id
            who = Attribution(Purpose.ANSWER, actor.user_id, None, space_id, assistant_id)
            rows = await standings(tx, who, self._zone)
        views = [
            BudgetView(b, use.tokens if use else 0, use.cost if use else 0, Span(b.span).ends(begun))
            for b, begun, use in rows
        ]
        return sorted(views, key=lambda view: -view.share)

    async def of_assistant(self, actor: Actor, assistant_id: UUID) -> list[BudgetView]:
        """The budgets that the answers of an assistant count in, whoever asks, the fullest first."""
        found = await self.concerning(actor, assistant_id)
        return [view for view in found if view.budget.scope != BudgetScope.USER]

    async def warnings(self, actor: Actor) -> list[BudgetView]:
        """The budgets that are nearly used up, for administrators."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            found = await self._views(tx, (await tx.budgets.page(limit=MAX_LIMIT, cursor=None)).items)
        return [view for view in found if view.budget.enabled and view.share >= WARN_SHARE]


def _values(budget: Budget) -> dict[str, object]:
    names = ("scope", "span", "tokens", "cost", "currency", "contact", "enabled")
    target = {"target_id": str(budget.target_id)} if budget.target_id else {}
    return {**{name: getattr(budget, name) for name in names}, **target}
