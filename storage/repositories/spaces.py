"""Spaces of one tenant."""

from collections import defaultdict
from collections.abc import Collection as Ids
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from domain.assistants.entities import Assistant
from domain.kernel.access import Role, highest
from domain.kernel.paging import Page
from domain.knowledge.entities import Collection, Document, DocumentVersion
from domain.knowledge.repository import Amount
from domain.spaces.entities import Space, SpaceGroup, SpaceKind, SpaceMember
from domain.spaces.repository import SpaceCounts
from domain.user_groups.entities import UserGroup, UserGroupMember
from domain.users.entities import User
from storage.guard import standing
from storage.repositories.amounts import AMOUNT, amount, most_first
from storage.repositories.paging import decode, encode, identifier
from storage.tables.assistants import assistants
from storage.tables.knowledge import collections, document_versions, documents
from storage.tables.spaces import space_groups, space_members, spaces
from storage.tables.user_groups import user_group_members, user_groups
from storage.tables.users import users

_ALONE = (
    select(space_members.c.space_id, space_members.c.role)
    .select_from(SpaceMember)
    .where(space_members.c.user_id == bindparam("user"))
)
_THROUGH = (
    select(space_groups.c.space_id, space_groups.c.role)
    .select_from(SpaceGroup)
    .join(UserGroupMember, user_group_members.c.group_id == space_groups.c.group_id)
    .where(user_group_members.c.user_id == bindparam("user"))
)
# Spaces and roles of a user, as a member and through groups: in all spaces, and in one.
_ROLES = standing(union(_ALONE, _THROUGH))
_ROLES_IN = standing(
    union(
        _ALONE.where(space_members.c.space_id == bindparam("space")),
        _THROUGH.where(space_groups.c.space_id == bindparam("space")),
    )
)


def _stored(*columns: Any) -> Select[Any]:
    """Versions of documents with the collections they are in."""
    return (
        select(*columns)
        .select_from(DocumentVersion)
        .join(Document, documents.c.id == document_versions.c.document_id)
        .join(Collection, collections.c.id == documents.c.collection_id)
    )


class SpaceRepository:
    """See `domain.spaces.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def personal(self, user_id: UUID) -> Space | None:
        """The user's own space."""
        return (await self._session.scalars(select(Space).where(spaces.c.user_id == user_id))).first()

    async def many(self, space_ids: Ids[UUID]) -> Mapping[UUID, Space]:
        """The spaces with these ids; without ids nothing is asked."""
        if not space_ids:
            return {}
        found = await self._session.scalars(select(Space).where(spaces.c.id.in_(set(space_ids))))
        return {space.id: space for space in found}

    async def organization(self) -> Space | None:
        """The space whose knowledge all spaces see."""
        statement = select(Space).where(spaces.c.kind == SpaceKind.ORGANIZATION)
        return (await self._session.scalars(statement)).first()

    async def of_member(self, user_id: UUID) -> Sequence[tuple[Space, str]]:
        """Shared spaces the user is a member of, with the role."""
        roles: dict[UUID, list[str]] = defaultdict(list)
        for space_id, role in await self._session.execute(_ROLES, {"user": user_id}):
            roles[space_id].append(role)
        statement = select(Space).where(spaces.c.id.in_(roles)).order_by(func.lower(spaces.c.name), spaces.c.id)
        found = await self._session.scalars(statement) if roles else ()
        return [(space, str(highest(roles[space.id]))) for space in found]

    async def roles_in(self, space_id: UUID, user_id: UUID) -> Sequence[str]:
        """The roles that a user has in a space, as a member and through groups."""
        return [role for _, role in await self._session.execute(_ROLES_IN, {"user": user_id, "space": space_id})]

    async def member(self, space_id: UUID, user_id: UUID) -> SpaceMember | None:
        """The membership of a user."""
        statement = select(SpaceMember).where(space_members.c.space_id == space_id, space_members.c.user_id == user_id)
        return (await self._session.scalars(statement)).first()

    async def administered_alone(self, user_id: UUID) -> Sequence[Space]:
        """Shared spaces that no other living user administers, and no group."""
        administered = (
            select(space_members.c.space_id).select_from(SpaceMember).where(space_members.c.role == str(Role.ADMIN))
        )
        others = administered.join(User, users.c.id == space_members.c.user_id).where(
            space_members.c.user_id != user_id, users.c.deleted_at.is_(None)
        )
        groups = select(space_groups.c.space_id).select_from(SpaceGroup).where(space_groups.c.role == str(Role.ADMIN))
        statement = (
            select(Space)
            .where(
                spaces.c.id.in_(administered.where(space_members.c.user_id == user_id)),
                spaces.c.id.not_in(others),
                spaces.c.id.not_in(groups),
            )
            .order_by(spaces.c.id)
        )
        return (await self._session.scalars(statement)).all()

    async def members(self, space_id: UUID) -> Sequence[tuple[SpaceMember, User]]:
        """All members with their users."""
        statement = (
            select(SpaceMember, User)
            .join(User, users.c.id == space_members.c.user_id)
            .where(space_members.c.space_id == space_id, users.c.deleted_at.is_(None))
            .order_by(users.c.email)
        )
        return [(member, user) for member, user in await self._session.execute(statement)]

    async def members_of(self, space_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[tuple[SpaceMember, User]]]:
        """The members of each space with their living users, in order of address."""
        found: dict[UUID, list[tuple[SpaceMember, User]]] = defaultdict(list)
        statement = (
            select(SpaceMember, User)
            .join(User, users.c.id == space_members.c.user_id)
            .where(space_members.c.space_id.in_(space_ids), users.c.deleted_at.is_(None))
            .order_by(users.c.email)
        )
        for member, user in await self._session.execute(statement):
            found[member.space_id].append((member, user))
        return found

    async def shared(self, *, limit: int, cursor: str | None, largest: bool = False) -> Page[Space]:
        """All spaces that are not personal, in order of name, or those with most bytes of documents first."""
        if largest:
            return await self._largest(limit, cursor)
        name, after, wanted = func.lower(spaces.c.name), decode(cursor, 2), [spaces.c.kind != SpaceKind.PERSONAL]
        total = await self._session.scalar(select(func.count()).select_from(Space).where(*wanted))
        if after is not None:
            last = identifier(after[1])
            wanted.append(or_(name > after[0], and_(name == after[0], spaces.c.id > last)))
        statement = select(Space, name).where(*wanted).order_by(name, spaces.c.id).limit(limit + 1)
        rows = (await self._session.execute(statement)).all()
        more = encode(rows[limit - 1][1], rows[limit - 1][0].id) if len(rows) > limit else None
        return Page([row[0] for row in rows[:limit]], more, total)

    async def _largest(self, limit: int, cursor: str | None) -> Page[Space]:
        bytes_, wanted = func.coalesce(func.sum(document_versions.c.size), 0), spaces.c.kind != SpaceKind.PERSONAL
        total = await self._session.scalar(select(func.count()).select_from(Space).where(wanted))
        statement = (
            select(Space, bytes_)
            .outerjoin(Collection, collections.c.space_id == spaces.c.id)
            .outerjoin(Document, documents.c.collection_id == collections.c.id)
            .outerjoin(DocumentVersion, document_versions.c.document_id == documents.c.id)
            .where(wanted)
            .group_by(spaces.c.id)
        )
        rows, more = await most_first(self._session, statement, bytes_, spaces.c.id, limit, cursor)
        return Page([row[0] for row in rows], more, total)

    async def amounts(self, space_ids: Sequence[UUID]) -> Mapping[UUID, Amount]:
        """What each of the spaces stores."""
        inside = _stored(collections.c.space_id, *AMOUNT).where(collections.c.space_id.in_(space_ids))
        rows = await self._session.execute(inside.group_by(collections.c.space_id))
        return {space_id: amount(*values) for space_id, *values in rows}

    async def bytes_in(self, space_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Bytes of documents in each space."""
        inside = _stored(collections.c.space_id, func.sum(document_versions.c.size))
        statement = inside.where(collections.c.space_id.in_(space_ids)).group_by(collections.c.space_id)
        return {space_id: int(size) for space_id, size in await self._session.execute(statement)}

    async def bytes_in_personal(self) -> int:
        """Bytes of documents in all personal spaces together."""
        inside = _stored(func.sum(document_versions.c.size)).join(Space, spaces.c.id == collections.c.space_id)
        return int(await self._session.scalar(inside.where(spaces.c.kind == SpaceKind.PERSONAL)) or 0)

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
