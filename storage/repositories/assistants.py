"""Assistants of one tenant."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.assistants.entities import Assistant, AssistantCollection, AssistantFile, Prompt
from domain.files.entities import File
from storage.tables.assistants import assistant_collections, assistant_files, assistants, prompts
from storage.tables.files import files


class AssistantRepository:
    """See `domain.assistants.repository`."""

    def __init__(self, session: AsyncSession, tenant_id: UUID) -> None:
        self._session, self._tenant_id = session, tenant_id

    async def in_spaces(self, space_ids: Sequence[UUID]) -> Sequence[Assistant]:
        """Assistants of the spaces without the default ones."""
        if not space_ids:
            return []
        statement = (
            select(Assistant)
            .where(assistants.c.space_id.in_(set(space_ids)), assistants.c.is_default.is_(False))
            .order_by(func.lower(assistants.c.name), assistants.c.id)
        )
        return (await self._session.scalars(statement)).all()

    async def default(self, space_id: UUID) -> Assistant | None:
        """The assistant that the space has by itself."""
        statement = select(Assistant).where(assistants.c.space_id == space_id, assistants.c.is_default.is_(True))
        return (await self._session.scalars(statement)).first()

    async def prompts(self, assistant_id: UUID) -> Sequence[Prompt]:
        """All prompt versions, newest first."""
        statement = (
            select(Prompt).where(prompts.c.assistant_id == assistant_id).order_by(prompts.c.id.desc()).limit(200)
        )
        return (await self._session.scalars(statement)).all()

    async def selected_prompt(self, assistant_id: UUID) -> Prompt | None:
        """The prompt in force."""
        statement = select(Prompt).where(prompts.c.assistant_id == assistant_id, prompts.c.selected.is_(True))
        return (await self._session.scalars(statement.order_by(prompts.c.id.desc()))).first()

    async def deselect_prompts(self, assistant_id: UUID) -> None:
        """No version is in force any more."""
        await self._session.execute(update(Prompt).where(prompts.c.assistant_id == assistant_id).values(selected=False))

    async def collection_ids(self, assistant_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[UUID]]:
        """The collections of each assistant."""
        found: dict[UUID, list[UUID]] = defaultdict(list)
        statement = (
            select(AssistantCollection)
            .where(assistant_collections.c.assistant_id.in_(set(assistant_ids)))
            .order_by(assistant_collections.c.id)
        )
        for link in await self._session.scalars(statement):
            found[link.assistant_id].append(link.collection_id)
        return found

    async def set_collections(self, assistant_id: UUID, collection_ids: Sequence[UUID]) -> None:
        """Replace the collections of an assistant."""
        await self._session.execute(
            delete(AssistantCollection).where(assistant_collections.c.assistant_id == assistant_id)
        )
        for collection_id in collection_ids:
            self._session.add(
                AssistantCollection(tenant_id=self._tenant_id, assistant_id=assistant_id, collection_id=collection_id)
            )
        await self._session.flush()

    async def files(self, assistant_id: UUID) -> Sequence[File]:
        """The files that belong to the instruction."""
        statement = (
            select(File)
            .join(AssistantFile, assistant_files.c.file_id == files.c.id)
            .where(assistant_files.c.assistant_id == assistant_id)
            .order_by(assistant_files.c.id)
        )
        return (await self._session.scalars(statement)).all()

    async def set_files(self, assistant_id: UUID, file_ids: Sequence[UUID]) -> None:
        """Replace the files of an assistant."""
        await self._session.execute(delete(AssistantFile).where(assistant_files.c.assistant_id == assistant_id))
        for file_id in file_ids:
            self._session.add(AssistantFile(tenant_id=self._tenant_id, assistant_id=assistant_id, file_id=file_id))
        await self._session.flush()
