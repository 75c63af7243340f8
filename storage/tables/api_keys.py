"""API keys, and what an organisation says about them."""

from sqlalchemy import Column, Index, Integer, String, Uuid

from domain.api_keys.entities import ApiKey, KeyPolicy
from storage.tables.base import Json, Moment, belongs_to, mapper, tenant_table

api_keys = tenant_table(
    "api_keys",
    Column("user_id", Uuid, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("name", String(255), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("start", String(20), nullable=False),
    Column("last_four", String(8), nullable=False),
    Column("assistant_id", Uuid),
    Column("scopes", Json, nullable=False),
    Column("networks", Json, nullable=False),
    Column("requests_per_minute", Integer),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("last_used_at", Moment),
    Column("last_refused_at", Moment),
    Column("previous_hash", String(64)),
    Column("previous_until", Moment),
    belongs_to("user_id", "users"),
    belongs_to("assistant_id", "assistants"),
)
# A request brings nothing but the key: its digest alone finds the organisation.
Index("uq_api_keys_hash", api_keys.c.hash, unique=True)
Index("uq_api_keys_previous_hash", api_keys.c.previous_hash, unique=True)
Index("ix_api_keys_tenant_id_user_id", api_keys.c.tenant_id, api_keys.c.user_id)
Index("ix_api_keys_tenant_id_assistant_id", api_keys.c.tenant_id, api_keys.c.assistant_id)
mapper.map_imperatively(ApiKey, api_keys)

key_policies = tenant_table(
    "key_policies",
    Column("makers", String(20), nullable=False),
    Column("longest_days", Integer),
)
mapper.map_imperatively(KeyPolicy, key_policies)
