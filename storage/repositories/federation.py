"""Identity providers, pending sign-ins and identities of one tenant."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.federation.entities import Federation, Identity, PendingSignIn, ProviderSession
from domain.identity.entities import SignIn
from domain.kernel.entity import Owned
from domain.users.entities import PredefinedRole, RoleAssignment, User, UserState
from storage.tables.federation import identities, pending_sign_ins, provider_sessions
from storage.tables.identity import sign_ins
from storage.tables.users import role_assignments, users


class FederationRepository:
    """See `domain.federation.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def configured(self) -> Federation | None:
        """The organisation's provider; there is at most one."""
        return (await self._session.scalars(select(Federation))).first()

    async def take(self, state_hash: str, moment: datetime) -> PendingSignIn | None:
        """The pending sign-in as it was before; one statement marks it, so that only one of several takes it unused."""
        found = (
            await self._session.scalars(select(PendingSignIn).where(pending_sign_ins.c.state_hash == state_hash))
        ).first()
        if found is None or found.used_at is not None:
            return found
        mark = (
            update(PendingSignIn)
            .where(pending_sign_ins.c.id == found.id, pending_sign_ins.c.used_at.is_(None))
            .values(used_at=moment)
            .execution_options(synchronize_session=False)
        )
        done = cast("CursorResult[object]", await self._session.execute(mark))
        if done.rowcount != 1:
            await self._session.refresh(found)
        return found

    async def forget_expired(self, moment: datetime) -> None:
        """Delete pending sign-ins that nobody came back for."""
        await self._session.execute(delete(PendingSignIn).where(pending_sign_ins.c.expires_at < moment))

    async def identity(self, issuer: str, subject: str) -> Identity | None:
        """The link of a provider's person."""
        wanted = (identities.c.issuer == issuer, identities.c.subject == subject)
        return (await self._session.scalars(select(Identity).where(*wanted))).first()

    async def identities_of(self, user_id: UUID, issuer: str) -> Sequence[Identity]:
        """The persons of a provider that a user is linked with."""
        wanted = (identities.c.user_id == user_id, identities.c.issuer == issuer)
        return (await self._session.scalars(select(Identity).where(*wanted))).all()

    async def forget_identities(self) -> int:
        """Delete all links."""
        return cast("CursorResult[object]", await self._session.execute(delete(Identity))).rowcount

    async def provider_session(self, sign_in_id: UUID) -> ProviderSession | None:
        """What the provider knows of one of our sessions."""
        statement = select(ProviderSession).where(provider_sessions.c.sign_in_id == sign_in_id)
        return (await self._session.scalars(statement)).first()

    async def end_sessions(
        self, issuer: str, subject: str | None, provider_session: str | None, opened_before: datetime, moment: datetime
    ) -> Sequence[UUID]:
        """End sessions that a provider opened."""
        wanted = [
            identities.c.issuer == issuer, sign_ins.c.revoked_at.is_(None), sign_ins.c.created_at <= opened_before
        ]  # fmt: skip
        if subject is not None:
            wanted.append(identities.c.subject == subject)
        if provider_session is not None:
            wanted.append(provider_sessions.c.provider_session == provider_session)
        statement = (
            select(SignIn)
            .join(ProviderSession, provider_sessions.c.sign_in_id == sign_ins.c.id)
            .join(Identity, identities.c.id == provider_sessions.c.identity_id)
            .where(*wanted)
        )
        found = (await self._session.scalars(statement)).all()
        for sign_in in found:
            sign_in.revoked_at = moment
        return list({sign_in.user_id for sign_in in found})

    async def owners_linked_since(self, moment: datetime) -> int:
        """Active owners who have signed in through the provider at or after `moment`."""
        statement = (
            select(func.count())
            .select_from(RoleAssignment)
            .join(User, users.c.id == role_assignments.c.user_id)
            .join(Identity, identities.c.user_id == users.c.id)
            .where(
                role_assignments.c.role == PredefinedRole.OWNER,
                users.c.state == UserState.ACTIVE,
                identities.c.last_used_at >= moment,
            )
        )
        return await self._session.scalar(statement) or 0

    async def owners_with_password(self) -> int:
        """Active owners who have a password."""
        statement = (
            select(func.count())
            .select_from(RoleAssignment)
            .join(User, users.c.id == role_assignments.c.user_id)
            .where(
                role_assignments.c.role == PredefinedRole.OWNER,
                users.c.state == UserState.ACTIVE,
                users.c.password_hash.is_not(None),
            )
        )
        return await self._session.scalar(statement) or 0

    async def add_unless_taken(self, entity: Owned) -> bool:
        """Write a new entity inside a savepoint, so that losing a race does not lose the transaction."""
        try:
            async with self._session.begin_nested():
                self._session.add(entity)
        except IntegrityError:
            return False
        return True
