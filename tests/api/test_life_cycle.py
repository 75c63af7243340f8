"""Backup, restore, move, and organisations that change their installation: nothing is lost, nothing else comes along."""

import argparse
import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from app import backup, moving, tenant_files
from app.bootstrap import Runtime, build
from app.config import Settings
from app.server import create_api
from domain.kernel.actor import Actor
from domain.tenants.service import Setup
from storage.archive.sealed import ArchiveError
from tests.conftest import BOTH, OPERATOR_KEY, PASSWORD, Place, found
from tests.support import documents
from tests.support.api import Api, events_of, make_assistant, make_collection, make_space, upload
from tests.support.pictures import picture
from tests.support.postgres import TEMPLATE, Postgres
from tests.support.release import EMAIL, FACT, FOLDER
from tests.support.release import SECRET as RELEASE_SECRET
from tests.support.valkey import Valkey

SECRET = b"en hemlighet som ingen gissar"
QUESTION = "Vad kostar bygglov för en altan?"
PAGES = ["Handbok om bygglov.", "Avgiften för bygglov för en altan är 4 300 kronor.", "Beslutet kan överklagas."]
Empty = Callable[..., Awaitable[Settings]]


@pytest.fixture
async def empty(
    postgres: Postgres, sqlite_template: Path, shared_valkey: Valkey, tmp_path: Path
) -> AsyncIterator[Empty]:
    """Makes empty places for an installation on either database."""
    names: list[str] = []

    async def make(dialect: str, *, migrated: bool = False) -> Settings:
        data, url = tmp_path / f"empty-{dialect}-{len(os.listdir(tmp_path))}", None
        data.mkdir()
        if dialect == "postgres":
            names.append(await postgres.create(template=TEMPLATE if migrated else "template0"))
            if not migrated:
                await postgres.execute("create extension vector", names[-1])
            url = postgres.url(names[-1])
        elif migrated:
            shutil.copyfile(sqlite_template, data / "samrad.db")
        place = Place(data, url, url and url.replace("samrad_owner@", "samrad_app@"))
        return place.settings(redis_url=shared_valkey.url, super_api_key=OPERATOR_KEY)

    yield make
    for name in names:
        await postgres.drop(name)


async def ask(client: httpx.AsyncClient, assistant_id: str) -> str:
    body = {"assistant_id": assistant_id, "question": QUESTION, "stream": True}
    events = events_of((await client.post("/api/v1/conversations/", params={"version": 2}, json=body)).text)
    return str(events[0]["data"]["session_id"])


class Lived:
    """An installation in which something has happened, and what must be found again."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def live(self) -> "Lived":
        client = await self.api.client()
        space_id = await make_space(client)
        self.collection = await make_collection(client, space_id)
        self.content = documents.pdf(PAGES)
        await upload(client, self.collection, "Handbok.pdf", self.content)
        await self.api.work()
        self.assistant = await make_assistant(client, space_id, self.collection)
        self.icon = (await client.post("/api/v1/icons/", files={"file": ("a.png", picture(50))})).json()["id"]
        await client.post(f"/api/v1/assistants/{self.assistant}/", json={"icon_id": self.icon})
        self.sign = (await client.get(f"/api/v1/icons/{self.icon}/")).content
        self.conversation = await ask(client, self.assistant)
        self.told = (await client.get(f"/api/v1/conversations/{self.conversation}/")).json()
        return self

    async def check(self, settings: Settings) -> None:
        """Everything is as it was, behind the same password, and work goes on."""
        runtime = await build(settings)
        try:
            here = Api(runtime, create_api(runtime), self.api.owner)
            client = await here.client()
            assert (await client.get(f"/api/v1/conversations/{self.conversation}/")).json() == self.told
            body = {"query": QUESTION, "collection_ids": [self.collection], "mode": "hybrid"}
            hits = (await client.post("/api/v1/search/", json=body)).json()["items"]
            assert "4 300 kronor" in hits[0]["text"]
            assert hits[0]["vector_score"] > 0.8
            assert hits[0]["text_score"] > 0
            [item] = (await client.get(f"/api/v1/groups/{self.collection}/info-blobs/")).json()["items"]
            original = await client.get(f"/api/v1/info-blobs/{item['id']}/original/")
            assert original.content == self.content
            assert (await client.get(f"/api/v1/assistants/{self.assistant}/")).json()["icon_id"] == self.icon
            assert (await client.get(f"/api/v1/icons/{self.icon}/")).content == self.sign
            findings = await runtime.services.audit.verify(self.api.owner.tenant_id)
            assert (findings.checked > 5, list(findings.faults)) == (True, [])
            await ask(client, self.assistant)
            await upload(client, self.collection, "Mer.pdf", documents.pdf(["Staket kräver inte bygglov."]))
            await here.work()
            listed = (await client.get(f"/api/v1/groups/{self.collection}/info-blobs/")).json()["items"]
            assert [each["state"] for each in listed] == ["ready", "ready"]
        finally:
            await runtime.close()


@pytest.fixture
async def lived(api: Api) -> Lived:
    return await Lived(api).live()


async def test_a_backup_taken_at_work_comes_back_on_either_database(
    lived: Lived, other: Actor, empty: Empty, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, runtime = tmp_path / "all.samrad", lived.api.runtime
    client = await lived.api.client()

    async def work_on() -> None:
        for number in range(20):
            await client.post("/api/v1/spaces/", json={"name": f"Under tiden {number}"})

    await asyncio.gather(backup.write(runtime.settings, file, SECRET), work_on())
    assert file.stat().st_mode & 0o077 == 0
    assert "NOT in it" in capsys.readouterr().out
    assert not [*runtime.settings.data_dir.glob("files.backup-*")]
    contents = await backup.verify(file, SECRET)
    assert contents.counts["tenants"] == 2
    assert len(contents.files) >= 1
    assert not contents.missing
    for dialect in BOTH:
        settings = await empty(dialect)
        await backup.restore(settings, file, SECRET)
        await lived.check(settings)
        with pytest.raises(ArchiveError, match="already"):
            await backup.restore(settings, file, SECRET)


async def test_what_is_altered_cut_off_or_opened_with_another_secret_is_refused(
    lived: Lived, empty: Empty, tmp_path: Path
) -> None:
    file = tmp_path / "all.samrad"
    await backup.write(lived.api.runtime.settings, file, SECRET)
    raw = file.read_bytes()
    settings = await empty(lived.api.runtime.database.dialect.removesuffix("ql"))
    damaged = tmp_path / "damaged.samrad"
    for content, words in (
        (raw[:-200], "damaged"),
        (raw[:40], "wrong"),
        (b"PK" + raw, "no backup"),
        (raw[: len(raw) // 2] + bytes([raw[len(raw) // 2] ^ 1]) + raw[len(raw) // 2 + 1 :], "damaged"),
    ):
        damaged.write_bytes(content)
        with pytest.raises(ArchiveError, match=words):
            await backup.verify(damaged, SECRET)
        with pytest.raises(ArchiveError):
            await backup.restore(settings, damaged, SECRET)
    with pytest.raises(ArchiveError, match="passphrase is wrong"):
        await backup.verify(file, b"en annan hemlighet")
    with pytest.raises(ArchiveError, match="12 characters"):
        await backup.verify(file, b"kort")
    # Nothing that failed has left anything behind.
    await backup.restore(settings, file, SECRET)


async def test_master_keys_of_the_data_folder_come_along_and_others_are_asked_for(
    sqlite_place: Place, empty: Empty, shared_valkey: Valkey, tmp_path: Path
) -> None:
    settings = sqlite_place.settings(redis_url=shared_valkey.url, encryption_key=None)
    runtime = await build(settings)
    owner = await runtime.services.setup.run(Setup("Åre", "chef@are.se", PASSWORD))
    await runtime.ring.of(owner.tenant_id)
    await runtime.close()
    file = tmp_path / "all.samrad"
    await backup.write(settings, file, SECRET)
    elsewhere = (await empty("sqlite")).model_copy(update={"encryption_key": "00" * 32})
    with pytest.raises(ArchiveError, match="They are in the backup"):
        await backup.restore(elsewhere, file, SECRET)
    without = elsewhere.model_copy(update={"encryption_key": None})
    await backup.restore(without, file, SECRET)
    kept = without.data_dir / "keys" / "master.key"
    assert kept.read_text() == (settings.data_dir / "keys" / "master.key").read_text()
    assert kept.stat().st_mode & 0o077 == 0


@pytest.fixture
async def sqlite_lived(sqlite_place: Place, shared_valkey: Valkey) -> AsyncIterator[tuple[Lived, Runtime]]:
    running = await build(sqlite_place.settings(redis_url=shared_valkey.url, super_api_key=OPERATOR_KEY))
    owner = await running.services.setup.run(Setup("Sundsvalls kommun", "owner@example.se", PASSWORD))
    running.contents.prepare()
    lived = await Lived(Api(running, create_api(running), owner)).live()
    yield lived, running
    await running.close()


async def test_an_installation_moves_to_postgres_and_back(
    sqlite_lived: tuple[Lived, Runtime], empty: Empty, capsys: pytest.CaptureFixture[str]
) -> None:
    lived, running = sqlite_lived
    await running.close()
    there = await empty("postgres")
    url = there.database_url or ""
    moved = running.settings.model_copy(update={"database_url": url, "database_app_url": there.database_app_url})
    assert await moving.move(argparse.Namespace(to=url, from_=None), running.settings) == 0
    assert "passages with their vectors" in capsys.readouterr().out
    again = argparse.Namespace(to=url, from_=None)
    assert await moving.move(again, running.settings) == 1
    assert "already" in capsys.readouterr().err
    (running.settings.data_dir / "samrad.db").unlink()
    assert await moving.move(argparse.Namespace(to=None, from_=url), running.settings) == 0
    await lived.check(running.settings)
    await lived.api.runtime.close()
    held = await build(moved, listen=False)
    await held.directory.tenant_ids()
    back = argparse.Namespace(to="sqlite", from_=None)
    assert await moving.move(back, moved) == 1
    assert "running" in capsys.readouterr().err
    await held.close()


async def test_an_organisation_moves_into_another_installation(
    lived: Lived, other: Actor, empty: Empty, tmp_path: Path
) -> None:
    """To the other database, and under another master key."""
    file, destination = (
        tmp_path / "one.samrad",
        "postgres" if lived.api.runtime.database.dialect == "sqlite" else "sqlite",
    )
    await tenant_files.export(lived.api.runtime, "sundsvalls-kommun", file, SECRET)
    with pytest.raises(ArchiveError, match="There is no organisation"):
        await tenant_files.export(lived.api.runtime, "nowhere", tmp_path / "x", SECRET)
    with pytest.raises(ArchiveError, match="one organisation"):
        await backup.restore(await empty(destination), file, SECRET)
    settings = (await empty(destination, migrated=True)).model_copy(update={"encryption_key": bytes(32).hex()})
    runtime = await build(settings)
    await found(runtime, "Värden", "chef@varden.se")
    await tenant_files.bring(runtime, file, SECRET)
    with pytest.raises(ArchiveError, match="here already"):
        await tenant_files.bring(runtime, file, SECRET)
    tenants = await runtime.directory.tenant_ids()
    assert lived.api.owner.tenant_id in tenants
    assert len(tenants) == 2
    assert other.tenant_id not in tenants
    await runtime.close()
    await lived.check(settings)


async def test_an_organisation_whose_people_are_here_already_stays_outside(
    api: Api, empty: Empty, tmp_path: Path
) -> None:
    file = tmp_path / "one.samrad"
    await upload_something(api)
    await tenant_files.export(api.runtime, "sundsvalls-kommun", file, SECRET)
    settings = await empty(api.runtime.database.dialect.removesuffix("ql"), migrated=True)
    runtime = await build(settings)
    await found(runtime, "En annan", "owner@example.se")
    with pytest.raises(ArchiveError, match="here already"):
        await tenant_files.bring(runtime, file, SECRET)
    assert len(await runtime.directory.tenant_ids()) == 1
    assert not (settings.data_dir / "files" / api.owner.tenant_id.hex).exists()
    await runtime.close()


async def upload_something(api: Api) -> None:
    client = await api.client()
    await upload(client, await make_collection(client, await make_space(client)), "a.txt", b"Ett brev.")


@pytest.mark.parametrize("release", sorted(FOLDER.glob("*.samrad")), ids=lambda path: path.stem)
@pytest.mark.parametrize("dialect", BOTH)
async def test_what_every_version_left_behind_works_with_this_one(release: Path, dialect: str, empty: Empty) -> None:
    settings = (await empty(dialect)).model_copy(update={"encryption_key": None})
    await backup.restore(settings, release, RELEASE_SECRET)
    runtime = await build(settings)
    [tenant_id] = await runtime.directory.tenant_ids()
    api = Api(runtime, create_api(runtime), Actor.system(tenant_id))
    client = await api.client(EMAIL)
    [listed] = (await client.get("/api/v1/spaces/")).json()["items"]
    [collection] = (await client.get(f"/api/v1/spaces/{listed['id']}/knowledge/")).json()["groups"]["items"]
    body = {"query": QUESTION, "collection_ids": [collection["id"]], "mode": "hybrid"}
    [hit, *_] = (await client.post("/api/v1/search/", json=body)).json()["items"]
    assert FACT in hit["text"]
    assert min(hit["vector_score"], hit["text_score"]) > 0
    assert not list((await runtime.services.audit.verify(tenant_id)).faults)
    await runtime.close()
