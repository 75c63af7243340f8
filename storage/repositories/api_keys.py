"""API keys of one tenant."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.api_keys.entities import ApiKey, KeyKind, KeyPolicy
from domain.api_keys.repository import KeyBearer, KeyQuery, KeyRow
from domain.assistants.entities import Assistant
from domain.kernel.paging import Page
from domain.roles.entities import Role
from domain.tenants.entities import Tenant
from domain.users.entities import RoleAssignment, User
from storage.guard import standing
from storage.repositories.paging import decode, encode, escape_like
from storage.repositories.users import held_role
from storage.tables.api_keys import api_keys
from storage.tables.assistants import assistants
from storage.tables.base import Moment
from storage.tables.roles import roles
from storage.tables.tenants import tenants
from storage.tables.users import role_assignments, users

_BEARER = standing(
    select(ApiKey, User, Tenant, RoleAssignment, Role)
    .join(User, users.c.id == api_keys.c.user_id)
    .join(Tenant, tenants.c.id == api_keys.c.tenant_id)
    .outerjoin(RoleAssignment, role_assignments.c.user_id == users.c.id)
    .outerjoin(Role, roles.c.id == role_assignments.c.role_id)
    .where(api_keys.c.id == bindparam("id"))
)
_WORKS: tuple[ColumnElement[bool], ...] = (
    api_keys.c.kind != KeyKind.ASSISTANT,
    api_keys.c.revoked_at.is_(None),
    or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > bindparam("moment", type_=Moment)),
)
_NEWEST_TAIL = (
    select(api_keys.c.last_four)
    .select_from(ApiKey)
    .where(api_keys.c.user_id == users.c.id, *_WORKS)
    .order_by(api_keys.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_OWNER = standing(select(User, _NEWEST_TAIL).where(users.c.id == bindparam("user")))
_ROWS = (
    select(ApiKey, User, assistants.c.name)
    .select_from(ApiKey)
    .join(User, users.c.id == api_keys.c.user_id)
    .outerjoin(Assistant, assistants.c.id == api_keys.c.assistant_id)
)


def _fitting(query: KeyQuery) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if query.user_id is not None:
        wanted += [api_keys.c.user_id == query.user_id, api_keys.c.assistant_id.is_(None)]
    if query.assistant_id is not None:
        wanted.append(api_keys.c.assistant_id == query.assistant_id)
    if query.search.strip():
        pattern = f"%{escape_like(query.search.strip().lower())}%"
        columns = (api_keys.c.name, users.c.email, func.coalesce(users.c.username, ""))
        wanted.append(or_(*(func.lower(column).like(pattern, escape="\\") for column in columns)))
    return wanted


class ApiKeyRepository:
    """See `domain.api_keys.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def bearer(self, key_id: UUID) -> KeyBearer | None:
        """A key with its user, tenant and roles, in one statement."""
        rows = (await self._session.execute(_BEARER, {"id": key_id})).all()
        if not rows:
            return None
        key, user, tenant, _, _ = rows[0]
        held = [held_role(row[3], row[4]) for row in rows if row[3] is not None]
        return KeyBearer(key, user, tenant, [role for role in held if role is not None])

    async def page(self, query: KeyQuery, *, limit: int, cursor: str | None) -> Page[KeyRow]:
        """Keys that fit, newest first."""
        wanted = _fitting(query)
        counted = select(func.count()).select_from(ApiKey).join(User, users.c.id == api_keys.c.user_id).where(*wanted)
        total = await self._session.scalar(counted)
        after = decode(cursor, 1)
        if after is not None:
            wanted.append(api_keys.c.id < UUID(after[0]))
        statement = _ROWS.where(*wanted).order_by(api_keys.c.id.desc()).limit(limit + 1)
        rows = [KeyRow(*row) for row in await self._session.execute(statement)]
        next_cursor = encode(rows[limit - 1].key.id) if len(rows) > limit else None
        return Page(rows[:limit], next_cursor, total)

    async def row(self, key_id: UUID) -> KeyRow | None:
        """One key as in a list."""
        found = (await self._session.execute(_ROWS.where(api_keys.c.id == key_id))).first()
        return KeyRow(*found) if found else None

    async def standing(self, query: KeyQuery) -> Sequence[ApiKey]:
        """The keys of an owner that are not revoked, newest first."""
        wanted = (*_fitting(query), api_keys.c.revoked_at.is_(None))
        return (await self._session.scalars(select(ApiKey).where(*wanted).order_by(api_keys.c.id.desc()))).all()

    async def of_user(self, user_id: UUID) -> Sequence[ApiKey]:
        """The keys of a user that are not revoked, with those made for assistants."""
        wanted = (api_keys.c.user_id == user_id, api_keys.c.revoked_at.is_(None))
        return (await self._session.scalars(select(ApiKey).where(*wanted))).all()

    async def of_assistant(self, assistant_id: UUID) -> Sequence[ApiKey]:
        """All keys of an assistant."""
        return (await self._session.scalars(select(ApiKey).where(api_keys.c.assistant_id == assistant_id))).all()

    async def of_space(self, space_id: UUID) -> Sequence[ApiKey]:
        """All keys of the assistants of a space."""
        own = select(assistants.c.id).select_from(Assistant).where(assistants.c.space_id == space_id)
        return (await self._session.scalars(select(ApiKey).where(api_keys.c.assistant_id.in_(own)))).all()

    async def owner(self, user_id: UUID, moment: datetime) -> tuple[User, str | None] | None:
        """A user with the end of their newest own key that works."""
        found = (await self._session.execute(_OWNER, {"user": user_id, "moment": moment})).first()
        return (found[0], found[1]) if found else None

    async def counts(self, user_ids: Sequence[UUID], moment: datetime) -> dict[UUID, int]:
        """How many own keys of each user work."""
        statement = (
            select(api_keys.c.user_id, func.count())
            .select_from(ApiKey)
            .where(api_keys.c.user_id.in_(set(user_ids)), *_WORKS)
            .group_by(api_keys.c.user_id)
        )
        return dict((await self._session.execute(statement, {"moment": moment})).all())

    async def touch(self, key_id: UUID, moment: datetime) -> None:
        """Note that the key was used."""
        await self._set(key_id, {"last_used_at": moment})

    async def refused(self, key_id: UUID, moment: datetime, before: datetime) -> bool:
        """Note that the key was refused, unless one was noted since."""
        long_ago = or_(api_keys.c.last_refused_at.is_(None), api_keys.c.last_refused_at < before)
        return await self._set(key_id, {"last_refused_at": moment}, long_ago)

    async def _set(self, key_id: UUID, values: dict[str, Any], *wanted: ColumnElement[bool]) -> bool:
        statement = update(ApiKey).where(api_keys.c.id == key_id, *wanted).values(**values)
        done = await self._session.execute(statement, execution_options={"synchronize_session": False})
        return cast("CursorResult[object]", done).rowcount == 1

    async def policy(self) -> KeyPolicy | None:
        """The organisation's rules."""
        return (await self._session.scalars(select(KeyPolicy))).first()
