"""Users of one tenant."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.kernel.paging import Page
from domain.users.entities import RoleAssignment, User, UserState
from storage.guard import standing
from storage.repositories.paging import decode, encode, escape_like
from storage.tables.users import role_assignments, users

_ROLES = standing(
    select(RoleAssignment)
    .where(role_assignments.c.user_id.in_(bindparam("ids", expanding=True)))
    .order_by(role_assignments.c.role)
)


class UserRepository:
    """See `domain.users.repository`."""

    def __init__(self, session: AsyncSession, tenant_id: UUID) -> None:
        self._session, self._tenant_id = session, tenant_id

    async def by_email(self, email: str) -> User | None:
        """The living user with this address, whatever its case."""
        statement = select(User).where(users.c.email == email.strip().lower(), users.c.deleted_at.is_(None))
        return (await self._session.scalars(statement)).first()

    async def many(self, ids: Sequence[UUID]) -> Mapping[UUID, User]:
        """Users by id."""
        if not ids:
            return {}
        found = await self._session.scalars(select(User).where(users.c.id.in_(set(ids))))
        return {user.id: user for user in found}

    async def page(self, *, search: str, states: Sequence[str], limit: int, cursor: str | None) -> Page[User]:
        """Users in order of address."""
        wanted: list[ColumnElement[bool]] = [users.c.state.in_(states)]
        if search:
            pattern = f"%{escape_like(search.lower())}%"
            wanted.append(
                or_(
                    users.c.email.like(pattern, escape="\\"),
                    func.lower(users.c.username).like(pattern, escape="\\"),
                )
            )
        total = await self._session.scalar(select(func.count()).select_from(User).where(*wanted))
        after = decode(cursor, 2)
        if after is not None:
            email, last = after[0], UUID(after[1])
            wanted.append(or_(users.c.email > email, and_(users.c.email == email, users.c.id > last)))
        statement = select(User).where(*wanted).order_by(users.c.email, users.c.id).limit(limit + 1)
        rows = list(await self._session.scalars(statement))
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(rows, encode(rows[-1].email, rows[-1].id) if more else None, total)

    async def roles(self, user_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[str]]:
        """The predefined roles of each user."""
        found: dict[UUID, list[str]] = defaultdict(list)
        if user_ids:
            for assignment in await self._session.scalars(_ROLES, {"ids": list(set(user_ids))}):
                found[assignment.user_id].append(assignment.role)
        return found

    async def set_roles(self, user_id: UUID, roles: Sequence[str]) -> None:
        """Replace the roles of a user."""
        await self._session.execute(delete(RoleAssignment).where(role_assignments.c.user_id == user_id))
        for role in dict.fromkeys(roles):
            self._session.add(RoleAssignment(tenant_id=self._tenant_id, user_id=user_id, role=role))
        await self._session.flush()

    async def count_with_role(self, role: str) -> int:
        """How many active users hold `role`."""
        statement = (
            select(func.count())
            .select_from(RoleAssignment)
            .join(User, users.c.id == role_assignments.c.user_id)
            .where(role_assignments.c.role == role, users.c.state == UserState.ACTIVE)
        )
        return await self._session.scalar(statement) or 0
