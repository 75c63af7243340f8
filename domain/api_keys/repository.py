"""What API keys ask of storage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.api_keys.entities import ApiKey, KeyPolicy
from domain.kernel.paging import Page
from domain.roles.entities import HeldRole
from domain.tenants.entities import Tenant
from domain.users.entities import User


@dataclass(frozen=True, slots=True)
class KeyBearer:
    """A key with who acts when it is used."""

    key: ApiKey
    user: User
    tenant: Tenant
    roles: Sequence[HeldRole]


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key in a list: with its user and, for an assistant's key, the assistant's name."""

    key: ApiKey
    user: User
    assistant_name: str | None = None


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """Which keys: of one user or service account, of one assistant, or all. `search` is sought in names and addresses."""

    user_id: UUID | None = None
    assistant_id: UUID | None = None
    search: str = ""


class ApiKeyRepository(Protocol):
    """API keys of the transaction's tenant."""

    async def bearer(self, key_id: UUID) -> KeyBearer | None:
        """A key with its user, tenant and roles, in one look: every request with a key asks for it."""

    async def page(self, query: KeyQuery, *, limit: int, cursor: str | None) -> Page[KeyRow]:
        """Keys that fit, newest first. Those of assistants are not among the keys of a user."""

    async def row(self, key_id: UUID) -> KeyRow | None:
        """One key as in a list."""

    async def standing(self, query: KeyQuery) -> Sequence[ApiKey]:
        """The keys of an owner that are not revoked, newest first; an owner has few."""

    async def of_user(self, user_id: UUID) -> Sequence[ApiKey]:
        """The keys of a user that are not revoked, with those the user made for assistants."""

    async def of_assistant(self, assistant_id: UUID) -> Sequence[ApiKey]:
        """All keys of an assistant, revoked ones too."""

    async def of_space(self, space_id: UUID) -> Sequence[ApiKey]:
        """All keys of the assistants of a space, revoked ones too."""

    async def owner(self, user_id: UUID, moment: datetime) -> tuple[User, str | None] | None:
        """A user with the last four characters of their newest own key that works at `moment`, in one look."""

    async def counts(self, user_ids: Sequence[UUID], moment: datetime) -> dict[UUID, int]:
        """How many own keys of each user work at `moment`."""

    async def touch(self, key_id: UUID, moment: datetime) -> None:
        """Note that the key was used."""

    async def refused(self, key_id: UUID, moment: datetime, before: datetime) -> bool:
        """Note that the key was refused, unless one was noted since `before`; whether it was noted."""

    async def policy(self) -> KeyPolicy | None:
        """The organisation's rules, when they were ever set."""
