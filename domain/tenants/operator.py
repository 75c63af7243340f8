"""The operator of the installation: no user of any organisation, known by a key, and named in their audit logs."""

from dataclasses import dataclass, field
from uuid import NAMESPACE_OID, UUID, uuid5

from domain.kernel.actor import Actor, Origin, Permission

OPERATOR = uuid5(NAMESPACE_OID, "samrad:operator")
"""Who the audit log names for what the operator did."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Proof that the operator's key was shown: only what has checked it makes one."""

    origin: Origin = field(default_factory=Origin)
    language: str = "en"

    def within(self, tenant_id: UUID) -> Actor:
        """The operator acting in an organisation, with every permission there."""
        return Actor(
            tenant_id=tenant_id,
            user_id=OPERATOR,
            permissions=frozenset(Permission),
            kind="system",
            language=self.language,
            origin=self.origin,
        )
