"""Which models may answer in place of one that does not."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.assistants.entities import Assistant
from domain.classifications.approval import may_serve, rules_for
from domain.kernel.errors import N_, Invalid, NotFound
from domain.models.choice import CompletionChoice
from domain.models.entities import CompletionModel, ProviderType
from domain.models.health import Health
from domain.models.rating import UNRATED, Rating
from domain.models.service import completion_choices
from domain.spaces.entities import Space
from domain.transaction import Transaction

MOST = 3
DISTANCES = {"swe": 0, "eu": 1, "fra": 1, "deu": 1}
"""How far away a model runs: in Sweden, in the European Union; what is not named here is beyond."""
BEYOND = 2


class Preference(StrEnum):
    """Which of an assistant's model and its stand-ins answers first."""

    ORDER = "order"
    COST = "cost"
    SPEED = "speed"
    QUALITY = "quality"


def clean_preference(value: Any) -> str:
    """A preference as it is stored."""
    if value not in set(Preference):
        raise Invalid(N_("Choose one of the listed values."), field="model_preference")
    return str(value)


def preferred(
    choices: Sequence[CompletionChoice], preference: str, health: Health, ratings: Mapping[UUID, Rating]
) -> list[CompletionChoice]:
    """Models in the order in which they are to be asked; `ratings` by model, where these are what counts.

    The built-in model stays behind those that write, however little it costs; what costs or takes nobody knows how much
    stays in its place behind what is known.
    """

    def cost(choice: CompletionChoice) -> float:
        price = choice.price
        return math.inf if price is None else price.input + price.output

    def wait(choice: CompletionChoice) -> float:
        known = health.wait(choice.model.id)
        return math.inf if known is None else known

    def quality(choice: CompletionChoice) -> float:
        return -ratings.get(choice.model.id, UNRATED).quality

    by = {Preference.COST: cost, Preference.SPEED: wait, Preference.QUALITY: quality}.get(Preference(preference))
    if by is None:
        return list(choices)
    return sorted(choices, key=lambda choice: (choice.provider.type == ProviderType.BUILTIN, by(choice)))


def near_enough(model: CompletionModel, other: CompletionModel) -> bool:
    """Whether `other` runs no further away than `model`, so that nothing leaves the region it was meant for."""
    distance = DISTANCES.get(other.hosting, BEYOND)
    return other.hosting == model.hosting or (distance < BEYOND and distance <= DISTANCES.get(model.hosting, BEYOND))


def require_stand_in(model: CompletionModel, other: CompletionModel, field: str) -> None:
    """Raise `Invalid` where `other` may not stand in for `model`."""
    if other.id == model.id:
        raise Invalid(N_("A model cannot stand in for itself."), field=field)
    if not near_enough(model, other):
        text = N_("{name} runs further away than this model, so it cannot stand in for it.")
        raise Invalid(text, field=field, name=other.nickname)


async def stand_ins(
    tx: Transaction, choice: CompletionChoice, assistant: Assistant, *, vision: bool
) -> list[CompletionChoice]:
    """Those that may be called now for an assistant in place of `choice`, in their order: its own first.

    Only such as are approved for its space; with `vision` only those that see pictures.
    """
    own = [assistant.fallback_model_id] if assistant.fallback_model_id else []
    wanted = dict.fromkeys([*own, *(UUID(each) for each in choice.model.stand_ins)])
    wanted.pop(choice.model.id, None)
    if not wanted:
        return []
    known = {each.model.id: each for each in await completion_choices(tx)}
    space = await tx.get(Space, assistant.space_id)
    if space is None:
        return []
    rules = await rules_for(tx, [space])
    found = [known[each] for each in wanted if each in known and may_serve(rules, known[each].model, space)]
    return [
        each
        for each in found
        if each.usable and near_enough(choice.model, each.model) and (each.model.vision or not vision)
    ]


async def clean_stand_ins(tx: Transaction, model: CompletionModel, given: Sequence[UUID]) -> list[str]:
    """Which models shall stand in for `model`, checked and ready to be stored."""
    wanted = list(dict.fromkeys(given))
    if len(wanted) > MOST:
        raise Invalid(N_("Choose at most {limit} models."), field="stand_ins", limit=MOST)
    known = {each.id: each for each in await tx.models.completion_models()}
    for each in wanted:
        if each not in known:
            raise NotFound(N_("The model was not found."), field="stand_ins")
        require_stand_in(model, known[each], "stand_ins")
    return [str(each) for each in wanted]
