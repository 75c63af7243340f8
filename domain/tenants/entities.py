"""An organisation on the installation."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.kernel.entity import Owned
from domain.kernel.errors import TenantSuspended

DEFAULT_QUOTA = 10 * 1024**3
"""Bytes of knowledge that a new organisation may store."""
LARGEST_QUOTA = 2**62


class TenantState(StrEnum):
    """Whether the organisation's people may work."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETING = "deleting"


@dataclass(eq=False, kw_only=True)
class Tenant(Owned):
    """An organisation. Its `tenant_id` is its own `id`; `quota_limit` is in bytes."""

    name: str
    slug: str
    display_name: str | None = None
    state: str = TenantState.ACTIVE
    language: str = "sv"
    quota_limit: int = DEFAULT_QUOTA
    provisioning: bool = False
    security_enabled: bool = False
    privacy_policy: str | None = None
    domain: str | None = None
    external_id: str | None = None

    @property
    def title(self) -> str:
        """What people call it."""
        return self.display_name or self.name

    def require_active(self) -> None:
        """Raise `TenantSuspended` unless its people may work."""
        if self.state != TenantState.ACTIVE:
            raise TenantSuspended


@dataclass(eq=False, kw_only=True)
class TenantKey(Owned):
    """A data key of the tenant, wrapped by the master key named `master_key_id`."""

    wrapped: bytes
    master_key_id: str
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TenantQuery:
    """Which organisations to list: those whose name, domain or slug holds `search`, and whose domain is `domain`."""

    search: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class TenantUse:
    """What an organisation uses: bytes of documents, and accounts that are not deleted."""

    bytes: int = 0
    people: int = 0
