"""Assistants and the versions of their instructions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.api import present, present_conversations, wire
from app.api.audit import history_page
from app.api.base import Caller, Use
from app.api.present import source_of
from app.api.users import cursor_page
from app.api.websites import website_public
from domain.assistants.readiness import Finding
from domain.assistants.service import AssistantDraft, AssistantView
from domain.conversations.tokens import estimate
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, BadRequest, NotFound
from domain.knowledge.entities import CollectionKind
from domain.knowledge.repository import CollectionSize
from domain.knowledge.service import CollectionView
from domain.models.choice import EmbeddingChoice
from domain.services import Services
from pages.i18n import translate

router = APIRouter(prefix="/api/v1/assistants", tags=["assistants"])
prompts = APIRouter(prefix="/api/v1/prompts", tags=["prompts"])
PLAIN = (
    "name", "description", "logging_enabled", "insight_enabled", "whole_documents", "starter_questions",
    "data_retention_days", "metadata_json", "contact",
    "answer_reuse", "answer_reuse_hours", "fallback_model_id", "model_preference", "icon_id",
)  # fmt: skip
TEXT_LIMIT = 2_000_000


async def shown(use: Services, actor: Actor, view: AssistantView) -> dict[str, Any]:
    """An assistant with its collections as far as the actor may see them."""
    return (await all_shown(use, actor, [view]))[0]


async def all_shown(use: Services, actor: Actor, views: Sequence[AssistantView]) -> list[dict[str, Any]]:
    """Assistants with their collections and websites as far as the actor may see them."""
    choices = {c.model.id: c for c in await use.models.embedding_models(actor)}
    wanted = [(v.access, [c.id for c in v.collections if c.kind == CollectionKind.WEBSITE]) for v in views]
    websites = await use.websites.of_each(actor, wanted)
    return [
        present.assistant(
            view, _collections(view, actor, choices), actor, [website_public(found, actor.language) for found in each]
        )
        for view, each in zip(views, websites, strict=True)
    ]


def _collections(view: AssistantView, actor: Actor, choices: Mapping[UUID, EmbeddingChoice]) -> list[CollectionView]:
    own, borrowed = view.access, replace(view.access, shared=True)
    if Action.READ not in own.permissions(actor, Resource.COLLECTION):
        return []
    collections = []
    for found in (c for c in view.collections if c.kind == CollectionKind.DOCUMENTS):
        choice, access = choices[found.embedding_model_id], own if found.space_id == own.space.id else borrowed
        allowed = access.permissions(actor, Resource.COLLECTION)
        collections.append(CollectionView(found, choice.model, CollectionSize(), allowed, access, choice))
    return collections


async def websites_of(use: Services, actor: Actor, view: AssistantView) -> list[dict[str, Any]]:
    """The websites of an assistant as far as the actor may see them."""
    ids = [c.id for c in view.collections if c.kind == CollectionKind.WEBSITE]
    return [website_public(found, actor.language) for found in await use.websites.of(actor, view.access, ids)]


@router.get("/", response_model=wire.PageOfAssistantPublic)
async def mine(
    actor: Caller,
    use: Use,
    name: str | None = None,
    for_tenant: bool = False,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
) -> Any:
    """The assistants that the caller may use, in order of name."""
    page = await use.assistants.page(actor, search=name or "", limit=limit, cursor=cursor)
    return cursor_page(await all_shown(use, actor, page.items), page.next_cursor, page.total, limit, cursor)


@router.post("/", response_model=wire.AssistantPublic, deprecated=True)
async def create(body: wire.AssistantCreatePublic, actor: Caller, use: Use) -> Any:
    """A new assistant. Prefer POST /spaces/{id}/applications/assistants/."""
    view = await use.assistants.create(actor, body.space_id, body.name)
    return await shown(use, actor, view)


@router.get("/{id}/", response_model=wire.AssistantPublic)
async def get(id: UUID, actor: Caller, use: Use) -> Any:
    """An assistant."""
    return await shown(use, actor, await use.assistants.get(actor, id))


@router.post("/{id}/", response_model=wire.AssistantPublic)
async def update(id: UUID, body: wire.PartialAssistantUpdatePublic, actor: Caller, use: Use) -> Any:
    """Change an assistant. What is not named stays."""
    if body.space_id is not None and (await use.assistants.get(actor, id)).access.space.id != body.space_id:
        raise NotFound(N_("The assistant is in another space. Changing it does not move it."), field="space_id")
    given = body.model_fields_set
    values: dict[str, Any] = {name: getattr(body, name) for name in PLAIN if name in given}
    if values.get("name", "") is None:
        del values["name"]
    if body.completion_model_kwargs is not None:
        values["model_settings"] = body.completion_model_kwargs.model_dump(exclude_none=True)
    if body.prompt is not None:
        values |= {"prompt": body.prompt.text, "prompt_description": body.prompt.description}
    if body.completion_model is not None:
        values["completion_model_id"] = body.completion_model.id
    if body.groups is not None or body.websites is not None:
        values["collection_ids"] = await _sources(use, actor, id, body)
    if body.attachments is not None:
        values["file_ids"] = [f.id for f in body.attachments]
    for unknown in ("integration_knowledge_list", "mcp_servers"):
        if getattr(body, unknown):
            raise NotFound(N_("The source was not found."), field=unknown)
    return await shown(use, actor, await use.assistants.update(actor, id, AssistantDraft(frozenset(values), values)))


async def _sources(use: Services, actor: Actor, id: UUID, body: wire.PartialAssistantUpdatePublic) -> list[UUID]:
    """The chosen collections and websites; of the two, what the request does not name stays as it is."""
    present_ones = (await use.assistants.get(actor, id)).collections
    chosen = []
    for named, kind in ((body.groups, CollectionKind.DOCUMENTS), (body.websites, CollectionKind.WEBSITE)):
        chosen += [c.id for c in present_ones if c.kind == kind] if named is None else [each.id for each in named]
    return chosen


@router.delete("/{id}/", status_code=204, response_class=Response)
async def delete(id: UUID, actor: Caller, use: Use) -> None:
    """Delete an assistant and its conversations."""
    await use.assistants.delete(actor, id)


@router.post("/{id}/publish/", response_model=wire.AssistantPublic)
async def publish(id: UUID, published: bool, actor: Caller, use: Use) -> Any:
    """Show an assistant to viewers, or hide it."""
    await use.publishing.publish(actor, id, published)
    return await shown(use, actor, await use.assistants.get(actor, id))


@router.get("/{id}/readiness/", response_model=wire.AssistantReadiness)
async def readiness(id: UUID, actor: Caller, use: Use) -> Any:
    """What is to be mended before the assistant is published."""
    found = await use.publishing.findings(actor, id)
    items = [_finding(each, actor.language) for each in found]
    return present.page(items, ready=not any(each.blocking for each in found))


def _finding(found: Finding, language: str) -> dict[str, Any]:
    source = source_of(found.collection.id, found.collection.kind) if found.collection else {}
    # The name of the built-in model is a word of the product.
    params = {name: translate(value, language) if name == "model" else value for name, value in found.params.items()}
    message = translate(found.message, language, **params)
    return {"code": found.code, "field": found.where, "blocking": found.blocking, "message": message, **source}


@router.get("/{id}/variables/", response_model=wire.PromptVariables)
async def variables(id: UUID, actor: Caller, use: Use) -> Any:
    """What an instruction can leave open, as `{{name}}`, with what that stands for now, for the caller."""
    found = await use.variables.of(actor, id)
    return present.page([{"name": n, "value": v} for n, v in found.values.items()], unknown=found.unknown)


@router.post("/{id}/duplicate/", response_model=wire.AssistantPublic, status_code=201)
async def duplicate(id: UUID, body: wire.AssistantDuplicate, actor: Caller, use: Use) -> Any:
    """A copy, one's own and a draft, in the same space or another; what may not be used there is left out."""
    made = await use.moving.duplicate(actor, id, name=body.name, space_id=body.space_id)
    return await shown(use, actor, await use.assistants.get(actor, made))


@router.get("/{id}/transfer/account/", response_model=wire.TransferAccount)
async def account(id: UUID, target_space_id: UUID, actor: Caller, use: Use) -> Any:
    """What becomes of an assistant in another space."""
    found = await use.moving.account(actor, id, target_space_id)
    lists = {"kept": found.kept, "shareable": found.shareable, "left": found.left}
    told = ("model_changes", "becomes_draft", "insight_ends")
    return {
        **{name: [{"name": c.name, **source_of(c.id, c.kind)} for c in members] for name, members in lists.items()},
        **{name: getattr(found, name) for name in told},
        "completion_model_id": found.model_id,
    }


@router.post("/{id}/transfer/", status_code=204, response_class=Response)
async def transfer(id: UUID, body: wire.TransferApplicationRequest, actor: Caller, use: Use) -> None:
    """Move an assistant to another space; with `move_resources` its sources are shared with that space."""
    await use.moving.transfer(actor, id, body.target_space_id, share_sources=bool(body.move_resources))


@router.get("/{id}/prompts/", response_model=wire.PageOfPromptSparse)
async def versions(id: UUID, actor: Caller, use: Use) -> Any:
    """The versions of the instruction, newest first."""
    return present.page([present.prompt(p, author, actor) for p, author in await use.prompts.of_assistant(actor, id)])


@router.get("/{id}/history/", response_model=wire.CursorPageOfHistoryEntry)
async def history(
    id: UUID, actor: Caller, use: Use, limit: Annotated[int | None, Query(ge=1)] = None, cursor: str | None = None
) -> Any:
    """Who changed what in an assistant."""
    return history_page(await use.assistant_history.page(actor, id, limit=limit, cursor=cursor))


@router.post("/{id}/history/{entry_id}/restore/", response_model=wire.AssistantPublic)
async def restore(id: UUID, entry_id: UUID, actor: Caller, use: Use) -> Any:
    """Make an assistant again what it was after an entry of its history."""
    return await shown(use, actor, await use.assistant_history.restore(actor, id, entry_id))


@router.get("/{id}/sessions/", response_model=wire.CursorPageOfSessionMetadataPublic)
async def conversations(
    id: UUID,
    actor: Caller,
    use: Use,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
    previous: bool = False,
) -> Any:
    """The caller's conversations with the assistant, newest first."""
    page = await use.conversations.page(actor, assistant_id=id, limit=limit, cursor=cursor)
    items = [present_conversations.conversation_head(c) for c in page.items]
    return cursor_page(items, page.next_cursor, page.total, limit, cursor)


@router.post("/{id}/token-estimate", response_model=wire.TokenEstimateResponse)
async def token_estimate(id: UUID, body: wire.TokenEstimateRequest, actor: Caller, use: Use) -> Any:
    """How much of the model's window a question and its files would take, also in a conversation of the caller's."""
    room = await use.room.of(actor, id, body.session_id)
    text = body.text or ""
    if len(text) > TEXT_LIMIT:
        raise BadRequest(N_("The text is too long to be estimated."))
    files = await use.files.own(actor, body.file_ids)
    details = {str(f.id): f.token_count or 0 for f in files}
    parts = {
        "prompt": room.prompt,
        "history": room.history,
        "text": estimate(text),
        "files": sum(details.values()),
    }
    percentage = room.percent(parts["text"], parts["files"])
    breakdown = {**parts, "file_details": details}
    return {"tokens": sum(parts.values()), "percentage": percentage, "limit": room.limit, "breakdown": breakdown}


@prompts.get("/{id}/", response_model=wire.PromptPublic)
async def prompt(id: UUID, actor: Caller, use: Use) -> Any:
    """A version of an instruction, for those who may edit the assistant."""
    found, author, actions = await use.prompts.get(actor, id)
    return present.prompt(found, author, actor, actions)


@prompts.patch("/{id}/", response_model=wire.PromptPublic)
async def describe_prompt(id: UUID, body: wire.PromptUpdateRequest, actor: Caller, use: Use) -> Any:
    """Describe one's own version."""
    await use.prompts.describe(actor, id, body.description)
    found, author, actions = await use.prompts.get(actor, id)
    return present.prompt(found, author, actor, actions)


@prompts.delete("/{id}/", status_code=204, response_class=Response)
async def delete_prompt(id: UUID, actor: Caller, use: Use) -> None:
    """Delete one's own version, unless it is in force."""
    await use.prompts.delete(actor, id)
