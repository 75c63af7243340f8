"""Sign-in sessions of one tenant."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit.entities import AuditEntry
from domain.identity.entities import AccountLink, AlertKind, SignIn, SignInAlert
from domain.identity.repository import Bearer
from domain.kernel.paging import Page
from domain.roles.entities import Role
from domain.tenants.entities import Tenant
from domain.users.entities import RoleAssignment, User
from storage.guard import standing
from storage.repositories.paging import decode, encode
from storage.repositories.users import held_role
from storage.tables.audit import audit_entries
from storage.tables.identity import account_links, sign_in_alerts, sign_ins
from storage.tables.roles import roles
from storage.tables.tenants import tenants
from storage.tables.users import role_assignments, users

_BEARER = standing(
    select(SignIn, User, Tenant, RoleAssignment, Role)
    .join(User, users.c.id == sign_ins.c.user_id)
    .join(Tenant, tenants.c.id == sign_ins.c.tenant_id)
    .outerjoin(RoleAssignment, role_assignments.c.user_id == users.c.id)
    .outerjoin(Role, roles.c.id == role_assignments.c.role_id)
    .where(sign_ins.c.id == bindparam("id"))
)


class SignInRepository:
    """See `domain.identity.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def bearer(self, sign_in_id: UUID) -> Bearer | None:
        """A session with its user, tenant and roles, in one statement."""
        rows = (await self._session.execute(_BEARER, {"id": sign_in_id})).all()
        if not rows:
            return None
        sign_in, user, tenant, _, _ = rows[0]
        held = [held_role(row[3], row[4]) for row in rows if row[3] is not None]
        return Bearer(sign_in, user, tenant, [role for role in held if role is not None])

    async def of_user(self, user_id: UUID) -> Sequence[SignIn]:
        """The sessions of a user that were not revoked, latest used first."""
        statement = (
            select(SignIn)
            .where(sign_ins.c.user_id == user_id, sign_ins.c.revoked_at.is_(None))
            .order_by(sign_ins.c.last_seen_at.desc())
            .limit(200)
        )
        return (await self._session.scalars(statement)).all()

    async def revoke_all(self, user_id: UUID, moment: datetime, *, keep: UUID | None = None) -> int:
        """End every session of a user except `keep`."""
        wanted = [sign_ins.c.user_id == user_id, sign_ins.c.revoked_at.is_(None)]
        if keep is not None:
            wanted.append(sign_ins.c.id != keep)
        done = await self._session.execute(update(SignIn).where(*wanted).values(revoked_at=moment))
        return cast("CursorResult[object]", done).rowcount

    async def touch(self, sign_in_id: UUID, moment: datetime) -> None:
        """Note that the session was used."""
        await self._session.execute(update(SignIn).where(sign_ins.c.id == sign_in_id).values(last_seen_at=moment))

    async def link_of(self, user_id: UUID) -> AccountLink | None:
        """The user's present link."""
        return (await self._session.scalars(select(AccountLink).where(account_links.c.user_id == user_id))).first()

    async def drop_links(self, user_id: UUID) -> None:
        """Delete the links of a user."""
        await self._session.execute(delete(AccountLink).where(account_links.c.user_id == user_id))

    async def since(self, user_id: UUID, moment: datetime) -> Sequence[SignIn]:
        """The sessions of a user that began after `moment`, ended or not."""
        wanted = (sign_ins.c.user_id == user_id, sign_ins.c.created_at > moment)
        statement = select(SignIn).where(*wanted).order_by(sign_ins.c.id.desc()).limit(200)
        return (await self._session.scalars(statement)).all()

    async def accounts_tried(self, ip: str, moment: datetime) -> int:
        """How many accounts a network address has failed to sign in to since `moment`, as the audit log has it."""
        statement = (
            select(func.count(func.distinct(audit_entries.c.entity_id)))
            .select_from(AuditEntry)
            .where(
                audit_entries.c.created_at > moment,
                audit_entries.c.action == "sign_in",
                audit_entries.c.outcome == "failure",
                audit_entries.c.ip == ip,
            )
        )
        return await self._session.scalar(statement) or 0

    async def open_alert(
        self, kind: AlertKind, user_id: UUID | None, ip: str | None, moment: datetime
    ) -> SignInAlert | None:
        """The alert about the same thing that nobody has looked at."""
        about = sign_in_alerts.c.user_id == user_id if user_id else sign_in_alerts.c.ip == ip
        wanted = (
            sign_in_alerts.c.kind == kind,
            about,
            sign_in_alerts.c.seen_at.is_(None),
            sign_in_alerts.c.last_at > moment,
        )
        return (await self._session.scalars(select(SignInAlert).where(*wanted).limit(1))).first()

    async def alerts(self, *, unseen: bool, limit: int, cursor: str | None) -> Page[SignInAlert]:
        """Alerts, newest first."""
        waiting = sign_in_alerts.c.seen_at.is_(None)
        total = await self._session.scalar(select(func.count()).select_from(SignInAlert).where(waiting))
        wanted: list[ColumnElement[bool]] = [waiting] if unseen else []
        after = decode(cursor, 1)
        if after is not None:
            wanted.append(sign_in_alerts.c.id < UUID(after[0]))
        statement = select(SignInAlert).where(*wanted).order_by(sign_in_alerts.c.id.desc()).limit(limit + 1)
        found = (await self._session.scalars(statement)).all()
        shown = found[:limit]
        return Page(shown, encode(shown[-1].id) if len(found) > limit else None, total)

    async def take_link(self, link_id: UUID) -> bool:
        """Delete a link; whether it was there."""
        options = {"synchronize_session": False}
        statement = delete(AccountLink).where(account_links.c.id == link_id)
        done = await self._session.execute(statement, execution_options=options)
        return cast("CursorResult[object]", done).rowcount == 1
