"""Public shapes of files."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.api.wire.base import Wire


class FilePublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    name: str
    mimetype: str
    size: int
    transcription: str | None = None
    token_count: int | None = None


class IconPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID


class AcceptedFileType(Wire):
    mimetype: str
    size_limit: int


class Limit(Wire):
    max_files: int
    max_size: int


class FileRestrictions(Wire):
    accepted_file_types: list[AcceptedFileType]
    limit: Limit


class PageOfFilePublic(Wire):
    items: list[FilePublic]
    count: int


ContentDisposition = Literal["attachment", "inline"]


class SignedURLRequest(Wire):
    expires_in: int = 0
    content_disposition: ContentDisposition | None = None


class SignedURLResponse(Wire):
    url: str
    expires_at: int


class FormatLimit(Wire):
    mimetype: str
    size: int
    extensions: list[str]
    vision: bool


class InfoBlobLimits(Wire):
    formats: list[FormatLimit]


class AttachmentLimits(Wire):
    formats: list[FormatLimit]
    max_in_question: int


class Limits(Wire):
    info_blobs: InfoBlobLimits
    attachments: AttachmentLimits
