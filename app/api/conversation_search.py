"""Finding again what one has asked and been answered."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.api import present_conversations
from app.api.base import Caller, Use
from app.api.conversations import Mark
from app.api.wire.conversations import SessionMetadataPublic

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])


class FoundConversation(BaseModel):
    """A conversation with its newest message that has the words; `marks` are the words in the `excerpt`."""

    conversation: SessionMetadataPublic
    message_id: UUID
    excerpt: str
    marks: list[Mark]


class PageOfFound(BaseModel):
    """One page of what was found."""

    items: list[FoundConversation]
    next_cursor: str | None


@router.get("/search/", response_model=PageOfFound)
async def search(
    actor: Caller,
    use: Use,
    query: str,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
) -> Any:
    """The caller's conversations that have all of the words in the name or in one question with its answer; newest first."""
    page = await use.looking_back.search(actor, query, limit=limit, cursor=cursor)
    items = [
        {
            "conversation": present_conversations.conversation_head(found.conversation),
            "message_id": found.message_id,
            "excerpt": found.excerpt.text,
            "marks": [{"start": start, "end": end} for start, end in found.excerpt.marks],
        }
        for found in page.items
    ]
    return {"items": items, "next_cursor": page.next_cursor}
