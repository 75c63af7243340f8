"""Keys of AI providers that an organisation has as a whole, beside those of its single model providers."""

from dataclasses import dataclass
from datetime import datetime

from domain.kernel.entity import Owned
from domain.models.entities import ProviderType

TYPES = {
    "openai": ProviderType.OPENAI,
    "azure": ProviderType.AZURE,
    "anthropic": ProviderType.ANTHROPIC,
    "mistral": ProviderType.MISTRAL,
    "gemini": ProviderType.GEMINI,
    "cohere": ProviderType.COHERE,
    "hosted_vllm": ProviderType.COMPATIBLE,
    "berget": ProviderType.COMPATIBLE,
    "gdm": ProviderType.COMPATIBLE,
    "ovhcloud": ProviderType.COMPATIBLE,
}
"""The providers by the words of the interface, with how they are spoken to."""
REQUIRED = {
    name: ("api_key", "endpoint", "api_version", "deployment_name")
    if kind == ProviderType.AZURE
    else ("api_key", "endpoint")
    if kind == ProviderType.COMPATIBLE
    else ("api_key",)
    for name, kind in TYPES.items()
}
"""What each needs: those without an address of their own in our list are reached where the endpoint says."""


@dataclass(eq=False, kw_only=True)
class TenantCredential(Owned):
    """A key of the organisation at a provider. `secret` is encrypted, `key_tail` ends the plain one."""

    provider: str
    secret: str
    key_tail: str | None
    endpoint: str | None = None
    api_version: str | None = None
    deployment_name: str | None = None
    set_at: datetime
