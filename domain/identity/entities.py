"""Signing in: sessions that are rows, so that they can be listed and ended."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.kernel.entity import Owned


@dataclass(eq=False, kw_only=True)
class SignIn(Owned):
    """A sign-in session of a browser (`kind` browser) or an API client (`kind` api).

    Only the SHA-256 of the browser's token is stored. It ends at `expires_at`, after `idle_seconds` without
    use, or when `revoked_at` is set.
    """

    user_id: UUID
    kind: str
    token_hash: str | None
    expires_at: datetime
    idle_seconds: int
    last_seen_at: datetime
    ip: str | None = None
    user_agent: str | None = None
    revoked_at: datetime | None = None

    def ended(self, moment: datetime) -> bool:
        """Whether the session can no longer be used at `moment`."""
        idle = (moment - self.last_seen_at).total_seconds()
        return self.revoked_at is not None or moment >= self.expires_at or idle > self.idle_seconds


class LinkPurpose(StrEnum):
    """What a one-time link is for."""

    INVITATION = "invitation"
    PASSWORD_RESET = "password_reset"  # noqa: S105


@dataclass(eq=False, kw_only=True)
class AccountLink(Owned):
    """A link with which a person sets a password once, before `expires_at`. Only the SHA-256 of its secret is stored."""

    user_id: UUID
    purpose: str
    token_hash: str
    expires_at: datetime


class AlertKind(StrEnum):
    """What was noticed."""

    REPEATED_FAILURES = "repeated_failures"
    MANY_ACCOUNTS = "many_accounts"
    SUCCESS_AFTER_FAILURES = "success_after_failures"
    NEW_PLACE = "new_place"


@dataclass(eq=False, kw_only=True)
class SignInAlert(Owned):
    """Something suspicious about signing in; `times` says how often it has happened in a day."""

    kind: str
    user_id: UUID | None
    ip: str | None
    user_agent: str | None
    times: int = 1
    last_at: datetime
    seen_at: datetime | None = None
    seen_by: UUID | None = None
