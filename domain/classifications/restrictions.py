"""What a space demands of its models: looked at, and changed together with the space's other settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from domain.classifications.approval import CHOICE_REFUSED, Rules, all_rules, trusted
from domain.classifications.entities import SecurityClassification
from domain.classifications.impact import Impact, impact, supposing
from domain.kernel.errors import N_, BadRequest, NotFound
from domain.models.entities import KINDS, ModelKind, title_of
from domain.spaces.entities import Space, SpaceKind
from domain.transaction import Transaction

FIELD = "security_classification"
MOST_MODELS = 500


@dataclass(frozen=True, slots=True)
class Restrictions:
    """The classification of a space, and the models by kind that it has chosen; a kind that is not there may use all."""

    classification_id: UUID | None
    models: Mapping[str, Sequence[str]]

    @staticmethod
    def of(space: Space) -> "Restrictions":
        """The present ones."""
        return Restrictions(space.security_classification_id, dict(space.allowed_models or {}))

    def changed(self, changes: Mapping[str, Any]) -> "Restrictions":
        """With another `security_classification_id`, and other ids as `completion`, `embedding`, … (by kind).

        What is not named stays; None stands for no classification, and for all models of a kind.
        """
        models = {kind: chosen for kind, chosen in self.models.items() if kind not in changes}
        for kind in ModelKind:
            if changes.get(kind) is not None:
                models[kind] = sorted({str(each) for each in changes[kind]})
        return Restrictions(changes.get("security_classification_id", self.classification_id), models)


async def space_impact(tx: Transaction, space: Space, wanted: Restrictions) -> Impact:
    """What other restrictions of a space would take away; raises a refusal where it cannot have them."""
    rules, present = await all_rules(tx, space.tenant_id), Restrictions.of(space)
    if wanted.classification_id != present.classification_id:
        await _check_classification(tx, space, rules, wanted.classification_id)
    after = supposing(rules, space, wanted.classification_id)
    await _check_models(tx, space, after, present, wanted)
    return await impact(tx, rules, replace(after, choosing={space.id: wanted.models}), space)


async def restrict_space(tx: Transaction, space: Space, changes: Mapping[str, Any]) -> None:
    """Change what a space demands, if what that takes away was confirmed by its `impact_token`."""
    present = Restrictions.of(space)
    wanted = present.changed(changes)
    if wanted == present:
        return
    (await space_impact(tx, space, wanted)).require_confirmed(changes.get("impact_token"))
    space.security_classification_id = wanted.classification_id
    space.allowed_models = {kind: list(chosen) for kind, chosen in wanted.models.items()} or None


async def _check_classification(tx: Transaction, space: Space, rules: Rules, classification_id: UUID | None) -> None:
    if not rules.enabled and classification_id is not None:
        raise BadRequest(N_("Security classes are switched off in your organisation."), field=FIELD)
    if space.kind == SpaceKind.PERSONAL:
        raise BadRequest(N_("A personal space cannot have a security class."), field=FIELD)
    if space.kind == SpaceKind.ORGANIZATION:
        text = N_("Everybody may read what is in the organisation's space, so it cannot have a security class.")
        raise BadRequest(text, field=FIELD)
    if classification_id is not None and await tx.get(SecurityClassification, classification_id) is None:
        raise NotFound(N_("The security class was not found."), field=FIELD)


async def _check_models(
    tx: Transaction, space: Space, after: Rules, present: Restrictions, wanted: Restrictions
) -> None:
    """Models that are chosen anew are there, and trusted as far as the space demands."""
    for kind, chosen in wanted.models.items():
        field = f"{kind}_models"
        if len(chosen) > MOST_MODELS:
            raise BadRequest(N_("Choose at most {limit} models."), field=field, limit=MOST_MODELS)
        for each in set(chosen) - set(present.models.get(kind, ())):
            model = await tx.get(KINDS[ModelKind(kind)], UUID(each))
            if model is None:
                raise NotFound(N_("The model was not found."), field=field)
            if not trusted(after, model, space):
                raise BadRequest(CHOICE_REFUSED, field=field, model=title_of(model))
