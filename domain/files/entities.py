"""Stored bytes, and the files people attach to questions and assistants."""

from dataclasses import dataclass
from uuid import UUID

from domain.kernel.entity import Owned


@dataclass(eq=False, kw_only=True)
class Blob(Owned):
    """Encrypted content in the file store, found by `name`; `sha256` and `size` (bytes) are of the plain content."""

    name: str
    sha256: str
    size: int


@dataclass(eq=False, kw_only=True)
class File(Owned):
    """A file of one user. `text` is what was read from it (None for images)."""

    user_id: UUID
    name: str
    media_type: str
    kind: str
    size: int
    blob_id: UUID
    text: str | None = None
    token_count: int | None = None
