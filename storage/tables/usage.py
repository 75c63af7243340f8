"""The usage ledger."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Float, Index, Integer, String, Uuid

from domain.usage.entities import ModelCall
from storage.tables.base import Json, Moment, mapper, tenant_table

# No references but to the tenant: what is deleted later leaves its rows as they are.
model_calls = tenant_table(
    "model_calls",
    Column("day", Date, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("model_id", Uuid, nullable=False),
    Column("model_name", String(255), nullable=False),
    Column("provider_name", String(255), nullable=False),
    Column("user_id", Uuid),
    Column("api_key_id", Uuid),
    Column("space_id", Uuid),
    Column("assistant_id", Uuid),
    Column("conversation_id", Uuid),
    Column("message_id", Uuid),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("tokens_cached", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("cost", BigInteger),
    Column("currency", String(10)),
    Column("first_token_ms", Integer),
    Column("total_ms", Integer),
    Column("outcome", String(20), nullable=False),
    Column("error_code", Integer),
    Column("finished_at", Moment),
    Column("lease_until", Moment),
    Column("reservations", Json, nullable=False),
    Index("ix_model_calls_tenant_id_day", "tenant_id", "day"),
    Index("ix_model_calls_tenant_id_message_id", "tenant_id", "message_id"),
    Index("ix_model_calls_tenant_id_user_id", "tenant_id", "user_id", "day"),
    Index("ix_model_calls_lease_until", "lease_until"),
)
mapper.map_imperatively(ModelCall, model_calls)
