"""Stored bytes, and the files people attach to questions and assistants."""

from dataclasses import dataclass
from uuid import UUID

from domain.kernel.actor import Actor
from domain.kernel.entity import Owned


@dataclass(eq=False, kw_only=True)
class Blob(Owned):
    """Encrypted content in the file store, found by `name`; `sha256` and `size` (bytes) are of the plain content."""

    name: str
    sha256: str
    size: int


@dataclass(eq=False, kw_only=True)
class File(Owned):
    """A file of one user. `text` is what was read from it (None for images).

    With `api_key_id` it belongs to a key of an assistant, and the user behind the key does not see it.
    """

    user_id: UUID
    name: str
    media_type: str
    kind: str
    size: int
    blob_id: UUID
    text: str | None = None
    token_count: int | None = None
    api_key_id: UUID | None = None

    def is_of(self, actor: Actor) -> bool:
        """Whether the file is the actor's own."""
        return self.user_id == actor.user_id and self.api_key_id == actor.apart
