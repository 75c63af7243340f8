"""What a space demands of its models: its security class, and which of the organisation's models it may use."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from nicegui import ui

from domain.classifications.impact import Impact
from domain.classifications.service import Approved, Classifications
from domain.kernel.errors import N_
from domain.models.choice import ModelChoice
from domain.models.entities import ModelKind, title_of
from domain.spaces.entities import Space, SpaceKind
from pages.components.base import box, paragraph
from pages.i18n import _
from pages.impact import agreed
from pages.visit import visit

NO_CLASS = ""
LABELS = {
    ModelKind.COMPLETION: N_("Models that answer"),
    ModelKind.EMBEDDING: N_("Models that make documents searchable"),
    ModelKind.TRANSCRIPTION: N_("Models that write down recordings"),
    ModelKind.RERANK: N_("Models that put search results in order"),
}


class RestrictionsForm:
    """The fields of a space's settings that decide about its models; what they take away is shown before it is saved."""

    def __init__(
        self, space: Space, approved: Approved, classes: Classifications, models: Mapping[ModelKind, Sequence[Any]]
    ) -> None:
        self.visit, self.space, self.approved, self.classes, self.models = visit(), space, approved, classes, models
        self.classification: ui.select | None = None
        self.only: dict[ModelKind, ui.switch] = {}
        self.chosen: dict[ModelKind, ui.select] = {}

    @staticmethod
    async def load(space: Space) -> "RestrictionsForm":
        """With everything that can be chosen."""
        here = visit()
        services, actor = here.services, here.actor
        models: dict[ModelKind, Sequence[ModelChoice[Any]]] = {
            ModelKind.COMPLETION: await services.models.completion_models(actor),
            ModelKind.EMBEDDING: await services.models.embedding_models(actor),
            ModelKind.TRANSCRIPTION: await services.transcription_models.all(actor),
            ModelKind.RERANK: await services.rerank_models.all(actor),
        }
        approved = await services.classifications.approved(actor, space.id)
        return RestrictionsForm(space, approved, await services.classifications.all(actor), models)

    @property
    def has_class(self) -> bool:
        """Whether the space can have a security class."""
        return bool(self.classes.enabled and self.classes.items) and self.space.kind == SpaceKind.SHARED

    def build_class(self) -> None:
        """The choice of a security class."""
        names = {str(each.id): each.name for each in reversed(self.classes.items)} | {NO_CLASS: _("No class")}
        made = ui.select(names, value=str(self.space.security_classification_id or NO_CLASS))
        self.classification = made.props("outlined dense options-dense")
        made.props["aria-label"] = _("Security class")

    def build_models(self) -> None:
        """For each kind a switch, and the list that it opens."""
        lists = self.space.allowed_models or {}
        for kind, choices in self.models.items():
            listed = lists.get(kind)
            known = set(listed or ())
            offered = [c for c in choices if str(c.model.id) in known or self._offered(c)]
            if not offered and listed is None:
                continue
            names = {str(c.model.id): f"{_(title_of(c.model))} · {c.provider.name}" for c in offered}
            with box("full-width stack tight"):
                self.only[kind] = ui.switch(_("{kind}: only these", kind=_(LABELS[kind])), value=listed is not None)
                value = [each for each in names if listed is None or each in known]
                made = ui.select(names, value=value, multiple=True).props("outlined dense options-dense use-chips")
                made.props["aria-label"] = _(LABELS[kind])
                self.chosen[kind] = made.bind_visibility_from(self.only[kind], "value")
        paragraph(_("Without a list the space may use all models, those that are added later too."), "muted small")

    def _offered(self, choice: ModelChoice[Any]) -> bool:
        return bool(choice.model.enabled) and self.approved.status(choice) is not False

    @property
    def fields(self) -> list[Any]:
        """Everything that people change here."""
        own = [self.classification] if self.classification is not None else []
        return [*own, *self.only.values(), *self.chosen.values()]

    def values(self) -> dict[str, Any]:
        """What the fields say."""
        values: dict[str, Any] = {}
        if self.classification is not None:
            chosen = self.classification.value
            values["security_classification_id"] = UUID(chosen) if chosen else None
        for kind, switch in self.only.items():
            values[kind] = sorted(map(UUID, self.chosen[kind].value)) if switch.value else None
        return values

    async def confirmed(self, changes: Mapping[str, Any]) -> dict[str, Any] | None:
        """Those of the changes that decide about models, with the token of what they take away.

        None when that was not accepted.
        """
        found = {name: changes[name] for name in self.values() if name in changes}
        if not found:
            return found
        impact: Impact = await self.visit.services.classifications.space_impact(self.visit.actor, self.space.id, found)
        if not await agreed(impact, _("Change what the space may use?"), _("Change it")):
            return None
        return {**found, "impact_token": impact.token}
