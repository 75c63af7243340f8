"""Rows that are written without the session's knowing them are held to the same rules as those it knows."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from app.bootstrap import Runtime
from domain.conversations.entities import Conversation, Message
from domain.kernel.actor import Actor
from domain.kernel.errors import Conflict, NotUnique
from domain.kernel.ids import new_id
from domain.transaction import UnitOfWork
from storage.guard import TenantError

QUESTION = "Vad kostar ett bygglov?"


def _uow(runtime: Runtime) -> UnitOfWork:
    return runtime.services.users._uow


async def _asked(runtime: Runtime, owner: Actor) -> tuple[Conversation, Message]:
    services = runtime.services
    space = await services.spaces.personal(owner)
    assistant = (await services.assistants.default(owner, space.space.id)).assistant
    mine: dict[str, Any] = {"tenant_id": owner.tenant_id, "assistant_id": assistant.id}
    conversation = Conversation(**mine, user_id=owner.user_id, name="Bygglov")
    message = Message(**mine, conversation_id=conversation.id, question=QUESTION, trace={"left_out": ["å"]})
    conversation.shown_id = message.id
    return conversation, message


async def test_what_is_written_is_found_again_whole(runtime: Runtime, owner: Actor) -> None:
    conversation, message = await _asked(runtime, owner)
    async with _uow(runtime).begin(owner.tenant_id) as tx:
        await tx.write(conversation, message)
    async with _uow(runtime).read(owner.tenant_id) as tx:
        found = await tx.get(Message, message.id)
        assert found is not None
        assert found is not message
        assert {name: value for name, value in vars(found).items() if name[0] != "_"} == {
            name: value for name, value in vars(message).items() if name[0] != "_"
        }
        assert (await tx.get(Conversation, conversation.id)) is not None


async def test_texts_are_encrypted(runtime: Runtime, owner: Actor) -> None:
    conversation, message = await _asked(runtime, owner)
    async with _uow(runtime).begin(owner.tenant_id) as tx:
        await tx.write(conversation, message)
    async with runtime.database.session(owner.tenant_id, write=False) as session:
        rows = (await (await session.connection()).execute(text("select question from messages"))).all()
    assert rows
    assert not any(QUESTION in row[0] for row in rows)


async def test_no_row_of_another_organisation_is_written(runtime: Runtime, owner: Actor, other: Actor) -> None:
    conversation, message = await _asked(runtime, owner)
    with pytest.raises(TenantError, match="another tenant"):
        async with _uow(runtime).begin(other.tenant_id) as tx:
            await tx.write(conversation, message)
    async with _uow(runtime).read(owner.tenant_id) as tx:
        assert await tx.get(Message, message.id) is None


async def test_what_failed_may_be_written_again(runtime: Runtime, owner: Actor) -> None:
    conversation, message = await _asked(runtime, owner)
    with pytest.raises(Conflict):
        async with _uow(runtime).begin(owner.tenant_id) as tx:
            await tx.write(conversation, message, replace(message, id=new_id(), conversation_id=new_id()))
    async with _uow(runtime).read(owner.tenant_id) as tx:
        assert await tx.get(Message, message.id) is None
    async with _uow(runtime).begin(owner.tenant_id) as tx:
        await tx.write(conversation, message)
    with pytest.raises(NotUnique):
        async with _uow(runtime).begin(owner.tenant_id) as tx:
            await tx.write(conversation)
    async with _uow(runtime).read(owner.tenant_id) as tx:
        assert await tx.get(Message, message.id) is not None


async def test_what_a_row_refers_to_must_be_there(runtime: Runtime, owner: Actor) -> None:
    _, message = await _asked(runtime, owner)
    message.conversation_id = new_id()
    with pytest.raises(Conflict, match="in the same moment"):
        async with _uow(runtime).begin(owner.tenant_id) as tx:
            await tx.write(message)
