"""An organisation on the installation."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.kernel.entity import Owned

DEFAULT_QUOTA = 10 * 1024**3
"""Bytes of knowledge that a new organisation may store."""


class TenantState(StrEnum):
    """Whether the organisation's people may work."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


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


@dataclass(eq=False, kw_only=True)
class TenantKey(Owned):
    """A data key of the tenant, wrapped by the master key named `master_key_id`."""

    wrapped: bytes
    master_key_id: str
    retired_at: datetime | None = None
