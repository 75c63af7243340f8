"""Assistants: use cases."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from domain.api_keys.removal import end_keys
from domain.assistants.access import (
    own_spaces,
    permissions_of,
    readable_assistant,
    readable_collections,
    resource_of,
    visible,
)
from domain.assistants.entities import Assistant, Prompt
from domain.assistants.settings import clean_settings, require_taken
from domain.assistants.starters import clean_contact, starter_questions
from domain.audit.replay import difference, snapshot
from domain.classifications.approval import (
    CHOICE_REFUSED,
    approved_in,
    first_approved,
    require_model,
)
from domain.conversations.reuse import clean_hours, clean_reuse
from domain.files.entities import File
from domain.icons.keeping import choose_icon, drop_icons
from domain.kernel.access import Action, Resource, Role
from domain.kernel.actor import Actor, Permission
from domain.kernel.errors import N_, BadRequest, Forbidden, NoModel, NotApproved, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name, clean_text
from domain.knowledge.entities import Collection
from domain.models.choice import CompletionChoice
from domain.models.entities import CompletionModel
from domain.models.service import completion_choice, completion_choices
from domain.models.stand_ins import clean_preference, require_stand_in
from domain.spaces.entities import Space
from domain.spaces.service import SpaceAccess, retention_days, space_access
from domain.transaction import Transaction, UnitOfWork
from domain.users.entities import User

FIELDS = (
    "space_id", "user_id", "name", "description", "is_default", "completion_model_id", "model_settings", "published",
    "logging_enabled", "insight_enabled", "whole_documents", "starter_questions", "data_retention_days", "metadata_json",
    "contact", "answer_reuse", "answer_reuse_hours", "fallback_model_id", "model_preference", "icon_id",
)  # fmt: skip
"""What an assistant is, as its history tells it, besides `prompt_id`, `collection_ids` and `file_ids`."""
NOT_COPIED = {
    "space_id", "user_id", "is_default", "completion_model_id", "published", "logging_enabled", "insight_enabled",
}  # fmt: skip
"""What a copy decides for itself, or takes a right of its own to switch on."""
PROMPT_LIMIT = 100_000
DESCRIPTION_LIMIT = 2_000
ATTACHMENT_BYTES = 26_214_400


@dataclass(frozen=True, slots=True)
class AssistantView:
    """An assistant with what it is made of and what the actor may do to it."""

    assistant: Assistant
    access: SpaceAccess
    permissions: Sequence[Action]
    model: CompletionChoice | None
    creator: User | None = None
    prompt: Prompt | None = None
    collections: Sequence[Collection] = ()
    files: Sequence[File] = ()


@dataclass(frozen=True, slots=True)
class AssistantDraft:
    """Changes to an assistant; only the named fields in `given` count."""

    given: frozenset[str]
    values: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(**values: Any) -> "AssistantDraft":
        """A draft of exactly these values."""
        return AssistantDraft(frozenset(values), values)


async def default_assistant(tx: Transaction, actor: Actor, space: Space) -> Assistant:
    """The assistant that each space has by itself, made when missing."""
    assistant = await tx.assistants.default(space.id)
    if assistant is None:
        assistant = Assistant(
            tenant_id=space.tenant_id, space_id=space.id, user_id=actor.user_id, name="Default", is_default=True
        )
        assistant.completion_model_id = await default_model(tx, space)
        await tx.add(assistant)
        tx.record(actor, created(assistant, snapshot(assistant, FIELDS)))
    return assistant


def created(assistant: Assistant, state: dict[str, Any]) -> Change:
    """The entry of a new assistant, with everything it is."""
    return Change("assistant_created", "assistant", assistant.id, assistant.name, new=state)


def copy_of(assistant: Assistant, actor: Actor, space_id: UUID) -> Assistant:
    """The actor's own copy, a draft, without what takes a right of its own to switch on, and without prompt and sources."""
    values = {name: deepcopy(getattr(assistant, name)) for name in FIELDS if name not in NOT_COPIED}
    return Assistant(tenant_id=actor.tenant_id, space_id=space_id, user_id=actor.user_id, **values)


async def state_of(tx: Transaction, assistant: Assistant) -> dict[str, Any]:
    """Everything that the assistant is now, as its history tells it."""
    await tx.flush()
    prompt, files = await tx.assistants.instruction(assistant.id)
    ids = (await tx.assistants.collection_ids([assistant.id])).get(assistant.id, ())
    return {
        **snapshot(assistant, FIELDS),
        "prompt_id": str(prompt.id) if prompt else None,
        "collection_ids": sorted(str(i) for i in ids),
        "file_ids": sorted(str(f.id) for f in files),
    }


async def default_model(tx: Transaction, space: Space) -> UUID | None:
    """The model that a new assistant in a space gets; None where none may be used."""
    try:
        return (await first_approved(tx, space, await completion_choices(tx))).model.id
    except (NoModel, NotApproved):
        return None


class AssistantService:
    """Use cases of assistants."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def in_space(self, actor: Actor, space_id: UUID) -> list[AssistantView]:
        """The assistants of a space that the actor may see."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            found = await tx.assistants.in_spaces([space_id])
            models = {c.model.id: c for c in await completion_choices(tx)}
        return [self._head(actor, access, a, models) for a in found if visible(access, a)]

    async def in_each(self, actor: Actor, accesses: Sequence[SpaceAccess]) -> Mapping[UUID, Sequence[AssistantView]]:
        """The assistants that the actor may see of several spaces, by space; all fetched at once."""
        found: dict[UUID, list[AssistantView]] = {access.space.id: [] for access in accesses}
        by_space = {access.space.id: access for access in accesses}
        async with self._uow.read(actor.tenant_id) as tx:
            models = {c.model.id: c for c in await completion_choices(tx)}
            for assistant in await tx.assistants.in_spaces(list(by_space)):
                access = by_space[assistant.space_id]
                if visible(access, assistant):
                    found[access.space.id].append(self._head(actor, access, assistant, models))
        return found

    async def askable(self, actor: Actor, *, after: UUID | None = None, limit: int) -> list[AssistantView]:
        """The assistants with a usable model that the actor may use, by id: at most `limit` of those after `after`."""
        async with self._uow.read(actor.tenant_id) as tx:
            accesses = await own_spaces(tx, actor)
            models = {c.model.id: c for c in await completion_choices(tx) if c.usable}
            found = await tx.assistants.after(*_by_role(accesses), list(models), last=after, limit=limit)
        return [self._head(actor, accesses[a.space_id], a, models) for a in found]

    async def page(
        self, actor: Actor, *, search: str = "", limit: int | None = None, cursor: str | None = None
    ) -> Page[AssistantView]:
        """The assistants that the actor may use, over all spaces, with everything they are made of, in order of name."""
        async with self._uow.read(actor.tenant_id) as tx:
            found = await self._found(tx, actor, search, limit, cursor)
            return Page(await _with_parts(tx, found.items), found.next_cursor, found.total)

    async def find(
        self, actor: Actor, *, search: str = "", limit: int | None = None, cursor: str | None = None
    ) -> Page[AssistantView]:
        """The same without what they are made of: for choosing one."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await self._found(tx, actor, search, limit, cursor)

    async def _found(
        self, tx: Transaction, actor: Actor, search: str, limit: int | None, cursor: str | None
    ) -> Page[AssistantView]:
        accesses = await own_spaces(tx, actor)
        found = await tx.assistants.page(*_by_role(accesses), search=search.strip(), limit=clamp(limit), cursor=cursor)
        models = {c.model.id: c for c in await completion_choices(tx)}
        heads = [self._head(actor, accesses[a.space_id], a, models) for a in found.items]
        return Page(heads, found.next_cursor, found.total)

    @staticmethod
    def _head(
        actor: Actor, access: SpaceAccess, assistant: Assistant, models: Mapping[UUID, CompletionChoice]
    ) -> AssistantView:
        model = models.get(assistant.completion_model_id) if assistant.completion_model_id else None
        return AssistantView(assistant, access, permissions_of(actor, access, assistant), model)

    async def default(self, actor: Actor, space_id: UUID) -> AssistantView:
        """The space's own assistant."""
        async with self._uow.read(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            assistant = await tx.assistants.default(space_id)
        if assistant is None:
            async with self._uow.begin(actor.tenant_id) as tx:
                access = await space_access(tx, actor, space_id)
                assistant = await default_assistant(tx, actor, access.space)
        return await self.get(actor, assistant.id)

    async def get(self, actor: Actor, assistant_id: UUID) -> AssistantView:
        """One assistant with everything it is made of."""
        async with self._uow.read(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            return await self._full(tx, actor, assistant, access)

    async def _full(self, tx: Transaction, actor: Actor, assistant: Assistant, access: SpaceAccess) -> AssistantView:
        models = {c.model.id: c for c in await completion_choices(tx)}
        head = self._head(actor, access, assistant, models)
        ids = (await tx.assistants.collection_ids([assistant.id])).get(assistant.id, ())
        prompt, files = await tx.assistants.instruction(assistant.id)
        return AssistantView(
            assistant,
            access,
            head.permissions,
            head.model,
            creator=await tx.get(User, assistant.user_id),
            prompt=prompt,
            collections=await tx.knowledge.collections_by_id(ids),
            files=files,
        )

    async def create(
        self, actor: Actor, space_id: UUID, name: str, draft: AssistantDraft | None = None
    ) -> AssistantView:
        """A new, unpublished assistant with the default model."""
        async with self._uow.begin(actor.tenant_id) as tx:
            access = await space_access(tx, actor, space_id)
            access.require(actor, Resource.ASSISTANT, Action.CREATE)
            assistant = Assistant(
                tenant_id=actor.tenant_id, space_id=space_id, user_id=actor.user_id, name=clean_name(name)
            )
            assistant.completion_model_id = await default_model(tx, access.space)
            await tx.add(assistant)
            if draft:
                await self._apply(tx, actor, access, assistant, draft)
            tx.record(actor, created(assistant, await state_of(tx, assistant)))
            tx.signal(Signal(f"space:{space_id}", "assistants_changed"))
            return await self._full(tx, actor, assistant, access)

    async def update(self, actor: Actor, assistant_id: UUID, draft: AssistantDraft) -> AssistantView:
        """Change an assistant. What the draft does not name stays as it is."""
        async with self._uow.begin(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            access.require(actor, resource_of(assistant), Action.EDIT)
            before = await state_of(tx, assistant)
            await self._apply(tx, actor, access, assistant, draft)
            old, new = difference(before, await state_of(tx, assistant))
            if new:
                change = Change("assistant_updated", "assistant", assistant.id, assistant.name, old=old, new=new)
                tx.record(actor, change)
            tx.signal(Signal(f"space:{assistant.space_id}", "assistants_changed"))
            await tx.flush()
            return await self._full(tx, actor, assistant, access)

    async def _apply(
        self, tx: Transaction, actor: Actor, access: SpaceAccess, assistant: Assistant, draft: AssistantDraft
    ) -> None:
        values, former = draft.values, (assistant.completion_model_id, dict(assistant.model_settings))
        if "name" in draft.given:
            assistant.name = clean_name(values["name"])
        if "description" in draft.given:
            assistant.description = clean_text(values["description"], "description", DESCRIPTION_LIMIT) or None
        if "contact" in draft.given:
            assistant.contact = clean_contact(values["contact"])
        if "model_settings" in draft.given:
            assistant.model_settings = clean_settings(values["model_settings"] or {})
        if "data_retention_days" in draft.given:
            assistant.data_retention_days = retention_days(values["data_retention_days"])
        if "model_preference" in draft.given:
            assistant.model_preference = clean_preference(values["model_preference"])
        if "answer_reuse" in draft.given:
            assistant.answer_reuse = clean_reuse(values["answer_reuse"])
        if "answer_reuse_hours" in draft.given:
            assistant.answer_reuse_hours = clean_hours(values["answer_reuse_hours"])
        if "metadata_json" in draft.given:
            assistant.metadata_json = values["metadata_json"]
        if "whole_documents" in draft.given:
            assistant.whole_documents = bool(values["whole_documents"])
        if "starter_questions" in draft.given:
            assistant.starter_questions = starter_questions(values["starter_questions"] or ())
        if "logging_enabled" in draft.given and values["logging_enabled"] != assistant.logging_enabled:
            actor.require(Permission.ADMIN)
            assistant.logging_enabled = bool(values["logging_enabled"])
        if "insight_enabled" in draft.given and values["insight_enabled"] != assistant.insight_enabled:
            access.require(actor, resource_of(assistant), Action.INSIGHT_TOGGLE)
            assistant.insight_enabled = bool(values["insight_enabled"])
        if "completion_model_id" in draft.given:
            model_id = values["completion_model_id"]
            assistant.completion_model_id = (await self._usable_model(tx, access.space, model_id)).id
        if "fallback_model_id" in draft.given:
            assistant.fallback_model_id = await self._fallback(tx, access.space, assistant, values["fallback_model_id"])
        if "prompt" in draft.given:
            await self._set_prompt(tx, actor, assistant, values["prompt"], values.get("prompt_description"))
        if "collection_ids" in draft.given:
            await self._set_collections(tx, access, assistant, values["collection_ids"])
        if "file_ids" in draft.given:
            await self._set_files(tx, actor, assistant, values["file_ids"])
        if "model_settings" in draft.given:
            await self._settings_fit(tx, assistant, *former)
        if "icon_id" in draft.given:
            await self._set_icon(tx, actor, assistant, values["icon_id"])

    @staticmethod
    async def _set_icon(tx: Transaction, actor: Actor, assistant: Assistant, wanted: UUID | None) -> None:
        former = assistant.icon_id
        assistant.icon_id = await choose_icon(tx, actor, former, wanted)
        if assistant.icon_id != former:
            await drop_icons(tx, [former])

    @staticmethod
    async def _settings_fit(
        tx: Transaction, assistant: Assistant, model: UUID | None, settings: dict[str, Any]
    ) -> None:
        """Raise `Invalid` when a setting is new for the model and not taken; what was there before stays."""
        choice = await completion_choice(tx, assistant.completion_model_id)
        if choice is not None:
            same = settings if assistant.completion_model_id == model else {}
            require_taken(choice, {k: v for k, v in assistant.model_settings.items() if k not in same or same[k] != v})

    @staticmethod
    async def _usable_model(
        tx: Transaction, space: Space, model_id: UUID, field: str = "completion_model"
    ) -> CompletionModel:
        for choice in await completion_choices(tx):
            if choice.model.id == model_id:
                if not choice.usable:
                    raise BadRequest(N_("The model is switched off."), field=field)
                await require_model(tx, space, choice.model, CHOICE_REFUSED)
                return choice.model
        raise NotFound(N_("The model was not found."), field=field)

    async def _fallback(
        self, tx: Transaction, space: Space, assistant: Assistant, model_id: UUID | None
    ) -> UUID | None:
        """The model that may answer when the assistant's own does not, checked."""
        if model_id is None or model_id == assistant.fallback_model_id:
            return model_id
        other = await self._usable_model(tx, space, model_id, "fallback_model_id")
        choice = await completion_choice(tx, assistant.completion_model_id)
        if choice is not None:
            require_stand_in(choice.model, other, "fallback_model_id")
        return model_id

    @staticmethod
    async def _set_prompt(
        tx: Transaction, actor: Actor, assistant: Assistant, text: str | None, description: str | None
    ) -> None:
        text = clean_text(text, "prompt", PROMPT_LIMIT)
        present = await tx.assistants.selected_prompt(assistant.id)
        if (present.text if present else "") == text and not description:
            return
        await tx.assistants.deselect_prompts(assistant.id)
        await tx.add(
            Prompt(
                tenant_id=actor.tenant_id,
                assistant_id=assistant.id,
                user_id=actor.user_id,
                text=text,
                description=clean_text(description, "description", DESCRIPTION_LIMIT) or None,
            )
        )

    @staticmethod
    async def _set_collections(tx: Transaction, access: SpaceAccess, assistant: Assistant, ids: Sequence[UUID]) -> None:
        offered = {c.id: c for c in await readable_collections(tx, access.space)}
        chosen = [offered.get(i) for i in dict.fromkeys(ids)]
        if None in chosen:
            raise NotFound(N_("The collection was not found in this space."), field="groups")
        await approved_in(tx, access.space, [c for c in chosen if c])
        await tx.assistants.set_collections(assistant.id, [c.id for c in chosen if c])

    @staticmethod
    async def _set_files(tx: Transaction, actor: Actor, assistant: Assistant, ids: Sequence[UUID]) -> None:
        unique = list(dict.fromkeys(ids))
        kept = {f.id for f in await tx.assistants.files(assistant.id)}
        files = await tx.files.many(unique)
        if len(files) != len(unique) or not all(f.is_of(actor) or f.id in kept for f in files):
            raise Forbidden(N_("Attach your own files only."), field="attachments")
        if any(f.text is None for f in files):
            raise BadRequest(N_("Only files with text can be part of an instruction."), field="attachments")
        if sum(f.size for f in files) > ATTACHMENT_BYTES:
            raise BadRequest(N_("The files are too large together."), field="attachments")
        await tx.assistants.set_files(assistant.id, unique)

    async def delete(self, actor: Actor, assistant_id: UUID) -> None:
        """Delete an assistant and its conversations."""
        async with self._uow.begin(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            if assistant.is_default:
                raise Forbidden(N_("The space's own assistant cannot be deleted."))
            access.require(actor, Resource.ASSISTANT, Action.DELETE)
            old = await state_of(tx, assistant)
            await end_keys(tx, await tx.api_keys.of_assistant(assistant_id))
            await tx.remove(assistant)
            await drop_icons(tx, [assistant.icon_id])
            tx.record(actor, Change("assistant_deleted", "assistant", assistant_id, assistant.name, old=old))
            tx.signal(Signal(f"space:{assistant.space_id}", "assistants_changed"))

    async def offered_collections(self, actor: Actor, assistant_id: UUID) -> list[Collection]:
        """The collections that this assistant could use, for its editors."""
        async with self._uow.read(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            access.require(actor, resource_of(assistant), Action.EDIT)
            return await readable_collections(tx, access.space)


def _by_role(accesses: Mapping[UUID, SpaceAccess]) -> tuple[list[UUID], list[UUID]]:
    """The spaces of which the actor sees everything, and those of which only what is published."""
    viewed = [space_id for space_id, access in accesses.items() if access.role == Role.VIEWER]
    return [space_id for space_id in accesses if space_id not in viewed], viewed


async def _with_parts(tx: Transaction, heads: Sequence[AssistantView]) -> list[AssistantView]:
    """The assistants of a list with everything they are made of: one statement for each kind of part."""
    ids = [head.assistant.id for head in heads]
    if not ids:
        return []
    used, prompts = await tx.assistants.collection_ids(ids), await tx.assistants.selected_prompts(ids)
    files, creators = await tx.assistants.files_of(ids), await tx.users.many([h.assistant.user_id for h in heads])
    known = {c.id: c for c in await tx.knowledge.collections_by_id([i for each in used.values() for i in each])}
    return [
        replace(
            head,
            creator=creators.get(head.assistant.user_id),
            prompt=prompts.get(head.assistant.id),
            collections=[known[i] for i in used.get(head.assistant.id, ()) if i in known],
            files=files.get(head.assistant.id, ()),
        )
        for head in heads
    ]
