"""A conversation as JSON: every word exactly as it is stored, for programs."""

import json
from typing import Any

from domain.conversations.easy import EASY
from domain.conversations.entities import MessageSource
from domain.conversations.mentions import mentioned
from domain.conversations.transcripts import Transcript
from domain.conversations.views import MessageView


def written(transcript: Transcript) -> str:
    """The transcript as a JSON document."""
    conversation = transcript.conversation
    document = {
        "version": 1,
        "id": conversation.id,
        "name": conversation.name,
        "assistant": {"id": conversation.assistant_id, "name": transcript.assistant},
        "created_at": conversation.created_at.isoformat(),
        "exported_at": transcript.made_at.isoformat(),
        "complete": transcript.complete,
        "messages": [_message(view) for view in transcript.messages],
    }
    return json.dumps(document, default=str, ensure_ascii=False, indent=2)


def _message(view: MessageView) -> dict[str, Any]:
    message = view.message
    return {
        "id": message.id,
        "follows": message.parent_id,
        "versions": list(view.versions),
        "easy_language": EASY in message.trace,
        "mentioned": mentioned(message).get("name"),
        "question": message.question,
        "answer": message.answer,
        "state": message.state,
        "model": {"id": message.completion_model_id, "name": message.model_name, "provider": message.provider_name},
        "asked_at": message.created_at.isoformat(),
        "answered_at": message.finished_at.isoformat() if message.finished_at else None,
        "files": [{"id": file.id, "name": file.name} for file in view.files],
        "citations": message.citations,
        "sources": [_source(source) for source in view.sources],
    }


def _source(source: MessageSource) -> dict[str, Any]:
    return {
        "number": source.number,
        "cited": source.cited,
        "title": source.title,
        "text": source.text,
        "headings": source.heading_path,
        "page_from": source.page_from,
        "page_to": source.page_to,
        "url": source.url,
        "document_id": source.document_id,
        "version_id": source.version_id,
    }
