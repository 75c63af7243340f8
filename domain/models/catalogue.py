"""What is known of models (limits, hosting, licence, when they retire) and what they cost: use cases."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from domain.classifications.entities import SecurityClassification
from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest, Invalid, NotFound, NotUnique
from domain.kernel.events import Change, Signal
from domain.kernel.text import clean_name, clean_text
from domain.models.choice import ModelChoice
from domain.models.entities import (
    KINDS,
    AnyModel,
    CompletionModel,
    ModelKind,
    ModelPrice,
    ModelProvider,
)
from domain.models.money import clean_currency, from_decimal
from domain.models.stand_ins import clean_stand_ins
from domain.transaction import Transaction, UnitOfWork

STABILITIES = ("stable", "experimental")
MIN_TOKENS, MAX_TOKENS = 256, 10_000_000
MOST_PRICES = 200
OPTIONAL = frozenset(
    {"description", "org", "license", "link", "max_output", "retires_on", "replacement_id", "open_source"}
)
"""What may be left empty."""


def _line(limit: int) -> Callable[[str, Any], Any]:
    return lambda field, value: clean_name(value, field, limit)


def _tokens(field: str, value: Any) -> int:
    if not MIN_TOKENS <= int(value) <= MAX_TOKENS:
        raise Invalid(N_("Give a number from {low} to {high}."), field=field, low=MIN_TOKENS, high=MAX_TOKENS)
    return int(value)


def _link(field: str, value: Any) -> str:
    text = clean_name(value, field, 2000)
    if urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname:
        raise Invalid(N_("Give the full address, beginning with http:// or https://."), field=field)
    return text


def _stability(field: str, value: Any) -> str:
    if value not in STABILITIES:
        raise Invalid(N_("Choose one of the listed values."), field=field)
    return str(value)


def _as_it_is(field: str, value: Any) -> Any:
    return value


FIELDS: Mapping[str, Callable[[str, Any], Any]] = {
    "nickname": _line(255), "family": _line(80), "hosting": _line(40), "org": _line(80), "license": _line(80),
    "description": lambda field, value: clean_text(value, field, 2_000), "link": _link, "stability": _stability,
    "token_limit": _tokens, "max_output": _tokens, "max_input": _tokens,
    "open_source": _as_it_is, "vision": _as_it_is, "reasoning": _as_it_is, "supports_tool_calling": _as_it_is,
    "deprecated": _as_it_is, "retires_on": _as_it_is, "replacement_id": _as_it_is, "stand_ins": _as_it_is,
}  # fmt: skip
"""What can be said of a model, with what makes it clean."""


@dataclass(frozen=True, slots=True)
class PriceDraft:
    """What somebody enters: amounts of the currency for a million tokens, and for a minute of a recording."""

    valid_from: date
    currency: str
    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    cached: Decimal | None = None
    minute: Decimal = Decimal(0)


class ModelCatalogue:
    """Use cases of those who keep the list of models."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def describe(
        self, actor: Actor, kind: ModelKind, model_id: UUID, changes: Mapping[str, Any]
    ) -> ModelChoice[Any]:
        """Change what is said of a model; what is not named stays, and what may be empty is emptied by None."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            model = await tx.get(KINDS[kind], model_id)
            provider = await tx.get(ModelProvider, model.provider_id) if model else None
            if model is None or provider is None:
                raise NotFound(N_("The model was not found."))
            old, new = {}, {}
            for field, value in changes.items():
                if field not in FIELDS or not hasattr(model, field):
                    raise Invalid(N_("This cannot be said of such a model."), field=field)
                value = self._clean(field, value)
                if field == "replacement_id" and value is not None:
                    await self._replaces(tx, model, value)
                if field == "stand_ins" and isinstance(model, CompletionModel):
                    value = await clean_stand_ins(tx, model, value)
                if value != getattr(model, field):
                    old[field], new[field] = _plain(getattr(model, field)), _plain(value)
                    setattr(model, field, value)
            if new:
                tx.record(
                    actor, Change(f"{kind}_model_updated", f"{kind}_model", model.id, model.name, old=old, new=new)
                )
                tx.signal(Signal(f"tenant:{actor.tenant_id}", "models_changed"))
            price = (await tx.models.prices_on(now().date())).get(model.id)
            chosen = model.security_classification_id
            classification = await tx.get(SecurityClassification, chosen) if chosen else None
        return ModelChoice(model, provider, price, classification)

    @staticmethod
    def _clean(field: str, value: Any) -> Any:
        if value is None or value == "":
            if field not in OPTIONAL:
                raise Invalid(N_("A value is missing or wrong."), field=field)
            return None
        return FIELDS[field](field, value)

    @staticmethod
    async def _replaces(tx: Transaction, model: AnyModel, other_id: UUID) -> None:
        if other_id == model.id:
            raise Invalid(N_("A model cannot replace itself."), field="replacement_id")
        if await tx.get(type(model), other_id) is None:
            raise NotFound(N_("The model was not found."), field="replacement_id")

    # Prices

    async def prices(self, actor: Actor, model_id: UUID) -> Sequence[ModelPrice]:
        """The prices of a model, the newest first, for administrators."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            await any_model(tx, model_id)
            return await tx.models.prices(model_id, MOST_PRICES)

    async def add_price(self, actor: Actor, model_id: UUID, draft: PriceDraft) -> ModelPrice:
        """Say what a model costs from a day on. Calls made before keep the cost they had."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            kind, model = await any_model(tx, model_id)
            price = ModelPrice(
                tenant_id=actor.tenant_id,
                valid_from=draft.valid_from,
                currency=clean_currency(draft.currency),
                input=from_decimal(draft.input, "input"),
                output=from_decimal(draft.output, "output"),
                cached=None if draft.cached is None else from_decimal(draft.cached, "cached"),
                minute=from_decimal(draft.minute, "minute"),
            )
            setattr(price, f"{kind}_id", model_id)
            present = await tx.models.currency()
            if present not in (None, price.currency):
                raise Invalid(
                    N_("All prices of an organisation are in one currency, and yours are in {currency}."),
                    field="currency",
                    currency=present,
                )
            known = await tx.models.prices(model_id, MOST_PRICES)
            if len(known) >= MOST_PRICES:
                raise BadRequest(N_("The model has {limit} prices already. Delete old ones first."), limit=MOST_PRICES)
            if any(each.valid_from == price.valid_from for each in known):
                raise NotUnique(
                    N_("The model has a price from this day on already. Delete it first."), field="valid_from"
                )
            await tx.add(price)
            self._priced(tx, actor, "model_price_added", kind, model, price)
        return price

    async def delete_price(self, actor: Actor, price_id: UUID) -> None:
        """Delete a price; the one before it then goes on. Calls made keep the cost they had."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            price = await tx.get(ModelPrice, price_id)
            if price is None or price.model_id is None:
                raise NotFound(N_("The price was not found."))
            kind, model = await any_model(tx, price.model_id)
            await tx.remove(price)
            self._priced(tx, actor, "model_price_deleted", kind, model, price)

    @staticmethod
    def _priced(
        tx: Transaction, actor: Actor, action: str, kind: ModelKind, model: AnyModel, price: ModelPrice
    ) -> None:
        new = {"valid_from": price.valid_from.isoformat(), "currency": price.currency}
        new |= {name: str(getattr(price, name)) for name in ("input", "output", "cached", "minute")}
        tx.record(actor, Change(action, f"{kind}_model", model.id, model.name, new=new))
        tx.signal(Signal(f"tenant:{actor.tenant_id}", "models_changed"))


async def any_model(tx: Transaction, model_id: UUID) -> tuple[ModelKind, AnyModel]:
    """A model of any kind, with what it does; raises `NotFound`."""
    for kind, entity in KINDS.items():
        model: AnyModel | None = await tx.get(entity, model_id)
        if model is not None:
            return kind, model
    raise NotFound(N_("The model was not found."))


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | str) else str(value)
