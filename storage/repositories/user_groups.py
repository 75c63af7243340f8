"""User groups of one tenant."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.kernel.paging import Page
from domain.spaces.entities import SpaceGroup
from domain.user_groups.entities import UserGroup, UserGroupMember
from domain.users.entities import User
from storage.guard import standing
from storage.repositories.paging import decode, encode, escape_like
from storage.tables.spaces import space_groups
from storage.tables.user_groups import user_group_members, user_groups
from storage.tables.users import users

_OF_USERS = standing(
    select(UserGroupMember, UserGroup)
    .join(UserGroup, user_groups.c.id == user_group_members.c.group_id)
    .where(user_group_members.c.user_id.in_(bindparam("ids", expanding=True)))
    .order_by(func.lower(user_groups.c.name))
)


class UserGroupRepository:
    """See `domain.user_groups.repository`."""

    def __init__(self, session: AsyncSession, tenant_id: UUID) -> None:
        self._session, self._tenant_id = session, tenant_id

    async def page(self, *, search: str, limit: int, cursor: str | None) -> Page[UserGroup]:
        """Groups in order of name."""
        name = func.lower(user_groups.c.name)
        wanted: list[ColumnElement[bool]] = []
        if search:
            wanted.append(name.like(f"%{escape_like(search.lower())}%", escape="\\"))
        total = await self._session.scalar(select(func.count()).select_from(UserGroup).where(*wanted))
        after = decode(cursor, 2)
        if after is not None:
            wanted.append(or_(name > after[0], and_(name == after[0], user_groups.c.id > UUID(after[1]))))
        statement = select(UserGroup, name).where(*wanted).order_by(name, user_groups.c.id).limit(limit + 1)
        rows = (await self._session.execute(statement)).all()
        shown = rows[:limit]
        more = encode(shown[-1][1], shown[-1][0].id) if len(rows) > limit else None
        return Page([row[0] for row in shown], more, total)

    async def named(self, name: str) -> UserGroup | None:
        """The group with this name, whatever its case."""
        found = await self._session.scalars(select(UserGroup).where(func.lower(user_groups.c.name) == name.lower()))
        return found.first()

    async def members(self, group_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[User]]:
        """The living members of each group."""
        found: dict[UUID, list[User]] = defaultdict(list)
        if group_ids:
            statement = (
                select(UserGroupMember, User)
                .join(User, users.c.id == user_group_members.c.user_id)
                .where(user_group_members.c.group_id.in_(set(group_ids)), users.c.deleted_at.is_(None))
                .order_by(users.c.email)
            )
            for member, user in await self._session.execute(statement):
                found[member.group_id].append(user)
        return found

    async def member_ids(self, group_id: UUID) -> Sequence[UUID]:
        """The ids of all members."""
        statement = (
            select(user_group_members.c.user_id)
            .select_from(UserGroupMember)
            .where(user_group_members.c.group_id == group_id)
        )
        return (await self._session.scalars(statement)).all()

    async def counts(self, group_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """How many living members each group has."""
        if not group_ids:
            return {}
        statement = (
            select(user_group_members.c.group_id, func.count())
            .select_from(UserGroupMember)
            .join(User, users.c.id == user_group_members.c.user_id)
            .where(user_group_members.c.group_id.in_(set(group_ids)), users.c.deleted_at.is_(None))
            .group_by(user_group_members.c.group_id)
        )
        return dict((await self._session.execute(statement)).all())

    async def of_users(self, user_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[UserGroup]]:
        """The groups of each user."""
        found: dict[UUID, list[UserGroup]] = defaultdict(list)
        if user_ids:
            for member, group in await self._session.execute(_OF_USERS, {"ids": list(set(user_ids))}):
                found[member.user_id].append(group)
        return found

    async def put(self, group_id: UUID, user_ids: Sequence[UUID]) -> None:
        """Make users members."""
        for user_id in user_ids:
            self._session.add(UserGroupMember(tenant_id=self._tenant_id, group_id=group_id, user_id=user_id))
        await self._session.flush()

    async def drop(self, group_id: UUID, user_ids: Sequence[UUID]) -> None:
        """End memberships."""
        wanted = (user_group_members.c.group_id == group_id, user_group_members.c.user_id.in_(set(user_ids)))
        await self._session.execute(delete(UserGroupMember).where(*wanted))

    async def in_spaces(self, group_id: UUID) -> int:
        """How many spaces the group is a member of."""
        statement = select(func.count()).select_from(SpaceGroup).where(space_groups.c.group_id == group_id)
        return await self._session.scalar(statement) or 0
