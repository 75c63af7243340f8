"""Signing in, staying signed in, and ending it."""

import hashlib
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from domain.identity.alerts import SignInWatch
from domain.identity.entities import SignIn, SignInAlert
from domain.identity.passwords import PasswordPolicy
from domain.kernel.actor import Actor, Origin
from domain.kernel.clock import now
from domain.kernel.errors import (
    N_,
    Failure,
    Forbidden,
    Invalid,
    NotFound,
    TenantSuspended,
    TooManyRequests,
    Unauthenticated,
    UserInactive,
)
from domain.kernel.events import Change, Signal
from domain.kernel.ids import new_id
from domain.ports import Directory, LoginMatch, Mailer, Passwords
from domain.roles.entities import HeldRole, granted
from domain.tenants.entities import Tenant
from domain.transaction import Transaction, UnitOfWork
from domain.users.entities import User, UserKind, UserState

log = logging.getLogger(__name__)
TOUCH_EVERY = timedelta(minutes=1)
THROTTLE_WINDOW, THROTTLE_BLOCK = 900, 300
ACCOUNT_THRESHOLD, ADDRESS_THRESHOLD = 8, 40
NO_PASSWORDS = N_("Your organisation signs in with {provider}. A password does not work here.")


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How long sign-ins live, in seconds; `federated` says that organisations may have identity providers of their own."""

    idle: int = 8 * 3600
    absolute: int = 30 * 24 * 3600
    api: int = 24 * 3600
    federated: bool = False


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The outcome of a sign-in; `token` is the browser's secret, shown this once."""

    actor: Actor
    sign_in: SignIn
    token: str
    alert: SignInAlert | None = None


def hash_token(token: str) -> str:
    """SHA-256 of a random token; such tokens need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def actor_of(user: User, roles: Sequence[HeldRole], sign_in: SignIn | None, origin: Origin) -> Actor:
    """The actor a user is, with the permissions of all roles."""
    return Actor(
        tenant_id=user.tenant_id,
        user_id=user.id,
        permissions=granted(roles),
        session_id=sign_in.id if sign_in else None,
        email=user.email,
        name=user.display_name,
        language=user.language,
        origin=origin,
    )


def check_alive(tenant: Tenant, user: User) -> None:
    """Raise unless the account and its organisation may work."""
    if user.state == UserState.DELETED:
        raise Unauthenticated
    tenant.require_active()
    if user.state == UserState.INACTIVE:
        raise UserInactive


class IdentityService:
    """Use cases of signing in."""

    def __init__(
        self,
        uow: UnitOfWork,
        directory: Directory,
        passwords: Passwords,
        rules: SessionRules,
        policy: PasswordPolicy | None = None,
        mailer: Mailer | None = None,
    ) -> None:
        self._uow, self._directory, self._passwords, self._rules = uow, directory, passwords, rules
        self._watch = SignInWatch(ACCOUNT_THRESHOLD, mailer)
        self.policy = policy or PasswordPolicy()

    async def sign_in(self, email: str, password: str, origin: Origin, *, kind: str = "browser") -> SignedIn:
        """Check address and password; one and the same refusal whatever was wrong, in the same time."""
        email = email.strip()
        keys = [(hash_token(f"account:{email.casefold()}"), ACCOUNT_THRESHOLD)]
        if origin.ip:
            keys.append((hash_token(f"ip:{origin.ip}"), ADDRESS_THRESHOLD))
        # An attempt that is held back leaves no entry, or strangers could fill the log; those that led to it have one.
        failures = await self._throttled(keys)
        match = await self._directory.login(email)
        if match is None:
            await self._passwords.verify(None, password)
            # No organisation to record it for: the program's log has it.
            log.warning("sign-in with an unknown address refused, from %s", origin.ip)
            raise await self._refusal(keys)
        async with self._uow.read(match.tenant_id) as tx:
            user = await tx.get(User, match.user_id)
            federation = await tx.federation.configured() if self._rules.federated else None
        known = user is not None and user.state != UserState.DELETED
        good = await self._passwords.verify(user.password_hash if user and known else None, password)
        if user is None or not good:
            refusal: Failure = await self._refusal(keys)
            await self._record_refusal(match, email, origin, refusal, failures=failures + 1)
            raise refusal
        if federation is not None and federation.active and not federation.passwords:
            refusal = Forbidden(NO_PASSWORDS, provider=federation.provider)
            await self._record_refusal(match, email, origin, refusal)
            raise refusal
        for key, _ in keys[:1]:
            await self._directory.login_succeeded(key)
        new_hash = await self._passwords.hash(password) if self._passwords.outdated(user.password_hash or "") else None
        try:
            return await self._open(match.tenant_id, user.id, origin, kind, new_hash, failures=failures)
        except (TenantSuspended, UserInactive) as failure:
            await self._record_refusal(match, email, origin, failure)
            raise

    async def _throttled(self, keys: Sequence[tuple[str, int]]) -> int:
        """How often the first key, the account, has failed; raises `TooManyRequests` when it must wait."""
        counts = []
        for key, _ in keys:
            failures, wait = await self._directory.login_attempts(key, block_seconds=THROTTLE_BLOCK)
            if wait > 0:
                raise TooManyRequests(retry_after=int(wait) + 1)
            counts.append(failures)
        return counts[0]

    async def _refusal(self, keys: Sequence[tuple[str, int]]) -> Unauthenticated:
        for key, threshold in keys:
            await self._directory.login_failed(
                key, window_seconds=THROTTLE_WINDOW, threshold=threshold, block_seconds=THROTTLE_BLOCK
            )
        return Unauthenticated(N_("The e-mail address or the password is wrong."))

    async def _record_refusal(
        self, match: LoginMatch, email: str, origin: Origin, refusal: Failure, *, failures: int = 0
    ) -> None:
        actor = Actor(tenant_id=match.tenant_id, user_id=match.user_id, email=email, origin=origin)
        change = Change("sign_in", "user", match.user_id, email, outcome="failure", error=refusal.text())
        async with self._uow.begin(match.tenant_id) as tx:
            tx.record(actor, change)
            alert = None
            if failures:
                alert = await self._watch.refused(tx, match.tenant_id, match.user_id, origin, failures)
        self._watch.tell(self._uow, alert)

    async def _open(
        self,
        tenant_id: UUID,
        user_id: UUID,
        origin: Origin,
        kind: str,
        new_hash: str | None = None,
        *,
        failures: int = 0,
    ) -> SignedIn:
        async with self._uow.begin(tenant_id) as tx:
            user = await self._living_user(tx, tenant_id, user_id)
            user.password_hash = new_hash or user.password_hash
            signed_in = await self.open_session(tx, user, origin, kind, failures=failures)
        self.tell(signed_in)
        return signed_in

    def tell(self, signed_in: SignedIn) -> None:
        """After the commit: mail administrators about a sign-in that looks suspicious."""
        self._watch.tell(self._uow, signed_in.alert)

    async def open_session(
        self, tx: Transaction, user: User, origin: Origin, kind: str, *, failures: int = 0
    ) -> SignedIn:
        """Open a session for somebody who has proved who they are; whether they may work was checked before.

        `failures` is how often a wrong password was given before. When it is committed, call `tell`.
        """
        if user.kind != UserKind.PERSON:
            raise Unauthenticated
        token = secrets.token_urlsafe(32)
        moment = now()
        if user.state == UserState.INVITED:
            user.move_to(UserState.ACTIVE, moment)
        user.last_sign_in_at = moment
        life = self._rules.absolute if kind == "browser" else self._rules.api
        sign_in = SignIn(
            tenant_id=user.tenant_id,
            id=new_id(),
            user_id=user.id,
            kind=kind,
            token_hash=hash_token(token) if kind == "browser" else None,
            expires_at=moment + timedelta(seconds=life),
            idle_seconds=self._rules.idle if kind == "browser" else life,
            last_seen_at=moment,
            ip=origin.ip,
            user_agent=(origin.user_agent or "")[:500] or None,
        )
        roles = (await tx.users.roles([user.id])).get(user.id, ())
        actor = actor_of(user, roles, sign_in, origin)
        alert = await self._watch.opened(tx, user, origin, failures=failures, admin=actor.is_admin)
        await tx.add(sign_in)
        tx.record(actor, Change("sign_in", "user", user.id, user.email))
        # The tenant is part of the token, so that the session is looked up inside its own tenant.
        return SignedIn(actor, sign_in, f"{user.tenant_id.hex}.{sign_in.id.hex}.{token}", alert)

    @staticmethod
    async def _living_user(tx: Transaction, tenant_id: UUID, user_id: UUID) -> User:
        tenant = await tx.get(Tenant, tenant_id)
        user = await tx.get(User, user_id)
        if tenant is None or user is None:
            raise Unauthenticated
        check_alive(tenant, user)
        return user

    async def by_token(self, token: str, origin: Origin) -> Actor:
        """The actor of a browser's token; `Unauthenticated` when it is not, or no longer, valid."""
        try:
            tenant, sign_in, secret = token.split(".")
            tenant_id, sign_in_id = UUID(tenant), UUID(sign_in)
        except ValueError:
            raise Unauthenticated from None
        return await self.by_session(tenant_id, sign_in_id, origin, secret=secret)

    async def by_session(
        self,
        tenant_id: UUID,
        sign_in_id: UUID,
        origin: Origin,
        *,
        secret: str | None = None,
        user_id: UUID | None = None,
    ) -> Actor:
        """The actor of a session, checked on every request: session, user and tenant must be alive.

        A browser proves it with `secret`, an API client with a signed token that names `user_id`.
        """
        moment = now()
        async with self._uow.read(tenant_id) as tx:
            bearer = await tx.sign_ins.bearer(sign_in_id)
        if bearer is None or bearer.sign_in.ended(moment):
            raise Unauthenticated
        found = bearer.sign_in
        proven = (
            secrets.compare_digest(hash_token(secret), found.token_hash or "")
            if secret is not None
            else found.user_id == user_id
        )
        if not proven:
            raise Unauthenticated
        check_alive(bearer.tenant, bearer.user)
        if moment - found.last_seen_at > TOUCH_EVERY:
            async with self._uow.begin(tenant_id) as tx:
                await tx.sign_ins.touch(sign_in_id, moment)
        return actor_of(bearer.user, bearer.roles, found, origin)

    async def sign_out(self, actor: Actor) -> None:
        """End the actor's own session."""
        if actor.session_id is not None:
            await self.revoke(actor, actor.session_id)

    async def sessions(self, actor: Actor) -> Sequence[SignIn]:
        """The actor's sessions that are still open."""
        async with self._uow.read(actor.tenant_id) as tx:
            moment = now()
            return [s for s in await tx.sign_ins.of_user(actor.user_id) if not s.ended(moment)]

    async def revoke(self, actor: Actor, sign_in_id: UUID) -> None:
        """End one of the actor's sessions."""
        async with self._uow.begin(actor.tenant_id) as tx:
            found = await tx.get(SignIn, sign_in_id)
            if found is None or found.user_id != actor.user_id:
                raise NotFound
            found.revoked_at = found.revoked_at or now()
            tx.record(actor, Change("sign_out", "user", actor.user_id, actor.email))
            tx.signal(Signal(f"user:{actor.user_id}", "signed_out", {"session_id": str(sign_in_id)}))

    async def revoke_everywhere(self, actor: Actor, *, keep_this: bool = False) -> int:
        """End all of the actor's sessions, or all others; how many."""
        keep = actor.session_id if keep_this else None
        async with self._uow.begin(actor.tenant_id) as tx:
            ended = await tx.sign_ins.revoke_all(actor.user_id, now(), keep=keep)
            tx.record(actor, Change("sign_out_everywhere", "user", actor.user_id, actor.email, new={"ended": ended}))
            data = {"keep": str(keep)} if keep else {}
            tx.signal(Signal(f"user:{actor.user_id}", "signed_out", data))
        return ended

    async def change_password(self, actor: Actor, current: str, new: str) -> None:
        """Set a new password; every other session ends."""
        self.policy.check(new, actor.email, "new")
        async with self._uow.read(actor.tenant_id) as tx:
            user = await tx.get(User, actor.user_id)
        if user is None or not await self._passwords.verify(user.password_hash, current):
            wrong = Invalid(N_("The present password is wrong."), field="current")
            change = Change(
                "password_changed", "user", actor.user_id, actor.email, outcome="failure", error=wrong.text()
            )
            async with self._uow.begin(actor.tenant_id) as tx:
                tx.record(actor, change)
            raise wrong
        hashed = await self._passwords.hash(new)
        async with self._uow.begin(actor.tenant_id) as tx:
            user = await self._living_user(tx, actor.tenant_id, actor.user_id)
            user.password_hash = hashed
            await tx.sign_ins.revoke_all(actor.user_id, now(), keep=actor.session_id)
            tx.record(actor, Change("password_changed", "user", actor.user_id, actor.email))
            tx.signal(Signal(f"user:{actor.user_id}", "signed_out", {"keep": str(actor.session_id)}))
