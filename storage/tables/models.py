"""Model providers and models."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Integer, String, Text, UniqueConstraint, Uuid

from domain.models.entities import (
    CompletionModel,
    EmbeddingModel,
    ModelPrice,
    ModelProvider,
    RerankModel,
    TranscriptionModel,
)
from domain.models.migration import ModelMigration
from storage.tables.base import SEALED_COLUMN, Json, Moment, belongs_to, mapper, tenant_table
from storage.tables.classifications import classified

model_providers = tenant_table(
    "model_providers",
    Column("name", String(255), nullable=False),
    Column("type", String(40), nullable=False),
    Column("base_url", String(2000)),
    Column("secret", Text, info=SEALED_COLUMN),
    Column("key_tail", String(4)),
    Column("config", Json, nullable=False),
    Column("active", Boolean, nullable=False),
    UniqueConstraint("tenant_id", "name"),
)


def _described() -> list[Column[object]]:
    return [
        Column("provider_id", Uuid, nullable=False),
        Column("name", String(255), nullable=False),
        Column("family", String(80), nullable=False),
        Column("hosting", String(40), nullable=False),
        Column("org", String(80)),
        Column("stability", String(40), nullable=False),
        Column("description", Text),
        Column("deprecated", Boolean, nullable=False),
        Column("enabled", Boolean, nullable=False),
        Column("is_default", Boolean, nullable=False),
        Column("license", String(80)),
        Column("link", String(2000)),
        Column("retires_on", Date),
        # Points at a model of the same kind, which may be deleted later: then there is no replacement any more.
        Column("replacement_id", Uuid),
        Column("security_classification_id", Uuid),
    ]


completion_models = tenant_table(
    "completion_models",
    *_described(),
    Column("nickname", String(255), nullable=False),
    Column("token_limit", Integer, nullable=False),
    Column("open_source", Boolean),
    Column("vision", Boolean, nullable=False),
    Column("reasoning", Boolean, nullable=False),
    Column("supports_tool_calling", Boolean, nullable=False),
    Column("max_output", Integer),
    # Ids of models of the same kind; those that were deleted since are passed over.
    Column("stand_ins", Json, nullable=False),
    belongs_to("provider_id", "model_providers"),
    classified("completion_models"),
    UniqueConstraint("tenant_id", "provider_id", "name"),
)
embedding_models = tenant_table(
    "embedding_models",
    *_described(),
    Column("dimensions", Integer, nullable=False),
    Column("max_input", Integer, nullable=False),
    Column("open_source", Boolean, nullable=False),
    belongs_to("provider_id", "model_providers"),
    classified("embedding_models"),
    UniqueConstraint("tenant_id", "provider_id", "name"),
)
transcription_models = tenant_table(
    "transcription_models",
    *_described(),
    Column("nickname", String(255), nullable=False),
    Column("open_source", Boolean),
    belongs_to("provider_id", "model_providers"),
    classified("transcription_models"),
    UniqueConstraint("tenant_id", "provider_id", "name"),
)
rerank_models = tenant_table(
    "rerank_models",
    *_described(),
    Column("nickname", String(255), nullable=False),
    Column("open_source", Boolean),
    belongs_to("provider_id", "model_providers"),
    classified("rerank_models"),
    UniqueConstraint("tenant_id", "provider_id", "name"),
)
model_prices = tenant_table(
    "model_prices",
    Column("completion_id", Uuid),
    Column("embedding_id", Uuid),
    Column("transcription_id", Uuid),
    Column("rerank_id", Uuid),
    Column("valid_from", Date, nullable=False),
    Column("currency", String(10), nullable=False),
    Column("input", BigInteger, nullable=False),
    Column("output", BigInteger, nullable=False),
    Column("cached", BigInteger),
    Column("minute", BigInteger, nullable=False),
    belongs_to("completion_id", "completion_models"),
    belongs_to("embedding_id", "embedding_models"),
    belongs_to("transcription_id", "transcription_models"),
    belongs_to("rerank_id", "rerank_models"),
    UniqueConstraint("tenant_id", "completion_id", "valid_from"),
    UniqueConstraint("tenant_id", "embedding_id", "valid_from"),
    UniqueConstraint("tenant_id", "transcription_id", "valid_from"),
    UniqueConstraint("tenant_id", "rerank_id", "valid_from"),
)
# Without references: the history outlives the models.
model_migrations = tenant_table(
    "model_migrations",
    Column("from_model_id", Uuid, nullable=False),
    Column("from_model_name", String(255), nullable=False),
    Column("to_model_id", Uuid, nullable=False),
    Column("to_model_name", String(255), nullable=False),
    Column("migrated_count", Integer, nullable=False),
    Column("user_id", Uuid),
    Column("duration_ms", Integer, nullable=False),
    Column("finished_at", Moment),
    Column("warnings", Json, nullable=False),
)
mapper.map_imperatively(ModelMigration, model_migrations)
mapper.map_imperatively(ModelPrice, model_prices)
mapper.map_imperatively(ModelProvider, model_providers)
mapper.map_imperatively(CompletionModel, completion_models)
mapper.map_imperatively(EmbeddingModel, embedding_models)
mapper.map_imperatively(TranscriptionModel, transcription_models)
mapper.map_imperatively(RerankModel, rerank_models)
