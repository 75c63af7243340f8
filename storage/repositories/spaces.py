"""Spaces of one tenant."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.assistants.entities import Assistant
from domain.knowledge.entities import Collection, Document
from domain.spaces.entities import Space, SpaceKind, SpaceMember
from domain.spaces.repository import SpaceCounts
from domain.users.entities import User
from storage.tables.assistants import assistants
from storage.tables.knowledge import collections, documents
from storage.tables.spaces import space_members, spaces
from storage.tables.users import users


class SpaceRepository:
    """See `domain.spaces.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def personal(self, user_id: UUID) -> Space | None:
        """The user's own space."""
        return (await self._session.scalars(select(Space).where(spaces.c.user_id == user_id))).first()

    async def organization(self) -> Space | None:
        """The space whose knowledge all spaces see."""
        statement = select(Space).where(spaces.c.kind == SpaceKind.ORGANIZATION)
        return (await self._session.scalars(statement)).first()

    async def of_member(self, user_id: UUID) -> Sequence[tuple[Space, str]]:
        """Shared spaces the user is a member of, with the role."""
        statement = (
            select(Space, SpaceMember)
            .join(SpaceMember, space_members.c.space_id == spaces.c.id)
            .where(space_members.c.user_id == user_id)
            .order_by(func.lower(spaces.c.name), spaces.c.id)
        )
        return [(space, member.role) for space, member in await self._session.execute(statement)]

    async def member(self, space_id: UUID, user_id: UUID) -> SpaceMember | None:
        """The membership of a user."""
        statement = select(SpaceMember).where(space_members.c.space_id == space_id, space_members.c.user_id == user_id)
        return (await self._session.scalars(statement)).first()

    async def members(self, space_id: UUID) -> Sequence[tuple[SpaceMember, User]]:
        """All members with their users."""
        statement = (
            select(SpaceMember, User)
            .join(User, users.c.id == space_members.c.user_id)
            .where(space_members.c.space_id == space_id)
            .order_by(users.c.email)
        )
        return [(member, user) for member, user in await self._session.execute(statement)]

    async def counts(self, space_ids: Sequence[UUID]) -> Mapping[UUID, SpaceCounts]:
        """What each space holds."""
        ids = list(set(space_ids))
        if not ids:
            return {}
        session = self._session

        async def grouped(statement: Select[UUID, int]) -> dict[UUID, int]:
            return dict((await session.execute(statement)).all())

        assistant_counts = await grouped(
            select(assistants.c.space_id, func.count())
            .select_from(Assistant)
            .where(assistants.c.space_id.in_(ids), assistants.c.is_default.is_(False))
            .group_by(assistants.c.space_id)
        )
        collection_counts = await grouped(
            select(collections.c.space_id, func.count())
            .select_from(Collection)
            .where(collections.c.space_id.in_(ids))
            .group_by(collections.c.space_id)
        )
        document_counts = await grouped(
            select(collections.c.space_id, func.count())
            .select_from(Document)
            .join(Collection, collections.c.id == documents.c.collection_id)
            .where(collections.c.space_id.in_(ids))
            .group_by(collections.c.space_id)
        )
        member_counts = await grouped(
            select(space_members.c.space_id, func.count())
            .select_from(SpaceMember)
            .where(space_members.c.space_id.in_(ids))
            .group_by(space_members.c.space_id)
        )
        return {
            i: SpaceCounts(
                assistant_counts.get(i, 0),
                collection_counts.get(i, 0),
                document_counts.get(i, 0),
                member_counts.get(i, 0),
            )
            for i in ids
        }
