"""What signing in through a provider asks of storage."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.federation.entities import Federation, Identity, PendingSignIn, ProviderSession
from domain.kernel.entity import Owned


class FederationRepository(Protocol):
    """Provider configuration, pending sign-ins and identities of the transaction's tenant."""

    async def configured(self) -> Federation | None:
        """The organisation's provider."""

    async def take(self, state_hash: str, moment: datetime) -> PendingSignIn | None:
        """The pending sign-in, used up by this; None when there is none. Who comes second finds `used_at` set before."""

    async def forget_expired(self, moment: datetime) -> None:
        """Delete pending sign-ins that nobody came back for."""

    async def identity(self, issuer: str, subject: str) -> Identity | None:
        """The link of a provider's person."""

    async def identities_of(self, user_id: UUID, issuer: str) -> Sequence[Identity]:
        """The persons of a provider that a user is linked with."""

    async def forget_identities(self) -> int:
        """Delete all links; how many there were."""

    async def provider_session(self, sign_in_id: UUID) -> ProviderSession | None:
        """What the provider knows of one of our sessions."""

    async def end_sessions(
        self, issuer: str, subject: str | None, provider_session: str | None, opened_before: datetime, moment: datetime
    ) -> Sequence[UUID]:
        """End the sessions of a provider's person, or of one provider session; the users whose sessions ended."""

    async def owners_linked_since(self, moment: datetime) -> int:
        """How many active owners have signed in through the provider at or after `moment`."""

    async def owners_with_password(self) -> int:
        """How many active owners have a password."""

    async def add_unless_taken(self, entity: Owned) -> bool:
        """Write a new entity; False when another one with the same unique value was faster."""
