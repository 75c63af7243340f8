"""Users of one tenant."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, and_, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.kernel.actor import Permission
from domain.kernel.errors import N_, Invalid
from domain.kernel.paging import Page
from domain.roles.entities import PREDEFINED, HeldRole, Role, held
from domain.tenants.entities import Tenant
from domain.users.entities import RoleAssignment, User, UserKind, UserState
from domain.users.repository import UserQuery
from storage.guard import standing
from storage.repositories.paging import decode, encode, escape_like
from storage.tables.roles import roles
from storage.tables.users import role_assignments, users

_ROLES = standing(
    select(RoleAssignment, Role)
    .outerjoin(Role, roles.c.id == role_assignments.c.role_id)
    .where(role_assignments.c.user_id.in_(bindparam("ids", expanding=True)))
    .order_by(role_assignments.c.role_id.isnot(None), func.lower(roles.c.name), role_assignments.c.role)
)
FORGOTTEN = "@deleted.invalid"
"""The host of the addresses that stand in the place of forgotten ones."""
_PEOPLE = users.c.kind == UserKind.PERSON
_NAME = func.lower(func.coalesce(users.c.username, ""))
# Ids are in order of time: a user's own tells when they were added.
_SORTS: dict[str, ColumnElement[Any]] = {"email": users.c.email, "username": _NAME, "created_at": users.c.id}


def held_role(assignment: RoleAssignment, role: Role | None) -> HeldRole | None:
    """The role that an assignment gives."""
    return held(role) if role is not None else PREDEFINED.get(assignment.role)


def _contains(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    return column.like(f"%{escape_like(text.strip().lower())}%", escape="\\")


def _fitting(query: UserQuery) -> list[ColumnElement[bool]]:
    """What users must fulfil besides their state."""
    wanted: list[ColumnElement[bool]] = [] if query.kind is None else [users.c.kind == query.kind]
    if query.search.strip():
        wanted.append(or_(_contains(users.c.email, query.search), _contains(_NAME, query.search)))
    if query.email.strip():
        wanted.append(_contains(users.c.email, query.email))
    if query.username.strip():
        wanted.append(_contains(_NAME, query.username))
    if query.role:
        has = (role_assignments.c.user_id == users.c.id, role_assignments.c.role == query.role)
        wanted.append(exists(select(role_assignments.c.id).select_from(RoleAssignment).where(*has)))
    return wanted


class UserRepository:
    """See `domain.users.repository`."""

    def __init__(self, session: AsyncSession, tenant_id: UUID) -> None:
        self._session, self._tenant_id = session, tenant_id

    async def by_email(self, email: str) -> User | None:
        """The living user with this address, whatever its case."""
        living = (users.c.email == email.strip().lower(), users.c.deleted_at.is_(None), _PEOPLE)
        statement = select(User).where(*living)
        return (await self._session.scalars(statement)).first()

    async def by_username(self, username: str) -> Sequence[User]:
        """The living users with this name: at most two of them."""
        statement = select(User).where(users.c.username == username, users.c.deleted_at.is_(None), _PEOPLE).limit(2)
        return (await self._session.scalars(statement)).all()

    async def many(self, ids: Sequence[UUID]) -> Mapping[UUID, User]:
        """Users by id."""
        if not ids:
            return {}
        found = await self._session.scalars(select(User).where(users.c.id.in_(set(ids))))
        return {user.id: user for user in found}

    async def page(self, query: UserQuery, *, limit: int, cursor: str | None = None, offset: int = 0) -> Page[User]:
        """Users that fit, in the wanted order."""
        wanted = [users.c.state.in_(query.states), *_fitting(query)]
        total = await self._session.scalar(select(func.count()).select_from(User).where(*wanted))
        key = _SORTS[query.sort]
        after = decode(cursor, 2)
        if after is not None:
            wanted.append(_beyond(key, query, after))
        order = [each.desc() if query.descending else each.asc() for each in dict.fromkeys((key, users.c.id))]
        statement = select(User, key).where(*wanted).order_by(*order).limit(limit + 1).offset(offset)
        rows = (await self._session.execute(statement)).all()
        shown = rows[:limit]
        more = encode(shown[-1][1], shown[-1][0].id) if len(rows) > limit else None
        return Page([row[0] for row in shown], more, total)

    async def counts(self, query: UserQuery) -> Mapping[str, int]:
        """How many users that fit are in each state."""
        statement = (
            select(users.c.state, func.count()).select_from(User).where(*_fitting(query)).group_by(users.c.state)
        )
        return dict((await self._session.execute(statement)).all())

    async def roles(self, user_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[HeldRole]]:
        """The roles of each user, predefined ones first."""
        found: dict[UUID, list[HeldRole]] = defaultdict(list)
        if user_ids:
            for assignment, role in await self._session.execute(_ROLES, {"ids": list(set(user_ids))}):
                given = held_role(assignment, role)
                if given is not None:
                    found[assignment.user_id].append(given)
        return found

    async def set_roles(self, user_id: UUID, roles: Sequence[HeldRole]) -> None:
        """Replace the roles of a user."""
        await self._session.execute(delete(RoleAssignment).where(role_assignments.c.user_id == user_id))
        for role in {each.key: each for each in roles}.values():
            own = None if role.predefined else role.id
            self._session.add(RoleAssignment(tenant_id=self._tenant_id, user_id=user_id, role=role.key, role_id=own))
        await self._session.flush()

    async def _administrator_roles(self) -> list[str]:
        own = [held(role) for role in await self._session.scalars(select(Role))]
        return [r.key for r in (*PREDEFINED.values(), *own) if Permission.ADMIN in r.permissions]

    async def count_administrators(self) -> int:
        """How many active users hold a role that may administer."""
        statement = (
            select(func.count(users.c.id.distinct()))
            .select_from(RoleAssignment)
            .join(User, users.c.id == role_assignments.c.user_id)
            .where(
                role_assignments.c.role.in_(await self._administrator_roles()),
                users.c.state == UserState.ACTIVE,
                users.c.kind == UserKind.PERSON,
            )
        )
        return await self._session.scalar(statement) or 0

    async def administrators(self) -> Sequence[User]:
        """The active users who hold a role that may administer; at most 200."""
        holders = (
            select(role_assignments.c.user_id)
            .select_from(RoleAssignment)
            .where(role_assignments.c.role.in_(await self._administrator_roles()))
        )
        statement = select(User).where(users.c.id.in_(holders), users.c.state == UserState.ACTIVE, _PEOPLE).limit(200)
        return (await self._session.scalars(statement)).all()

    async def take_turns(self) -> None:
        """Lock the tenant's row against others who do the same; SQLite has one writer anyway."""
        await self._session.execute(select(Tenant).with_for_update(key_share=True))

    async def forget(self, deleted_before: datetime) -> int:
        """Take the personal data from the rows of users deleted before."""
        past = (users.c.deleted_at < deleted_before, users.c.email.not_like(f"%{FORGOTTEN}"))
        blank: dict[str, Any] = {"username": None, "password_hash": None, "preferences": {}, "last_sign_in_at": None}
        count = 0
        for user in await self._session.scalars(select(User).where(*past).limit(500)):
            values = {**blank, "email": f"{user.id.hex}{FORGOTTEN}"}
            statement = update(User).where(users.c.id == user.id).values(**values)
            done = await self._session.execute(statement, execution_options={"synchronize_session": False})
            count += cast("CursorResult[object]", done).rowcount
        return count


def _beyond(key: ColumnElement[Any], query: UserQuery, after: Sequence[str]) -> ColumnElement[bool]:
    try:
        last = UUID(after[1])
    except ValueError:
        raise Invalid(N_("The list cannot be continued from here. Load it again."), field="cursor") from None
    own: ColumnElement[bool] = users.c.id < last if query.descending else users.c.id > last
    if query.sort == "created_at":
        return own
    further = key < after[0] if query.descending else key > after[0]
    return or_(further, and_(key == after[0], own))
