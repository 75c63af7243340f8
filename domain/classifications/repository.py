"""What classifications ask of storage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from domain.classifications.entities import SecurityClassification

if TYPE_CHECKING:
    from domain.spaces.entities import Space


@dataclass(frozen=True, slots=True)
class Holding:
    """Something that uses a model in a space, or knowledge of another one.

    `kind` is assistant, documents or website; `home_id` is the space that what is used belongs to, `model_id` the model.
    """

    kind: str
    id: UUID
    name: str
    space_id: UUID
    model_id: UUID | None = None
    home_id: UUID | None = None
    is_default: bool = False


class ClassificationRepository(Protocol):
    """Classifications of the transaction's tenant, and what they bear upon."""

    async def all(self) -> Sequence[SecurityClassification]:
        """All of them, the lowest level first."""

    async def spaces_of(self, classification_id: UUID) -> "Sequence[Space]":
        """The spaces that have it, in order of name."""

    async def models_of(self, classification_id: UUID) -> Sequence[str]:
        """The names of the models that have it, in order."""

    async def demanding(self, space_id: UUID | None) -> "Sequence[Space]":
        """The one space, or all that demand something."""

    async def assistants(self, space_id: UUID | None) -> Sequence[Holding]:
        """The assistants with their models: of one space, or of all that demand something."""

    async def collections(self, space_id: UUID | None) -> Sequence[Holding]:
        """The collections and websites with their embedding models: of one space, or of all that demand something."""

    async def borrowed(self, space_id: UUID | None) -> Sequence[Holding]:
        """The assistants that use collections of another space, with the embedding models of these.

        Those where either side is the one space, or where either demands something.
        """

    async def shared(self, space_id: UUID | None) -> Sequence[Holding]:
        """The collections that are shared with a space, in the same way."""
