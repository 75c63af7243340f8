"""What stands in the way of publishing an assistant, with the way to where it is mended."""

import functools
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from nicegui import ui

from domain.assistants.readiness import Finding, Where
from domain.knowledge.entities import CollectionKind
from pages.components.base import box, heading, icon, link_box, paragraph, quiet_button
from pages.components.region import Region
from pages.i18n import _
from pages.visit import visit

FieldOf = Callable[[Where], ui.element]


class ReadinessPanel(Region):
    """The findings of an assistant; those about the page itself lead to their field."""

    def __init__(self, assistant_id: UUID, field_of: FieldOf, *, published: bool) -> None:
        self.assistant_id, self.field_of, self.published = assistant_id, field_of, published
        super().__init__(self._fetch)

    async def _fetch(self) -> Callable[[], None]:
        here = visit()
        found = await here.services.publishing.findings(here.actor, self.assistant_id)
        return functools.partial(self._show, found)

    def _show(self, found: Sequence[Finding]) -> None:
        with box("card pad stack tight", "section") as card:
            card.props["aria-label"] = _("Before it is published")
            heading(_("Check of the assistant") if self.published else _("Before it is published"))
            paragraph(_summary(found), "muted small")
            if found:
                with box("full-width").props("role=list"):
                    for finding in found:
                        self._finding(finding)

    def _finding(self, finding: Finding) -> None:
        with box("rowline").props("role=listitem"):
            icon("error_outline" if finding.blocking else "info").classes("bad" if finding.blocking else "muted")
            with box("grow"):
                ui.label(_("Must be mended") if finding.blocking else _("Could be better")).classes("sub")
                ui.label(_(finding.message, **_shown(finding.params))).style("overflow-wrap:anywhere")
            if finding.collection is None:
                go = quiet_button(_("Mend"), functools.partial(self._focus, finding.where)).props("dense")
                go.props["aria-label"] = _("Mend: {text}", text=_(finding.message, **_shown(finding.params)))
                return
            kind = "websites" if finding.collection.kind == CollectionKind.WEBSITE else "collections"
            with link_box(f"/{kind}/{finding.collection.id}", "small"):
                ui.label(_("Open “{name}”", name=finding.collection.name))

    def _focus(self, where: Where) -> None:
        self.field_of(where).run_method("focus")


def _summary(found: Sequence[Finding]) -> str:
    if any(finding.blocking for finding in found):
        return _("It can be published when what must be mended is mended.")
    return _("It can be published. Some things could be better.") if found else _("Everything is in place.")


def _shown(params: Mapping[str, object]) -> dict[str, object]:
    """The parameters as people read them: the name of the built-in model is translated."""
    return {name: _(str(value)) if name == "model" else value for name, value in params.items()}
