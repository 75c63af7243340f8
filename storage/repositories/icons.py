"""Pictures of one tenant."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.assistants.entities import Assistant
from domain.icons.entities import Icon
from domain.spaces.entities import Space
from storage.tables.assistants import assistants
from storage.tables.icons import icons
from storage.tables.spaces import spaces


def _unborne() -> ColumnElement[bool]:
    by_space = select(Space).where(spaces.c.icon_id == icons.c.id)
    by_assistant = select(Assistant).where(assistants.c.icon_id == icons.c.id)
    return and_(~by_space.exists(), ~by_assistant.exists())


class IconRepository:
    """See `domain.icons.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def bearers(self, icon_id: UUID) -> tuple[Sequence[Space], Sequence[Assistant]]:
        """The spaces and assistants that bear a picture."""
        by_space = select(Space).where(spaces.c.icon_id == icon_id)
        by_assistant = select(Assistant).where(assistants.c.icon_id == icon_id)
        found = (await self._session.scalars(by_space)).all()
        return found, (await self._session.scalars(by_assistant)).all()

    async def within(self, space_id: UUID) -> Sequence[UUID]:
        """The pictures that assistants of a space bear."""
        wanted = (assistants.c.space_id == space_id, assistants.c.icon_id.is_not(None))
        statement = select(assistants.c.icon_id).select_from(Assistant).where(*wanted).distinct()
        return (await self._session.scalars(statement)).all()

    async def of_assistants(self, assistant_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
        """The pictures that these assistants bear, by assistant."""
        wanted = (assistants.c.id.in_(set(assistant_ids)), assistants.c.icon_id.is_not(None))
        statement = select(assistants.c.id, assistants.c.icon_id).select_from(Assistant).where(*wanted)
        return {row.id: row.icon_id for row in await self._session.execute(statement)}

    async def unborne(self, icon_ids: Collection[UUID]) -> Sequence[Icon]:
        """Those of the pictures that nothing bears."""
        return (await self._session.scalars(select(Icon).where(icons.c.id.in_(set(icon_ids)), _unborne()))).all()

    async def unborne_of(self, user_id: UUID, *, beyond: int) -> Sequence[Icon]:
        """The pictures of a user that nothing bears, without the newest `beyond`."""
        statement = select(Icon).where(icons.c.user_id == user_id, _unborne())
        return (await self._session.scalars(statement.order_by(icons.c.id.desc()).offset(beyond).limit(100))).all()

    async def unborne_before(self, moment: datetime, limit: int) -> Sequence[Icon]:
        """Pictures that are older than this and that nothing bears."""
        statement = select(Icon).where(icons.c.created_at < moment, _unborne()).order_by(icons.c.id).limit(limit)
        return (await self._session.scalars(statement)).all()
