"""The base of everything an organisation owns."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.kernel.clock import now
from domain.kernel.ids import new_id


@dataclass(eq=False, kw_only=True)
class Owned:
    """A row of one tenant. `updated_at` is kept by the database."""

    tenant_id: UUID
    id: UUID = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
