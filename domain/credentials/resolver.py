"""Which key a call of a model provider is made with. One place, one order, nothing mixed."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from domain.credentials.entities import TYPES
from domain.kernel.errors import N_, ProviderKeyMissing
from domain.models.entities import ProviderType

NEEDS_KEY = tuple(t for t in ProviderType if t not in (ProviderType.BUILTIN, ProviderType.COMPATIBLE))
MISSING = N_(
    "The organisation has no key for this AI provider. An administrator can enter one under Administration, AI models."
)


class Source(StrEnum):
    """Whose key it is."""

    PROVIDER = "provider"
    TENANT = "tenant"
    INSTALLATION = "installation"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Key:
    """A key with what belongs to it. `secret` may still be sealed: the resolver does not look at it."""

    provider: str
    secret: str
    endpoint: str | None = None
    api_version: str | None = None
    deployment_name: str | None = None

    def fits(self, kind: str, address: str | None) -> bool:
        """Whether a provider may be called with it: a key never goes to an address that it was not entered with."""
        if TYPES[self.provider] != kind:
            return False
        return address == self.endpoint if kind == ProviderType.COMPATIBLE else address in (None, self.endpoint)


@dataclass(frozen=True, slots=True)
class Choice:
    """The key to use and whose it is; without one, the provider is called as it stands."""

    source: Source
    key: Key | None = None


def choose(
    kind: str, address: str | None, *, own: bool, tenant: Iterable[Key], installation: Iterable[Key], strict: bool
) -> Choice:
    """The key for a provider of type `kind` at `address`.

    Its own key goes before everything. The organisation's is used exclusively: what it lacks is not taken from the
    installation. In strict mode the installation's keys are nobody's. Raises `ProviderKeyMissing` where one is needed.
    """
    if own:
        return Choice(Source.PROVIDER)
    mine = [key for key in tenant if TYPES[key.provider] == kind]
    for key in mine:
        if key.fits(kind, address):
            return Choice(Source.TENANT, key)
    if not mine and not strict:
        for key in installation:
            if key.fits(kind, address):
                return Choice(Source.INSTALLATION, key)
    if kind in NEEDS_KEY:
        raise ProviderKeyMissing(MISSING)
    return Choice(Source.NONE)
