"""What is done again and again is done once, however many processes think of it at the same moment, also after a kill."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, text, update

from app import maintenance, scheduled_backup
from app.bootstrap import Runtime, build
from app.observability import alerts
from domain.audit.entities import AuditEntry
from domain.conversations.entities import Conversation
from domain.jobs.entities import Job
from domain.kernel.clock import now
from domain.users.entities import User
from domain.websites.entities import CrawlRun, Website
from storage.tables.websites import websites
from tests.api.test_conversations import ask
from tests.conftest import Place
from tests.support.api import Api, make_assistant, make_collection, make_space, upload
from tests.support.valkey import Valkey
from tests.support.waiting import reached
from tests.support.worker import until

PROCESSES = 3
OLD = timedelta(days=4_000)


@pytest.fixture
async def processes(valkey: Valkey, api: Api, place: Place) -> AsyncIterator[list[Runtime]]:
    """Several on one database, and no worker: what one that was killed said of itself is gone."""
    settings = place.settings(redis_url=valkey.url, outbound_allow="127.0.0.0/8")
    more = [await build(settings, listen=False) for _ in range(PROCESSES - 1)]
    yield [api.runtime, *more]
    for runtime in more:
        await runtime.close()


async def together(processes: list[Runtime], work: Callable[[Runtime], Awaitable[int]]) -> int:
    """What all of them say to have done at the same moment."""
    return sum(await asyncio.gather(*(work(runtime) for runtime in processes)))


async def changed(api: Api, kind: type, *where: object, **values: object) -> None:
    async with api.runtime.database.session(api.owner.tenant_id, write=True) as session:
        statement = update(kind).where(*where).values(**values)  # type: ignore[arg-type]
        await session.execute(statement, execution_options={"synchronize_session": False})
        await session.commit()


async def told(api: Api, action: str) -> list[AuditEntry]:
    return [entry for entry in await api.entries(api.owner.tenant_id) if entry.action == action]


async def asked(api: Api, client: httpx.AsyncClient, count: int, **more: object) -> str:
    assistant = await make_assistant(client, await make_space(client))
    for _ in range(count):
        assert (await ask(client, assistant, stream=False, **more)).status_code == 200
    await changed(api, Conversation, last_message_at=now() - OLD)
    return assistant


async def test_old_conversations_are_removed_once(api: Api, processes: list[Runtime]) -> None:
    client = await api.client()
    assistant = await asked(api, client, 6)
    await client.post(f"/api/v1/assistants/{assistant}/", json={"data_retention_days": 3})
    assert await together(processes, lambda runtime: runtime.services.retention.retain_everywhere()) == 6
    removed = [entry.changes["new"]["removed"] for entry in await told(api, "retention_policy_applied")]
    assert sum(removed) == 6


async def test_temporary_conversations_are_removed_once(api: Api, processes: list[Runtime]) -> None:
    await asked(api, await api.client(), 4, temporary=True)
    assert await together(processes, lambda runtime: runtime.services.temporary.drop_everywhere()) == 4
    assert len(await told(api, "conversation_deleted")) == 4


async def test_deleted_accounts_are_forgotten_once(api: Api, processes: list[Runtime]) -> None:
    client = await api.client()
    gone = [await api.user(f"anna{n}@example.se") for n in range(3)]
    for user in gone:
        assert (await client.delete(f"/api/v1/users/admin/{user}/")).status_code < 300
    await changed(api, User, User.id.in_(gone), deleted_at=now() - OLD)  # type: ignore[attr-defined]
    assert await together(processes, lambda runtime: runtime.services.users.forget_deleted()) == 3


async def test_old_audit_entries_are_removed_once(api: Api, processes: list[Runtime]) -> None:
    tenant = api.owner.tenant_id
    kept = (await api.runtime.services.audit.settings(api.owner)).retention_days
    # What is recorded from here on is younger.
    before, later = len(await api.entries(tenant)), now() + timedelta(days=kept)
    assert await together(processes, lambda runtime: runtime.services.audit.retain(tenant, moment=later)) == before
    [entry] = await told(api, "retention_policy_applied")
    assert entry.changes["new"]["removed"] == before
    assert not (await api.runtime.services.audit.verify(tenant)).faults


async def night(processes: list[Runtime]) -> list[Runtime]:
    """The same processes at a place on earth where it is night now."""
    hour = (now() - timedelta(hours=maintenance.HOUR_OF_NIGHT)).hour
    zone = f"Etc/GMT{'+' if hour <= 12 else '-'}{hour if hour <= 12 else 24 - hour}"
    return [replace(each, settings=each.settings.model_copy(update={"time_zone": zone})) for each in processes]


async def test_the_nightly_maintenance_is_done_once_also_when_who_began_it_is_killed(
    processes: list[Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, done, dying = asyncio.Event(), 0, True

    async def part(_: Runtime) -> str:
        nonlocal done
        begun.set()
        if dying:
            await asyncio.Event().wait()
        done += 1
        return "done"

    monkeypatch.setattr(maintenance, "_tend", part)
    monkeypatch.setattr(maintenance, "LEASE", timedelta(seconds=0.5))
    there = await night(processes)
    killed = asyncio.create_task(maintenance.nightly(there[0]))
    await reached(begun, killed)
    await asyncio.gather(*(maintenance.nightly(each) for each in there[1:]))
    assert done == 0
    killed.cancel()
    dying = False

    async def again() -> bool:
        await asyncio.gather(*(maintenance.nightly(each) for each in there))
        return done > 0

    await until(again)
    await asyncio.gather(*(maintenance.nightly(each) for each in there))
    assert done == 1


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_a_website_is_read_once_also_when_who_saw_its_time_is_killed(api: Api, processes: list[Runtime]) -> None:
    client = await api.client()
    body = {"url": "http://127.0.0.1:9/", "update_interval": "daily", "crawl_type": "crawl"}
    space = await make_space(client)
    made = await client.post(f"/api/v1/spaces/{space}/knowledge/websites/", json=body)
    website = UUID(made.json()["id"])
    await changed(api, CrawlRun, state="failed")
    await changed(api, Job, state="failed")
    await changed(api, Website, websites.c.id == website, next_crawl_at=now() - timedelta(minutes=1))
    before = await _crawls(api)
    database = processes[1].database
    async with database.system_session(write=True) as session:
        # Nobody can write a job down: who has seen that it is time stops there, and is killed.
        await session.execute(text("lock table jobs in exclusive mode"))
        killed = asyncio.create_task(processes[0].services.websites.start_due())
        await until(lambda: _waits(processes[2]))
        killed.cancel()
        await asyncio.gather(killed, return_exceptions=True)
        await session.rollback()
    assert await together(processes, lambda runtime: runtime.services.websites.start_due()) == 1
    assert await together(processes, lambda runtime: runtime.services.websites.start_due()) == 0
    assert await _crawls(api) == before + 1


async def _crawls(api: Api) -> int:
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        return int((await session.execute(select(func.count()).select_from(CrawlRun))).scalar_one())


async def _waits(runtime: Runtime) -> bool:
    async with runtime.database.system_session() as session:
        waiting = text("select count(*) from pg_locks where not granted")
        return bool((await session.execute(waiting)).scalar_one())


async def test_a_scheduled_backup_is_made_once_also_when_who_began_it_is_killed(
    sqlite_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, key = tmp_path / "backups", tmp_path / "backup.key"
    key.write_text("0123456789abcdef" * 4)
    folder.mkdir()
    settings = sqlite_place.settings(
        backup_schedule="00:00", backup_folder=folder, backup_keep=2, backup_key_file=key, time_zone="UTC"
    )
    for name in ("data_dir", "backup_key_file", "encryption_key", "models_dir"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))

    async def begun() -> bool:
        return any(folder.iterdir())

    killed = asyncio.create_task(scheduled_backup.keep_up(settings))
    await until(begun)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    assert not scheduled_backup.kept(folder)
    for _ in range(2):
        await scheduled_backup.keep_up(settings)
    assert len(scheduled_backup.kept(folder)) == 1


async def test_an_alert_is_told_once_also_when_who_tells_it_is_killed(
    api: Api, processes: list[Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a busy machine takes for what the others do meanwhile.
    monkeypatch.setattr(alerts, "LEASE", timedelta(seconds=4))
    got: list[bytes] = []
    came = asyncio.Event()

    async def hook(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"}"))
        came.set()
        if len(got) > 1:
            writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            await writer.drain()
        else:
            # Whoever tells it first is killed before it knows whether it is told.
            await reader.read()
        writer.close()

    server = await asyncio.start_server(hook, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    client = await api.client()
    await upload(client, await make_collection(client, await make_space(client)), "a.txt", b"Ett brev.")
    first, *others = [_alerts(each, url) for each in processes]
    for each in (first, *others):
        await each.look()
    killed = asyncio.create_task(first.look())
    await asyncio.wait([killed, asyncio.ensure_future(came.wait())], return_when=asyncio.FIRST_COMPLETED)
    assert came.is_set()
    await asyncio.gather(*(each.look() for each in others))
    assert len(got) == 1
    killed.cancel()

    async def told_again() -> bool:
        await asyncio.gather(*(each.look() for each in others))
        return len(got) > 1

    await until(told_again)
    await asyncio.gather(*(each.look() for each in others))
    assert len(got) == 2
    server.close()


def _alerts(runtime: Runtime, url: str) -> alerts.Alerts:
    settings = runtime.settings.model_copy(update={"alert_webhook": url})
    return alerts.Alerts(settings, runtime.services.operations, runtime.directory, runtime.guard, runtime.mailer)
