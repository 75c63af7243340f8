"""What the settings say, in the form in which the parts want it."""

from app.ai.embedding.client import BuiltinEmbedder
from app.config import Settings
from app.jobs import valkey
from app.security.keys import MasterKeys
from app.security.rate_limits import RateLimits, Rates
from domain.credentials.resolver import Key
from domain.federation.connections import FederationRules, SharedProvider
from domain.federation.persons import domain_of
from domain.federation.service import clean_discovery
from domain.identity.service import SessionRules


def keys_of(settings: Settings) -> MasterKeys:
    """The master keys."""
    return MasterKeys.of(settings.encryption_key, settings.data_dir / "keys")


def fernet_keys(settings: Settings) -> list[str]:
    """Keys of encrypted values that were brought along."""
    return [key for part in settings.fernet_keys.split(",") if (key := part.strip())]


def installation_keys(settings: Settings) -> list[Key]:
    """The installation's own keys at AI providers."""
    found = [
        Key("openai", settings.openai_api_key or ""),
        Key("azure", settings.azure_api_key or "", settings.azure_endpoint, settings.azure_api_version),
        Key("anthropic", settings.anthropic_api_key or ""),
        Key("mistral", settings.mistral_api_key or ""),
        Key("gemini", settings.gemini_api_key or ""),
        Key("cohere", settings.cohere_api_key or ""),
        Key("hosted_vllm", settings.vllm_api_key or "", settings.vllm_endpoint),
    ]
    return [key for key in found if key.secret]


def redis_url(settings: Settings) -> str:
    """Where jobs and events go."""
    return settings.redis_url or valkey.url_of(settings.data_dir)


def builtin_embedder(settings: Settings) -> BuiltinEmbedder:
    """The built-in embedding model."""
    folder = settings.data_dir / "run"
    return BuiltinEmbedder(settings.models_path, folder, idle_seconds=settings.embedding_idle_seconds)


def origins_everywhere(settings: Settings) -> frozenset[str]:
    """Web sites whose pages may call the API for every organisation."""
    return frozenset(part.strip().rstrip("/") for part in settings.allowed_origins.split(",") if part.strip())


def rate_limits(settings: Settings) -> RateLimits:
    """What the settings say about doing too much. The web process of a single node counts alone."""
    rates = Rates(
        api=settings.rate_limit_requests,
        uploads=settings.rate_limit_uploads,
        questions=settings.rate_limit_questions,
        tenant_factor=settings.rate_limit_tenant_factor,
        strangers=settings.rate_limit_strangers,
        refusals=settings.rate_limit_refusals,
    )
    return RateLimits(rates, settings.redis_url)


def session_rules(settings: Settings) -> SessionRules:
    """How long people stay signed in; the settings say it in minutes and hours."""
    return SessionRules(
        idle=settings.session_idle_minutes * 60,
        absolute=settings.session_max_hours * 3600,
        api=settings.jwt_expiry_time,
        federated=settings.federation_per_tenant_enabled,
    )


def token_keys(settings: Settings, masters: MasterKeys) -> tuple[bytes, ...]:
    """The keys that sign tokens, the present one first."""
    secrets = [settings.jwt_secret] if settings.jwt_secret else [key.hex() for key in masters.derived("jwt")]
    return tuple(secret.encode() for secret in secrets)


def federation_rules(settings: Settings) -> FederationRules:
    """What the settings say about identity providers."""
    shared = None
    if settings.oidc_discovery_endpoint and settings.oidc_client_id and settings.oidc_client_secret:
        domains = (part.strip() for part in settings.oidc_allowed_domains.split(","))
        shared = SharedProvider(
            clean_discovery(settings.oidc_discovery_endpoint),
            settings.oidc_client_id,
            settings.oidc_client_secret,
            settings.oidc_tenant_id,
            settings.oidc_provider_name,
            settings.oidc_scopes,
            tuple(domain_of(domain) for domain in domains if domain),
            settings.oidc_trust_email,
        )
    return FederationRules(
        per_tenant=settings.federation_per_tenant_enabled,
        shared=shared,
        public_origin=(settings.public_origin or "").removesuffix(settings.path_prefix) or None,
        path_prefix=settings.path_prefix,
        list_tenants=settings.federation_list_tenants,
        state_seconds=settings.oidc_state_ttl_seconds,
        grace_seconds=settings.oidc_redirect_grace_period_seconds,
        leeway_seconds=settings.oidc_clock_leeway_seconds,
        strict_redirect=settings.strict_oidc_redirect_validation,
    )
