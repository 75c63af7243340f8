"""A question is narrowed: to some of the assistant's collections, and to documents of a certain kind."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from domain.conversations.entities import Message
from domain.conversations.plan import Plan
from domain.kernel.errors import N_, Invalid, NotFound
from domain.knowledge.filters import Filter

NARROWED = "narrowed"
"""In the trace of a message: the `collections` it was sought in (id and name) and what the documents had to be."""


def narrow(plan: Plan, collection_ids: Sequence[UUID], documents: Filter | None) -> None:
    """Let the answer be sought in these collections alone (none means all), among such documents, and the message say so."""
    if not collection_ids and documents is None:
        return
    if not plan.collections:
        raise Invalid(N_("This assistant searches no documents. Take away what narrows the question."), field="filter")
    wanted = set(collection_ids)
    chosen = [each for each in plan.collections if each.id in wanted or not wanted]
    if wanted and len(chosen) < len(wanted):
        raise NotFound(N_("This assistant does not search one of the chosen collections."), field="collection_ids")
    plan.collections, plan.documents = chosen, documents
    names = {"collections": [{"id": str(each.id), "name": each.name} for each in chosen]} if wanted else {}
    plan.message.trace[NARROWED] = {**names, **(documents.told() if documents else {})}


def narrowed(message: Message) -> dict[str, Any]:
    """What a question was narrowed to; empty when it was not."""
    found: dict[str, Any] = message.trace.get(NARROWED) or {}
    return found


def stored(told: Mapping[str, Any]) -> tuple[list[UUID], Filter | None]:
    """What `narrow` needs to do the same again."""
    return [UUID(each["id"]) for each in told.get("collections", ())], Filter.stored(told)
