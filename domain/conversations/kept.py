"""Conversations that are there: reading them, and keeping them in order."""

from collections.abc import Sequence
from uuid import UUID

from domain.assistants.access import readable_assistant, readable_collections
from domain.assistants.entities import Assistant
from domain.conversations.branches import Branches
from domain.conversations.entities import Conversation, Explanation, Message, MessageSource
from domain.conversations.explaining import Explained
from domain.conversations.mentions import faces
from domain.conversations.places import Place, place, spans
from domain.conversations.run import Runs
from domain.conversations.temporary import remove_conversation
from domain.conversations.views import ConversationView, MessageView
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import N_, BadRequest, Invalid, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.paging import Page, clamp
from domain.kernel.text import clean_name, clean_text
from domain.knowledge.entities import Document
from domain.knowledge.service import KnowledgeService
from domain.spaces.entities import Space
from domain.transaction import Transaction, UnitOfWork

MOST_PINNED = 50


class Kept:
    """Use cases of conversations that are there. A conversation is its author's alone."""

    def __init__(self, uow: UnitOfWork, knowledge: KnowledgeService, runs: Runs) -> None:
        self._uow, self._knowledge, self.runs = uow, knowledge, runs

    async def page(
        self,
        actor: Actor,
        *,
        assistant_id: UUID | None = None,
        search: str = "",
        limit: int | None = None,
        cursor: str | None = None,
        pinned: bool | None = None,
    ) -> Page[Conversation]:
        """The actor's conversations, newest first; with `pinned` only those that are, or only those that are not."""
        async with self._uow.read(actor.tenant_id) as tx:
            if assistant_id is not None:
                await readable_assistant(tx, actor, assistant_id)
            return await tx.conversations.page(
                actor.user_id,
                actor.apart,
                assistant_id=assistant_id,
                search=search.strip(),
                limit=clamp(limit),
                cursor=cursor,
                pinned=pinned,
            )

    async def pinned(self, actor: Actor) -> Sequence[Conversation]:
        """The actor's pinned conversations, the last pinned first."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.conversations.pinned(actor.user_id, actor.apart, MOST_PINNED)

    async def get(
        self,
        actor: Actor,
        conversation_id: UUID,
        *,
        limit: int = 100,
        before: UUID | None = None,
        every: bool = False,
    ) -> ConversationView:
        """A conversation with the newest messages of the branch that is shown, or of `every` one."""
        async with self._uow.read(actor.tenant_id) as tx:
            conversation = await self._own(tx, actor, conversation_id)
            assistant = await tx.get(Assistant, conversation.assistant_id)
            if assistant is None:
                raise NotFound(N_("The conversation was not found."))
            branches = Branches(await tx.conversations.links(conversation_id))
            wanted = branches.all if every else branches.shown(conversation.shown_id)
            ids = [each for each in wanted if before is None or each < before][-clamp(limit) :]
            messages = await tx.conversations.messages(ids)
            sources, files = await tx.conversations.sources(ids), await tx.conversations.files(ids)
            shown = await faces(tx, messages)
        views = [
            MessageView(m, sources.get(m.id, ()), files.get(m.id, ()), branches.versions(m.id), shown.get(m.id))
            for m in messages
        ]
        return ConversationView(conversation, assistant, views)

    async def show(self, actor: Actor, message_id: UUID) -> Conversation:
        """Let the branch be shown that a message is part of; it goes on to its newest end."""
        async with self._uow.begin(actor.tenant_id) as tx:
            _, conversation = await self._own_message(tx, actor, message_id)
            branches = Branches(await tx.conversations.links(conversation.id))
            if message_id in branches.shown(conversation.shown_id):
                return conversation
            conversation.shown_id = message_id
            tx.signal(Signal(f"user:{actor.user_id}", "conversations_changed", {"id": str(conversation.id)}))
            return conversation

    async def message(self, actor: Actor, message_id: UUID) -> MessageView:
        """One message with its passages and files."""
        async with self._uow.read(actor.tenant_id) as tx:
            message, _ = await self._own_message(tx, actor, message_id)
            sources = (await tx.conversations.sources([message_id])).get(message_id, ())
            files = (await tx.conversations.files([message_id])).get(message_id, ())
            face = (await faces(tx, [message])).get(message_id)
        return MessageView(message, sources, files, face=face)

    async def place(self, actor: Actor, message_id: UUID, number: int, citation: int | None = None) -> Place:
        """Passage `[number]` of one of the actor's answers in the document as it was cited.

        With `citation` (the place of a marker among those of the answer) only what supports it is marked.
        """
        view = await self.message(actor, message_id)
        source = next((each for each in view.sources if each.number == number), None)
        if source is None:
            raise NotFound(N_("The source was not found."))
        async with self._uow.read(actor.tenant_id) as tx:
            await self._still_shared(tx, actor, view.message, source)
        content = await self._knowledge.version_content(actor.tenant_id, source.version_id)
        return place(source, spans(view.message, source, citation), *content)

    @staticmethod
    async def _still_shared(tx: Transaction, actor: Actor, message: Message, source: MessageSource) -> None:
        """Raise `NotFound` when the assistant's space may no longer read what the passage is from."""
        document = await tx.get(Document, source.document_id)
        if document is None:
            return
        # One who was mentioned may be gone, and with it the right to read what it read.
        assistant = await tx.get(Assistant, message.assistant_id)
        space = await tx.get(Space, assistant.space_id) if assistant else None
        if space is None or document.collection_id not in {c.id for c in await readable_collections(tx, space)}:
            raise NotFound(N_("This source is no longer shared with the space."))

    async def explained(self, actor: Actor, message_id: UUID) -> Explained:
        """How one of the actor's answers came about."""
        async with self._uow.read(actor.tenant_id) as tx:
            message, _ = await self._own_message(tx, actor, message_id)
            kept = await tx.conversations.explanation(message_id)
        return Explained(message, kept)

    async def logged(self, actor: Actor, message_id: UUID) -> tuple[MessageView, Explanation]:
        """One of the actor's answers with what its model was sent, where the assistant is set to log that."""
        async with self._uow.read(actor.tenant_id) as tx:
            message, _ = await self._own_message(tx, actor, message_id)
            assistant = await tx.get(Assistant, message.assistant_id)
            kept = await tx.conversations.explanation(message_id)
        if assistant is None or not assistant.logging_enabled or kept is None:
            raise NotFound(N_("Nothing is logged of this answer: its assistant does not log what a model is sent."))
        return await self.message(actor, message_id), kept

    async def rename(self, actor: Actor, conversation_id: UUID, name: str) -> Conversation:
        """Give a conversation another name."""
        async with self._uow.begin(actor.tenant_id) as tx:
            conversation = await self._own(tx, actor, conversation_id)
            conversation.name = clean_name(name)
            # Without the names: they tell what was asked, and the audit log is not encrypted.
            tx.record(actor, Change("conversation_renamed", "conversation", conversation_id))
            tx.signal(Signal(f"user:{actor.user_id}", "conversations_changed", {"id": str(conversation_id)}))
            return conversation

    async def pin(self, actor: Actor, conversation_id: UUID, *, pinned: bool) -> Conversation:
        """Let a conversation stand before the others, or no longer."""
        async with self._uow.begin(actor.tenant_id) as tx:
            conversation = await self._own(tx, actor, conversation_id)
            if conversation.temporary:
                raise BadRequest(N_("A temporary conversation is not kept and cannot be pinned."))
            if pinned == (conversation.pinned_at is not None):
                return conversation
            if pinned and len(await tx.conversations.pinned(actor.user_id, actor.apart, MOST_PINNED)) == MOST_PINNED:
                raise BadRequest(N_("At most {limit} conversations can be pinned. Unpin one first."), limit=MOST_PINNED)
            conversation.pinned_at = now() if pinned else None
            action = "conversation_pinned" if pinned else "conversation_unpinned"
            tx.record(actor, Change(action, "conversation", conversation_id))
            tx.signal(Signal(f"user:{actor.user_id}", "conversations_changed", {"id": str(conversation_id)}))
            return conversation

    async def delete(self, actor: Actor, conversation_id: UUID) -> None:
        """Delete a conversation; a running answer is stopped."""
        async with self._uow.begin(actor.tenant_id) as tx:
            conversation = await self._own(tx, actor, conversation_id)
            await remove_conversation(tx, actor, conversation, self.runs)
            tx.signal(Signal(f"user:{actor.user_id}", "conversations_changed", {"id": str(conversation_id)}))

    async def rate(
        self,
        actor: Actor,
        value: int,
        text: str | None,
        *,
        conversation_id: UUID | None = None,
        message_id: UUID | None = None,
    ) -> Conversation:
        """Thumbs up (1) or down (−1) with a comment, for one answer or the conversation."""
        if value not in (-1, 1):
            raise Invalid(N_("Choose one of the listed values."), field="value")
        async with self._uow.begin(actor.tenant_id) as tx:
            target: Conversation | Message
            if message_id is not None:
                target, conversation = await self._own_message(tx, actor, message_id)
            else:
                target = conversation = await self._own(tx, actor, conversation_id or UUID(int=0))
            target.feedback_value = value
            target.feedback_text = clean_text(text, "text", 10_000) or None
            tx.record(actor, Change("answer_rated", "conversation", conversation.id, new={"value": value}))
            return conversation

    @staticmethod
    async def _own(tx: Transaction, actor: Actor, conversation_id: UUID) -> Conversation:
        conversation = await tx.get(Conversation, conversation_id)
        if conversation is None or not conversation.is_of(actor):
            raise NotFound(N_("The conversation was not found."))
        return conversation

    async def _own_message(self, tx: Transaction, actor: Actor, message_id: UUID) -> tuple[Message, Conversation]:
        message = await tx.get(Message, message_id)
        if message is None:
            raise NotFound(N_("The message was not found."))
        return message, await self._own(tx, actor, message.conversation_id)
