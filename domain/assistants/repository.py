"""What assistants ask of storage."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from domain.assistants.entities import Assistant, Prompt
from domain.files.entities import File
from domain.kernel.paging import Page
from domain.knowledge.entities import Collection
from domain.models.entities import EmbeddingModel, ModelProvider
from domain.spaces.entities import Space


class AssistantRepository(Protocol):
    """Assistants of the transaction's tenant."""

    async def with_space(self, assistant_id: UUID) -> tuple[Assistant, Space] | None:
        """An assistant and the space that it belongs to."""

    async def in_spaces(self, space_ids: Sequence[UUID]) -> Sequence[Assistant]:
        """Assistants of the spaces without the default ones, in order of name."""

    async def page(
        self, every: Sequence[UUID], published: Sequence[UUID], *, search: str, limit: int, cursor: str | None
    ) -> Page[Assistant]:
        """All assistants of some spaces and the published ones of others, without the default ones, in order of name."""

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

    async def default(self, space_id: UUID) -> Assistant | None:
        """The assistant that the space has by itself."""

    async def prompts(self, assistant_id: UUID) -> Sequence[Prompt]:
        """All prompt versions, newest first."""

    async def selected_prompt(self, assistant_id: UUID) -> Prompt | None:
        """The prompt in force."""

    async def instruction(self, assistant_id: UUID) -> tuple[Prompt | None, Sequence[File]]:
        """The prompt in force and the files that belong to it."""

    async def selected_prompts(self, assistant_ids: Sequence[UUID]) -> Mapping[UUID, Prompt]:
        """The prompt in force of each assistant."""

    async def deselect_prompts(self, assistant_id: UUID) -> None:
        """No version is in force any more."""

    async def collection_ids(self, assistant_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[UUID]]:
        """The collections of each assistant."""

    async def collections(self, assistant_id: UUID) -> Sequence[Collection]:
        """The collections of one assistant."""

    async def searched(self, assistant_id: UUID) -> Sequence[tuple[Collection, EmbeddingModel, ModelProvider]]:
        """The same with the embedding model of each and its provider."""

    async def set_collections(self, assistant_id: UUID, collection_ids: Sequence[UUID]) -> None:
        """Replace the collections of an assistant."""

    async def with_collection(self, collection_id: UUID) -> Sequence[tuple[Assistant, Space]]:
        """The assistants that use a collection, with their spaces, in order of name."""

    async def withdraw_collection(self, collection_id: UUID, space_ids: Sequence[UUID]) -> None:
        """Take a collection from the assistants of all spaces but these."""

    async def files(self, assistant_id: UUID) -> Sequence[File]:
        """The files that belong to the instruction."""

    async def files_of(self, assistant_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[File]]:
        """The files that belong to the instruction of each assistant."""

    async def set_files(self, assistant_id: UUID, file_ids: Sequence[UUID]) -> None:
        """Replace the files of an assistant."""
