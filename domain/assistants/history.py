"""What an assistant was: its history, told from the audit log, and the way back."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from domain.assistants.access import (
    readable_assistant,
    readable_collections,
    resource_of,
)
from domain.assistants.entities import Prompt
from domain.assistants.service import AssistantDraft, AssistantService, AssistantView, state_of
from domain.audit.entities import AuditEntry
from domain.audit.replay import before as told_before
from domain.audit.repository import AuditFilter
from domain.classifications.approval import (
    may_serve,
    rules_for,
)
from domain.kernel.access import Action
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, NotFound
from domain.kernel.paging import Page, clamp
from domain.models.service import completion_choices
from domain.spaces.service import SpaceAccess
from domain.transaction import Transaction, UnitOfWork

RESTORED = (
    "name", "description", "completion_model_id", "model_settings", "logging_enabled", "insight_enabled",
    "whole_documents", "starter_questions", "data_retention_days", "metadata_json", "prompt_id", "collection_ids",
    "file_ids", "contact", "answer_reuse", "answer_reuse_hours", "fallback_model_id", "model_preference",
)  # fmt: skip
HISTORY_LIMIT = 1000


class HistoryService:
    """Use cases of the history of assistants."""

    def __init__(self, uow: UnitOfWork, assistants: AssistantService) -> None:
        self._uow, self._assistants = uow, assistants

    async def page(
        self, actor: Actor, assistant_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[AuditEntry]:
        """Who changed what, newest first, as far back as the audit log reaches; for those who may edit the assistant."""
        async with self._uow.read(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            access.require(actor, resource_of(assistant), Action.EDIT)
            return await tx.audit.page(_history(assistant_id), limit=clamp(limit), cursor=cursor, count=False)

    async def restore(self, actor: Actor, assistant_id: UUID, entry_id: UUID) -> AssistantView:
        """Make the assistant again what it was right after an entry of its history. What is gone meanwhile stays gone."""
        async with self._uow.read(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            access.require(actor, resource_of(assistant), Action.EDIT)
            entries = (await tx.audit.page(_history(assistant_id), limit=HISTORY_LIMIT, count=False)).items
            later = [entry for entry in entries if entry.id > entry_id]
            if len(later) == len(entries) or entries[len(later)].id != entry_id:
                raise NotFound(N_("The version was not found."))
            present = await state_of(tx, assistant)
            wanted = told_before(present, later)
            draft = await self._restoring(tx, access, present, wanted)
        return await self._assistants.update(actor, assistant_id, draft)

    @staticmethod
    async def _restoring(
        tx: Transaction, access: SpaceAccess, present: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> AssistantDraft:
        """The changes that lead from the present values to the wanted ones, as far as what they name still exists."""
        values = {name: wanted[name] for name in RESTORED if wanted.get(name) != present.get(name)}
        if "prompt_id" in values:
            version = values.pop("prompt_id")
            prompt = await tx.get(Prompt, UUID(version)) if version else None
            if prompt is not None or version is None:
                values["prompt"] = prompt.text if prompt else ""
        if "collection_ids" in values:
            offered = {str(c.id): c.id for c in await readable_collections(tx, access.space)}
            values["collection_ids"] = [offered[i] for i in values["collection_ids"] if i in offered]
        if "file_ids" in values:
            kept = set(present["file_ids"])
            values["file_ids"] = [UUID(i) for i in values["file_ids"] if i in kept]
        named = [name for name in ("completion_model_id", "fallback_model_id") if name in values]
        if named:
            rules = await rules_for(tx, [access.space])
            choices = [c for c in await completion_choices(tx) if c.usable and may_serve(rules, c.model, access.space)]
            usable = {str(c.model.id): c.model.id for c in choices}
            for name in named:
                former = values.pop(name)
                # An assistant may be without a fallback, and never without a model.
                if former in usable or (former is None and name == "fallback_model_id"):
                    values[name] = usable.get(former)
        return AssistantDraft.of(**values)


def _history(assistant_id: UUID) -> AuditFilter:
    return AuditFilter(entity_type="assistant", entity_id=assistant_id)
