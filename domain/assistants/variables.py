"""Variables in instructions, such as `{{date}}`: filled when a question is asked, with plain text.

What fills them are words of people (a name, the name of a space). They become one line without the signs that fences,
markup, citations and variables are made of, so that nobody can write orders into an instruction by naming something.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from uuid import UUID

from domain.assistants.access import readable_assistant, resource_of
from domain.assistants.entities import Assistant
from domain.kernel.access import Action
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.spaces.entities import Space
from domain.tenants.entities import Tenant
from domain.transaction import Transaction, UnitOfWork
from domain.users.entities import User

VALUE_LENGTH = 120
WEEKDAYS: Mapping[str, tuple[str, ...]] = {
    "sv": ("måndag", "tisdag", "onsdag", "torsdag", "fredag", "lördag", "söndag"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_VARIABLE = re.compile(r"\{\{[ \t]*(\w{1,40})[ \t]*\}\}")
_SIGNS = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")", "[": "(", "]": ")", "`": "'", '"': "'"})


class Variable(StrEnum):
    """What an instruction can leave open."""

    DATE = "date"
    TIME = "time"
    WEEKDAY = "weekday"
    USER = "user"
    ORGANISATION = "organisation"
    SPACE = "space"
    ASSISTANT = "assistant"


def used(text: str) -> set[str]:
    """The names of the variables in a text, known or not."""
    return set(_VARIABLE.findall(text))


def unknown(text: str) -> list[str]:
    """The names in a text that stand for nothing, in order."""
    return sorted(used(text) - set(Variable))


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables filled, in one pass: a value is never looked through. Unknown ones stay as they are."""
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def plain(value: str) -> str:
    """Somebody's words as one line of plain text."""
    line = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in value)
    return " ".join(line.split())[:VALUE_LENGTH].translate(_SIGNS).strip()


async def values_of(
    tx: Transaction, actor: Actor, assistant: Assistant, zone: tzinfo, names: Collection[str]
) -> dict[str, str]:
    """What the variables of these names stand for now, for this actor and assistant."""
    moment = now().astimezone(zone)
    days = WEEKDAYS.get(actor.language, WEEKDAYS["sv"])
    values = {
        Variable.DATE: moment.date().isoformat(),
        Variable.TIME: moment.strftime("%H:%M"),
        Variable.WEEKDAY: days[moment.weekday()],
        Variable.ASSISTANT: assistant.name,
    }
    if Variable.USER in names:
        values[Variable.USER] = await _asking(tx, actor)
    if Variable.ORGANISATION in names:
        tenant = await tx.get(Tenant, actor.tenant_id)
        values[Variable.ORGANISATION] = tenant.title if tenant else ""
    if Variable.SPACE in names:
        space = await tx.get(Space, assistant.space_id)
        values[Variable.SPACE] = space.name if space else ""
    return {name: plain(value) for name, value in values.items() if name in names}


async def _asking(tx: Transaction, actor: Actor) -> str:
    """Who asks: a person, or the key of an assistant, behind which strangers may stand."""
    if actor.key is not None and actor.apart is not None:
        return actor.key.name
    user = await tx.get(User, actor.user_id)
    return user.display_name if user else ""


async def filled(tx: Transaction, actor: Actor, assistant: Assistant, zone: tzinfo, text: str) -> str:
    """An instruction as the model gets it."""
    names = used(text)
    return fill(text, await values_of(tx, actor, assistant, zone, names)) if names else text


@dataclass(frozen=True, slots=True)
class Variables:
    """All variables with what they stand for now, and the names in the instruction that stand for nothing."""

    values: Mapping[str, str]
    unknown: list[str]


class VariableService:
    """Tells editors what they can leave open."""

    def __init__(self, uow: UnitOfWork, zone: tzinfo) -> None:
        self._uow, self._zone = uow, zone

    async def of(self, actor: Actor, assistant_id: UUID) -> Variables:
        """The variables of an assistant that the actor may edit."""
        async with self._uow.read(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            access.require(actor, resource_of(assistant), Action.EDIT)
            prompt = await tx.assistants.selected_prompt(assistant_id)
            values = await values_of(tx, actor, assistant, self._zone, list(Variable))
        return Variables({name: values[name] for name in Variable}, unknown(prompt.text if prompt else ""))
