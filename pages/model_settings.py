"""How the chosen model is to answer: only what it takes can be set."""

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from domain.assistants.settings import WORD_SETTINGS, highest_temperature, not_taken, takes
from domain.kernel.errors import N_
from domain.models.choice import CompletionChoice
from pages.components.base import box
from pages.i18n import _
from pages.spaces import setting

DEFAULT_TEMPERATURE = 0.25
EFFORTS = {
    "none": N_("None"), "minimal": N_("Very little"), "low": N_("Little"), "medium": N_("Medium"), "high": N_("Much"),
}  # fmt: skip


class ModelSettings:
    """The rows for temperature and effort; `model` is the field in which the model is chosen."""

    def __init__(self, model: ui.select, choices: Sequence[CompletionChoice], settings: Mapping[str, Any]) -> None:
        self.model, self.choices, self.settings = model, {c.model.id: c for c in choices}, settings
        self._temperature()
        self._effort()
        left_out = ui.label().classes("small warn-text").props("role=status")
        left_out.bind_text_from(model, "value", lambda chosen: self._left_out(self.choices.get(chosen)))

    @property
    def fields(self) -> Sequence[Any]:
        """The fields that people change."""
        return self.use_temperature, self.temperature, self.effort

    def _takes(self, chosen: object, name: str) -> bool:
        choice = self.choices.get(chosen)  # type: ignore[call-overload]
        return choice is None or takes(choice, name)

    def _temperature(self) -> None:
        value = self.settings.get("temperature")
        with setting(_("Temperature"), _("Low keeps to the facts, high varies more. Off leaves it to the model.")):
            self.use_temperature = ui.switch(_("Set the temperature"), value=value is not None)
            self.use_temperature.bind_enabled_from(
                self.model, "value", lambda chosen: self._takes(chosen, "temperature")
            )
            none = ui.label(_("This model does not take a temperature.")).classes("sub")
            none.bind_visibility_from(self.model, "value", lambda chosen: not self._takes(chosen, "temperature"))
            with box("line").bind_visibility_from(self.use_temperature, "value"):
                start = DEFAULT_TEMPERATURE if value is None else float(value)
                self.temperature = ui.slider(min=0, max=2, step=0.05, value=start).props("label")
                self.temperature.props["aria-label"] = _("Temperature")
                ui.label().bind_text_from(self.temperature, "value", lambda v: f"{v:.2f}")

    def _effort(self) -> None:
        row = box("full-width")
        text = _("How much the model thinks before it answers. More takes longer and costs more.")
        with row, setting(_("Reasoning"), text):
            options = {"": _("As the model does by itself"), **{key: _(name) for key, name in EFFORTS.items()}}
            self.effort = ui.select(options, value=self.settings.get("reasoning_effort") or "")
            self.effort.props("outlined dense options-dense")
            self.effort.props["aria-label"] = _("Reasoning")
        row.bind_visibility_from(
            self.model, "value", lambda chosen: chosen is not None and self._takes(chosen, "reasoning_effort")
        )

    def _left_out(self, choice: CompletionChoice | None) -> str:
        names = not_taken(choice, self.settings) if choice else []
        return _("Not taken by this model, and left out: {names}", names=", ".join(names)) if names else ""

    def values(self) -> dict[str, Any]:
        """The settings, without those that the chosen model does not take."""
        choice = self.choices.get(self.model.value)
        values = {k: v for k, v in self.settings.items() if k not in ("temperature", "reasoning_effort")}
        if self.use_temperature.value:
            highest = highest_temperature(choice) if choice else 2.0
            values["temperature"] = min(round(float(self.temperature.value), 2), highest)
        if self.effort.value in WORD_SETTINGS["reasoning_effort"]:
            values["reasoning_effort"] = self.effort.value
        return {name: value for name, value in values.items() if choice is None or takes(choice, name)}
