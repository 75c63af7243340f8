"""Pictures of assistants and spaces."""

from dataclasses import dataclass
from uuid import UUID

from domain.kernel.entity import Owned


@dataclass(eq=False, kw_only=True)
class Icon(Owned):
    """A small square picture that a user has brought. Several things may bear it: a copy has its original's."""

    user_id: UUID
    blob_id: UUID
