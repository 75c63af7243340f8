"""Setting up an organisation's identity provider, examining it, and deciding whether passwords work beside it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from domain.federation.connections import NOT_SET_UP, PER_TENANT_OFF, Connections, clean_origin
from domain.federation.entities import (
    GROUP_CLAIM,
    IN_GROUP,
    REDIRECT_PATH,
    SCOPES,
    Federation,
    SignInRefused,
    maps_roles,
    roles_for,
    user_groups_for,
    version_of,
)
from domain.federation.persons import domain_of
from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest, Invalid, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.text import clean_name
from domain.ports import ConnectionReport, IdentityProviders, Vault
from domain.roles.entities import HeldRole
from domain.roles.service import require_not_beyond, roles_of
from domain.transaction import Transaction, UnitOfWork
from domain.user_groups.entities import UserGroup

WELL_KNOWN = "/.well-known/openid-configuration"
MIN_SECRET = 8
MASK_FROM = 12
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_PATH = re.compile(r"/[A-Za-z0-9._~/-]{0,400}")
_WORD = re.compile(r"[\x21-\x7e]{1,200}")
ALLOW_PASSWORDS_FIRST = N_(
    "The identity provider is the only way to sign in. Allow passwords first; otherwise a mistake here would lock "
    "everybody out."
)
NOBODY_HAS_A_PASSWORD = N_(
    "No owner of the organisation has a password, so nobody could sign in any more. Give an owner a password first."
)
NOT_PROVED = N_(
    "First let an owner of the organisation sign in through the identity provider, as it is set up now. That proves that "
    "somebody can get in without a password."
)


@dataclass(frozen=True, slots=True)
class FederationDraft:
    """What somebody entered. Without `client_secret` the stored one stays."""

    provider: str
    discovery_endpoint: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    allowed_domains: Sequence[str] = ()
    canonical_public_origin: str | None = None
    redirect_path: str | None = None
    scopes: str = SCOPES
    trust_email: bool = False
    group_claim: str = GROUP_CLAIM
    group_roles: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Addresses:
    """What must be entered at the provider."""

    redirect_uri: str
    after_sign_out: str
    back_channel: str


class FederationService:
    """Use cases of an organisation's identity provider, for its administrators and for the operator."""

    def __init__(self, uow: UnitOfWork, connections: Connections, providers: IdentityProviders, vault: Vault) -> None:
        self._uow, self._connections, self._providers, self._vault = uow, connections, providers, vault

    @property
    def per_tenant(self) -> bool:
        """Whether organisations may have providers of their own on this installation."""
        return self._connections.rules.per_tenant

    @property
    def shared(self) -> str | None:
        """The address of the provider that serves the whole installation, if there is one."""
        shared = self._connections.rules.shared
        return shared.discovery_endpoint if shared and not self.per_tenant else None

    def addresses(self, actor: Actor, found: Federation | None, base: str | None) -> Addresses:
        """What must be entered at the provider, for an installation reached at `base`."""
        actor.require(Permission.ADMIN)
        origin = self._connections.origin(found, base)
        return Addresses(
            self._connections.redirect_uri(found, base),
            f"{origin}/sign-in",
            f"{origin}/auth/oidc/logout/{actor.tenant_id}",
        )

    async def find(self, actor: Actor) -> Federation | None:
        """The organisation's provider; None when there is none."""
        actor.require(Permission.ADMIN)
        self._allowed()
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.federation.configured()

    async def get(self, actor: Actor) -> Federation:
        """The organisation's provider; `NotFound` when there is none."""
        found = await self.find(actor)
        if found is None:
            raise NotFound(NOT_SET_UP)
        return found

    async def save(
        self, actor: Actor, draft: FederationDraft, *, base: str | None = None, activate: bool = False
    ) -> Federation:
        """Set up the provider, or change it; its discovery document is read, so that only a living one is stored."""
        actor.require(Permission.ADMIN)
        self._allowed()
        stored = await self.find(actor)
        fresh = await self._checked(actor, draft, stored)
        self._connections.origin(fresh, base)
        try:
            fresh.issuer = (await self._providers.metadata(fresh.discovery_endpoint)).issuer
        except SignInRefused as refusal:
            raise BadRequest(refusal.message, field="discovery_endpoint", **refusal.params) from None
        async with self._uow.begin(actor.tenant_id) as tx:
            found = await tx.federation.configured()
            new = _shown(fresh)
            if found is None:
                fresh.active = activate
                await tx.add(fresh)
                old: dict[str, Any] = {}
                found = fresh
            else:
                old = await self._replace(tx, found, fresh, secret=bool(draft.client_secret))
                found.active = found.active or activate
            tx.record(actor, _change(found, old=old, new={**new, "secret_changed": bool(draft.client_secret)}))
            tx.signal(Signal(f"tenant:{actor.tenant_id}", "federation_changed"))
        return found

    async def _replace(self, tx: Transaction, found: Federation, fresh: Federation, *, secret: bool) -> dict[str, Any]:
        old = _shown(found)
        connection = ("discovery_endpoint", "issuer", "client_id", "redirect_path", "canonical_public_origin")
        guarded = (*connection, "allowed_domains", "scopes")
        if not found.passwords and (secret or any(getattr(found, n) != getattr(fresh, n) for n in guarded)):
            raise BadRequest(ALLOW_PASSWORDS_FIRST)
        if secret or any(getattr(found, name) != getattr(fresh, name) for name in connection):
            found.configured_at, found.report = now(), {}
        if version_of(found.discovery_endpoint, found.client_id) != version_of(
            fresh.discovery_endpoint, fresh.client_id
        ):
            # Providers may call the same person differently towards another client: links are made anew.
            await tx.federation.forget_identities()
        names = ("provider", *guarded, "trust_email", "group_claim", "group_roles")
        for name in names + (("secret", "secret_tail") if secret else ()):
            setattr(found, name, getattr(fresh, name))
        return old

    async def set_active(self, actor: Actor, active: bool) -> Federation:
        """Switch sign-in through the provider on or off."""
        actor.require(Permission.ADMIN)
        self._allowed()
        async with self._uow.begin(actor.tenant_id) as tx:
            found = await self._configured(tx)
            if not active and found.active:
                await self._another_way_remains(tx, found)
            old, found.active = found.active, active
            tx.record(actor, _change(found, old={"active": old}, new={"active": active}))
            tx.signal(Signal(f"tenant:{actor.tenant_id}", "federation_changed"))
        return found

    async def set_passwords(self, actor: Actor, allowed: bool) -> Federation:
        """Decide whether passwords work beside the provider. They are the last way in until an owner has used it."""
        actor.require(Permission.ADMIN)
        self._allowed()
        async with self._uow.begin(actor.tenant_id) as tx:
            found = await self._configured(tx)
            if not allowed and not (found.active and await tx.federation.owners_linked_since(found.configured_at)):
                raise BadRequest(NOT_PROVED)
            old, found.passwords = found.passwords, allowed
            tx.record(actor, _change(found, old={"passwords": old}, new={"passwords": allowed}))
            tx.signal(Signal(f"tenant:{actor.tenant_id}", "federation_changed"))
        return found

    async def delete(self, actor: Actor) -> None:
        """Remove the provider and all links with it."""
        actor.require(Permission.ADMIN)
        self._allowed()
        async with self._uow.begin(actor.tenant_id) as tx:
            found = await self._configured(tx)
            if found.active:
                await self._another_way_remains(tx, found)
            await tx.federation.forget_identities()
            await tx.remove(found)
            tx.record(actor, _change(found, old=_shown(found), new={"deleted": True}))
            tx.signal(Signal(f"tenant:{actor.tenant_id}", "federation_changed"))

    async def examine(
        self, actor: Actor, draft: FederationDraft | None = None, *, base: str | None = None
    ) -> ConnectionReport:
        """The sign-in doctor: look at what is stored, or at what was entered and not stored yet."""
        actor.require(Permission.ADMIN)
        self._allowed()
        stored = await self.find(actor)
        if draft is None:
            if stored is None:
                raise NotFound(NOT_SET_UP)
            return await self._providers.examine(await self._connections.opened(stored, base))
        fresh = await self._checked(actor, draft, stored)
        return await self._providers.examine(
            await self._connections.opened(fresh, base, secret=draft.client_secret or None)
        )

    async def preview(
        self, actor: Actor, group_roles: Sequence[Mapping[str, str]], groups: Sequence[str]
    ) -> tuple[list[HeldRole], list[UserGroup]]:
        """The roles that somebody in these groups would get, and the user groups they would be in."""
        actor.require(Permission.ADMIN)
        names = [group.strip() for group in groups]
        async with self._uow.read(actor.tenant_id) as tx:
            mapping, known = await _mapping(tx, actor, group_roles), await roles_of(tx)
            joined = [await tx.get(UserGroup, group_id) for group_id in user_groups_for(mapping, names)[0]]
        roles = [known[key] for key in roles_for(mapping, names)] if maps_roles(mapping) else []
        return roles, [group for group in joined if group is not None]

    def _allowed(self) -> None:
        if not self.per_tenant:
            raise NotFound(PER_TENANT_OFF)

    @staticmethod
    async def _configured(tx: Transaction) -> Federation:
        found = await tx.federation.configured()
        if found is None:
            raise NotFound(NOT_SET_UP)
        return found

    @staticmethod
    async def _another_way_remains(tx: Transaction, found: Federation) -> None:
        if not found.passwords:
            raise BadRequest(ALLOW_PASSWORDS_FIRST)
        if not await tx.federation.owners_with_password():
            raise BadRequest(NOBODY_HAS_A_PASSWORD)

    async def _checked(self, actor: Actor, draft: FederationDraft, stored: Federation | None) -> Federation:
        """The draft as a row, every field checked. A stored secret goes to the provider it was entered for, no other."""
        endpoint = clean_discovery(draft.discovery_endpoint)
        client_id = draft.client_id.strip()
        if not 1 <= len(client_id) <= 500:
            raise Invalid(N_("Give the client id that the provider shows."), field="client_id")
        secret = draft.client_secret or ""
        if not secret and (
            stored is None or version_of(endpoint, client_id) != version_of(stored.discovery_endpoint, stored.client_id)
        ):
            raise Invalid(N_("Enter the client secret for this provider and client."), field="client_secret")
        if secret and not MIN_SECRET <= len(secret) <= 2000:
            raise Invalid(N_("The client secret has at least {low} characters."), field="client_secret", low=MIN_SECRET)
        path = (draft.redirect_path or REDIRECT_PATH).strip()
        if not _PATH.fullmatch(path) or path.startswith("//"):
            raise Invalid(N_("Give a path that begins with /."), field="redirect_path")
        origin = (draft.canonical_public_origin or "").strip()
        async with self._uow.read(actor.tenant_id) as tx:
            mapping = await _mapping(tx, actor, draft.group_roles)
        return Federation(
            tenant_id=actor.tenant_id,
            provider=clean_name(draft.provider, "provider"),
            discovery_endpoint=endpoint,
            issuer="",
            client_id=client_id,
            secret=await self._vault.seal(actor.tenant_id, secret) if secret else (stored.secret if stored else ""),
            secret_tail=secret[-4:] if len(secret) >= MASK_FROM else None,
            scopes=_clean_scopes(draft.scopes),
            allowed_domains=_clean_domains(draft.allowed_domains),
            canonical_public_origin=clean_origin(origin) if draft.canonical_public_origin is not None else None,
            redirect_path=path,
            trust_email=draft.trust_email,
            group_claim=clean_name(draft.group_claim or GROUP_CLAIM, "group_claim"),
            group_roles=mapping,
        )


def clean_discovery(value: str) -> str:
    """The address of a discovery document; the address of the provider alone is completed."""
    address = value.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        good = bool(parts.hostname) and parts.scheme in ("http", "https") and not (parts.query or parts.fragment)
        good = good and parts.username is None and len(address) <= 900 and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or any(c <= " " for c in address):
        raise Invalid(N_("Give the full address, beginning with https://."), field="discovery_endpoint")
    return address if "/.well-known/" in parts.path else address + WELL_KNOWN


def _clean_domains(values: Sequence[str]) -> list[str]:
    found = []
    for value in values:
        if not value.strip():
            continue
        domain = domain_of(value.strip().removeprefix("@"))
        if not _DOMAIN.fullmatch(domain):
            raise Invalid(N_("{domain} is not a domain name."), field="allowed_domains", domain=value.strip()[:100])
        found.append(domain)
    if len(found) > 100:
        raise Invalid(N_("Give at most {limit} of them."), field="allowed_domains", limit=100)
    return list(dict.fromkeys(found))


def _clean_scopes(value: str) -> str:
    words = list(dict.fromkeys(["openid", *(value or SCOPES).split()]))
    if len(words) > 20 or sum(map(len, words)) > 400 or not all(_WORD.fullmatch(word) for word in words):
        raise Invalid(N_("Give scopes as words with spaces between them."), field="scopes")
    return " ".join(words)


async def _mapping(tx: Transaction, actor: Actor, values: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """What groups give: roles (their keys or ids), or a user group (`group:` and its id). Nobody maps beyond themselves."""
    if len(values) > 100:
        raise Invalid(N_("Give at most {limit} of them."), field="group_roles", limit=100)
    known, entries = await roles_of(tx), []
    for value in values:
        group, wanted = str(value.get("group", "")).strip(), str(value.get("role", ""))
        role = known.get(wanted)
        if role is not None and actor.kind != "system":
            require_not_beyond(actor, role.permissions)
        if role is None and not await _is_user_group(tx, wanted):
            raise Invalid(N_("Choose one of the listed values."), field="group_roles")
        if not group or len(group) > 200:
            raise Invalid(N_("Name the group as the provider calls it."), field="group_roles")
        entries.append({"group": group, "role": role.key if role is not None else wanted})
    return entries


async def _is_user_group(tx: Transaction, wanted: str) -> bool:
    try:
        return wanted.startswith(IN_GROUP) and await tx.get(UserGroup, UUID(wanted.removeprefix(IN_GROUP))) is not None
    except ValueError:
        return False


def _shown(found: Federation) -> dict[str, Any]:
    """What the audit log may know."""
    names = (
        "provider", "discovery_endpoint", "issuer", "client_id", "scopes", "allowed_domains", "canonical_public_origin",
        "redirect_path", "trust_email", "group_claim", "group_roles",
    )  # fmt: skip
    return {name: getattr(found, name) for name in names}


def _change(found: Federation, *, old: dict[str, Any], new: dict[str, Any]) -> Change:
    return Change("federation_updated", "federation", found.id, found.provider, old=old, new=new)
