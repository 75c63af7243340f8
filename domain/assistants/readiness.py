"""Whether an assistant is ready to be published: what is missing, how grave that is, and where it is mended."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from domain.assistants.entities import Assistant
from domain.assistants.settings import not_taken
from domain.assistants.variables import unknown
from domain.classifications.approval import CHOICE_REFUSED, approved_in, require_model
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest, NotApproved
from domain.knowledge.entities import Collection
from domain.knowledge.repository import Readiness
from domain.models.choice import CompletionChoice
from domain.models.service import completion_choice, embedding_choices
from domain.spaces.entities import Space
from domain.transaction import Transaction

SOON = timedelta(days=60)


class Where(StrEnum):
    """The part of an assistant that a finding is about."""

    DESCRIPTION = "description"
    CONTACT = "contact"
    PROMPT = "prompt"
    MODEL = "completion_model"
    KNOWLEDGE = "knowledge"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend. `message` is a message id; `collection` is set where it is mended in that collection."""

    code: str
    where: Where
    blocking: bool
    message: str
    params: dict[str, Any] = field(default_factory=dict)
    collection: Collection | None = None


class NotReady(BadRequest):
    """Something stands in the way of publishing; the first such finding is the sentence, `details` names them all."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        first = findings[0]
        super().__init__(first.message, field=first.where, **first.params)
        self.details = {"findings": [finding.code for finding in findings]}


async def findings(tx: Transaction, assistant: Assistant) -> list[Finding]:
    """Everything that could be better before the assistant is published, the grave things first."""
    prompt = await tx.assistants.selected_prompt(assistant.id)
    collections = await tx.assistants.collections(assistant.id)
    choice = await completion_choice(tx, assistant.completion_model_id)
    found = [
        *_model(choice),
        *await _approval(tx, assistant, choice, collections),
        *_settings(assistant, choice),
        *_texts(assistant, prompt.text if prompt else ""),
        *(await _knowledge(tx, collections) if collections else ()),
    ]
    return sorted(found, key=lambda finding: not finding.blocking)


async def require_ready(tx: Transaction, assistant: Assistant) -> None:
    """Raise `NotReady` when something stands in the way of publishing the assistant."""
    grave = [finding for finding in await findings(tx, assistant) if finding.blocking]
    if grave:
        raise NotReady(grave)


def _model(choice: CompletionChoice | None) -> Iterator[Finding]:
    if choice is None:
        yield Finding("no_model", Where.MODEL, True, N_("The assistant has no AI model. Choose one."))
        return
    name, day = {"model": choice.model.nickname}, choice.model.retires_on
    if choice.model.deprecated or choice.retired:
        text = N_("The AI model {model} is not used any more. Choose another one.")
        yield Finding("model_retired", Where.MODEL, True, text, name)
    elif not choice.usable:
        text = N_("The AI model {model} is switched off. Choose another one.")
        yield Finding("model_off", Where.MODEL, True, text, name)
    elif day is not None and day <= now().date() + SOON:
        text = N_("The AI model {model} is used only until {day}. Choose another one in time.")
        yield Finding("model_retires", Where.MODEL, False, text, {**name, "day": day.isoformat()})


async def _approval(
    tx: Transaction, assistant: Assistant, choice: CompletionChoice | None, collections: Sequence[Collection]
) -> list[Finding]:
    """What the organisation's rules do not allow in the assistant's space."""
    found, space = [], await tx.get(Space, assistant.space_id)
    if space is None:
        return []
    try:
        if choice is not None:
            await require_model(tx, space, choice.model, CHOICE_REFUSED)
    except NotApproved as refusal:
        found.append(Finding("model_not_approved", Where.MODEL, True, refusal.message, refusal.params))
    try:
        await approved_in(tx, space, collections)
    except NotApproved as refusal:
        found.append(Finding("knowledge_not_approved", Where.KNOWLEDGE, True, refusal.message, refusal.params))
    return found


def _settings(assistant: Assistant, choice: CompletionChoice | None) -> Iterator[Finding]:
    if choice is not None and (names := not_taken(choice, assistant.model_settings)):
        text = N_("The AI model {model} does not take these settings, so they change nothing: {names}.")
        params = {"model": choice.model.nickname, "names": ", ".join(names)}
        yield Finding("settings_not_taken", Where.MODEL, False, text, params)


def _texts(assistant: Assistant, prompt: str) -> Iterator[Finding]:
    if not prompt.strip():
        text = N_("The assistant has no instruction. Write what its task is.")
        yield Finding("no_prompt", Where.PROMPT, True, text)
    if names := unknown(prompt):
        text = N_("The instruction has variables that stand for nothing: {names}.")
        yield Finding("unknown_variables", Where.PROMPT, False, text, {"names": ", ".join(names)})
    if not assistant.description:
        text = N_("There is no description. People do not learn what the assistant can help with.")
        yield Finding("no_description", Where.DESCRIPTION, False, text)
    if not assistant.contact:
        text = N_("There is no contact. People do not learn whom to ask when an answer is wrong.")
        yield Finding("no_contact", Where.CONTACT, False, text)


async def _knowledge(tx: Transaction, collections: Sequence[Collection]) -> Iterable[Finding]:
    states = await tx.knowledge.readiness([c.id for c in collections])
    usable = {choice.model.id for choice in await embedding_choices(tx) if choice.usable}
    return [
        finding
        for collection in collections
        for finding in _collection(collection, states.get(collection.id, Readiness()), usable)
    ]


def _collection(collection: Collection, state: Readiness, usable: set[Any]) -> Iterator[Finding]:
    def told(code: str, blocking: bool, message: str, **counts: int) -> Finding:
        params = {"collection": collection.name, **counts}
        return Finding(code, Where.KNOWLEDGE, blocking, message, params, collection)

    if collection.embedding_model_id not in usable:
        text = N_("“{collection}” cannot be searched by meaning: its embedding model is switched off.")
        yield told("embedding_model_off", False, text)
    if state.failed and not state.searchable:
        text = N_("No document in “{collection}” could be read ({count} failed). Mend them, or leave it out.")
        yield told("knowledge_failed", True, text, count=state.failed)
    elif state.failed:
        text = N_("Documents in “{collection}” that could not be read: {count}.")
        yield told("documents_failed", False, text, count=state.failed)
    if state.busy:
        yield told(
            "documents_busy", False, N_("Documents in “{collection}” still being read: {count}."), count=state.busy
        )
    if not state.searchable and not state.failed and not state.busy:
        yield told("knowledge_empty", False, N_("“{collection}” is empty. Add documents, or leave it out."))
    if state.partly:
        text = N_("Documents in “{collection}” with pages that could not be read: {count}.")
        yield told("documents_partly", False, text, count=state.partly)
