"""API keys: what programs come with instead of signing in."""

import hashlib
import ipaddress
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.kernel.actor import Scope
from domain.kernel.entity import Owned
from domain.kernel.errors import N_, Invalid

SECRET_BYTES = 64
SHOWN_START = 10
"""Characters of the beginning that stay known, so that people can tell keys apart: the prefix and six more."""
MAX_NETWORKS = 20
SHAPE = re.compile(r"in[pa]_[0-9a-f]{128}")
NOT_VALID = N_("The API key is not valid.")
REVOKED = N_("The API key was revoked.")
EXPIRED = N_("The API key has expired.")
REPLACED = N_("The API key was renewed; this secret no longer works.")
FOREIGN_NETWORK = N_("The API key may not be used from this network.")


class KeyKind(StrEnum):
    """Whose key it is."""

    USER = "user"
    ASSISTANT = "assistant"
    SERVICE_ACCOUNT = "service_account"


class KeyState(StrEnum):
    """Whether a key works."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class KeyMakers(StrEnum):
    """Who may make keys for themselves."""

    EVERYBODY = "everybody"
    ADMINISTRATORS = "administrators"


def new_secret(kind: str) -> str:
    """A secret as clients know it: `inp_` or, for an assistant's key, `ina_`, and 128 hexadecimal digits."""
    prefix = "ina_" if kind == KeyKind.ASSISTANT else "inp_"
    return prefix + secrets.token_hex(SECRET_BYTES)


def looks_like_key(text: str) -> bool:
    """Whether the text can be an API key at all."""
    return SHAPE.fullmatch(text) is not None


def digest_of(secret: str) -> str:
    """The SHA-256 that is kept: 512 random bits need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def clean_networks(networks: Sequence[str]) -> list[str]:
    """Addresses and networks in their plain form; raises `Invalid` for anything else."""
    if len(networks) > MAX_NETWORKS:
        raise Invalid(N_("Give at most {limit} networks."), field="networks", limit=MAX_NETWORKS)
    found = []
    for entry in filter(None, (text.strip() for text in networks)):
        try:
            found.append(str(ipaddress.ip_network(entry, strict=False)))
        except ValueError:
            text = N_("{entry} is not a network. Write for instance 192.0.2.0/24 or 2001:db8::/32.")
            raise Invalid(text, field="networks", entry=entry[:60]) from None
    return list(dict.fromkeys(found))


@dataclass(eq=False, kw_only=True)
class ApiKey(Owned):
    """A key of a user, of a service account (`user_id` is the account), or of an assistant (then `user_id` made it).

    Of the secret only the SHA-256, the beginning and the last four characters are kept. After a renewal the secret before
    works until `previous_until`.
    """

    user_id: UUID
    kind: str
    name: str
    hash: str
    start: str
    last_four: str
    assistant_id: UUID | None = None
    scopes: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    requests_per_minute: int | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    last_refused_at: datetime | None = None
    previous_hash: str | None = None
    previous_until: datetime | None = None

    def take(self, secret: str) -> None:
        """Make this the key's secret."""
        self.hash, self.start, self.last_four = digest_of(secret), secret[:SHOWN_START], secret[-4:]

    def state(self, moment: datetime) -> KeyState:
        """Whether the key works at `moment`, whatever its owner's state."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        return KeyState.EXPIRED if self.expires_at is not None and moment >= self.expires_at else KeyState.ACTIVE

    def renewing(self, moment: datetime) -> bool:
        """Whether the secret before still works too."""
        return self.previous_until is not None and moment < self.previous_until

    def refusal(self, digest: str, ip: str | None, moment: datetime) -> str | None:
        """Why a secret with this digest does not open anything, or None when it does."""
        state = self.state(moment)
        if state is not KeyState.ACTIVE:
            return REVOKED if state is KeyState.REVOKED else EXPIRED
        if not secrets.compare_digest(digest, self.hash) and not self.renewing(moment):
            return REPLACED
        return None if self.allows(ip) else FOREIGN_NETWORK

    def allows(self, ip: str | None) -> bool:
        """Whether the key may be used from this address."""
        if not self.networks:
            return True
        try:
            address = ipaddress.ip_address(ip or "")
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in ipaddress.ip_network(network) for network in self.networks)

    @property
    def has_admin(self) -> bool:
        """Whether the owner's right to administer comes along."""
        return Scope.ADMIN in self.scopes


@dataclass(eq=False, kw_only=True)
class KeyPolicy(Owned):
    """What holds for the keys of an organisation. Its `id` is the tenant's; without `longest_days` keys need not end."""

    makers: str = KeyMakers.EVERYBODY
    longest_days: int | None = 365
