"""One-time links: how an invited person, or one who forgot the password, sets a password of their own."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote
from uuid import UUID

from domain.identity.entities import AccountLink, LinkPurpose
from domain.identity.passwords import PasswordPolicy
from domain.identity.service import check_alive, hash_token
from domain.kernel.actor import Actor, Origin
from domain.kernel.clock import now
from domain.kernel.errors import N_, Failure, Invalid, NotFound, TooManyRequests
from domain.kernel.events import Change, Signal
from domain.kernel.text import clean_name
from domain.ports import Directory, Letter, Mailer, Passwords
from domain.tenants.entities import Tenant
from domain.transaction import Transaction, UnitOfWork
from domain.users.entities import LANGUAGES, User, UserState

PATHS = {LinkPurpose.INVITATION: "/invitation", LinkPurpose.PASSWORD_RESET: "/reset-password"}
RESET_LIFE = timedelta(hours=24)
ASK_WINDOW, ASK_THRESHOLD, ASK_BLOCK = 3600, 5, 3600
INVALID = N_("The link is not valid any more. Ask for a new one.")
INVITED_SUBJECT = N_("You are invited to {organisation}")
INVITED_TEXT = N_(
    "Hello,\n\n{inviter} has invited you to {organisation} in Samråd. Choose your password here:\n\n{link}\n\n"
    "The link works once, until {until}. If you did not expect it, you need not do anything."
)
RESET_SUBJECT = N_("New password for {organisation}")
RESET_TEXT = N_(
    "Hello,\n\na new password was asked for in {organisation}. Choose it here:\n\n{link}\n\n"
    "The link works once, until {until}. If you did not ask for it, you need not do anything."
)


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """A link that was just made: where it leads on this site (shown this once), until when, and whether it was mailed."""

    path: str
    expires_at: datetime
    purpose: LinkPurpose
    mailed: bool = False


@dataclass(frozen=True, slots=True)
class OpenLink:
    """What the page of a valid link shows."""

    email: str
    username: str | None
    language: str
    organisation: str
    purpose: LinkPurpose


async def make_link(tx: Transaction, user: User, purpose: LinkPurpose, life: timedelta) -> IssuedLink:
    """A new link for a user; the ones before no longer work."""
    await tx.sign_ins.drop_links(user.id)
    secret, moment = secrets.token_urlsafe(32), now()
    link = AccountLink(
        tenant_id=user.tenant_id,
        user_id=user.id,
        purpose=purpose,
        token_hash=hash_token(secret),
        expires_at=moment + life,
    )
    await tx.add(link)
    # The tenant is part of the token, so that the link is looked up inside its own tenant.
    token = f"{user.tenant_id.hex}.{link.id.hex}.{secret}"
    return IssuedLink(f"{PATHS[purpose]}?token={quote(token)}", link.expires_at, purpose)


def letter(user: User, link: IssuedLink, organisation: str, inviter: str = "") -> Letter:
    """The mail that brings a link, in the person's language."""
    invited = link.purpose is LinkPurpose.INVITATION
    return Letter(
        to=user.email,
        language=user.language,
        subject=INVITED_SUBJECT if invited else RESET_SUBJECT,
        text=INVITED_TEXT if invited else RESET_TEXT,
        path=link.path,
        params={
            "organisation": organisation,
            "inviter": inviter,
            "until": link.expires_at.strftime("%Y-%m-%d %H:%M UTC"),
        },
    )


class LinkService:
    """Use cases of people who are not signed in and hold a link, or want one."""

    def __init__(
        self, uow: UnitOfWork, directory: Directory, passwords: Passwords, policy: PasswordPolicy, mailer: Mailer
    ) -> None:
        self._uow, self._directory, self._passwords = uow, directory, passwords
        self.policy, self.mailer = policy, mailer

    async def look(self, token: str) -> OpenLink:
        """What a link is for; raises `NotFound` with a sentence when it does not work (any more)."""
        tenant_id, link_id, secret = _parts(token)
        async with self._uow.read(tenant_id) as tx:
            link, user, tenant = await self._living(tx, link_id, secret)
        name = tenant.display_name or tenant.name
        return OpenLink(user.email, user.username, user.language, name, LinkPurpose(link.purpose))

    async def use(
        self, token: str, password: str, origin: Origin, *, username: str | None = None, language: str | None = None
    ) -> OpenLink:
        """Set the password and, with an invitation, name and language. The link is gone; other sessions end."""
        opened = await self.look(token)
        self.policy.check(password, opened.email)
        if language is not None and language not in LANGUAGES:
            raise Invalid(N_("Choose one of the listed values."), field="language")
        name = clean_name(username, "username") if username else None
        hashed = await self._passwords.hash(password)
        tenant_id, link_id, secret = _parts(token)
        async with self._uow.begin(tenant_id) as tx:
            link, user, _ = await self._living(tx, link_id, secret)
            if not await tx.sign_ins.take_link(link.id):
                raise NotFound(INVALID)
            moment = now()
            user.password_hash, user.email_verified = hashed, True
            user.username, user.language = name or user.username, language or user.language
            if user.state == UserState.INVITED:
                user.move_to(UserState.ACTIVE, moment)
            await tx.sign_ins.revoke_all(user.id, moment)
            tx.signal(Signal(f"user:{user.id}", "signed_out"))
            actor = Actor(tenant_id=tenant_id, user_id=user.id, email=user.email, origin=origin)
            action = "invitation_accepted" if opened.purpose is LinkPurpose.INVITATION else "password_reset"
            tx.record(actor, Change(action, "user", user.id, user.email, new={"state": user.state}))
        return opened

    async def may_ask(self, origin: Origin) -> None:
        """Count a request for a new password; raises `TooManyRequests` beyond a few in an hour from one address."""
        key = hash_token(f"reset:{origin.ip or ''}")
        _, wait = await self._directory.login_attempts(key, block_seconds=ASK_BLOCK)
        if wait > 0:
            raise TooManyRequests(retry_after=int(wait) + 1)
        await self._directory.login_failed(
            key, window_seconds=ASK_WINDOW, threshold=ASK_THRESHOLD, block_seconds=ASK_BLOCK
        )

    async def ask(self, email: str, origin: Origin) -> None:
        """Mail a link for a new password, if the address belongs to somebody.

        To be run after the answer, which says the same to everybody, was sent: its time would tell who has an account.
        """
        match = await self._directory.login(email)
        if match is None or not self.mailer.ready:
            return
        async with self._uow.begin(match.tenant_id) as tx:
            user, tenant = await tx.get(User, match.user_id), await tx.get(Tenant, match.tenant_id)
            if user is None or tenant is None or not _may_reset(tenant, user):
                return
            link = await make_link(tx, user, LinkPurpose.PASSWORD_RESET, RESET_LIFE)
            actor = Actor(tenant_id=user.tenant_id, user_id=user.id, email=user.email, origin=origin)
            tx.record(actor, Change("password_reset_requested", "user", user.id, user.email))
        await self.mailer.send(letter(user, link, tenant.display_name or tenant.name))

    @staticmethod
    async def _living(tx: Transaction, link_id: UUID, secret: str) -> tuple[AccountLink, User, Tenant]:
        link = await tx.get(AccountLink, link_id)
        if link is None or link.expires_at < now() or not secrets.compare_digest(link.token_hash, hash_token(secret)):
            raise NotFound(INVALID)
        user, tenant = await tx.get(User, link.user_id), await tx.get(Tenant, link.tenant_id)
        if user is None or tenant is None or user.state == UserState.DELETED:
            raise NotFound(INVALID)
        check_alive(tenant, user)
        return link, user, tenant


def _may_reset(tenant: Tenant, user: User) -> bool:
    try:
        check_alive(tenant, user)
    except Failure:
        return False
    return user.state == UserState.ACTIVE and user.password_hash is not None


def _parts(token: str) -> tuple[UUID, UUID, str]:
    try:
        tenant, link, secret = token.split(".")
        return UUID(tenant), UUID(link), secret
    except ValueError:
        raise NotFound(INVALID) from None
