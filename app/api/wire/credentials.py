"""Public shapes of keys at AI providers."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from app.api.wire.base import Wire


class SetCredentialRequest(Wire):
    api_key: str = Field("", max_length=20_000)
    endpoint: str | None = Field(None, max_length=5_000)
    api_version: str | None = Field(None, max_length=5_000)
    deployment_name: str | None = Field(None, max_length=5_000)


class SetCredentialResponse2(Wire):
    provider: str
    masked_key: str
    message: str
    set_at: datetime


class SetCredentialResponse(SetCredentialResponse2):
    tenant_id: UUID


class CredentialInfo(Wire):
    provider: str
    masked_key: str
    configured_at: datetime | None
    encryption_status: Literal["encrypted", "plaintext"]
    config: dict[str, Any]


class ListCredentialsResponse(Wire):
    credentials: list[CredentialInfo]


class DeleteCredentialResponse(Wire):
    tenant_id: UUID
    provider: str
    message: str
