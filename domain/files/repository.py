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
        """Whether a file, a document version or a picture still refers to the blob."""

    async def page(self, user_id: UUID, api_key_id: UUID | None, *, limit: int, cursor: str | None) -> Page[File]:
        """The files of a user, or of a key of an assistant; newest first."""

    async def of_keys(self, api_key_ids: Sequence[UUID], limit: int) -> Sequence[File]:
        """Files of keys, at most `limit`."""

    async def many(self, ids: Sequence[UUID]) -> Sequence[File]:
        """Files by id, in the order of `ids`; unknown ones are left out."""

    async def bytes_of(self, user_id: UUID) -> int:
        """The size of all the user's files."""
