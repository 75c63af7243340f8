"""Budgets as the API shows them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.api import present, wire
from app.api.base import Caller, Use
from domain.budgets.entities import BudgetView
from domain.budgets.service import BudgetDraft
from domain.kernel.paging import MAX_LIMIT
from domain.models.money import to_decimal

router = APIRouter(prefix="/api/v1/admin/budgets", tags=["admin"])
own = APIRouter(prefix="/api/v1/usage", tags=["usage"])


def _shown(view: BudgetView) -> dict[str, Any]:
    budget = view.budget
    names = ("id", "scope", "span", "space_id", "user_id", "assistant_id", "tokens", "currency", "contact", "enabled")
    return {
        **{name: getattr(budget, name) for name in names},
        "cost": None if budget.cost is None else to_decimal(budget.cost),
        "subject": view.subject,
        "used_tokens": view.tokens,
        "used_cost": to_decimal(view.cost),
        "share": round(view.share, 4),
        "resets_at": view.resets_at,
    }


def _draft(body: wire.BudgetChange, scope: str, targets: dict[str, UUID]) -> BudgetDraft:
    return BudgetDraft(scope, body.span, targets, body.tokens, body.cost, body.currency, body.contact, body.enabled)


@router.get("/", response_model=wire.PageOfBudget)
async def budgets(
    actor: Caller, use: Use, limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50, cursor: str | None = None
) -> Any:
    """All budgets with what their present spans have used, for administrators."""
    page = await use.budgets.page(actor, limit=limit, cursor=cursor)
    return present.page([_shown(view) for view in page.items], next_cursor=page.next_cursor)


@router.post("/", response_model=wire.BudgetPublic, status_code=201)
async def add(body: wire.BudgetCreate, actor: Caller, use: Use) -> Any:
    """Set a budget; it counts what is used from now on."""
    named = {"space": body.space_id, "user": body.user_id, "assistant": body.assistant_id}
    targets = {scope: target for scope, target in named.items() if target is not None}
    return _shown(await use.budgets.add(actor, _draft(body, body.scope, targets)))


@router.get("/{budget_id}/", response_model=wire.BudgetPublic)
async def get(budget_id: UUID, actor: Caller, use: Use) -> Any:
    """One budget, for administrators."""
    return _shown(await use.budgets.get(actor, budget_id))


@router.put("/{budget_id}/", response_model=wire.BudgetPublic)
async def update(budget_id: UUID, body: wire.BudgetChange, actor: Caller, use: Use) -> Any:
    """Change a budget; for whom it is stays."""
    return _shown(await use.budgets.update(actor, budget_id, _draft(body, "", {})))


@router.delete("/{budget_id}/", status_code=204, response_class=Response)
async def delete(budget_id: UUID, actor: Caller, use: Use) -> None:
    """Take a budget away."""
    await use.budgets.delete(actor, budget_id)


@own.get("/budgets/", response_model=wire.PageOfBudgetStanding)
async def standing(actor: Caller, use: Use, assistant_id: UUID | None = None) -> Any:
    """The budgets that the caller's questions (to an assistant) count in, the fullest first."""
    found = await use.budgets.concerning(actor, assistant_id)
    return present.page(
        [
            {
                "scope": view.budget.scope,
                "span": view.budget.span,
                "share": round(view.share, 4),
                "resets_at": view.resets_at,
                "contact": view.budget.contact,
            }
            for view in found
        ]
    )
