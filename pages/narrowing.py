"""Narrowing a search: by day, type, source, tags and language of the documents."""

from collections.abc import Mapping
from datetime import date
from typing import Any

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
    """The fields, filled with what the search is narrowed to already; `folded` away until somebody wants them."""

    def __init__(self, present: Filter | None = None, *, folded: bool = True) -> None:
        if folded:
            with ui.expansion(_("Narrow the search")).classes("full-width"):
                self._fields(present or Filter())
        else:
            self._fields(present or Filter())

    def _fields(self, present: Filter) -> None:
        with box("line wrap"):
            labels = {label: _(label) for _type, label in SUPPORTED.values()}
            chosen = [label for label in labels if label in type_labels(present.types)]
            self.types = ui.select(labels, value=chosen, multiple=True, label=_("Types of files"))
            self.types.props("outlined dense stack-label use-chips options-dense").style("min-width:180px")
            self.source = self._choice(SOURCES, _("From"), present.source)
            self.language = self._choice(LANGUAGES, _("Language"), next(iter(present.languages), None))
            self.since = _day_field(_("Added from"), present.since)
            self.until = _day_field(_("Added until"), present.until)
            self.tags = tags_field(_("With all of the tags"), sorted(present.tags))

    @staticmethod
    def _choice(names: dict[str, str], label: str, value: str | None) -> ui.select:
        made = ui.select({key: _(name) for key, name in names.items()}, value=value or "", label=label)
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


def type_labels(types: frozenset[str]) -> set[str]:
    """What the types of files (extensions) are called, untranslated."""
    return {SUPPORTED[extension][1] for extension in types if extension in SUPPORTED}


def chips(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a question was narrowed to (see `domain.conversations.narrowing`), part by part: a key, and words for people."""
    documents = Filter.stored(told) or Filter()
    parts = [(f"collection:{each['id']}", each["name"]) for each in told.get("collections", ())]
    parts += [(f"type:{label}", _(label)) for label in sorted(type_labels(documents.types))]
    if documents.source:
        parts.append(("source", _(SOURCES[documents.source])))
    parts += [(f"language:{each}", _(LANGUAGES[each])) for each in sorted(documents.languages)]
    if documents.since:
        parts.append(("since", _("Added from {day}", day=documents.since.isoformat())))
    if documents.until:
        parts.append(("until", _("Added until {day}", day=documents.until.isoformat())))
    return parts + [(f"tag:{tag}", f"#{tag}") for tag in sorted(documents.tags)]


def without(told: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The same without the part of a key of `chips`; nothing that is empty stays."""
    part, _colon, value = key.partition(":")
    documents = Filter.stored(told) or Filter()
    kept = {
        "collections": [e for e in told.get("collections", ()) if (part, value) != ("collection", e["id"])],
        "types": sorted(e for e in documents.types if part != "type" or SUPPORTED.get(e, ("", ""))[1] != value),
        "languages": sorted(e for e in documents.languages if (part, value) != ("language", e)),
        "tags": sorted(e for e in documents.tags if (part, value) != ("tag", e)),
        **{name: told.get(name) for name in ("source", "since", "until") if name != part},
    }
    return {name: value for name, value in kept.items() if value}


def _day_field(label: str, value: date | None) -> ui.input:
    return ui.input(label, value=value.isoformat() if value else "").props("outlined dense stack-label type=date")


def _day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise Invalid(N_("Give a date like 2026-01-31."), field="date") from None
