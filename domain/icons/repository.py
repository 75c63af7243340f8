"""What pictures ask of storage."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.assistants.entities import Assistant
from domain.icons.entities import Icon
from domain.spaces.entities import Space


class IconRepository(Protocol):
    """Pictures of the transaction's tenant."""

    async def bearers(self, icon_id: UUID) -> tuple[Sequence[Space], Sequence[Assistant]]:
        """The spaces and assistants that bear a picture."""

    async def within(self, space_id: UUID) -> Sequence[UUID]:
        """The pictures that assistants of a space bear."""

    async def of_assistants(self, assistant_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
        """The pictures that these assistants bear, by assistant."""

    async def unborne(self, icon_ids: Collection[UUID]) -> Sequence[Icon]:
        """Those of the pictures that nothing bears."""

    async def unborne_of(self, user_id: UUID, *, beyond: int) -> Sequence[Icon]:
        """The pictures of a user that nothing bears, without the newest `beyond`."""

    async def unborne_before(self, moment: datetime, limit: int) -> Sequence[Icon]:
        """Pictures that are older than this and that nothing bears, at most `limit`."""
