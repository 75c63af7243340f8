"""What signing in asks of storage."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.identity.entities import SignIn


class SignInRepository(Protocol):
    """Sign-in sessions of the transaction's tenant."""

    async def of_user(self, user_id: UUID) -> Sequence[SignIn]:
        """The sessions of a user that have not ended, latest used first."""

    async def revoke_all(self, user_id: UUID, moment: datetime, *, keep: UUID | None = None) -> int:
        """End every session of a user except `keep`; how many were ended."""

    async def touch(self, sign_in_id: UUID, moment: datetime) -> None:
        """Note that the session was used."""
