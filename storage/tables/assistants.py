"""Assistants, their prompts and what they know."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    false,
)

from domain.assistants.entities import Assistant, AssistantCollection, AssistantFile, Prompt
from storage.sealing import SealedText
from storage.tables.base import Json, belongs_to, mapper, partial_index, tenant_table

assistants = tenant_table(
    "assistants",
    Column("space_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", Text),
    Column("is_default", Boolean, nullable=False),
    Column("completion_model_id", Uuid),
    # No foreign key: a model that is gone stands in for nothing.
    Column("fallback_model_id", Uuid),
    Column("model_preference", String(20), nullable=False, server_default="order"),
    Column("model_settings", Json, nullable=False),
    Column("published", Boolean, nullable=False),
    Column("logging_enabled", Boolean, nullable=False),
    Column("insight_enabled", Boolean, nullable=False),
    Column("whole_documents", Boolean, nullable=False, server_default=false()),
    Column("starter_questions", Json, nullable=False, server_default="[]"),
    Column("answer_reuse", String(20), nullable=False, server_default="off"),
    Column("answer_reuse_hours", Integer, nullable=False, server_default="24"),
    Column("data_retention_days", Integer),
    Column("metadata_json", Json),
    Column("contact", String(255)),
    Column("icon_id", Uuid),
    belongs_to("space_id", "spaces"),
    belongs_to("user_id", "users", ondelete="RESTRICT"),
    belongs_to("completion_model_id", "completion_models", ondelete="RESTRICT"),
    belongs_to("icon_id", "icons", ondelete="RESTRICT"),
    CheckConstraint("data_retention_days between 1 and 2555", name="retention_range"),
)
Index("ix_assistants_tenant_id_space_id", assistants.c.tenant_id, assistants.c.space_id)
Index("ix_assistants_tenant_id_icon_id", assistants.c.tenant_id, assistants.c.icon_id)
partial_index("uq_assistants_default", assistants.c.tenant_id, assistants.c.space_id, where="is_default", unique=True)
prompts = tenant_table(
    "prompts",
    Column("assistant_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("text", SealedText("prompts.text"), nullable=False),
    Column("description", Text),
    Column("selected", Boolean, nullable=False),
    belongs_to("assistant_id", "assistants"),
    belongs_to("user_id", "users", ondelete="RESTRICT"),
)
Index("ix_prompts_tenant_id_assistant_id", prompts.c.tenant_id, prompts.c.assistant_id)
assistant_collections = tenant_table(
    "assistant_collections",
    Column("assistant_id", Uuid, nullable=False),
    Column("collection_id", Uuid, nullable=False),
    belongs_to("assistant_id", "assistants"),
    belongs_to("collection_id", "collections"),
    UniqueConstraint("tenant_id", "assistant_id", "collection_id"),
)
assistant_files = tenant_table(
    "assistant_files",
    Column("assistant_id", Uuid, nullable=False),
    Column("file_id", Uuid, nullable=False),
    belongs_to("assistant_id", "assistants"),
    belongs_to("file_id", "files"),
    UniqueConstraint("tenant_id", "assistant_id", "file_id"),
)
mapper.map_imperatively(Assistant, assistants)
mapper.map_imperatively(Prompt, prompts)
mapper.map_imperatively(AssistantCollection, assistant_collections)
mapper.map_imperatively(AssistantFile, assistant_files)
