"""Credentials of the organisation: use cases, and the key for each call."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from domain.credentials.entities import REQUIRED, TenantCredential
from domain.credentials.resolver import Choice, Key, Source, choose
from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.errors import N_, Invalid, NotFound
from domain.kernel.events import Change, Signal
from domain.models.entities import ModelProvider, ProviderType
from domain.ports import Access, Vault
from domain.transaction import Transaction, UnitOfWork

log = logging.getLogger(__name__)
MIN_KEY, MAX_KEY, MAX_FIELD = 8, 10_000, 2_000
TAIL_FROM = 12
"""Shorter keys do not show their end."""


class FeatureDisabled(NotFound):
    """Organisations have no credentials on this installation."""

    label = "feature_disabled"
    default = N_("Keys of organisations are switched off on this installation.")
    details: Mapping[str, Any] = {"error": "feature_disabled"}


class CredentialIncomplete(Invalid):
    """Fields that the provider needs are missing or wrong."""

    label = "credential_validation_failed"
    default = N_("Missing or wrong: {fields}.")

    def __init__(self, provider: str, fields: Sequence[str]) -> None:
        super().__init__(field=fields[0], fields=", ".join(fields))
        self.details = {
            "error": "credential_validation_failed",
            "provider": provider,
            "errors": [{"field": name, "message": f"{name} is missing or wrong"} for name in fields],
            "provider_requirements": list(REQUIRED[provider]),
        }


@dataclass(frozen=True, slots=True)
class CredentialDraft:
    """What is entered: the key is always among it, so that a stored one cannot be sent to another address."""

    api_key: str
    endpoint: str | None = None
    api_version: str | None = None
    deployment_name: str | None = None


class CredentialService:
    """Use cases of credentials; see also `domain.ports.Credentials`."""

    def __init__(self, uow: UnitOfWork, vault: Vault, installation: Sequence[Key], *, enabled: bool) -> None:
        self._uow, self._vault, self._installation, self.enabled = uow, vault, tuple(installation), enabled
        self._keyless: set[UUID] = set()

    async def all(self, actor: Actor) -> Sequence[TenantCredential]:
        """The organisation's credentials, for administrators."""
        self._allowed(actor)
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.credentials.all()

    async def save(self, actor: Actor, provider: str, draft: CredentialDraft) -> TenantCredential:
        """Set or replace the key for a provider."""
        self._allowed(actor)
        provider = _known(provider)
        draft = _checked(provider, draft)
        sealed = await self._vault.seal(actor.tenant_id, draft.api_key)
        async with self._uow.begin(actor.tenant_id) as tx:
            found = await tx.credentials.of(provider)
            old = _shown(found) if found else {}
            entered: dict[str, Any] = {
                "secret": sealed,
                "key_tail": draft.api_key[-4:] if len(draft.api_key) >= TAIL_FROM else None,
                "endpoint": draft.endpoint,
                "api_version": draft.api_version,
                "deployment_name": draft.deployment_name,
                "set_at": now(),
            }
            if found is None:
                found = TenantCredential(tenant_id=actor.tenant_id, provider=provider, **entered)
                await tx.add(found)
            else:
                for name, value in entered.items():
                    setattr(found, name, value)
            self._record(tx, actor, found, old=old, new=_shown(found))
        return found

    async def delete(self, actor: Actor, provider: str) -> None:
        """Remove the key for a provider; possible even when it cannot be read any more."""
        self._allowed(actor)
        async with self._uow.begin(actor.tenant_id) as tx:
            found = await tx.credentials.of(provider.strip().lower())
            if found is None:
                raise NotFound(N_("There is no key for this provider."))
            await tx.remove(found)
            self._record(tx, actor, found, old=_shown(found), new={"removed": True})

    def _allowed(self, actor: Actor) -> None:
        actor.require(Permission.ADMIN)
        if not self.enabled:
            raise FeatureDisabled

    @staticmethod
    def _record(
        tx: Transaction, actor: Actor, found: TenantCredential, old: dict[str, Any], new: dict[str, Any]
    ) -> None:
        tx.record(actor, Change("credentials_updated", "credential", found.id, found.provider, old=old, new=new))
        tx.signal(Signal(f"tenant:{actor.tenant_id}", "models_changed"))

    # For calls

    async def access(self, provider: ModelProvider) -> Access:
        """How a provider is called; raises `ProviderKeyMissing` when the key that it needs is nowhere."""
        tenant_id = provider.tenant_id
        if provider.type == ProviderType.BUILTIN:
            return Access(provider, None)
        if provider.secret:
            return Access(provider, await self._vault.unseal(tenant_id, provider.secret))
        chosen = await self._choose(tenant_id, provider)
        log.debug("provider %s is called with the key of: %s", provider.id, chosen.source)
        key = chosen.key
        if key is None:
            return Access(provider, None)
        secret = await self._vault.unseal(tenant_id, key.secret) if chosen.source == Source.TENANT else key.secret
        return Access(_with(provider, key), secret)

    async def _choose(self, tenant_id: UUID, provider: ModelProvider) -> Choice:
        stored: Sequence[TenantCredential] = ()
        if tenant_id not in self._keyless:
            async with self._uow.read(tenant_id) as tx:
                stored = await tx.credentials.all()
            if not stored and not self.enabled:
                # It stays so: nobody can enter one. For every answer this is a look less.
                self._keyless.add(tenant_id)
        tenant = [Key(c.provider, c.secret, c.endpoint, c.api_version, c.deployment_name) for c in stored]
        return choose(
            provider.type, provider.base_url, own=False, tenant=tenant, installation=self._installation,
            strict=self.enabled,
        )  # fmt: skip


def _with(provider: ModelProvider, key: Key) -> ModelProvider:
    """The provider as the key's owner described it: nothing of its own is left."""
    fields = {"api_version": key.api_version, "deployment_name": key.deployment_name}
    config = {name: value for name, value in fields.items() if value}
    return replace(provider, base_url=key.endpoint, config=config)


def _known(provider: str) -> str:
    name = provider.strip().lower()
    if name not in REQUIRED:
        raise Invalid(N_("Choose one of the listed providers."), field="provider")
    return name


def _checked(provider: str, draft: CredentialDraft) -> CredentialDraft:
    given = {name: (getattr(draft, name) or "").strip() or None for name in CredentialDraft.__slots__}
    if given["endpoint"]:
        given["endpoint"] = given["endpoint"].rstrip("/")
    wrong = [name for name in REQUIRED[provider] if not given[name]]
    key = given["api_key"] or ""
    if "api_key" not in wrong and not MIN_KEY <= len(key) <= MAX_KEY:
        wrong.append("api_key")
    for name in ("endpoint", "api_version", "deployment_name"):
        if len(given[name] or "") > MAX_FIELD:
            wrong.append(name)
    parts = urlsplit(given["endpoint"] or "http://x")
    if "endpoint" not in wrong and (parts.scheme not in ("http", "https") or not parts.hostname):
        wrong.append("endpoint")
    if wrong:
        raise CredentialIncomplete(provider, wrong)
    return CredentialDraft(key, given["endpoint"], given["api_version"], given["deployment_name"])


def _shown(found: TenantCredential) -> dict[str, Any]:
    """What may be told of it."""
    return {
        "provider": found.provider,
        "endpoint": found.endpoint,
        "api_version": found.api_version,
        "deployment_name": found.deployment_name,
        "key_set_at": found.set_at.isoformat(),
    }
