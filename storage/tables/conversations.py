"""Conversations, messages, the passages they cite, and how answers came about."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    false,
)

from domain.conversations.entities import Conversation, Explanation, Message, MessageFile, MessageSource, ReusableAnswer
from storage.sealing import SealedJson, SealedPack, SealedText
from storage.tables.base import Json, Moment, belongs_to, mapper, partial_index, tenant_table

conversations = tenant_table(
    "conversations",
    Column("user_id", Uuid, nullable=False),
    Column("assistant_id", Uuid, nullable=False),
    Column("name", SealedText("conversations.name"), nullable=False),
    Column("feedback_value", Integer),
    Column("feedback_text", SealedText("conversations.feedback_text")),
    Column("last_message_at", Moment),
    Column("api_key_id", Uuid),
    Column("pinned_at", Moment),
    Column("temporary", Boolean, nullable=False, server_default=false()),
    # No foreign key: where its message is gone the newest branch is shown.
    Column("shown_id", Uuid),
    belongs_to("user_id", "users"),
    belongs_to("assistant_id", "assistants"),
    belongs_to("api_key_id", "api_keys"),
)
Index("ix_conversations_mine", conversations.c.tenant_id, conversations.c.user_id, conversations.c.id)
partial_index(
    "ix_conversations_pinned", conversations.c.tenant_id, conversations.c.user_id, where="pinned_at IS NOT NULL"
)
partial_index(
    "ix_conversations_temporary", conversations.c.tenant_id, conversations.c.last_message_at, where="temporary"
)
Index("ix_conversations_tenant_id_api_key_id", conversations.c.tenant_id, conversations.c.api_key_id)
Index("ix_conversations_tenant_id_assistant_id", conversations.c.tenant_id, conversations.c.assistant_id)
messages = tenant_table(
    "messages",
    Column("conversation_id", Uuid, nullable=False),
    # No foreign key: one who was mentioned may go, and its answers stay in others' conversations.
    Column("assistant_id", Uuid, nullable=False),
    Column("question", SealedText("messages.question"), nullable=False),
    # No foreign key to the same table: all messages of a conversation go at once.
    Column("parent_id", Uuid),
    Column("answer", SealedText("messages.answer"), nullable=False),
    # What the model thought before it answered, where it says so.
    Column("thought", SealedText("messages.thought"), nullable=False),
    Column("state", String(20), nullable=False),
    Column("error", Text),
    # A provider's refusal may quote the question.
    Column("error_params", SealedJson("messages.error_params"), nullable=False),
    # No foreign key: an answer outlives the model that gave it.
    Column("completion_model_id", Uuid),
    Column("model_name", String(255), nullable=False),
    Column("provider_name", String(255), nullable=False),
    Column("tokens_question", Integer, nullable=False),
    Column("tokens_answer", Integer, nullable=False),
    Column("tokens_estimated", Boolean, nullable=False),
    Column("owner", String(100)),
    Column("heartbeat_at", Moment),
    Column("stop_requested", Boolean, nullable=False),
    Column("finished_at", Moment),
    Column("feedback_value", Integer),
    Column("feedback_text", SealedText("messages.feedback_text")),
    Column("trace", SealedJson("messages.trace"), nullable=False),
    Column("citations", Json),
    Column("summary", SealedJson("messages.summary")),
    belongs_to("conversation_id", "conversations"),
)
Index("ix_messages_conversation", messages.c.tenant_id, messages.c.conversation_id, messages.c.id)
partial_index(
    "ix_messages_rated", messages.c.tenant_id, messages.c.completion_model_id, where="feedback_value is not null"
)
partial_index("ix_messages_running", messages.c.heartbeat_at, where="state = 'running'")
message_sources = tenant_table(
    "message_sources",
    Column("message_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    # The passage is kept as it was cited, whatever becomes of its document: no foreign keys here.
    Column("document_id", Uuid, nullable=False),
    Column("version_id", Uuid, nullable=False),
    Column("collection_id", Uuid, nullable=False),
    Column("chunk_id", Uuid, nullable=False),
    Column("title", SealedText("message_sources.title"), nullable=False),
    Column("text", SealedText("message_sources.text"), nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("page_from", Integer),
    Column("page_to", Integer),
    Column("heading_path", SealedJson("message_sources.heading_path"), nullable=False),
    Column("score", Float, nullable=False),
    Column("vector_score", Float),
    Column("text_score", Float),
    Column("cited", Boolean, nullable=False),
    Column("url", String(2000)),
    Column("website", Boolean, nullable=False, server_default=false()),
    belongs_to("message_id", "messages"),
    UniqueConstraint("tenant_id", "message_id", "number"),
)
message_files = tenant_table(
    "message_files",
    Column("message_id", Uuid, nullable=False),
    Column("file_id", Uuid, nullable=False),
    belongs_to("message_id", "messages"),
    belongs_to("file_id", "files"),
    UniqueConstraint("tenant_id", "message_id", "file_id"),
)
explanations = tenant_table(
    "explanations",
    Column("message_id", Uuid, nullable=False),
    Column("messages", SealedPack("explanations.messages"), nullable=False),
    Column("found", SealedPack("explanations.found"), nullable=False),
    belongs_to("message_id", "messages"),
    UniqueConstraint("tenant_id", "message_id"),
)
# What may be given again goes with the message that it is from, and with the assistant.
reusable_answers = tenant_table(
    "reusable_answers",
    Column("assistant_id", Uuid, nullable=False),
    Column("message_id", Uuid, nullable=False),
    Column("same", String(64), nullable=False),
    Column("around", String(64)),
    Column("vector", LargeBinary),
    belongs_to("assistant_id", "assistants"),
    belongs_to("message_id", "messages"),
    UniqueConstraint("tenant_id", "message_id"),
)
Index("ix_reusable_answers_assistant_same", reusable_answers.c.assistant_id, reusable_answers.c.same)
Index("ix_reusable_answers_assistant_around", reusable_answers.c.assistant_id, reusable_answers.c.around)
mapper.map_imperatively(ReusableAnswer, reusable_answers)
mapper.map_imperatively(Conversation, conversations)
mapper.map_imperatively(Message, messages)
mapper.map_imperatively(MessageSource, message_sources)
mapper.map_imperatively(MessageFile, message_files)
mapper.map_imperatively(Explanation, explanations)
