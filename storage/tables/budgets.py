"""Budgets, and what each of their spans has used."""

from sqlalchemy import BigInteger, Boolean, Column, String, UniqueConstraint, Uuid

from domain.budgets.entities import Budget, BudgetUse
from storage.tables.base import Moment, belongs_to, mapper, tenant_table

budgets = tenant_table(
    "budgets",
    Column("scope", String(20), nullable=False),
    Column("span", String(20), nullable=False),
    Column("space_id", Uuid),
    Column("user_id", Uuid),
    Column("assistant_id", Uuid),
    Column("tokens", BigInteger),
    Column("cost", BigInteger),
    Column("currency", String(10)),
    Column("contact", String(255), nullable=False),
    Column("enabled", Boolean, nullable=False),
    belongs_to("space_id", "spaces"),
    belongs_to("user_id", "users"),
    belongs_to("assistant_id", "assistants"),
)
budget_uses = tenant_table(
    "budget_uses",
    Column("budget_id", Uuid, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("begins_at", Moment, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("tokens_reserved", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("cost_reserved", BigInteger, nullable=False),
    Column("warned_at", Moment),
    belongs_to("budget_id", "budgets"),
    UniqueConstraint("tenant_id", "budget_id", "subject_id", "begins_at"),
)
mapper.map_imperatively(Budget, budgets)
mapper.map_imperatively(BudgetUse, budget_uses)
