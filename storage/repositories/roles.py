"""Roles of one tenant."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.roles.entities import Role
from domain.users.entities import RoleAssignment, User, UserKind
from storage.tables.roles import roles
from storage.tables.users import role_assignments, users


class RoleRepository:
    """See `domain.roles.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self) -> Sequence[Role]:
        """All roles of the tenant's own, in order of name."""
        return (await self._session.scalars(select(Role).order_by(func.lower(roles.c.name), roles.c.id))).all()

    async def holders(self) -> Mapping[str, int]:
        """How many living users hold each role."""
        statement = (
            select(role_assignments.c.role, func.count())
            .select_from(RoleAssignment)
            .join(User, users.c.id == role_assignments.c.user_id)
            .where(users.c.deleted_at.is_(None), users.c.kind == UserKind.PERSON)
            .group_by(role_assignments.c.role)
        )
        return dict((await self._session.execute(statement)).all())
