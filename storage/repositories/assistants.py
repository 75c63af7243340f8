"""Assistants of one tenant."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.assistants.entities import Assistant, AssistantCollection, AssistantFile, Prompt
from domain.files.entities import File
from domain.kernel.paging import Page
from domain.knowledge.entities import Collection
from domain.models.entities import EmbeddingModel, ModelProvider
from domain.spaces.entities import Space
from storage.guard import standing
from storage.repositories.paging import decode, encode, escape_like, identifier
from storage.tables.assistants import assistant_collections, assistant_files, assistants, prompts
from storage.tables.files import files
from storage.tables.knowledge import collections
from storage.tables.models import embedding_models, model_providers
from storage.tables.spaces import spaces

_SELECTED_PROMPT = standing(
    select(Prompt)
    .where(prompts.c.assistant_id == bindparam("id"), prompts.c.selected.is_(True))
    .order_by(prompts.c.id.desc())
    .limit(1)
)
_INSTRUCTION = standing(
    select(Prompt, File)
    .select_from(Assistant)
    .outerjoin(Prompt, and_(prompts.c.assistant_id == assistants.c.id, prompts.c.selected.is_(True)))
    .outerjoin(AssistantFile, assistant_files.c.assistant_id == assistants.c.id)
    .outerjoin(File, files.c.id == assistant_files.c.file_id)
    .where(assistants.c.id == bindparam("id"))
    .order_by(prompts.c.id.desc(), assistant_files.c.id)
)
_WITH_SPACE = standing(
    select(Assistant, Space).join(Space, spaces.c.id == assistants.c.space_id).where(assistants.c.id == bindparam("id"))
)
_COLLECTIONS = standing(
    select(Collection)
    .join(AssistantCollection, assistant_collections.c.collection_id == collections.c.id)
    .where(assistant_collections.c.assistant_id == bindparam("id"))
    .order_by(assistant_collections.c.id)
)
_SEARCHED = standing(
    select(Collection, EmbeddingModel, ModelProvider)
    .join(AssistantCollection, assistant_collections.c.collection_id == collections.c.id)
    .join(EmbeddingModel, embedding_models.c.id == collections.c.embedding_model_id)
    .join(ModelProvider, model_providers.c.id == embedding_models.c.provider_id)
    .where(assistant_collections.c.assistant_id == bindparam("id"))
    .order_by(assistant_collections.c.id)
)
_FILES = standing(
    select(File)
    .join(AssistantFile, assistant_files.c.file_id == files.c.id)
    .where(assistant_files.c.assistant_id == bindparam("id"))
    .order_by(assistant_files.c.id)
)


def _seen(every: Sequence[UUID], published: Sequence[UUID]) -> list[ColumnElement[bool]]:
    """All assistants of some spaces and the published ones of others, without those that spaces have by themselves."""
    space = assistants.c.space_id
    seen = or_(space.in_(set(every)), and_(space.in_(set(published)), assistants.c.published.is_(True)))
    return [assistants.c.is_default.is_(False), seen]


class AssistantRepository:
    """See `domain.assistants.repository`."""

    def __init__(self, session: AsyncSession, tenant_id: UUID) -> None:
        self._session, self._tenant_id = session, tenant_id

    async def with_space(self, assistant_id: UUID) -> tuple[Assistant, Space] | None:
        """An assistant and the space that it belongs to."""
        found = (await self._session.execute(_WITH_SPACE, {"id": assistant_id})).first()
        return (found[0], found[1]) if found else None

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

    async def page(
        self, every: Sequence[UUID], published: Sequence[UUID], *, search: str, limit: int, cursor: str | None
    ) -> Page[Assistant]:
        """All assistants of some spaces and the published ones of others, in order of name."""
        name, wanted = func.lower(assistants.c.name), _seen(every, published)
        if search:
            wanted.append(name.like(f"%{escape_like(search.lower())}%", escape="\\"))
        total = await self._session.scalar(select(func.count()).select_from(Assistant).where(*wanted))
        after = decode(cursor, 2)
        if after is not None:
            last = identifier(after[1])
            wanted.append(or_(name > after[0], and_(name == after[0], assistants.c.id > last)))
        statement = select(Assistant, name).where(*wanted).order_by(name, assistants.c.id).limit(limit + 1)
        rows = (await self._session.execute(statement)).all()
        more = encode(rows[limit - 1][1], rows[limit - 1][0].id) if len(rows) > limit else None
        return Page([row[0] for row in rows[:limit]], more, total)

    async def after(
        self,
        every: Sequence[UUID],
        published: Sequence[UUID],
        model_ids: Sequence[UUID],
        *,
        last: UUID | None,
        limit: int,
    ) -> Sequence[Assistant]:
        """Of the same those that have one of these models, in order of id: at most `limit` of those after `last`."""
        wanted = [*_seen(every, published), assistants.c.completion_model_id.in_(set(model_ids))]
        if last is not None:
            wanted.append(assistants.c.id > last)
        statement = select(Assistant).where(*wanted).order_by(assistants.c.id).limit(limit)
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
        return (await self._session.scalars(_SELECTED_PROMPT, {"id": assistant_id})).first()

    async def instruction(self, assistant_id: UUID) -> tuple[Prompt | None, Sequence[File]]:
        """The prompt in force and the files that belong to it."""
        rows = (await self._session.execute(_INSTRUCTION, {"id": assistant_id})).all()
        prompt = rows[0][0] if rows else None
        return prompt, [file for other, file in rows if file is not None and other is prompt]

    async def selected_prompts(self, assistant_ids: Sequence[UUID]) -> Mapping[UUID, Prompt]:
        """The prompt in force of each assistant."""
        wanted = (prompts.c.assistant_id.in_(set(assistant_ids)), prompts.c.selected.is_(True))
        found = await self._session.scalars(select(Prompt).where(*wanted).order_by(prompts.c.id))
        return {prompt.assistant_id: prompt for prompt in found}

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

    async def collections(self, assistant_id: UUID) -> Sequence[Collection]:
        """The collections of one assistant."""
        return (await self._session.scalars(_COLLECTIONS, {"id": assistant_id})).all()

    async def searched(self, assistant_id: UUID) -> Sequence[tuple[Collection, EmbeddingModel, ModelProvider]]:
        """The same with the embedding model of each and its provider."""
        rows = await self._session.execute(_SEARCHED, {"id": assistant_id})
        return [(collection, model, provider) for collection, model, provider in rows]

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

    async def with_collection(self, collection_id: UUID) -> Sequence[tuple[Assistant, Space]]:
        """The assistants that use a collection, with their spaces, in order of name."""
        statement = (
            select(Assistant, Space)
            .join(AssistantCollection, assistant_collections.c.assistant_id == assistants.c.id)
            .join(Space, spaces.c.id == assistants.c.space_id)
            .where(assistant_collections.c.collection_id == collection_id)
            .order_by(func.lower(assistants.c.name), assistants.c.id)
        )
        return [(assistant, space) for assistant, space in await self._session.execute(statement)]

    async def withdraw_collection(self, collection_id: UUID, space_ids: Sequence[UUID]) -> None:
        """Take a collection from the assistants of all spaces but these."""
        elsewhere = select(assistants.c.id).select_from(Assistant).where(assistants.c.space_id.not_in(set(space_ids)))
        links = (
            assistant_collections.c.collection_id == collection_id,
            assistant_collections.c.assistant_id.in_(elsewhere),
        )
        await self._session.execute(
            delete(AssistantCollection).where(*links), execution_options={"synchronize_session": False}
        )

    async def files(self, assistant_id: UUID) -> Sequence[File]:
        """The files that belong to the instruction."""
        return (await self._session.scalars(_FILES, {"id": assistant_id})).all()

    async def files_of(self, assistant_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[File]]:
        """The files that belong to the instruction of each assistant."""
        found: dict[UUID, list[File]] = defaultdict(list)
        statement = (
            select(AssistantFile, File)
            .join(File, files.c.id == assistant_files.c.file_id)
            .where(assistant_files.c.assistant_id.in_(set(assistant_ids)))
            .order_by(assistant_files.c.id)
        )
        for link, file in await self._session.execute(statement):
            found[link.assistant_id].append(file)
        return found

    async def set_files(self, assistant_id: UUID, file_ids: Sequence[UUID]) -> None:
        """Replace the files of an assistant."""
        await self._session.execute(delete(AssistantFile).where(assistant_files.c.assistant_id == assistant_id))
        for file_id in file_ids:
            self._session.add(AssistantFile(tenant_id=self._tenant_id, assistant_id=assistant_id, file_id=file_id))
        await self._session.flush()
