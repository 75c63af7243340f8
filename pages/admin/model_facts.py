"""Administration: what is known of one model, and what it costs."""

import functools
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from nicegui import ui

from domain.classifications.service import Classifications, Supposition
from domain.kernel.clock import now
from domain.kernel.errors import N_, Invalid
from domain.models.catalogue import STABILITIES, PriceDraft
from domain.models.choice import AnyChoice
from domain.models.entities import (
    CompletionModel,
    EmbeddingModel,
    ModelKind,
    ModelPrice,
    RerankModel,
    kind_of,
    title_of,
)
from domain.models.money import CURRENCIES
from domain.models.stand_ins import near_enough
from pages.components.base import box, button, heading, icon_button, paragraph, quiet_button
from pages.components.region import Region
from pages.dialogs import dialog, inline
from pages.i18n import _, date_text
from pages.impact import agreed
from pages.names import HOSTINGS, model_name, price_text
from pages.visit import act, toast, visit

STABILITY_NAMES = dict(zip(STABILITIES, (N_("Stable"), N_("Experimental")), strict=True))


def edit_facts(choice: AnyChoice) -> None:
    """A dialog with the facts, and one price after the other."""
    made, card = dialog(_("Facts and price"), wide=True)
    with card:
        FactsForm(choice, made.close).build()
    made.open()


def day_of(text: str | None, field: str) -> date | None:
    """The day in a date field; None when it is empty."""
    try:
        return date.fromisoformat(text.strip()) if text and text.strip() else None
    except ValueError:
        raise Invalid(N_("Give a day like 2026-01-31."), field=field) from None


class FactsForm:
    """Everything that is said of a model."""

    def __init__(self, choice: AnyChoice, close: Callable[[], Any]) -> None:
        self.visit, self.choice, self.close = visit(), choice, close
        self.fields: dict[str, Any] = {}
        self.classification: ui.select | None = None

    def build(self) -> None:
        """The form in the present place."""
        model = self.choice.model
        paragraph(f"{model.name} · {self.choice.provider.name}", "muted")
        with box("grid"):
            if not isinstance(model, EmbeddingModel):
                self._text("nickname", _("Name people see"))
            hostings = {key: _(text) for key, text in HOSTINGS.items()} | (
                {} if model.hosting in HOSTINGS else {model.hosting: model.hosting}
            )
            self._select("hosting", _("Runs in"), hostings)
            self._text("org", _("Made by"))
            self._text("license", _("Licence"))
            self._text("link", _("More about it (address)"))
            self._select("stability", _("Maturity"), {key: _(text) for key, text in STABILITY_NAMES.items()})
            self._limits()
        self._text("description", _("Description"))
        with box("line wrap"):
            self._switch("open_source", _("Open source"))
            if isinstance(model, CompletionModel):
                self._switch("vision", _("It can see pictures"))
                self._switch("reasoning", _("It reasons before it answers"))
                self._switch("supports_tool_calling", _("It can call tools"))
            self._switch("deprecated", _("Retired"))
        self.retires = ui.input(_("Not used any more from"), value=str(model.retires_on or "")).props(
            "outlined stack-label type=date"
        )
        self.replacement_place = Region(self._replacements, "full-width")
        ui.timer(0, self.replacement_place.refresh, once=True)
        self.problem = box("full-width")
        with box("actions-row line wrap").style("justify-content:flex-end"):
            quiet_button(_("Cancel"), self.close)
            button(_("Save"), self._save)
        Prices(self.choice).build()

    def _text(self, name: str, label: str) -> None:
        value = getattr(self.choice.model, name) or ""
        self.fields[name] = ui.input(label, value=value).props("outlined stack-label")

    def _select(self, name: str, label: str, options: dict[str, str]) -> None:
        value = getattr(self.choice.model, name)
        made = ui.select(options, value=value if value in options else None, label=label)
        self.fields[name] = made.props("outlined stack-label options-dense")

    def _switch(self, name: str, label: str) -> None:
        self.fields[name] = ui.switch(label, value=bool(getattr(self.choice.model, name)))

    def _limits(self) -> None:
        labels = {
            "token_limit": _("Tokens of context"),
            "max_output": _("Tokens of the longest answer"),
            "max_input": _("Tokens of one text"),
        }
        for name, label in labels.items():
            if hasattr(self.choice.model, name):
                made = ui.number(label, value=getattr(self.choice.model, name), precision=0)
                self.fields[name] = made.props("outlined stack-label")

    async def _replacements(self) -> Callable[[], None]:
        services, model = self.visit.services, self.choice.model
        classes = await services.classifications.all(self.visit.actor)
        others: Sequence[AnyChoice]
        if isinstance(model, CompletionModel):
            others = await services.models.completion_models(self.visit.actor)
        elif isinstance(model, EmbeddingModel):
            others = await services.models.embedding_models(self.visit.actor)
        elif isinstance(model, RerankModel):
            others = await services.rerank_models.all(self.visit.actor)
        else:
            others = await services.transcription_models.all(self.visit.actor)

        def build() -> None:
            names = {c.model.id: _name(c) for c in others if c.model.id != model.id}
            chosen = model.replacement_id if model.replacement_id in names else None
            self.replacement = ui.select(names, value=chosen, label=_("Use instead"), clearable=True)
            self.replacement.props("outlined stack-label options-dense")
            if isinstance(model, CompletionModel):
                self._stand_ins(model, others)
            self._classes(classes)

        return build

    def _classes(self, found: Classifications) -> None:
        """How far it is trusted."""
        if not found.items:
            return
        names = {each.id: each.name for each in reversed(found.items)}
        chosen = self.choice.model.security_classification_id
        self.classification = ui.select(names, value=chosen, label=_("Security class"), clearable=True)
        self.classification.props("outlined stack-label options-dense")
        text = _("Spaces of this class and lower ones may use it; without a class only spaces without one.")
        paragraph(text, "muted small")

    async def _trust(self) -> bool:
        """Give the model the chosen class, once what that takes away was accepted; False when it was not."""
        model, chosen = self.choice.model, self.classification.value if self.classification else None
        if self.classification is None or chosen == model.security_classification_id:
            return True
        service, actor = self.visit.services.classifications, self.visit.actor
        change = Supposition(model_id=model.id, classification_id=chosen)
        impact = await service.suppose(actor, change)
        if not await agreed(impact, _("Change the security class?"), _("Change the class")):
            return False
        await service.classify_model(actor, model.id, chosen, impact.token)
        return True

    def _stand_ins(self, model: CompletionModel, others: Sequence[Any]) -> None:
        """Who answers when it does not, in the order in which they are chosen."""
        near = [c for c in others if c.model.id != model.id and near_enough(model, c.model)]
        names = {str(c.model.id): _name(c) for c in near}
        chosen = [each for each in model.stand_ins if each in names]
        label = _("Answers when it does not, in this order")
        self.fields["stand_ins"] = ui.select(names, value=chosen, label=label, multiple=True)
        self.fields["stand_ins"].props("outlined stack-label options-dense use-chips")
        paragraph(
            _("Only models that run no further away can be chosen, so that nothing leaves the region."), "muted small"
        )

    async def _save(self) -> None:
        async def work() -> None:
            values = {name: entry.value for name, entry in self.fields.items()}
            for name in ("token_limit", "max_output", "max_input"):
                if values.get(name) is not None:
                    values[name] = int(values[name])
            if "stand_ins" in values:
                values["stand_ins"] = [UUID(each) for each in values["stand_ins"]]
            values["retires_on"] = day_of(self.retires.value, "retires_on")
            values["replacement_id"] = self.replacement.value
            catalogue = self.visit.services.model_catalogue
            if not await self._trust():
                return
            await catalogue.describe(self.visit.actor, kind_of(self.choice.model), self.choice.model.id, values)
            self.close()
            toast(_("Saved."))

        await inline(work, self.problem)


class Prices:
    """What the model costs, from which day on."""

    def __init__(self, choice: AnyChoice) -> None:
        self.visit, self.choice, self.kind = visit(), choice, kind_of(choice.model)
        self.amounts: dict[str, ui.number] = {}

    def build(self) -> None:
        """The known prices, and a form for the next one."""
        heading(_("Prices"), 3)
        paragraph(_("Each holds until the next one begins. Calls already made keep the cost they had."), "muted")
        self.region = Region(self._draw, "full-width")
        ui.timer(0, self.region.refresh, once=True)
        present = self.choice.price
        with box("line wrap"):
            self.since = ui.input(_("Valid from"), value=str(now().date())).props("outlined stack-label type=date")
            self.currency = ui.select(
                list(CURRENCIES), value=present.currency if present else "SEK", label=_("Currency")
            )
            self.currency.props("outlined stack-label options-dense")
            for name, label in self._labels().items():
                made = ui.number(label, min=0, step=0.01).props("outlined stack-label")
                self.amounts[name] = made.style("min-width:150px")
        self.problem = box("full-width")
        with box("actions-row"):
            quiet_button(_("Add price"), self._add, icon="add")

    def _labels(self) -> dict[str, str]:
        if self.kind is ModelKind.TRANSCRIPTION:
            return {"minute": _("A minute")}
        labels = {"input": _("A million tokens read")}
        if self.kind is ModelKind.COMPLETION:
            labels |= {"output": _("A million tokens written"), "cached": _("A million tokens read from a cache")}
        return labels

    async def _draw(self) -> Callable[[], None]:
        prices = await self.visit.services.model_catalogue.prices(self.visit.actor, self.choice.model.id)

        def build() -> None:
            if not prices:
                paragraph(_("No price is set for this model."), "muted")
            for price in prices:
                self._row(price)

        return build

    def _row(self, price: ModelPrice) -> None:
        async def delete() -> None:
            await self.visit.services.model_catalogue.delete_price(self.visit.actor, price.id)
            await self.region.refresh()

        with box("rowline"):
            with box("grow"):
                ui.label(price_text(price)).classes("name")
                ui.label(_("from {day}", day=date_text(price.valid_from))).classes("sub")
            label = _("Delete the price from {day}", day=date_text(price.valid_from))
            icon_button("delete_outline", label, act(functools.partial(delete)))

    async def _add(self) -> None:
        async def work() -> None:
            since = day_of(self.since.value, "valid_from")
            if since is None:
                raise Invalid(N_("Give a day like 2026-01-31."), field="valid_from")
            given = {name: Decimal(str(e.value)) for name, e in self.amounts.items() if e.value is not None}
            draft = PriceDraft(since, self.currency.value, **given)
            await self.visit.services.model_catalogue.add_price(self.visit.actor, self.choice.model.id, draft)
            await self.region.refresh()

        await inline(work, self.problem)


def _name(choice: AnyChoice) -> str:
    model = choice.model
    return model_name(model) if isinstance(model, CompletionModel) else title_of(model)
