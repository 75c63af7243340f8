"""Keys of organisations at AI providers: for their administrators and for the operator."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request

from app.api import wire
from app.api.base import Caller, Use
from app.api.errors import language_of
from app.auth.sysadmin import Operator, operator_in
from domain.credentials.entities import TenantCredential
from domain.credentials.service import CredentialDraft
from domain.kernel.errors import N_
from pages.i18n import translate

admin = APIRouter(prefix="/api/v1/admin/credentials", tags=["admin"])
operator = APIRouter(prefix="/api/v1/sysadmin/tenants/{tenant_id}/credentials", tags=["sysadmin"])
SAVED, REMOVED = N_("The key for {provider} was saved."), N_("The key for {provider} was removed.")


def _draft(body: wire.SetCredentialRequest) -> CredentialDraft:
    return CredentialDraft(body.api_key, body.endpoint, body.api_version, body.deployment_name)


def _saved(request: Request, found: TenantCredential) -> dict[str, Any]:
    return {
        "provider": found.provider,
        "masked_key": _masked(found),
        "message": translate(SAVED, language_of(request), provider=found.provider),
        "set_at": found.set_at,
    }


def _masked(found: TenantCredential) -> str:
    return f"***{found.key_tail or ''}"


def _info(found: TenantCredential) -> dict[str, Any]:
    fields = ("endpoint", "api_version", "deployment_name")
    return {
        "provider": found.provider,
        "masked_key": _masked(found),
        "configured_at": found.set_at,
        "encryption_status": "encrypted",
        "config": {name: getattr(found, name) for name in fields if getattr(found, name)},
    }


@admin.get("/", response_model=wire.ListCredentialsResponse)
async def credentials(actor: Caller, use: Use) -> Any:
    """The organisation's keys, without the keys."""
    return {"credentials": [_info(found) for found in await use.credentials.all(actor)]}


@admin.put("/{provider}", response_model=wire.SetCredentialResponse2)
async def set_credential(
    provider: str, body: wire.SetCredentialRequest, actor: Caller, request: Request, use: Use
) -> Any:
    """Set or replace the key at a provider; for azure with endpoint, api_version and deployment_name."""
    return _saved(request, await use.credentials.save(actor, provider, _draft(body)))


@admin.delete("/{provider}", response_model=wire.DeleteCredentialResponse)
async def delete_credential(provider: str, actor: Caller, request: Request, use: Use) -> Any:
    """Remove the key at a provider."""
    await use.credentials.delete(actor, provider)
    message = translate(REMOVED, language_of(request), provider=provider)
    return {"tenant_id": actor.tenant_id, "provider": provider, "message": message}


@operator.get("", response_model=wire.ListCredentialsResponse)
async def credentials_of(tenant_id: UUID, _: Operator, request: Request, use: Use) -> Any:
    """An organisation's keys, without the keys."""
    actor = operator_in(tenant_id, request)
    await use.users.tenant(actor)
    return {"credentials": [_info(found) for found in await use.credentials.all(actor)]}


@operator.put("/{provider}", response_model=wire.SetCredentialResponse)
async def set_credential_of(
    tenant_id: UUID, provider: str, body: wire.SetCredentialRequest, _: Operator, request: Request, use: Use
) -> Any:
    """Set or replace an organisation's key at a provider."""
    actor = operator_in(tenant_id, request)
    await use.users.tenant(actor)
    return {"tenant_id": tenant_id, **_saved(request, await use.credentials.save(actor, provider, _draft(body)))}


@operator.delete("/{provider}", response_model=wire.DeleteCredentialResponse)
async def delete_credential_of(tenant_id: UUID, provider: str, _: Operator, request: Request, use: Use) -> Any:
    """Remove an organisation's key at a provider."""
    actor = operator_in(tenant_id, request)
    await use.users.tenant(actor)
    await use.credentials.delete(actor, provider)
    message = translate(REMOVED, language_of(request), provider=provider)
    return {"tenant_id": tenant_id, "provider": provider, "message": message}
