"""Public shapes of signing in through identity providers."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from app.api.wire.base import Wire


class FederationStatusResponse(Wire):
    has_single_tenant_federation: bool
    has_multi_tenant_federation: bool
    has_global_oidc_config: bool
    tenant_count: int


class TenantInfo(Wire):
    slug: str
    name: str
    display_name: str


class TenantListResponse(Wire):
    tenants: list[TenantInfo]


class InitiateAuthResponse(Wire):
    authorization_url: str
    state: str


class CallbackRequest(Wire):
    code: str = Field("", max_length=8000)
    state: str = Field(max_length=2000)
    code_verifier: str | None = Field(None, max_length=200)
    iss: str | None = Field(None, max_length=2000)
    error: str | None = Field(None, max_length=200)


class CallbackResponse(Wire):
    access_token: str
    token_type: str = "bearer"  # noqa: S105  (the word of the standard)
    state: str | None = None


class OpenIdConnectLogin(Wire):
    code: str = Field(max_length=8000)
    code_verifier: str = Field(max_length=200)
    redirect_uri: str = Field(max_length=1000)
    client_id: str = Field(max_length=500)
    grant_type: str = "authorization_code"
    scope: str = "openid"
    nonce: str | None = Field(None, max_length=500)


class GroupRole(Wire):
    """What a group of the provider gives: a role by its name or id, or membership of a user group (`group:` and its id)."""

    group: str
    role: str


class SetFederationRequest(Wire):
    provider: str
    discovery_endpoint: str
    client_id: str
    client_secret: str
    allowed_domains: list[str] = []
    canonical_public_origin: str | None = None
    redirect_path: str | None = None
    scopes: str | None = None
    trust_email: bool = False
    group_claim: str | None = None
    group_roles: list[GroupRole] = []
    password_sign_in: bool | None = None


class SetFederationResponse(Wire):
    tenant_id: UUID
    provider: str
    masked_secret: str
    message: str


class FederationInfo(Wire):
    provider: str
    client_id: str
    masked_secret: str
    issuer: str | None = None
    allowed_domains: list[str]
    configured_at: datetime
    encryption_status: Literal["encrypted", "plaintext"]
    is_active: bool = True
    password_sign_in: bool = True
    trust_email: bool = False
    group_claim: str = ""
    group_roles: list[GroupRole] = []


class DeleteFederationResponse(Wire):
    tenant_id: UUID
    message: str


class ExaminationStep(Wire):
    message: str
    passed: bool


class FederationExamination(Wire):
    success: bool
    steps: list[ExaminationStep]
    last_test_sign_in: dict[str, Any] | None = None


class OIDCDebugToggleRequest(Wire):
    enabled: bool
    duration_minutes: int | None = Field(None, ge=1, le=120)
    reason: str | None = Field(None, max_length=200)


class OIDCDebugToggleResponse(Wire):
    enabled: bool
    enabled_at: datetime | None
    enabled_by: str | None
    expires_at: datetime | None
    reason: str | None
    backend: str
