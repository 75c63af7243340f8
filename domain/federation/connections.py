"""Which provider an organisation's people sign in with: the installation's own, or the organisation's."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from domain.federation.entities import GROUP_CLAIM, REDIRECT_PATH, SCOPES, Connection, Federation
from domain.kernel.clock import now
from domain.kernel.errors import N_, Failure, Invalid, NotFound
from domain.ports import Vault
from domain.transaction import UnitOfWork

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
NOT_SET_UP = N_("Sign-in through an identity provider is not set up here.")
PER_TENANT_OFF = N_(
    "Organisations cannot have identity providers of their own on this installation. "
    "An operator can allow it with FEDERATION_PER_TENANT_ENABLED."
)


class NoPublicAddress(Failure):
    """Nobody has said under which address people reach the installation."""

    status, code = 500, 9023
    default = N_("The operator must set PUBLIC_ORIGIN to the address of this installation, beginning with https://.")


@dataclass(frozen=True, slots=True)
class SharedProvider:
    """The provider that the settings name for the whole installation; `tenant_id` is whose people it knows."""

    discovery_endpoint: str
    client_id: str
    secret: str
    tenant_id: UUID | None = None
    provider: str = ""
    scopes: str = SCOPES
    allowed_domains: tuple[str, ...] = ()
    trust_email: bool = False


@dataclass(frozen=True, slots=True)
class FederationRules:
    """What the operator decides about providers; times in seconds. `shared` works only where `per_tenant` is off."""

    per_tenant: bool = False
    shared: SharedProvider | None = None
    public_origin: str | None = None
    path_prefix: str = ""
    list_tenants: bool = False
    state_seconds: int = 600
    grace_seconds: int = 900
    leeway_seconds: int = 120
    strict_redirect: bool = True


def clean_origin(value: str, field: str = "canonical_public_origin") -> str:
    """Scheme, host and port of the address people use; raises `Invalid` for anything more, or for plain HTTP."""
    try:
        parts = urlsplit(value.strip())
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise Invalid(N_("Give the address as https://host, without a path."), field=field) from None
    bare = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password)
    if not host or not bare or parts.scheme not in ("http", "https"):
        raise Invalid(N_("Give the address as https://host, without a path."), field=field)
    if parts.scheme == "http" and host not in LOCAL_HOSTS:
        raise Invalid(N_("The address must begin with https://."), field=field)
    name = f"[{host}]" if ":" in host else host
    usual = port in (None, 443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{name}" if usual else f"{parts.scheme}://{name}:{port}"


class Connections:
    """Finds the provider of an organisation."""

    def __init__(self, uow: UnitOfWork, vault: Vault, rules: FederationRules) -> None:
        self._uow, self._vault, self.rules = uow, vault, rules
        # Settings do not say when they changed; they are at least as old as this process.
        self._since: datetime = now()

    async def of(self, tenant_id: UUID, base: str | None, *, also_inactive: bool = False) -> Connection:
        """The provider for people of the organisation; `base` is the address that this request was made to."""
        if not self.rules.per_tenant:
            return self._shared(tenant_id, base)
        async with self._uow.read(tenant_id) as tx:
            found = await tx.federation.configured()
        if found is None or not (found.active or also_inactive):
            raise NotFound(NOT_SET_UP)
        return await self.opened(found, base)

    async def opened(self, found: Federation, base: str | None, *, secret: str | None = None) -> Connection:
        """A stored configuration with its secret in plain text, or with another `secret`."""
        return Connection(
            tenant_id=found.tenant_id,
            provider=found.provider,
            discovery_endpoint=found.discovery_endpoint,
            issuer=found.issuer or None,
            client_id=found.client_id,
            secret=secret or await self._vault.unseal(found.tenant_id, found.secret),
            redirect_uri=self.redirect_uri(found, base),
            scopes=found.scopes,
            allowed_domains=tuple(found.allowed_domains),
            trust_email=found.trust_email,
            group_claim=found.group_claim,
            group_roles=tuple(found.group_roles),
            configured_at=found.configured_at,
        )

    def redirect_uri(self, found: Federation | None, base: str | None) -> str:
        """Where the provider sends people back to."""
        path = found.redirect_path if found else REDIRECT_PATH
        return self.origin(found, base) + path

    def origin(self, found: Federation | None, base: str | None) -> str:
        """The address under which the organisation's people reach the installation, with its path.

        `base`, which the request itself claims, is believed only where it is this very machine.
        """
        own = found.canonical_public_origin if found else None
        if own or self.rules.public_origin:
            return (own or clean_origin(self.rules.public_origin or "")) + self.rules.path_prefix
        if base and (urlsplit(base).hostname or "") in LOCAL_HOSTS:
            return clean_origin(base)
        raise NoPublicAddress

    def _shared(self, tenant_id: UUID, base: str | None) -> Connection:
        shared = self.rules.shared
        if shared is None or (shared.tenant_id or tenant_id) != tenant_id:
            raise NotFound(NOT_SET_UP)
        return Connection(
            tenant_id=tenant_id,
            provider=shared.provider,
            discovery_endpoint=shared.discovery_endpoint,
            issuer=None,
            client_id=shared.client_id,
            secret=shared.secret,
            redirect_uri=self.redirect_uri(None, base),
            scopes=shared.scopes,
            allowed_domains=shared.allowed_domains,
            trust_email=shared.trust_email,
            group_claim=GROUP_CLAIM,
            configured_at=self._since,
        )
