"""Stored contents and attached files of one tenant."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.files.entities import Blob, File
from domain.icons.entities import Icon
from domain.kernel.paging import Page
from domain.knowledge.entities import DocumentVersion
from storage.repositories.paging import decode, encode
from storage.tables.files import blobs, files
from storage.tables.icons import icons
from storage.tables.knowledge import document_versions


class FileRepository:
    """See `domain.files.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def blob_by_hash(self, sha256: str) -> Blob | None:
        """The stored content with this SHA-256."""
        return (await self._session.scalars(select(Blob).where(blobs.c.sha256 == sha256))).first()

    async def blob_in_use(self, blob_id: UUID) -> bool:
        """Whether a file, a document version or a picture still refers to the blob."""
        by_version = (
            select(func.count())
            .select_from(DocumentVersion)
            .where(or_(document_versions.c.blob_id == blob_id, document_versions.c.text_blob_id == blob_id))
        )
        by_file = select(func.count()).select_from(File).where(files.c.blob_id == blob_id)
        by_icon = select(func.count()).select_from(Icon).where(icons.c.blob_id == blob_id)
        for statement in (by_version, by_file, by_icon):
            if await self._session.scalar(statement):
                return True
        return False

    async def page(self, user_id: UUID, api_key_id: UUID | None, *, limit: int, cursor: str | None) -> Page[File]:
        """The files of a user, or of a key; newest first."""
        wanted: list[ColumnElement[bool]] = [
            files.c.user_id == user_id,
            files.c.api_key_id.is_not_distinct_from(api_key_id),
        ]
        total = await self._session.scalar(select(func.count()).select_from(File).where(*wanted))
        after = decode(cursor, 1)
        if after is not None:
            wanted.append(files.c.id < UUID(after[0]))
        statement = select(File).where(*wanted).order_by(files.c.id.desc()).limit(limit + 1)
        rows = list(await self._session.scalars(statement))
        next_cursor = encode(rows[limit - 1].id) if len(rows) > limit else None
        return Page(rows[:limit], next_cursor, total)

    async def of_keys(self, api_key_ids: Sequence[UUID], limit: int) -> Sequence[File]:
        """Files of keys."""
        statement = select(File).where(files.c.api_key_id.in_(set(api_key_ids))).limit(limit)
        return (await self._session.scalars(statement)).all()

    async def many(self, ids: Sequence[UUID]) -> Sequence[File]:
        """Files by id, in the order of `ids`."""
        if not ids:
            return []
        found = {f.id: f for f in await self._session.scalars(select(File).where(files.c.id.in_(set(ids))))}
        return [found[i] for i in ids if i in found]

    async def bytes_of(self, user_id: UUID) -> int:
        """The size of all the user's files."""
        statement = select(func.coalesce(func.sum(files.c.size), 0)).select_from(File).where(files.c.user_id == user_id)
        return int(await self._session.scalar(statement) or 0)
