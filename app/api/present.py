"""Domain objects as the public API shows them."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from app.api.base import moments
from app.api.present_models import completion_model, embedding_model
from domain.api_keys.service import IssuedKey, KeyView
from domain.assistants.entities import Prompt
from domain.assistants.service import ATTACHMENT_BYTES, AssistantView
from domain.files.entities import File
from domain.jobs.entities import Job, JobState
from domain.kernel.access import Action, Resource
from domain.kernel.actor import Actor
from domain.knowledge.entities import CollectionKind
from domain.knowledge.parsing import ATTACHABLE, SUPPORTED
from domain.knowledge.service import CollectionView, DocumentView
from domain.roles.entities import HeldRole
from domain.service_accounts.service import ServiceAccountView
from domain.spaces.entities import MEMBER_ROLES, SpaceKind
from domain.spaces.service import GroupView, MemberView, SpaceView
from domain.tenants.entities import Tenant
from domain.user_groups.service import UserGroupView
from domain.users.entities import User, UserState
from domain.users.service import UserView
from pages.i18n import reason, translate

JOB_STATES = {
    JobState.QUEUED: "queued",
    JobState.RUNNING: "in progress",
    JobState.DONE: "complete",
    JobState.FAILED: "failed",
    JobState.DEAD: "failed",
    JobState.CANCELLED: "failed",
}
SOUND = ("audio/", "video/")
TEXT_TYPES = sorted({media for media, _ in SUPPORTED.values()})


def names(actions: Iterable[Action]) -> list[str]:
    """Actions as words."""
    return [str(action) for action in actions]


def user_sparse(user: User | None, fallback: Actor | None = None) -> dict[str, Any]:
    """A person in short."""
    if user is None:
        return {
            "id": fallback.user_id if fallback else UUID(int=0),
            "email": "deleted@example.invalid",
            "username": None,
        }
    return {**moments(user), "email": user.email, "username": user.username}


def user_public(view: UserView) -> dict[str, Any]:
    """One's own account."""
    return {
        **user_sparse(view.user),
        "quota_used": view.used,
        "quota_limit": view.user.quota_limit,
        "truncated_api_key": view.key_tail,
        **memberships(view),
    }


def memberships(view: UserView) -> dict[str, Any]:
    """Roles and groups of a user."""
    return {
        "roles": [role(each) for each in view.roles if not each.predefined],
        "predefined_roles": [role(each) for each in view.roles if each.predefined],
        "user_groups": [{**moments(group), "name": group.name} for group in view.groups],
    }


def role(found: HeldRole) -> dict[str, Any]:
    """A role."""
    return {"id": found.id, "name": found.name, "permissions": sorted(found.permissions)}


def user_admin(view: UserView) -> dict[str, Any]:
    """A user as administrators see them."""
    user = view.user
    return {
        **user_sparse(user),
        "quota_used": view.used,
        "quota_limit": user.quota_limit,
        "used_tokens": 0,
        "email_verified": user.email_verified,
        "is_active": user.state == UserState.ACTIVE,
        "state": user.state,
        "last_sign_in_at": user.last_sign_in_at,
        "permissions": [{"name": p, "roles": [r.name for r in roles]} for p, roles in view.explained.items()],
        **memberships(view),
    }


TENANT_FIELDS = (
    "name", "display_name", "quota_limit", "domain", "provisioning", "state", "security_enabled", "privacy_policy"
)  # fmt: skip


def tenant_public(found: Tenant) -> dict[str, Any]:
    """An organisation as its people see it."""
    return {**{name: getattr(found, name) for name in TENANT_FIELDS}, "zitadel_org_id": found.external_id}


def tenant(found: Tenant) -> dict[str, Any]:
    """An organisation as the operator sees it. Its keys and its identity provider are read at routes of their own."""
    return {**moments(found), **tenant_public(found), "slug": found.slug, "language": found.language}


def user_group(view: UserGroupView) -> dict[str, Any]:
    """A user group with its members."""
    return {**moments(view.group), "name": view.group.name, "users": [user_sparse(user) for user in view.members]}


def collection(view: CollectionView) -> dict[str, Any]:
    """A collection."""
    return {
        **moments(view.collection),
        "permissions": names(view.permissions),
        "name": view.collection.name,
        "embedding_model": embedding_model(view.choice) if view.choice else None,
        "metadata": {"num_info_blobs": view.size.documents, "size": view.size.size},
        "space_id": view.collection.space_id,
        "shared_from": view.origin.name if view.origin else None,
        "chunk_tokens": view.collection.chunk_tokens,
    }


def source_of(collection_id: UUID, kind: str) -> dict[str, UUID | None]:
    """Where a document is from: a website has the id of its collection."""
    website = kind == CollectionKind.WEBSITE
    return {"group_id": None if website else collection_id, "website_id": collection_id if website else None}


def document(view: DocumentView, language: str, *, text: str | None = None) -> dict[str, Any]:
    """A document, with its text where asked for, and where its newest version is on its way."""
    version = view.version
    shown: dict[str, Any] = {
        **moments(view.document),
        "metadata": {
            "title": view.document.title,
            "url": view.document.url,
            "tags": view.document.tags,
            "embedding_model_id": view.embedding_model_id,
            "size": version.size,
        },
        **source_of(view.document.collection_id, view.kind),
        "permissions": names(view.permissions),
        "state": version.state,
        "progress": version.progress,
        "error": reason(version, language),
        "version": version.number,
        "page_count": version.page_count,
        "pages_without_text": version.pages_without_text,
        "pages_by_ocr": version.pages_by_ocr,
        "refused": [
            {"path": r["path"], "message": translate(r["message"], language, **r["params"])} for r in version.refused
        ],
        "language": version.language,
        "media_type": version.media_type,
        "filename": version.filename,
        "job_id": version.job_id,
    }
    if text is not None:
        shown["text"] = text
    return shown


def job(found: Job, language: str) -> dict[str, Any]:
    """A job."""
    failed = found.state in (JobState.FAILED, JobState.DEAD, JobState.CANCELLED)
    return {
        **moments(found),
        "name": found.name,
        "status": JOB_STATES[JobState(found.state)],
        "task": found.task,
        "result_location": reason(found, language) if failed else found.result_location,
        "finished_at": found.finished_at,
        "state": found.state,
        "progress": found.progress,
        "step": found.step,
    }


def file(found: File) -> dict[str, Any]:
    """A file."""
    return {
        **moments(found),
        "name": found.name,
        "mimetype": found.media_type,
        "size": found.size,
        "transcription": found.text if found.media_type.startswith(SOUND) else None,
        "token_count": found.token_count,
    }


def page(items: Sequence[Any], **extra: Any) -> dict[str, Any]:
    """A list."""
    return {"items": list(items), "count": len(items), **extra}


def attachments() -> dict[str, Any]:
    """What can be attached to an assistant."""
    types = [
        {"mimetype": media, "size_limit": ATTACHMENT_BYTES}
        for media in sorted({media for media, _ in ATTACHABLE.values()})
    ]
    return {"accepted_file_types": types, "limit": {"max_files": 3, "max_size": ATTACHMENT_BYTES}}


def assistant_head(view: AssistantView) -> dict[str, Any]:
    """An assistant in a list."""
    assistant = view.assistant
    return {
        **moments(assistant),
        "name": assistant.name,
        "description": assistant.description,
        "completion_model_kwargs": assistant.model_settings,
        "logging_enabled": assistant.logging_enabled,
        "permissions": names(view.permissions),
        "user_id": assistant.user_id,
        "published": assistant.published,
        "metadata_json": assistant.metadata_json,
        "type": "default-assistant" if assistant.is_default else "assistant",
        "icon_id": assistant.icon_id,
        "completion_model_id": assistant.completion_model_id,
    }


def assistant(
    view: AssistantView, collections: Sequence[CollectionView], actor: Actor, websites: Sequence[Any] = ()
) -> dict[str, Any]:
    """An assistant with everything it is made of."""
    model = view.model
    return {
        **assistant_head(view),
        "prompt": prompt(view.prompt, view.creator, actor) if view.prompt else None,
        "space_id": view.assistant.space_id,
        "attachments": [file(f) for f in view.files],
        "allowed_attachments": attachments(),
        "groups": [collection(c) for c in collections],
        "websites": list(websites),
        "integration_knowledge_list": [],
        "mcp_servers": [],
        "mcp_tools": [],
        "completion_model": completion_model(model) if model else None,
        "user": user_sparse(view.creator, actor),
        "tools": {"assistants": []},
        "model_info": {
            "name": model.model.name,
            "token_limit": model.model.token_limit,
            "prompt_tokens": None,
        }
        if model
        else None,
        "insight_enabled": view.assistant.insight_enabled,
        "whole_documents": view.assistant.whole_documents,
        "starter_questions": view.assistant.starter_questions,
        "contact": view.assistant.contact,
        "fallback_model_id": view.assistant.fallback_model_id,
        "model_preference": view.assistant.model_preference,
        "answer_reuse": view.assistant.answer_reuse,
        "answer_reuse_hours": view.assistant.answer_reuse_hours,
        "data_retention_days": view.assistant.data_retention_days,
    }


def prompt(found: Prompt, author: User | None, actor: Actor, actions: Iterable[Action] = ()) -> dict[str, Any]:
    """A version of an instruction."""
    return {
        **moments(found),
        "permissions": names(actions),
        "description": found.description,
        "is_selected": found.selected,
        "user": user_sparse(author, actor),
        "text": found.text,
    }


def space_head(view: SpaceView) -> dict[str, Any]:
    """A space in a list."""
    return {
        **moments(view.space),
        "permissions": names(view.permissions),
        "name": view.space.name,
        "description": view.space.description,
        "personal": view.space.kind == SpaceKind.PERSONAL,
        "organization": view.space.kind == SpaceKind.ORGANIZATION,
        "icon_id": view.space.icon_id,
        "data_retention_days": view.space.data_retention_days,
    }


def permitted(actor: Actor, view: SpaceView, resource: Resource, items: Sequence[Any] = ()) -> dict[str, Any]:
    """A list with what the actor may do to such resources in the space."""
    allowed = view.access.permissions(actor, resource)
    return page(items, permissions=names(a for a in allowed if a in (Action.READ, Action.CREATE)))


def applications(actor: Actor, view: SpaceView, assistants: Sequence[AssistantView]) -> dict[str, Any]:
    """What can be used in a space."""
    return {
        "assistants": permitted(actor, view, Resource.ASSISTANT, [assistant_head(a) for a in assistants]),
        "group_chats": permitted(actor, view, Resource.GROUP_CHAT),
        "services": permitted(actor, view, Resource.SERVICE),
        "apps": permitted(actor, view, Resource.APP),
    }


def knowledge(
    actor: Actor, view: SpaceView, collections: Sequence[CollectionView], websites: Sequence[Any]
) -> dict[str, Any]:
    """What is known in a space."""
    return {
        "groups": permitted(actor, view, Resource.COLLECTION, [collection(c) for c in collections]),
        "websites": permitted(actor, view, Resource.WEBSITE, websites),
        "integration_knowledge_list": permitted(actor, view, Resource.INTEGRATION),
    }


def member(view: MemberView) -> dict[str, Any]:
    """A member of a space."""
    return {**user_sparse(view.user), "role": view.member.role}


def group_member(view: GroupView) -> dict[str, Any]:
    """A user group that is a member of a space."""
    return {**moments(view.group), "name": view.group.name, "role": view.member.role, "user_count": view.count}


def available_roles(view: SpaceView) -> list[dict[str, str]]:
    """The roles that members can have."""
    if view.space.kind != SpaceKind.SHARED:
        return []
    return [{"value": role.value, "label": role.value.capitalize()} for role in MEMBER_ROLES]


def api_key(view: KeyView) -> dict[str, Any]:
    """An API key without its secret."""
    key, user = view.key, view.row.user
    fields = (
        "name", "kind", "start", "last_four", "scopes", "networks", "requests_per_minute", "expires_at", "revoked_at",
        "last_used_at", "assistant_id",
    )  # fmt: skip
    return {
        **moments(key),
        **{name: getattr(key, name) for name in fields},
        "state": view.state,
        "previous_until": key.previous_until if key.renewing(view.moment) else None,
        "owner_id": user.id,
        "owner_name": user.display_name,
        "assistant_name": view.row.assistant_name,
        "manageable": view.manageable,
    }


def issued_key(issued: IssuedKey) -> dict[str, Any]:
    """An API key with its secret, this once."""
    return {**api_key(issued.view), **legacy_key(issued)}


def legacy_key(issued: IssuedKey) -> dict[str, Any]:
    """The secret and its end, as older clients know them."""
    return {"key": issued.secret, "truncated_key": issued.secret[-4:]}


def service_account(view: ServiceAccountView) -> dict[str, Any]:
    """A service account."""
    user = view.user
    return {
        **moments(user),
        "name": user.display_name,
        "description": user.description,
        "email": user.email,
        "state": user.state,
        "roles": [role(each) for each in view.roles],
        "keys": view.keys,
    }
