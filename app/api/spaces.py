"""Spaces, their members, applications and knowledge."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.api import present, present_models, wire
from app.api.assistants import websites_of
from app.api.audit import history_page
from app.api.base import Caller, Use
from app.api.websites import website_public
from domain.assistants.service import AssistantDraft
from domain.kernel.access import Resource
from domain.kernel.actor import Actor
from domain.knowledge.service import CollectionView
from domain.models.entities import ModelKind
from domain.services import Services
from domain.spaces.entities import SpaceKind
from domain.spaces.service import SpaceView

router = APIRouter(prefix="/api/v1/spaces", tags=["spaces"])
dashboard = APIRouter(prefix="/api/v1/dashboard", tags=["dashboard"])


async def space_public(use: Services, actor: Actor, view: SpaceView) -> dict[str, Any]:
    """A space with everything in it that the actor may see."""
    space_id = view.space.id
    members = await use.spaces.members(actor, space_id) if view.space.kind == SpaceKind.SHARED else []
    groups = await use.spaces.groups(actor, space_id) if view.space.kind == SpaceKind.SHARED else []
    default = await use.assistants.default(actor, space_id)
    collections = await _collections(use, actor, space_id)
    used = [c for c in collections if c.collection.id in {d.id for d in default.collections}]
    approved = await use.classifications.approved(actor, space_id)
    member_rights = view.access.permissions(actor, Resource.MEMBER)
    return {
        **present.space_head(view),
        "applications": present.applications(actor, view, await use.assistants.in_space(actor, space_id)),
        "default_assistant": present.assistant(default, used, actor, await websites_of(use, actor, default)),
        "embedding_models": [
            present_models.embedding_model(c) for c in await use.models.embedding_models(actor) if approved.serves(c)
        ],
        "completion_models": [
            present_models.completion_model(c) for c in await use.models.completion_models(actor) if approved.serves(c)
        ],
        "transcription_models": [
            present_models.plain_model(c) for c in await use.transcription_models.all(actor) if approved.serves(c)
        ],
        "rerank_models": [
            present_models.plain_model(c) for c in await use.rerank_models.all(actor) if approved.serves(c)
        ],
        "mcp_servers": [],
        "knowledge": present.knowledge(actor, view, collections, await _websites(use, actor, space_id)),
        "members": present.page([present.member(m) for m in members], permissions=present.names(member_rights)),
        "group_members": present.page(
            [present.group_member(g) for g in groups], permissions=present.names(member_rights)
        ),
        "available_roles": present.available_roles(view),
        "security_classification": present_models.security_classification(approved.classification),
    }


async def _collections(use: Services, actor: Actor, space_id: UUID) -> list[CollectionView]:
    """The space's own, then those of other spaces that may be used here."""
    own, borrowed = await use.knowledge.collections(actor, space_id), await use.knowledge.borrowed(actor, space_id)
    return [*own, *borrowed]


async def _websites(use: Services, actor: Actor, space_id: UUID) -> list[dict[str, Any]]:
    own, borrowed = await use.websites.in_space(actor, space_id), await use.websites.borrowed(actor, space_id)
    return [website_public(found, actor.language) for found in [*own, *borrowed]]


@router.post("/", response_model=wire.SpacePublic, status_code=201)
async def create(body: wire.CreateSpaceRequest, actor: Caller, use: Use) -> Any:
    """A shared space; the caller becomes its administrator."""
    return await space_public(use, actor, await use.spaces.create(actor, body.name))


@router.get("/", response_model=wire.PageOfSpaceSparse)
async def mine(actor: Caller, use: Use, include_applications: bool = False, include_personal: bool = False) -> Any:
    """The caller's spaces."""
    views = await use.spaces.mine(actor, include_personal=include_personal)
    if not include_applications:
        return present.page([present.space_head(view) for view in views])
    return present.page(await _with_applications(use, actor, views))


@dashboard.get("/", response_model=wire.Dashboard)
async def overview(actor: Caller, use: Use, only_published: bool = False) -> Any:
    """The caller's spaces with what can be used there; `only_published` leaves drafts and the personal space out."""
    views = await use.spaces.mine(actor, include_personal=not only_published)
    return {"spaces": present.page(await _with_applications(use, actor, views, only_published=only_published))}


async def _with_applications(
    use: Services, actor: Actor, views: Sequence[SpaceView], *, only_published: bool = False
) -> list[dict[str, Any]]:
    found = await use.assistants.in_each(actor, [view.access for view in views])
    shown = []
    for view in views:
        assistants = [a for a in found[view.space.id] if a.assistant.published or not only_published]
        shown.append({**present.space_head(view), "applications": present.applications(actor, view, assistants)})
    return shown


@router.get("/type/personal/", response_model=wire.SpacePublic)
async def personal(actor: Caller, use: Use) -> Any:
    """One's own space, made at the first visit."""
    return await space_public(use, actor, await use.spaces.personal(actor))


@router.get("/type/organization/", response_model=wire.SpacePublic)
async def organization(actor: Caller, use: Use) -> Any:
    """The organisation's space, for its administrators."""
    return await space_public(use, actor, await use.spaces.organization(actor))


@router.get("/{id}/", response_model=wire.SpacePublic)
async def get(id: UUID, actor: Caller, use: Use) -> Any:
    """A space."""
    return await space_public(use, actor, await use.spaces.get(actor, id))


@router.patch("/{id}/", response_model=wire.SpacePublic)
async def update(id: UUID, body: wire.PartialUpdateSpaceRequest, actor: Caller, use: Use) -> Any:
    """Change a space. What is not named stays."""
    known = ("name", "description", "data_retention_days", "icon_id")
    changes = {name: getattr(body, name) for name in known if name in body.model_fields_set}
    if "security_classification" in body.model_fields_set:
        changes["security_classification_id"] = (
            body.security_classification.id if body.security_classification else None
        )
    for kind in ModelKind:
        if f"{kind}_models" in body.model_fields_set:
            chosen = getattr(body, f"{kind}_models")
            changes[kind] = None if chosen is None else [each.id for each in chosen]
    changes["impact_token"] = body.impact_token
    return await space_public(use, actor, await use.spaces.update(actor, id, changes))


@router.delete("/{id}/", status_code=204, response_class=Response)
async def delete(id: UUID, actor: Caller, use: Use) -> None:
    """Delete a space with everything in it."""
    await use.spaces.delete(actor, id)


@router.get("/{id}/history/", response_model=wire.CursorPageOfHistoryEntry)
async def history(id: UUID, actor: Caller, use: Use, limit: int | None = None, cursor: str | None = None) -> Any:
    """Who changed what in a space."""
    return history_page(await use.spaces.history(actor, id, limit=limit, cursor=cursor))


@router.get("/{id}/applications/", response_model=wire.Applications)
async def applications(id: UUID, actor: Caller, use: Use) -> Any:
    """What can be used in a space."""
    view = await use.spaces.get(actor, id)
    return present.applications(actor, view, await use.assistants.in_space(actor, id))


@router.post("/{id}/applications/assistants/", response_model=wire.AssistantPublic, status_code=201)
async def create_assistant(id: UUID, body: wire.CreateSpaceAssistantRequest, actor: Caller, use: Use) -> Any:
    """A new assistant in the space."""
    view = await use.assistants.create(actor, id, body.name, AssistantDraft.of())
    return present.assistant(view, [], actor)


@router.get("/{id}/knowledge/", response_model=wire.Knowledge)
async def knowledge(id: UUID, actor: Caller, use: Use) -> Any:
    """What is known in a space."""
    view = await use.spaces.get(actor, id)
    return present.knowledge(actor, view, await _collections(use, actor, id), await _websites(use, actor, id))


@router.post("/{id}/knowledge/groups/", response_model=wire.CollectionPublic, status_code=201)
async def create_collection(id: UUID, body: wire.CreateSpaceGroupsRequest, actor: Caller, use: Use) -> Any:
    """A new collection in the space."""
    model_id = body.embedding_model.id if body.embedding_model else None
    return present.collection(await use.knowledge.create_collection(actor, id, body.name, model_id))


@router.post("/{id}/members/", response_model=wire.SpaceMember)
async def add_member(id: UUID, body: wire.AddSpaceMemberRequest, actor: Caller, use: Use) -> Any:
    """Make a colleague a member."""
    return present.member(await use.spaces.add_member(actor, id, body.id, body.role))


@router.patch("/{id}/members/{user_id}/", response_model=wire.SpaceMember)
async def set_role(id: UUID, user_id: UUID, body: wire.UpdateSpaceMemberRequest, actor: Caller, use: Use) -> Any:
    """Give a member another role."""
    return present.member(await use.spaces.set_role(actor, id, user_id, body.role))


@router.delete("/{id}/members/{user_id}/", status_code=204, response_class=Response)
async def remove_member(id: UUID, user_id: UUID, actor: Caller, use: Use) -> None:
    """End a membership."""
    await use.spaces.remove_member(actor, id, user_id)


@router.get("/{id}/group-members/", response_model=wire.PageOfSpaceGroupMember)
async def groups(id: UUID, actor: Caller, use: Use) -> Any:
    """The user groups that are members."""
    return present.page([present.group_member(view) for view in await use.spaces.groups(actor, id)])


@router.post("/{id}/group-members/", response_model=wire.SpaceGroupMember, status_code=201)
async def add_group(id: UUID, body: wire.AddSpaceGroupMemberRequest, actor: Caller, use: Use) -> Any:
    """Make a user group a member."""
    return present.group_member(await use.spaces.add_group(actor, id, body.id, body.role))


@router.patch("/{id}/group-members/{group_id}/", response_model=wire.SpaceGroupMember)
async def set_group_role(
    id: UUID, group_id: UUID, body: wire.UpdateSpaceGroupMemberRequest, actor: Caller, use: Use
) -> Any:
    """Give a group another role."""
    return present.group_member(await use.spaces.set_group_role(actor, id, group_id, body.role))


@router.delete("/{id}/group-members/{group_id}/", status_code=204, response_class=Response)
async def remove_group(id: UUID, group_id: UUID, actor: Caller, use: Use) -> None:
    """End a group's membership."""
    await use.spaces.remove_group(actor, id, group_id)
