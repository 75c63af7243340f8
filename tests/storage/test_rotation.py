"""Keys are replaced while the product runs, wherever that is interrupted; and what was encrypted stays readable."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Text, select, text, type_coerce, update

from app.auth import tokens
from app.bootstrap import Runtime, build
from app.key_commands import keys as keys_command
from app.security.keys import KeyRing, MasterKeyError, MasterKeys, tag_of
from domain.conversations.entities import Conversation, Message, MessageSource
from domain.identity.entities import SignIn
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.kernel.errors import KeyMissing
from domain.kernel.ids import new_id
from domain.models.entities import ModelProvider
from domain.models.service import ProviderDraft
from domain.tenants.service import Setup
from storage.repositories.secrets import places
from storage.tables.conversations import messages
from storage.tables.models import model_providers
from tests.conftest import MASTER_KEY, PASSWORD, Place
from tests.support.waiting import reached

OTHER = bytes(reversed(range(32)))
QUESTION, SECRET, CONTENT = "Vem får bygglov för altanen?", "sk-hemligast-0042", b"ritning" * 100
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Filled:
    """An organisation with something encrypted of every kind."""

    owner: Actor
    provider: UUID
    conversation: UUID
    content: str


async def _piece(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _fill(runtime: Runtime) -> Filled:
    services = runtime.services
    runtime.contents.prepare()
    owner = await services.setup.run(Setup("Sundsvalls kommun", "owner@example.se", PASSWORD))
    draft = ProviderDraft("Fjärran", "openai_compatible", "http://127.0.0.1:9/v1", SECRET)
    provider = await services.models.add_provider(owner, draft)
    space = await services.spaces.personal(owner)
    assistant = (await services.assistants.default(owner, space.space.id)).assistant
    mine = {"tenant_id": owner.tenant_id, "assistant_id": assistant.id}
    conversation = Conversation(**mine, user_id=owner.user_id, name=QUESTION)
    asked = [
        Message(**mine, conversation_id=conversation.id, question=f"{QUESTION} {n}", answer="Nej.", state="done")
        for n in range(3)
    ]
    for former, message in pairwise(asked):
        message.parent_id = former.id
    async with runtime.rotation._uow.begin(owner.tenant_id) as tx:
        await tx.add(conversation, *asked)
    stored = await runtime.contents.receive(owner.tenant_id, _piece(CONTENT), 10_000)
    return Filled(owner, provider.id, conversation.id, stored.name)


async def _is_whole(runtime: Runtime, filled: Filled) -> None:
    """Everything reads as it was written."""
    view = await runtime.services.conversations.get(filled.owner, filled.conversation)
    assert view.conversation.name == QUESTION
    assert [m.message.question for m in view.messages] == [f"{QUESTION} {n}" for n in range(3)]
    provider = await runtime.services.models.provider(filled.owner, filled.provider)
    assert (await runtime.services.credentials.access(provider)).secret == SECRET
    tenant_id = filled.owner.tenant_id
    assert b"".join([part async for part in runtime.contents.read(tenant_id, filled.content)]) == CONTENT
    assert (await runtime.services.audit.verify(tenant_id)).faults == []


async def _values(runtime: Runtime, tenant_id: UUID) -> list[str]:
    """Every encrypted value as it stands in the database."""
    found: list[str] = []
    async with runtime.database.session(tenant_id, write=False) as session:
        for kind, column in places():
            found += await session.scalars(
                select(type_coerce(column, Text)).select_from(kind).where(column.is_not(None))
            )
    return found


async def _prefix(runtime: Runtime, tenant_id: UUID) -> str:
    runtime.ring.forget(tenant_id)
    return (await runtime.ring.of(tenant_id)).prefix


async def _opened(place: Place, *keys: bytes, **more: object) -> Runtime:
    given = ",".join(key.hex() for key in keys) or None
    return await build(place.settings(encryption_key=given, **more), listen=False)


async def _rotate(runtime: Runtime, *, data: bool) -> list[str]:
    said: list[str] = []
    runtime.rotation._settle = 0.0
    assert await runtime.rotation.run(data=data, say=said.append), said
    return said


async def test_another_master_key_takes_over_and_the_old_one_can_go(place: Place) -> None:
    first = await _opened(place, MASTER_KEY)
    filled = await _fill(first)
    before = await _prefix(first, filled.owner.tenant_id)
    # The audit log begins at a checkpoint, which is signed as well.
    assert await first.services.audit.retain(filled.owner.tenant_id, moment=now() + timedelta(days=1000))
    both = await _opened(place, OTHER, MASTER_KEY)
    await _is_whole(both, filled)
    await _rotate(both, data=False)
    await _is_whole(both, filled)
    # A process that was started before goes on with what it has, and what it writes can be read.
    await first.services.conversations.rename(filled.owner, filled.conversation, QUESTION)
    await _is_whole(both, filled)
    await _rotate(both, data=False)
    alone = await _opened(place, OTHER)
    await _is_whole(alone, filled)
    assert await _prefix(alone, filled.owner.tenant_id) == before
    forgotten = await _opened(place, MASTER_KEY)
    with pytest.raises(MasterKeyError, match="ENCRYPTION_KEY"):
        await forgotten.ring.of(filled.owner.tenant_id)
    for runtime in (first, both, alone, forgotten):
        await runtime.close()


async def test_the_command_lists_and_rotates(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    runtime = await _opened(place, MASTER_KEY)
    filled = await _fill(runtime)
    tag = (await _prefix(runtime, filled.owner.tenant_id))[3:-1]
    settings = place.settings(encryption_key=f"{OTHER.hex()},{MASTER_KEY.hex()}")
    newest, old = MasterKeys(OTHER, MASTER_KEY).ids
    assert await keys_command(settings, "list", data=False) == 0
    listed = capsys.readouterr().out
    assert f"master key {newest}: newest, 0 data keys under it" in listed
    assert f"master key {old}: needed, 1 data keys under it" in listed
    assert await keys_command(settings, "rotate", data=False) == 0
    assert "Done." in capsys.readouterr().out
    assert await keys_command(settings, "list", data=False) == 0
    listed = capsys.readouterr().out
    assert f"master key {old}: no longer needed, 0 data keys under it" in listed
    assert f"sundsvalls-kommun: data key {tag} of" in listed
    assert MASTER_KEY.hex() not in listed
    assert await keys_command(place.settings(encryption_key=MASTER_KEY.hex()), "rotate", data=False) == 1
    assert "is missing" in capsys.readouterr().err
    await runtime.close()


async def test_keys_in_the_file_are_renewed_there(sqlite_place: Place) -> None:
    running = await _opened(sqlite_place)
    filled = await _fill(running)
    path = sqlite_place.data / "keys" / "master.key"
    old = path.read_text()
    command = await _opened(sqlite_place)
    await _rotate(command, data=False)
    assert path.read_text().splitlines()[1:] == old.splitlines()
    assert path.stat().st_mode & 0o777 == 0o600
    running.ring.forget(filled.owner.tenant_id)
    await _is_whole(running, filled)
    for runtime in (running, command):
        await runtime.close()


async def test_new_data_keys_encrypt_everything_and_the_old_ones_go(place: Place) -> None:
    runtime = await _opened(place, MASTER_KEY)
    filled = await _fill(runtime)
    tenant_id = filled.owner.tenant_id
    before = await _prefix(runtime, tenant_id)
    said = await _rotate(runtime, data=True)
    after = await _prefix(runtime, tenant_id)
    assert after != before
    assert all(value.startswith(after) for value in await _values(runtime, tenant_id) if value)
    async with runtime.rotation._uow.read(tenant_id) as tx:
        [key] = await tx.secrets.data_keys()
        entries = [e for e in await tx.audit.in_order(0, 100) if e.action == "encryption_key_rotated"]
    assert tag_of(key) in after
    assert {name for e in entries for name in e.changes["new"]} == {"data_key", "removed"}
    await _is_whole(runtime, filled)
    assert "1 data keys removed" in said[-1]
    await runtime.close()


async def test_what_arrives_meanwhile_is_kept(place: Place) -> None:
    """A process that has read the old keys writes until it reads them again; the old key stays for an open upload."""
    command, running = await _opened(place, MASTER_KEY), await _opened(place, MASTER_KEY)
    filled = await _fill(running)
    tenant_id = filled.owner.tenant_id
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield CONTENT
        begun.set()
        await go_on.wait()
        yield CONTENT

    upload = asyncio.create_task(running.contents.receive(tenant_id, slow(), 10_000))
    await reached(begun, upload)
    await _rotate(command, data=True)
    go_on.set()
    stored = await upload
    assert b"".join([part async for part in running.contents.read(tenant_id, stored.name)]) == CONTENT * 2
    await _rotate(command, data=False)
    async with command.rotation._uow.read(tenant_id) as tx:
        assert len(await tx.secrets.data_keys()) == 1
    running.ring.forget(tenant_id)
    await _is_whole(running, filled)
    for runtime in (command, running):
        await runtime.close()


async def _until_killed(place: Place, transactions: int) -> int:
    arguments: Iterable[str] = (
        str(place.data), place.url or "", place.program_url or "", MASTER_KEY.hex(), str(transactions),
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.rotating", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    await process.communicate()
    assert process.returncode is not None
    return process.returncode


async def test_killed_anywhere_it_goes_on(place: Place) -> None:
    runtime = await _opened(place, MASTER_KEY)
    filled = await _fill(runtime)
    tenant_id = filled.owner.tenant_id
    before = await _prefix(runtime, tenant_id)
    outcomes = []
    for transactions in (1, 2, 3, 6, 9, 100):
        outcomes.append(await _until_killed(place, transactions))
        runtime.ring.forget(tenant_id)
        await _is_whole(runtime, filled)
    assert outcomes == [-signal.SIGKILL] * 5 + [0]
    after = await _prefix(runtime, tenant_id)
    assert after != before
    assert all(value.startswith(after) for value in await _values(runtime, tenant_id) if value)
    await runtime.close()


async def _stored_as(runtime: Runtime, tenant_id: UUID, value: str) -> None:
    """Put a value of another form into the place of the provider's key."""
    async with runtime.database.session(tenant_id) as session:
        await session.execute(update(ModelProvider).where(model_providers.c.secret.is_not(None)).values(secret=value))
        await session.commit()


async def test_fernet_values_are_read_and_turned_over(place: Place) -> None:
    older, newer = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    runtime = await _opened(place, MASTER_KEY, fernet_keys=f"{newer}, {older}")
    filled = await _fill(runtime)
    tenant_id = filled.owner.tenant_id
    value = "enc:fernet:v1:" + Fernet(older).encrypt(SECRET.encode()).decode()
    await _stored_as(runtime, tenant_id, value)
    await _is_whole(runtime, filled)
    without = await _opened(place, MASTER_KEY)
    provider = await without.services.models.provider(filled.owner, filled.provider)
    with pytest.raises(KeyMissing, match="FERNET_KEYS"):
        await without.services.credentials.access(provider)
    said: list[str] = []
    assert not await without.rotation.run(data=False, say=said.append)
    assert "1 values in model_providers.secret cannot be read" in said[-1]
    assert value in await _values(without, tenant_id)
    await _rotate(runtime, data=False)
    provider = await without.services.models.provider(filled.owner, filled.provider)
    assert (await without.services.credentials.access(provider)).secret == SECRET
    for each in (runtime, without):
        await each.close()


@pytest.mark.parametrize("plain", ["i klartext", "s2: vad gäller här?", "s1:"])
async def test_texts_from_before_are_read_and_turned_over(place: Place, plain: str) -> None:
    runtime = await _opened(place, MASTER_KEY)
    filled = await _fill(runtime)
    tenant_id = filled.owner.tenant_id
    async with runtime.database.session(tenant_id) as session:
        await session.execute(update(Message).values({messages.c.answer: type_coerce(plain, Text)}))
        await session.commit()
    view = await runtime.services.conversations.get(filled.owner, filled.conversation)
    assert {m.message.answer for m in view.messages} == {plain}
    await _rotate(runtime, data=False)
    assert plain not in await _values(runtime, tenant_id)
    view = await runtime.services.conversations.get(filled.owner, filled.conversation)
    assert {m.message.answer for m in view.messages} == {plain}
    await runtime.close()


async def test_a_damaged_file_keeps_its_key_and_nothing_else(place: Place) -> None:
    runtime = await _opened(place, MASTER_KEY)
    filled = await _fill(runtime)
    tenant_id = filled.owner.tenant_id
    damaged = await runtime.contents.receive(tenant_id, _piece(CONTENT), 10_000)
    path = runtime.contents._path(tenant_id, damaged.name)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    said: list[str] = []
    runtime.rotation._settle = 0.0
    assert not await runtime.rotation.run(data=True, say=said.append)
    assert "1 values in files cannot be read" in said[-1]
    after = await _prefix(runtime, tenant_id)
    assert all(value.startswith(after) for value in await _values(runtime, tenant_id) if value)
    async with runtime.rotation._uow.read(tenant_id) as tx:
        assert len(await tx.secrets.data_keys()) == 2
    await _is_whole(runtime, filled)
    # Once it is gone, the next call comes to the end.
    await runtime.contents.delete(tenant_id, damaged.name)
    assert "1 data keys removed" in (await _rotate(runtime, data=True))[-1]
    await runtime.close()


def test_tokens_outlive_their_master_key() -> None:
    rules = [
        tokens.TokenRules(keys[0], "samrad", "samrad", 60, keys[1:])
        for keys in (MasterKeys(MASTER_KEY).derived("jwt"), MasterKeys(OTHER, MASTER_KEY).derived("jwt"))
    ]
    sign_in = SignIn(
        tenant_id=new_id(),
        user_id=new_id(),
        token_hash=None,
        kind="api",
        expires_at=now(),
        idle_seconds=1,
        last_seen_at=now(),
    )
    token = tokens.issue(rules[0], sign_in)
    assert tokens.read(rules[1], token).session_id == sign_in.id


async def test_a_key_is_known_to_others_before_it_encrypts(place: Place) -> None:
    runtime = await _opened(place, MASTER_KEY)
    filled = await _fill(runtime)
    tenant_id = filled.owner.tenant_id
    before = await _prefix(runtime, tenant_id)
    await runtime.rotation._add_key(tenant_id)
    other = KeyRing(runtime.database, MasterKeys(MASTER_KEY))
    assert (await other.of(tenant_id)).prefix == before
    assert len((await other.of(tenant_id)).ciphers) == 2
    await runtime.close()


async def test_what_surrounds_a_question_is_encrypted_too(place: Place) -> None:
    """What a provider said of it, how it was answered, and the titles and headings of what it cites."""
    runtime = await _opened(place, MASTER_KEY)
    filled = await _fill(runtime)
    tenant_id, planted = filled.owner.tenant_id, "planterad hemlighet"
    async with runtime.rotation._uow.begin(tenant_id) as tx:
        links = await tx.conversations.links(filled.conversation)
        [message, *_] = await tx.conversations.messages([link.id for link in links])
        message.error_params, message.trace = {"reason": planted}, {"left_out": [planted]}
        source = MessageSource(
            tenant_id=tenant_id, message_id=message.id, number=1, document_id=new_id(), version_id=new_id(),
            collection_id=new_id(), chunk_id=new_id(), title=planted, text=planted, start=0, end=1, heading_path=[planted],
        )  # fmt: skip
        await tx.add(source)
    async with runtime.rotation._uow.read(tenant_id) as tx:
        links = await tx.conversations.links(filled.conversation)
        [message, *_] = await tx.conversations.messages([link.id for link in links])
        [[source]] = (await tx.conversations.sources([message.id])).values()
    assert (message.error_params, message.trace) == ({"reason": planted}, {"left_out": [planted]})
    assert (source.title, source.heading_path) == (planted, [planted])
    values = await _values(runtime, tenant_id)
    assert len(values) >= 5
    assert planted not in str(values)
    async with runtime.database.session(tenant_id, write=False) as session:
        connection = await session.connection()
        for table in ("messages", "message_sources"):
            rows = (await connection.execute(text(f"select * from {table}"))).all()
            assert planted not in str(rows)
    await runtime.close()
