"""Administration: everything that uses a model gets another one; looked at first, told of afterwards."""

from collections.abc import Callable, Sequence
from uuid import UUID

from nicegui import ui

from domain.models.choice import CompletionChoice
from domain.models.migration import WARNINGS, MovePlan
from pages.components.base import box, button, heading, note, paragraph, quiet_button
from pages.components.region import Region
from pages.dialogs import dialog, inline
from pages.i18n import _, moment, ngettext, number
from pages.names import hosting_name, model_name
from pages.visit import toast, visit

SHOWN = 10


def replace_model(choice: CompletionChoice, choices: Sequence[CompletionChoice]) -> None:
    """A dialog that asks for the other model, shows what changes, and does it."""
    made, card = dialog(_("Replace {name}", name=model_name(choice.model)))
    with card:
        Replacement(choice, choices, made.close).build()
    made.open()


class Replacement:
    """The other model, what becomes different, and the move."""

    def __init__(
        self, choice: CompletionChoice, choices: Sequence[CompletionChoice], close: Callable[[], object]
    ) -> None:
        self.visit, self.choice, self.close = visit(), choice, close
        self.choices = [c for c in choices if c.usable and c.model.id != choice.model.id]

    def build(self) -> None:
        """The form in the present place."""
        paragraph(_("All assistants that use this model get another one. Answers given stay as they are."), "muted")
        names = {c.model.id: f"{model_name(c.model)} · {c.provider.name}" for c in self.choices}
        suggested = self.choice.model.replacement_id
        value = suggested if suggested in names else None
        self.target = ui.select(names, value=value, label=_("Use instead")).props("outlined stack-label options-dense")
        self.region = Region(self._draw, "full-width")
        self.target.on_value_change(self.region.refresh)
        self.problem = box("full-width")
        with box("actions-row"):
            quiet_button(_("Cancel"), self.close)
            self.action = button(_("Replace"), self._move)
        self.action.set_enabled(value is not None)
        ui.timer(0, self.region.refresh, once=True)

    async def _draw(self) -> Callable[[], None]:
        target: UUID | None = self.target.value
        plan = None
        if target is not None:
            plan = await self.visit.services.model_migrations.plan(self.visit.actor, self.choice.model.id, target)

        def build() -> None:
            self.action.set_enabled(plan is not None)
            if plan is not None:
                self._plan(plan)

        return build

    def _plan(self, plan: MovePlan) -> None:
        paragraph(ngettext("{n} assistant changes.", "{n} assistants change.", plan.assistants), "strong")
        if plan.source.model.is_default:
            paragraph(_("It also becomes the default."))
        for word, params in plan.warnings:
            shown = {key: _value(word, value) for key, value in params.items()}
            note(_(WARNINGS[word], **shown), "warn")

    async def _move(self) -> None:
        async def work() -> None:
            moves, actor = self.visit.services.model_migrations, self.visit.actor
            # What becomes different was shown above the button.
            plan = await moves.move(actor, self.choice.model.id, self.target.value, confirmed=True)
            self.close()
            toast(ngettext("{n} assistant changed.", "{n} assistants changed.", plan.assistants))

        await inline(work, self.problem)


def _value(word: str, value: object) -> str:
    if word == "elsewhere":
        return hosting_name(str(value))
    return number(value) if isinstance(value, int) else str(value)


async def moves() -> Callable[[], None]:
    """The newest moves, for the page of models."""
    here = visit()
    found = await here.services.model_migrations.history(here.actor, limit=SHOWN)

    def build() -> None:
        if not found:
            return
        heading(_("Models that were replaced"))
        with box("card"):
            for migration, who in found:
                with box("rowline"), box("grow"):
                    names = {"before": _(migration.from_model_name), "now": _(migration.to_model_name)}
                    ui.label(_("{before} by {now}", **names)).classes("name")
                    count = ngettext("{n} assistant", "{n} assistants", migration.migrated_count)
                    parts = [moment(migration.created_at), count, who]
                    ui.label(" · ".join(part for part in parts if part)).classes("sub")

    return build
