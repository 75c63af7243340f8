"""Spaces of one tenant."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import CompoundSelect, Select, func, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from domain.assistants.entities import Assistant
from domain.kernel.access import highest
from domain.knowledge.entities import Collection, Document
from domain.spaces.entities import Space, SpaceGroup, SpaceKind, SpaceMember
from domain.spaces.repository import SpaceCounts
from domain.user_groups.entities import UserGroup, UserGroupMember
from domain.users.entities import User
from storage.tables.assistants import assistants
from storage.tables.knowledge import collections, documents
from storage.tables.spaces import space_groups, space_members, spaces
from storage.tables.user_groups import user_group_members, user_groups
from storage.tables.users import users


def _roles_of(user_id: UUID, space_id: UUID | None = None) -> CompoundSelect[UUID, str]:
    """Spaces and roles of a user: as a member and through groups."""
    alone = (
        select(space_members.c.space_id, space_members.c.role)
        .select_from(SpaceMember)
        .where(space_members.c.user_id == user_id)
    )
    through = (
        select(space_groups.c.space_id, space_groups.c.role)
        .select_from(SpaceGroup)
        .join(UserGroupMember, user_group_members.c.group_id == space_groups.c.group_id)
        .where(user_group_members.c.user_id == user_id)
    )
    if space_id is not None:
        alone = alone.where(space_members.c.space_id == space_id)
        through = through.where(space_groups.c.space_id == space_id)
    return union(alone, through)


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
        roles: dict[UUID, list[str]] = defaultdict(list)
        for space_id, role in await self._session.execute(_roles_of(user_id)):
            roles[space_id].append(role)
        statement = select(Space).where(spaces.c.id.in_(roles)).order_by(func.lower(spaces.c.name), spaces.c.id)
        found = await self._session.scalars(statement) if roles else ()
        return [(space, str(highest(roles[space.id]))) for space in found]

    async def roles_in(self, space_id: UUID, user_id: UUID) -> Sequence[str]:
        """The roles that a user has in a space, as a member and through groups."""
        return [role for _, role in await self._session.execute(_roles_of(user_id, space_id))]

    async def member(self, space_id: UUID, user_id: UUID) -> SpaceMember | None:
        """The membership of a user."""
        statement = select(SpaceMember).where(space_members.c.space_id == space_id, space_members.c.user_id == user_id)
        return (await self._session.scalars(statement)).first()

    async def members(self, space_id: UUID) -> Sequence[tuple[SpaceMember, User]]:
        """All members with their users."""
        statement = (
            select(SpaceMember, User)
            .join(User, users.c.id == space_members.c.user_id)
            .where(space_members.c.space_id == space_id, users.c.deleted_at.is_(None))
            .order_by(users.c.email)
        )
        return [(member, user) for member, user in await self._session.execute(statement)]

    async def people(self, space_id: UUID) -> Sequence[UUID]:
        """Everybody who is a member, alone or through a group."""
        alone = select(space_members.c.user_id).select_from(SpaceMember).where(space_members.c.space_id == space_id)
        through = (
            select(user_group_members.c.user_id)
            .select_from(UserGroupMember)
            .join(SpaceGroup, space_groups.c.group_id == user_group_members.c.group_id)
            .where(space_groups.c.space_id == space_id)
        )
        return [*{*await self._session.scalars(alone), *await self._session.scalars(through)}]

    async def groups(self, space_id: UUID) -> Sequence[tuple[SpaceGroup, UserGroup]]:
        """The groups that are members."""
        statement = (
            select(SpaceGroup, UserGroup)
            .join(UserGroup, user_groups.c.id == space_groups.c.group_id)
            .where(space_groups.c.space_id == space_id)
            .order_by(func.lower(user_groups.c.name))
        )
        return [(member, group) for member, group in await self._session.execute(statement)]

    async def group(self, space_id: UUID, group_id: UUID) -> SpaceGroup | None:
        """The membership of a group."""
        statement = select(SpaceGroup).where(space_groups.c.space_id == space_id, space_groups.c.group_id == group_id)
        return (await self._session.scalars(statement)).first()

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
            .join(User, users.c.id == space_members.c.user_id)
            .where(space_members.c.space_id.in_(ids), users.c.deleted_at.is_(None))
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
