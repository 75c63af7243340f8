"""Conversations of one tenant."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from domain.assistants.entities import Assistant, AssistantFile
from domain.conversations.branches import Link
from domain.conversations.entities import (
    AnswerState,
    Conversation,
    Explanation,
    Message,
    MessageFile,
    MessageSource,
    ReusableAnswer,
)
from domain.conversations.repository import Said
from domain.files.entities import File
from domain.kernel.paging import Page
from domain.models.rating import Rating
from domain.spaces.entities import Space
from storage.guard import KEYS, standing
from storage.repositories.paging import decode, encode
from storage.sealing import TenantKeys, opened
from storage.tables.assistants import assistant_files, assistants
from storage.tables.conversations import (
    conversations,
    explanations,
    message_files,
    message_sources,
    messages,
    reusable_answers,
)
from storage.tables.files import files
from storage.tables.spaces import spaces

MOST_SEARCHED = 5_000
"""So many of one's newest conversations are searched by name."""
OUTCOME = (
    "answer", "thought", "state", "error", "error_params", "finished_at", "heartbeat_at", "tokens_question", "tokens_answer",
    "tokens_estimated", "trace", "citations", "completion_model_id", "model_name", "provider_name",
)  # fmt: skip
"""What the end of a run changes in its message."""
_LINKS = standing(
    select(messages.c.id, messages.c.parent_id)
    .select_from(Message)
    .where(messages.c.conversation_id == bindparam("id"))
)
_RUNNING = standing(
    select(messages.c.id, messages.c.stop_requested)
    .select_from(Message)
    .where(
        messages.c.id.in_(bindparam("ids", expanding=True)),
        messages.c.owner == bindparam("owner"),
        messages.c.state == AnswerState.RUNNING,
    )
)
_RATINGS = standing(
    select(
        messages.c.completion_model_id,
        func.sum(case((messages.c.feedback_value > 0, 1), else_=0)),
        func.count(),
    )
    .select_from(Message)
    .where(
        messages.c.completion_model_id.in_(bindparam("ids", expanding=True)),
        messages.c.feedback_value.is_not(None),
        messages.c.created_at >= bindparam("since", type_=messages.c.created_at.type),
    )
    .group_by(messages.c.completion_model_id)
)
_OWNED = (messages.c.id == bindparam("of_id"), messages.c.owner == bindparam("of_owner"))
_SAVE = (
    messages.update()
    .where(*_OWNED, messages.c.state == AnswerState.RUNNING)
    .values(
        answer=bindparam("text", type_=messages.c.answer.type),
        heartbeat_at=bindparam("moment", type_=messages.c.heartbeat_at.type),
    )
)
_FINISH = standing(
    update(Message)
    .where(*_OWNED)
    .values({name: bindparam(f"new_{name}", type_=messages.c[name].type) for name in OUTCOME})
    .returning(messages.c.id)
)


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
        pinned: bool | None = None,
    ) -> Page[Conversation]:
        """The conversations of a user, or of a key of an assistant; newest first."""
        wanted = _listed(user_id, api_key_id)
        if pinned is not None:
            wanted.append(conversations.c.pinned_at.is_not(None) if pinned else conversations.c.pinned_at.is_(None))
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

    async def pinned(self, user_id: UUID, api_key_id: UUID | None, limit: int) -> Sequence[Conversation]:
        """The pinned conversations of a user, or of a key of an assistant; the last pinned first."""
        wanted = (*_listed(user_id, api_key_id), conversations.c.pinned_at.is_not(None))
        order = (conversations.c.pinned_at.desc(), conversations.c.id.desc())
        return (await self._session.scalars(select(Conversation).where(*wanted).order_by(*order).limit(limit))).all()

    async def temporary_before(self, moment: datetime, limit: int) -> Sequence[Conversation]:
        """Temporary conversations that nothing was asked in since then, and none is being answered."""
        answering = select(messages.c.conversation_id).select_from(Message)
        answering = answering.where(messages.c.state == AnswerState.RUNNING)
        statement = select(Conversation).where(
            conversations.c.temporary,
            conversations.c.last_message_at < moment,
            conversations.c.id.not_in(answering),
        )
        return await self._taken(statement.order_by(conversations.c.id).limit(limit))

    async def _taken(self, statement: Select[Any]) -> Sequence[Conversation]:
        """Conversations that are to be deleted, but for those that another process is deleting."""
        return (await self._session.scalars(statement.with_for_update(skip_locked=True))).all()

    async def files_of(self, conversation_id: UUID) -> Sequence[File]:
        """The files of a conversation's questions that neither another conversation nor an assistant has."""
        sent = select(message_files.c.file_id).select_from(MessageFile)
        sent = sent.join(Message, messages.c.id == message_files.c.message_id)
        its = sent.where(messages.c.conversation_id == conversation_id)
        others = sent.where(messages.c.conversation_id != conversation_id)
        kept = select(assistant_files.c.file_id).select_from(AssistantFile)
        statement = select(File).where(files.c.id.in_(its), files.c.id.not_in(others), files.c.id.not_in(kept))
        return (await self._session.scalars(statement)).all()

    async def _named_like(self, wanted: Sequence[ColumnElement[bool]], search: str) -> Sequence[UUID]:
        statement = select(conversations.c.id, conversations.c.name).select_from(Conversation).where(*wanted)
        newest = statement.order_by(conversations.c.id.desc()).limit(MOST_SEARCHED)
        return [found for found, name in await self._session.execute(newest) if search in name.casefold()]

    async def said(
        self, user_id: UUID, api_key_id: UUID | None, *, after: tuple[UUID, UUID | None] | None, limit: int
    ) -> Sequence[Said]:
        """The words of a user's messages, by conversation, the newest first."""
        wanted = _listed(user_id, api_key_id)
        if after is not None:
            conversation_id, message_id = after
            older = conversations.c.id < conversation_id
            if message_id is not None:
                older = or_(older, and_(conversations.c.id == conversation_id, messages.c.id < message_id))
            wanted.append(older)
        # As they are stored: they are opened beside the event loop.
        texts = (type_coerce(c, Text) for c in (conversations.c.name, messages.c.question, messages.c.answer))
        statement = (
            select(messages.c.conversation_id, messages.c.id, *texts)
            .select_from(Message)
            .join(Conversation, conversations.c.id == messages.c.conversation_id)
            .where(*wanted)
            .order_by(conversations.c.id.desc(), messages.c.id.desc())
            .limit(limit)
        )
        rows = (await self._session.execute(statement)).all()
        return await asyncio.to_thread(_said, rows, self._session.info[KEYS])

    async def known(self, ids: Sequence[UUID]) -> Mapping[UUID, Conversation]:
        """Conversations by their ids."""
        if not ids:
            return {}
        statement = select(Conversation).where(conversations.c.id.in_(ids))
        return {found.id: found for found in await self._session.scalars(statement)}

    async def kept_days(self) -> Sequence[tuple[UUID, int]]:
        """The assistants with conversations that are kept for so many days, as they or their spaces say."""
        days = func.coalesce(assistants.c.data_retention_days, spaces.c.data_retention_days)
        with_some = select(Conversation).where(conversations.c.assistant_id == assistants.c.id).exists()
        statement = (
            select(assistants.c.id, days)
            .select_from(Assistant)
            .join(Space, spaces.c.id == assistants.c.space_id)
            .where(days.is_not(None), with_some)
        )
        return [(assistant_id, kept) for assistant_id, kept in await self._session.execute(statement)]

    async def older(self, assistant_id: UUID, before: datetime, limit: int) -> Sequence[Conversation]:
        """Conversations of an assistant, but for temporary ones, whose last question is older than a moment."""
        asked = func.coalesce(conversations.c.last_message_at, conversations.c.created_at)
        # Temporary ones have an end of their own, which takes their files along.
        wanted = (conversations.c.assistant_id == assistant_id, asked < before, conversations.c.temporary.is_(False))
        return await self._taken(select(Conversation).where(*wanted).limit(limit))

    async def links(self, conversation_id: UUID) -> Sequence[Link]:
        """Which messages there are, and what each follows."""
        rows = await self._session.execute(_LINKS, {"id": conversation_id})
        return [Link(*row) for row in rows]

    async def lock(self, conversation_id: UUID) -> None:
        """Let questions that are asked in a conversation at once come one after the other."""
        statement = select(Conversation).where(conversations.c.id == conversation_id).with_for_update()
        await self._session.scalars(statement)

    async def messages(self, ids: Sequence[UUID]) -> Sequence[Message]:
        """Messages by their ids, the oldest first."""
        if not ids:
            return ()
        return (
            await self._session.scalars(select(Message).where(messages.c.id.in_(ids)).order_by(messages.c.id))
        ).all()

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

    async def same_answer(self, assistant_id: UUID, same: str, since: datetime) -> Message | None:
        """The newest answer that may be given again to the same; none that somebody has called bad."""
        return (await self._session.scalars(self._again(Message, assistant_id, since, same=same).limit(1))).first()

    async def reusable(
        self, assistant_id: UUID, around: str, since: datetime, limit: int
    ) -> Sequence[tuple[ReusableAnswer, Message]]:
        """The newest answers that may be given again to similar questions."""
        statement = self._again(ReusableAnswer, assistant_id, since, around=around).add_columns(Message).limit(limit)
        return [(found, message) for found, message in await self._session.execute(statement)]

    @staticmethod
    def _again(wanted: Any, assistant_id: UUID, since: datetime, **marks: str) -> Select[Any]:
        return (
            select(wanted)
            .select_from(ReusableAnswer)
            .join(Message, messages.c.id == reusable_answers.c.message_id)
            .where(
                reusable_answers.c.assistant_id == assistant_id,
                reusable_answers.c.created_at >= since,
                *(reusable_answers.c[name] == value for name, value in marks.items()),
                messages.c.state == AnswerState.DONE,
                func.coalesce(messages.c.feedback_value, 1) > 0,
            )
            .order_by(reusable_answers.c.id.desc())
        )

    async def never_again(self, message_id: UUID) -> None:
        """An answer is not given again: whoever got it wanted another."""
        await self._session.execute(delete(ReusableAnswer).where(reusable_answers.c.message_id == message_id))

    async def forget_reusable(self, assistant_id: UUID, before: datetime) -> None:
        """What is older is not given again."""
        old = (reusable_answers.c.assistant_id == assistant_id, reusable_answers.c.created_at < before)
        await self._session.execute(delete(ReusableAnswer).where(*old))

    async def explanation(self, message_id: UUID) -> Explanation | None:
        """How the answer came about."""
        statement = select(Explanation).where(explanations.c.message_id == message_id)
        return (await self._session.scalars(statement)).first()

    async def ratings(self, model_ids: Sequence[UUID], since: datetime) -> Mapping[UUID, Rating]:
        """How the answers of these models were rated that were asked for since then."""
        found = await self._session.execute(_RATINGS, {"ids": list(model_ids), "since": since})
        return {model_id: Rating(good, rated) for model_id, good, rated in found}

    async def stop_all(self) -> None:
        """Ask every answer that is being written to stop."""
        statement = update(Message).where(messages.c.state == AnswerState.RUNNING).values(stop_requested=True)
        await self._session.execute(statement, execution_options={"synchronize_session": False})

    async def save_running(self, answers: Mapping[UUID, str], owner: str, moment: datetime) -> Mapping[UUID, bool]:
        """Save answers so far: of those that are still the owner's, each with whether stopping was asked for."""
        found = await self._session.execute(_RUNNING, {"ids": list(answers), "owner": owner})
        stops = {message_id: bool(stop) for message_id, stop in found}
        if stops:
            # Many rows by one statement, which a session can only do without saying which rows are meant.
            connection = await self._session.connection()
            rows = [{"of_id": i, "of_owner": owner, "text": answers[i], "moment": moment} for i in stops]
            await connection.execute(_SAVE, rows)
        return stops

    async def sum_up(self, message_id: UUID, summary: dict[str, Any]) -> None:
        """Keep what was said up to a message, in short."""
        found = update(Message).where(messages.c.id == message_id).values(summary=summary)
        await self._session.execute(found, execution_options={"synchronize_session": False})

    async def take_silent(self, message_id: UUID, sign: datetime | None) -> bool:
        """Hold a running answer whose last sign of life is still this one; False when another process was faster."""
        silent = (messages.c.state == AnswerState.RUNNING, messages.c.heartbeat_at.is_not_distinct_from(sign))
        statement = select(messages.c.id).select_from(Message).where(messages.c.id == message_id, *silent)
        return (await self._session.scalar(statement.with_for_update(skip_locked=True, key_share=True))) is not None

    async def finish(self, message: Message, owner: str) -> bool:
        """Save the outcome of a run; False when the message is gone or another process has taken it over."""
        values = {"of_id": message.id, "of_owner": owner} | {f"new_{name}": getattr(message, name) for name in OUTCOME}
        found = await self._session.execute(_FINISH, values, execution_options={"synchronize_session": False})
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


def _listed(user_id: UUID, api_key_id: UUID | None) -> list[ColumnElement[bool]]:
    """What stands in the lists of a user, or of a key of an assistant."""
    return [
        conversations.c.user_id == user_id,
        conversations.c.api_key_id.is_not_distinct_from(api_key_id),
        conversations.c.temporary.is_(False),
    ]


def _said(rows: Sequence[Sequence[Any]], keys: TenantKeys) -> list[Said]:
    return [
        Said(
            row[0],
            row[1],
            opened(row[2], "conversations.name", keys),
            opened(row[3], "messages.question", keys),
            opened(row[4], "messages.answer", keys),
        )
        for row in rows
    ]
