"""Public shapes of conversations."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from app.api.wire.assistants import UseTools
from app.api.wire.base import ModelId, Wire
from app.api.wire.files import FilePublic
from app.api.wire.knowledge import InfoBlobMetadata, InfoBlobPublicNoText, Narrowed
from app.api.wire.models import CompletionModel, CompletionModelPublic


class SessionMetadataPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    name: str
    id: UUID
    pinned: bool = False
    temporary: bool = False


class BranchChoice(Wire):
    message_id: UUID


class SessionUpdate(Wire):
    name: str | None = None
    pinned: bool | None = None


class CursorPageOfSessionMetadataPublic(Wire):
    items: list[SessionMetadataPublic]
    limit: int | None = None
    next_cursor: datetime | str | None = None
    previous_cursor: datetime | str | None = None
    total_count: int
    count: int


class AskAssistant(Wire):
    question: str
    session_id: UUID | None = None
    files: list[ModelId] = []
    stream: bool = False
    tools: UseTools | None = None


class InfoBlobAskAssistantPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID
    metadata: InfoBlobMetadata
    group_id: UUID | None = None
    website_id: UUID | None = None
    score: float


class WebSearchResultPublic(Wire):
    id: UUID
    title: str
    url: str


class AskResponse(Wire):
    session_id: UUID
    question: str
    answer: str
    files: list[FilePublic]
    generated_files: list[FilePublic]
    references: list[InfoBlobAskAssistantPublic]
    tools: UseTools
    web_search_references: list[WebSearchResultPublic]
    model: CompletionModelPublic | None = None


class ToolCallInfo(Wire):
    server_name: str
    tool_name: str
    arguments: dict[str, Any] | None = None
    tool_call_id: str | None = None
    approved: bool | None = None


class Feedback(Wire):
    value: Literal[-1, 1]
    text: str | None = None


class SessionFeedback(Feedback):
    """Thumbs up or down for one answer, or without `message_id` for the whole conversation."""

    message_id: UUID | None = None


class Message(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: UUID | None = None
    question: str
    answer: str
    completion_model: CompletionModel | None = None
    references: list[InfoBlobPublicNoText]
    files: list[FilePublic]
    tools: UseTools
    generated_files: list[FilePublic]
    web_search_references: list[WebSearchResultPublic]
    tool_calls: list[ToolCallInfo] = []
    feedback: Feedback | None = None


class LoggingDetailsPublic(Wire):
    context: str | None = None
    model_kwargs: dict[str, Any]
    json_body: Any


class MessageLogging(Message):
    logging_details: LoggingDetailsPublic


class SessionPublic(Wire):
    created_at: datetime | None = None
    updated_at: datetime | None = None
    name: str
    id: UUID
    messages: list[Message]
    feedback: Feedback | None = None


class ConversationRequest(Wire):
    question: str
    session_id: UUID | None = None
    assistant_id: UUID | None = None
    group_chat_id: UUID | None = None
    files: list[ModelId] = []
    stream: bool = False
    tools: UseTools | None = None
    use_web_search: bool = False
    require_tool_approval: bool = False
    replaces: UUID | None = None
    temporary: bool = False
    collection_ids: list[UUID] | None = None
    filter: Narrowed | None = None
