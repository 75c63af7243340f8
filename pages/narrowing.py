"""Narrowing a search: by day, type, source, tags and language of the documents."""

from datetime import date

from nicegui import ui

from domain.kernel.errors import N_, Invalid
from domain.knowledge.entities import CollectionKind
from domain.knowledge.filters import Filter
from domain.knowledge.parsing import SUPPORTED
from pages.components.base import box
from pages.i18n import _

SOURCES = {"": N_("Everywhere"), CollectionKind.DOCUMENTS: N_("Documents"), CollectionKind.WEBSITE: N_("Websites")}
LANGUAGES = {"": N_("All languages"), "sv": N_("Swedish"), "en": N_("English")}


class Narrowing:
    """The fields, folded away until somebody wants them."""

    def __init__(self) -> None:
        with ui.expansion(_("Narrow the search")).classes("full-width"), box("line wrap"):
            labels = {label: _(label) for _type, label in SUPPORTED.values()}
            self.types = ui.select(labels, value=[], multiple=True, label=_("Types of files"))
            self.types.props("outlined dense stack-label use-chips options-dense").style("min-width:180px")
            self.source = self._choice(SOURCES, _("From"))
            self.language = self._choice(LANGUAGES, _("Language"))
            self.since = ui.input(_("Added from")).props("outlined dense stack-label type=date")
            self.until = ui.input(_("Added until")).props("outlined dense stack-label type=date")
            self.tags = tags_field(_("With all of the tags"), [])

    @staticmethod
    def _choice(names: dict[str, str], label: str) -> ui.select:
        made = ui.select({key: _(name) for key, name in names.items()}, value="", label=label)
        made.props("outlined dense stack-label options-dense").style("min-width:150px")
        return made

    def read(self) -> Filter | None:
        """What is chosen; raises `Invalid`."""
        chosen = set(self.types.value)
        return Filter.of(
            since=_day(self.since.value),
            until=_day(self.until.value),
            types=[extension for extension, (_type, label) in SUPPORTED.items() if label in chosen],
            source=self.source.value or None,
            tags=self.tags.value,
            languages=[self.language.value] if self.language.value else [],
        )


def tags_field(label: str, value: list[str]) -> ui.input_chips:
    """A field for tags: each is ended by Enter."""
    made = ui.input_chips(label, value=list(value), new_value_mode="add-unique", clearable=True)
    made.props("outlined dense stack-label").style("min-width:220px")
    made.props["hint"] = _("End each with Enter.")
    return made


def _day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise Invalid(N_("Give a date like 2026-01-31."), field="date") from None
