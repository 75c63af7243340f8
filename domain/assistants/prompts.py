"""Versions of the instruction of an assistant: use cases."""

from collections.abc import Sequence
from uuid import UUID

from domain.assistants.access import permissions_of, readable_assistant, resource_of
from domain.assistants.entities import Prompt
from domain.assistants.service import DESCRIPTION_LIMIT
from domain.kernel.access import Action
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, BadRequest, Forbidden, NotFound
from domain.kernel.events import Change
from domain.kernel.text import clean_text
from domain.transaction import Transaction, UnitOfWork
from domain.users.entities import User


class PromptService:
    """Use cases of the versions of instructions."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def of_assistant(self, actor: Actor, assistant_id: UUID) -> Sequence[tuple[Prompt, User | None]]:
        """All versions of the instruction with their authors, newest first."""
        async with self._uow.read(actor.tenant_id) as tx:
            assistant, access = await readable_assistant(tx, actor, assistant_id)
            access.require(actor, resource_of(assistant), Action.EDIT)
            found = await tx.assistants.prompts(assistant_id)
            authors = await tx.users.many([p.user_id for p in found])
        return [(p, authors.get(p.user_id)) for p in found]

    async def get(self, actor: Actor, prompt_id: UUID) -> tuple[Prompt, User | None, Sequence[Action]]:
        """One version, for those who may edit the assistant."""
        async with self._uow.read(actor.tenant_id) as tx:
            found = await self._editable_prompt(tx, actor, prompt_id)
            return found, await tx.get(User, found.user_id), _prompt_actions(actor, found)

    async def describe(self, actor: Actor, prompt_id: UUID, description: str | None) -> Prompt:
        """Change the description of one's own version."""
        async with self._uow.begin(actor.tenant_id) as tx:
            found = await self._editable_prompt(tx, actor, prompt_id)
            if found.user_id != actor.user_id:
                raise Forbidden(N_("Only the author can change this version."))
            old = {"description": found.description}
            found.description = clean_text(description, "description", DESCRIPTION_LIMIT) or None
            new = {"description": found.description}
            tx.record(actor, Change("prompt_updated", "prompt", prompt_id, old=old, new=new))
            return found

    async def delete(self, actor: Actor, prompt_id: UUID) -> None:
        """Delete one's own version, unless it is in force."""
        async with self._uow.begin(actor.tenant_id) as tx:
            found = await self._editable_prompt(tx, actor, prompt_id)
            if found.user_id != actor.user_id:
                raise Forbidden(N_("Only the author can delete this version."))
            if found.selected:
                raise BadRequest(N_("The version in force cannot be deleted."))
            await tx.remove(found)
            tx.record(actor, Change("prompt_deleted", "prompt", prompt_id))

    @staticmethod
    async def _editable_prompt(tx: Transaction, actor: Actor, prompt_id: UUID) -> Prompt:
        found = await tx.get(Prompt, prompt_id)
        if found is None:
            raise NotFound
        assistant, access = await readable_assistant(tx, actor, found.assistant_id)
        if Action.EDIT not in permissions_of(actor, access, assistant):
            raise NotFound
        return found


def _prompt_actions(actor: Actor, prompt: Prompt) -> list[Action]:
    own = [Action.READ, Action.EDIT]
    if prompt.user_id != actor.user_id:
        return [Action.READ]
    return own if prompt.selected else [*own, Action.DELETE]
