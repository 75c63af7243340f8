"""Signing in through an organisation's own identity provider (OpenID Connect)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.kernel.clock import now
from domain.kernel.entity import Owned
from domain.kernel.errors import Failure
from domain.users.entities import PredefinedRole

REDIRECT_PATH = "/login/callback"
SCOPES = "openid email profile"
GROUP_CLAIM = "groups"


class Purpose(StrEnum):
    """What a sign-in is for: a session, or only to see whether it would work."""

    SIGN_IN = "sign_in"
    TEST = "test"


@dataclass(eq=False, kw_only=True)
class Federation(Owned):
    """How the people of an organisation sign in elsewhere. `secret` is sealed with the organisation's data key.

    `configured_at` moves when the connection changes; `passwords` says whether a password works as well; `report` is the
    outcome of the last test sign-in.
    """

    provider: str
    discovery_endpoint: str
    issuer: str
    client_id: str
    secret: str
    secret_tail: str | None = None
    scopes: str = SCOPES
    allowed_domains: list[str] = field(default_factory=list)
    canonical_public_origin: str | None = None
    redirect_path: str = REDIRECT_PATH
    trust_email: bool = False
    group_claim: str = GROUP_CLAIM
    group_roles: list[dict[str, str]] = field(default_factory=list)
    active: bool = False
    passwords: bool = True
    configured_at: datetime = field(default_factory=now)
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class PendingSignIn(Owned):
    """Somebody who was sent to the provider and is awaited back. Works once, until `expires_at`.

    Only the hash of the state and the challenge of the verifier are stored: the verifier itself stays with the browser
    that began, and thereby binds the sign-in to it.
    """

    state_hash: str
    challenge: str
    nonce: str
    redirect_uri: str
    version: str
    correlation_id: str
    expires_at: datetime
    purpose: str = Purpose.SIGN_IN
    target: str = "/"
    client_state: str | None = None
    user_id: UUID | None = None
    used_at: datetime | None = None


@dataclass(eq=False, kw_only=True)
class Identity(Owned):
    """The person a provider calls `subject`, linked with one of our users."""

    user_id: UUID
    issuer: str
    subject: str
    last_used_at: datetime = field(default_factory=now)


@dataclass(eq=False, kw_only=True)
class ProviderSession(Owned):
    """What the provider knows of one of our sessions: its own session id, and the token that ends it (sealed)."""

    sign_in_id: UUID
    identity_id: UUID
    provider_session: str | None
    id_token: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A provider as it is called: from the organisation's row, or from the installation's settings."""

    tenant_id: UUID
    provider: str
    discovery_endpoint: str
    issuer: str | None
    client_id: str
    secret: str = field(repr=False)
    redirect_uri: str
    scopes: str = SCOPES
    allowed_domains: Sequence[str] = ()
    trust_email: bool = False
    group_claim: str = GROUP_CLAIM
    group_roles: Sequence[Mapping[str, str]] = ()
    configured_at: datetime = field(default_factory=now)

    @property
    def version(self) -> str:
        """Changes with whom is asked and as whom; a sign-in that began with another one is refused."""
        return version_of(self.discovery_endpoint, self.client_id)


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """What a provider says of itself in its discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    auth_methods: Sequence[str] = ("client_secret_basic",)
    algorithms: Sequence[str] = ()
    response_types: Sequence[str] = ()
    challenge_methods: Sequence[str] | None = None
    claims: Sequence[str] | None = None
    names_itself: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """Who somebody is, as the provider has signed it; `claims` are completed from its userinfo where they lacked."""

    issuer: str
    subject: str
    claims: Mapping[str, Any]
    id_token: str = field(repr=False)


class SignInRefused(Failure):
    """A sign-in through a provider failed. `reason` is a word for logs, `reference` what the person can report."""

    status, code = 401, 9005

    def __init__(self, reason: str, message: str, **params: Any) -> None:
        super().__init__(message, **params)
        self.reason = reason


class StateRefused(SignInRefused):
    """What came back does not belong to what was sent."""

    status, code = 400, 9007


class PersonRefused(SignInRefused):
    """The provider vouches for somebody who may not come in."""

    status, code = 403, 9001


def version_of(discovery_endpoint: str, client_id: str) -> str:
    """A short name for a provider and us as its client."""
    return hashlib.sha256(f"{discovery_endpoint}\n{client_id}".encode()).hexdigest()[:32]


def groups_in(claims: Mapping[str, Any], claim: str) -> list[str] | None:
    """The groups that the claims name; None when they say nothing about groups."""
    value = claims.get(claim)
    if isinstance(value, str):
        return [value]
    return [str(group) for group in value] if isinstance(value, list) else None


IN_GROUP = "group:"
"""Before the id of a user group, in place of a role's key."""


def roles_for(mapping: Sequence[Mapping[str, str]], groups: Sequence[str]) -> list[str]:
    """Keys of the roles that these groups give; whoever is in none of the mapped groups is a plain user."""
    given = {entry["role"] for entry in mapping if entry["group"] in set(groups)}
    own = sorted(key for key in given if key not in set(PredefinedRole) and not key.startswith(IN_GROUP))
    return [*(role for role in PredefinedRole if role in given), *own] or [PredefinedRole.USER]


def maps_roles(mapping: Sequence[Mapping[str, str]]) -> bool:
    """Whether roles follow from groups at all; else they stay as they were given by hand."""
    return any(not entry["role"].startswith(IN_GROUP) for entry in mapping)


def user_groups_for(mapping: Sequence[Mapping[str, str]], groups: Sequence[str]) -> tuple[set[UUID], set[UUID]]:
    """The user groups that these groups put somebody into, and all user groups whose members follow from groups."""
    mapped = [entry for entry in mapping if entry["role"].startswith(IN_GROUP)]
    joined = {UUID(e["role"].removeprefix(IN_GROUP)) for e in mapped if e["group"] in set(groups)}
    return joined, {UUID(e["role"].removeprefix(IN_GROUP)) for e in mapped}
