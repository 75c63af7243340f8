"""What signing in asks of storage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.identity.entities import AccountLink, AlertKind, SignIn, SignInAlert
from domain.kernel.paging import Page
from domain.roles.entities import HeldRole
from domain.tenants.entities import Tenant
from domain.users.entities import User


@dataclass(frozen=True, slots=True)
class Bearer:
    """A session with whose it is."""

    sign_in: SignIn
    user: User
    tenant: Tenant
    roles: Sequence[HeldRole]


class SignInRepository(Protocol):
    """Sign-in sessions of the transaction's tenant."""

    async def bearer(self, sign_in_id: UUID) -> Bearer | None:
        """A session with its user, tenant and roles, in one look: every request asks for it."""

    async def of_user(self, user_id: UUID) -> Sequence[SignIn]:
        """The sessions of a user that have not ended, latest used first."""

    async def revoke_all(self, user_id: UUID, moment: datetime, *, keep: UUID | None = None) -> int:
        """End every session of a user except `keep`; how many were ended."""

    async def touch(self, sign_in_id: UUID, moment: datetime) -> None:
        """Note that the session was used."""

    async def link_of(self, user_id: UUID) -> AccountLink | None:
        """The user's present link."""

    async def drop_links(self, user_id: UUID) -> None:
        """Delete the links of a user: none works any more."""

    async def since(self, user_id: UUID, moment: datetime) -> Sequence[SignIn]:
        """The sessions of a user that began after `moment`, ended or not; the newest 200."""

    async def accounts_tried(self, ip: str, moment: datetime) -> int:
        """How many accounts a network address has failed to sign in to since `moment`."""

    async def open_alert(
        self, kind: AlertKind, user_id: UUID | None, ip: str | None, moment: datetime
    ) -> SignInAlert | None:
        """The alert about the same thing since `moment` that nobody has looked at; without a user, from the same address."""

    async def alerts(self, *, unseen: bool, limit: int, cursor: str | None) -> Page[SignInAlert]:
        """Alerts, newest first; the total counts those that nobody has looked at."""

    async def take_link(self, link_id: UUID) -> bool:
        """Delete a link; whether it was there: of several who come at once, one gets it."""
