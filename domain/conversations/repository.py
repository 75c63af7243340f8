"""What conversations ask of storage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from domain.conversations.branches import Link
from domain.conversations.entities import Conversation, Explanation, Message, MessageSource, ReusableAnswer
from domain.files.entities import File
from domain.kernel.paging import Page
from domain.models.rating import Rating


@dataclass(frozen=True, slots=True)
class Said:
    """The words of a message and of its conversation's name."""

    conversation_id: UUID
    message_id: UUID
    name: str
    question: str
    answer: str


class ConversationRepository(Protocol):
    """Conversations of the transaction's tenant."""

    async def ratings(self, model_ids: Sequence[UUID], since: datetime) -> Mapping[UUID, Rating]:
        """How the answers of these models were rated that were asked for since then."""

    async def stop_all(self) -> None:
        """Ask every answer that is being written to stop."""

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
        """The conversations of a user, or of a key of an assistant; newest first.

        With `pinned` only those that are, or only those that are not. Temporary ones are left out.
        """

    async def pinned(self, user_id: UUID, api_key_id: UUID | None, limit: int) -> Sequence[Conversation]:
        """The pinned conversations of a user, or of a key of an assistant; the last pinned first."""

    async def temporary_before(self, moment: datetime, limit: int) -> Sequence[Conversation]:
        """Temporary conversations that nothing was asked in since then, and none is being answered."""

    async def files_of(self, conversation_id: UUID) -> Sequence[File]:
        """The files of a conversation's questions that neither another conversation nor an assistant has."""

    async def said(
        self, user_id: UUID, api_key_id: UUID | None, *, after: tuple[UUID, UUID | None] | None, limit: int
    ) -> Sequence[Said]:
        """The words of a user's messages, by conversation, the newest first.

        `after` is a message with its conversation, or a conversation all of whose messages are passed over.
        """

    async def known(self, ids: Sequence[UUID]) -> Mapping[UUID, Conversation]:
        """Conversations by their ids."""

    async def kept_days(self) -> Sequence[tuple[UUID, int]]:
        """The assistants with conversations that are kept for so many days, as they or their spaces say."""

    async def older(self, assistant_id: UUID, before: datetime, limit: int) -> Sequence[Conversation]:
        """Conversations of an assistant, but for temporary ones, whose last question is older than a moment."""

    async def links(self, conversation_id: UUID) -> Sequence[Link]:
        """Which messages there are, and what each follows."""

    async def lock(self, conversation_id: UUID) -> None:
        """Let questions that are asked in a conversation at once come one after the other."""

    async def messages(self, ids: Sequence[UUID]) -> Sequence[Message]:
        """Messages by their ids, the oldest first."""

    async def sources(self, message_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[MessageSource]]:
        """The passages of each message, by number."""

    async def files(self, message_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[File]]:
        """The files of each question."""

    async def same_answer(self, assistant_id: UUID, same: str, since: datetime) -> Message | None:
        """The newest answer that may be given again to the same; none that somebody has called bad."""

    async def reusable(
        self, assistant_id: UUID, around: str, since: datetime, limit: int
    ) -> Sequence[tuple[ReusableAnswer, Message]]:
        """The newest answers that may be given again to similar questions."""

    async def forget_reusable(self, assistant_id: UUID, before: datetime) -> None:
        """What is older is not given again."""

    async def never_again(self, message_id: UUID) -> None:
        """An answer is not given again: whoever got it wanted another."""

    async def explanation(self, message_id: UUID) -> Explanation | None:
        """How the answer came about."""

    async def save_running(self, answers: Mapping[UUID, str], owner: str, moment: datetime) -> Mapping[UUID, bool]:
        """Save answers so far: of those that are still the owner's, each with whether stopping was asked for."""

    async def sum_up(self, message_id: UUID, summary: dict[str, Any]) -> None:
        """Keep what was said up to a message, in short."""

    async def take_silent(self, message_id: UUID, sign: datetime | None) -> bool:
        """Hold a running answer whose last sign of life is still this one; False when another process was faster."""

    async def finish(self, message: Message, owner: str) -> bool:
        """Save the outcome of a run; False when the message is gone or another process has taken it over."""

    async def remove_sources(self, message_id: UUID) -> None:
        """Forget the passages of an answer that begins anew."""

    async def mark_cited(self, message_id: UUID, numbers: Sequence[int]) -> None:
        """Note which passages the answer refers to."""
