"""What files ask of storage."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from domain.files.entities import Blob, File
from domain.kernel.paging import Page


class FileRepository(Protocol):
    """Blobs and files of the transaction's tenant."""

    async def blob_by_hash(self, sha256: str) -> Blob | None:
        """The stored content with this SHA-256."""

    async def blob_in_use(self, blob_id: UUID) -> bool:
        """Whether a file or a document version still refers to the blob."""

    async def page(self, user_id: UUID, *, limit: int, cursor: str | None) -> Page[File]:
        """The user's files, newest first."""

    async def many(self, ids: Sequence[UUID]) -> Sequence[File]:
        """Files by id, in the order of `ids`; unknown ones are left out."""

    async def bytes_of(self, user_id: UUID) -> int:
        """The size of all the user's files."""
