"""Conversations of one tenant."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.conversations.entities import AnswerState, Conversation, Explanation, Message, MessageFile, MessageSource
from domain.files.entities import File
from domain.kernel.paging import Page
from storage.repositories.paging import decode, encode
from storage.tables.conversations import conversations, explanations, message_files, message_sources, messages
from storage.tables.files import files

MOST_SEARCHED = 5_000
"""So many of one's newest conversations are searched by name."""
OUTCOME = (
    "answer", "state", "error", "error_params", "finished_at", "heartbeat_at", "tokens_question", "tokens_answer",
    "tokens_estimated", "trace", "citations",
)  # fmt: skip
"""What the end of a run changes in its message."""


class ConversationRepository:
    """See `domain.conversations.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(
        self,
        user_id: UUID,
        api_key_id: UUID | None,
        *,
        assistant_id: UUID | None,
        search: str,
        limit: int,
        cursor: str | None,
    ) -> Page[Conversation]:
        """The conversations of a user, or of a key of an assistant; newest first."""
        wanted: list[ColumnElement[bool]] = [
            conversations.c.user_id == user_id,
            conversations.c.api_key_id.is_not_distinct_from(api_key_id),
        ]
        if assistant_id is not None:
            wanted.append(conversations.c.assistant_id == assistant_id)
        if search:
            # Names are encrypted: they are looked through here, for one user.
            wanted.append(conversations.c.id.in_(await self._named_like(wanted, search.casefold())))
        total = await self._session.scalar(select(func.count()).select_from(Conversation).where(*wanted))
        after = decode(cursor, 1)
        if after is not None:
            wanted.append(conversations.c.id < UUID(after[0]))
        statement = select(Conversation).where(*wanted).order_by(conversations.c.id.desc()).limit(limit + 1)
        rows = list(await self._session.scalars(statement))
        next_cursor = encode(rows[limit - 1].id) if len(rows) > limit else None
        return Page(rows[:limit], next_cursor, total)

    async def _named_like(self, wanted: Sequence[ColumnElement[bool]], search: str) -> Sequence[UUID]:
        statement = select(conversations.c.id, conversations.c.name).select_from(Conversation).where(*wanted)
        newest = statement.order_by(conversations.c.id.desc()).limit(MOST_SEARCHED)
        return [found for found, name in await self._session.execute(newest) if search in name.casefold()]

    async def messages(self, conversation_id: UUID, *, limit: int, before: UUID | None = None) -> Sequence[Message]:
        """The newest `limit` messages, oldest first."""
        wanted: list[ColumnElement[bool]] = [messages.c.conversation_id == conversation_id]
        if before is not None:
            wanted.append(messages.c.id < before)
        statement = select(Message).where(*wanted).order_by(messages.c.id.desc()).limit(limit)
        return list(reversed((await self._session.scalars(statement)).all()))

    async def sources(self, message_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[MessageSource]]:
        """The passages of each message, by number."""
        found: dict[UUID, list[MessageSource]] = defaultdict(list)
        if message_ids:
            statement = (
                select(MessageSource)
                .where(message_sources.c.message_id.in_(set(message_ids)))
                .order_by(message_sources.c.message_id, message_sources.c.number)
            )
            for source in await self._session.scalars(statement):
                found[source.message_id].append(source)
        return found

    async def files(self, message_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[File]]:
        """The files of each question."""
        found: dict[UUID, list[File]] = defaultdict(list)
        if message_ids:
            statement = (
                select(MessageFile, File)
                .join(File, files.c.id == message_files.c.file_id)
                .where(message_files.c.message_id.in_(set(message_ids)))
                .order_by(message_files.c.id)
            )
            for link, file in await self._session.execute(statement):
                found[link.message_id].append(file)
        return found

    async def explanation(self, message_id: UUID) -> Explanation | None:
        """How the answer came about."""
        statement = select(Explanation).where(explanations.c.message_id == message_id)
        return (await self._session.scalars(statement)).first()

    async def stop_all(self) -> None:
        """Ask every answer that is being written to stop."""
        statement = update(Message).where(messages.c.state == AnswerState.RUNNING).values(stop_requested=True)
        await self._session.execute(statement, execution_options={"synchronize_session": False})

    async def append(self, message_id: UUID, owner: str, answer: str, moment: datetime) -> bool | None:
        """Save the answer so far; whether stopping was asked for, or None when the run was taken away."""
        statement = (
            update(Message)
            .where(messages.c.id == message_id, messages.c.owner == owner, messages.c.state == AnswerState.RUNNING)
            .values(answer=answer, heartbeat_at=moment)
            .returning(messages.c.stop_requested)
        )
        found = await self._session.execute(statement, execution_options={"synchronize_session": False})
        return cast("bool | None", found.scalar())

    async def finish(self, message: Message, owner: str) -> bool:
        """Save the outcome of a run; False when the message is gone or another process has taken it over."""
        values = {name: getattr(message, name) for name in OUTCOME}
        statement = (
            update(Message)
            .where(messages.c.id == message.id, messages.c.owner == owner)
            .values(**values)
            .returning(messages.c.id)
        )
        found = await self._session.execute(statement, execution_options={"synchronize_session": False})
        return found.first() is not None

    async def remove_sources(self, message_id: UUID) -> None:
        """Forget the passages of an answer that begins anew."""
        await self._session.execute(delete(MessageSource).where(message_sources.c.message_id == message_id))

    async def mark_cited(self, message_id: UUID, numbers: Sequence[int]) -> None:
        """Note which passages the answer refers to."""
        await self._session.execute(
            update(MessageSource)
            .where(message_sources.c.message_id == message_id, message_sources.c.number.in_(numbers))
            .values(cited=True),
            execution_options={"synchronize_session": False},
        )
