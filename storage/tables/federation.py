"""Identity providers of organisations, sign-ins under way, and who is whom at a provider."""

from sqlalchemy import Boolean, Column, Index, String, Text, UniqueConstraint, Uuid

from domain.federation.entities import Federation, Identity, PendingSignIn, ProviderSession
from storage.tables.base import SEALED_COLUMN, Json, Moment, belongs_to, mapper, tenant_table

federations = tenant_table(
    "federations",
    Column("provider", String(255), nullable=False),
    Column("discovery_endpoint", String(1000), nullable=False),
    Column("issuer", String(500), nullable=False),
    Column("client_id", String(500), nullable=False),
    Column("secret", Text, nullable=False, info=SEALED_COLUMN),
    Column("secret_tail", String(4)),
    Column("scopes", String(500), nullable=False),
    Column("allowed_domains", Json, nullable=False),
    Column("canonical_public_origin", String(500)),
    Column("redirect_path", String(500), nullable=False),
    Column("trust_email", Boolean, nullable=False),
    Column("group_claim", String(255), nullable=False),
    Column("group_roles", Json, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("passwords", Boolean, nullable=False),
    Column("configured_at", Moment, nullable=False),
    Column("report", Json, nullable=False),
    UniqueConstraint("tenant_id"),
)
pending_sign_ins = tenant_table(
    "pending_sign_ins",
    Column("state_hash", String(64), nullable=False),
    Column("challenge", String(64), nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("redirect_uri", String(1000), nullable=False),
    Column("version", String(32), nullable=False),
    Column("correlation_id", String(64), nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("purpose", String(10), nullable=False),
    Column("target", String(2000), nullable=False),
    Column("client_state", String(2000)),
    Column("user_id", Uuid),
    Column("used_at", Moment),
    belongs_to("user_id", "users"),
    UniqueConstraint("tenant_id", "state_hash"),
)
Index("ix_pending_sign_ins_tenant_id_expires_at", pending_sign_ins.c.tenant_id, pending_sign_ins.c.expires_at)
identities = tenant_table(
    "identities",
    Column("user_id", Uuid, nullable=False),
    Column("issuer", String(500), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("last_used_at", Moment, nullable=False),
    belongs_to("user_id", "users"),
    UniqueConstraint("tenant_id", "issuer", "subject"),
)
Index("ix_identities_tenant_id_user_id", identities.c.tenant_id, identities.c.user_id)
provider_sessions = tenant_table(
    "provider_sessions",
    Column("sign_in_id", Uuid, nullable=False),
    Column("identity_id", Uuid, nullable=False),
    Column("provider_session", String(255)),
    Column("id_token", Text, nullable=False, info=SEALED_COLUMN),
    belongs_to("sign_in_id", "sign_ins"),
    belongs_to("identity_id", "identities"),
    UniqueConstraint("tenant_id", "sign_in_id"),
)
Index("ix_provider_sessions_tenant_id_identity_id", provider_sessions.c.tenant_id, provider_sessions.c.identity_id)
mapper.map_imperatively(Federation, federations)
mapper.map_imperatively(PendingSignIn, pending_sign_ins)
mapper.map_imperatively(Identity, identities)
mapper.map_imperatively(ProviderSession, provider_sessions)
