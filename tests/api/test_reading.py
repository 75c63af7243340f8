"""What becomes of files of many kinds: archives, recordings, scans, and what the virus scanner thinks of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.bootstrap import Runtime, build
from app.ingestion.tools import FFMPEG, TESSERACT, find
from app.security.clamd import Clamd
from app.server import create_api
from domain.kernel.actor import Actor
from domain.kernel.errors import InfectedFile, ScannerUnreachable
from domain.tenants.service import Setup
from tests.api.test_conversations import use_model
from tests.conftest import PASSWORD, Place
from tests.support import clamd, documents, more_documents
from tests.support.api import Api, make_assistant, make_collection, make_space, upload
from tests.support.provider import Provider
from tests.support.valkey import Valkey
from tests.unit.test_formats import mixed_pdf


async def listed(client: httpx.AsyncClient, collection: str, **params: str) -> dict[str, dict[str, Any]]:
    """The documents of a collection by title."""
    answer = await client.get(f"/api/v1/groups/{collection}/info-blobs/", params=params)
    assert answer.status_code == 200, answer.text
    return {item["metadata"]["title"]: item for item in answer.json()["items"]}


@pytest.fixture
async def client(api: Api) -> httpx.AsyncClient:
    return await api.client()


@pytest.fixture
async def collection(client: httpx.AsyncClient) -> str:
    return await make_collection(client, await make_space(client))


# Archives and folders


async def test_each_file_of_an_archive_is_a_document_under_its_path(
    api: Api, client: httpx.AsyncClient, collection: str
) -> None:
    content = more_documents.zip_of(
        {
            "Bygg/2026/avgifter.txt": b"Avgiften for altaner ar 4711 kronor.",
            "Bygg/plan.docx": documents.docx([("Normal", "Planen gäller Berget.")]),
            "Bygg/virus.exe": b"MZ",
            "inner.zip": b"PK",
        }
    )
    assert (await upload(client, collection, "Arkiv.zip", content)).status_code == 202
    await api.work()
    await api.work()
    found = await listed(client, collection)
    assert {title: item["state"] for title, item in found.items()} == {
        "Arkiv.zip": "ready",
        "Arkiv/Bygg/2026/avgifter.txt": "ready",
        "Arkiv/Bygg/plan.docx": "ready",
    }
    assert found["Arkiv/Bygg/2026/avgifter.txt"]["filename"] == "avgifter.txt"
    refused = {r["path"]: r["message"] for r in found["Arkiv.zip"]["refused"]}
    assert refused == {
        "Bygg/virus.exe": "Filer av typen ”exe” kan inte läsas.",
        "inner.zip": "Ett arkiv i ett arkiv packas inte upp. Packa upp det och ladda upp filerna.",
    }
    # The path is found in the list and by search.
    assert list(await listed(client, collection, search="2026/avg")) == ["Arkiv/Bygg/2026/avgifter.txt"]
    body = {"query": "avgifter altaner 4711", "collection_ids": [collection], "mode": "text"}
    passages = (await client.post("/api/v1/search/", json=body)).json()["items"]
    assert passages[0]["title"] == "Arkiv/Bygg/2026/avgifter.txt"
    actions = [entry.action for entry in await api.entries(api.owner.tenant_id)]
    assert actions.count("document_uploaded") == 3


async def test_an_archive_can_be_read_again_and_adds_nothing_twice(
    api: Api, client: httpx.AsyncClient, collection: str
) -> None:
    members = {"a.txt": b"Forsta texten.", "b.txt": b"Andra texten."}
    await upload(client, collection, "arkiv.zip", more_documents.zip_of(members))
    await api.work()
    await api.work()
    members |= {"c.txt": b"Tredje texten.", "b.txt": b"Andra texten, ny."}
    await upload(client, collection, "arkiv.zip", more_documents.zip_of(members))
    await api.work()
    await api.work()
    found = await listed(client, collection)
    assert {t: (i["state"], i["version"]) for t, i in found.items()} == {
        "arkiv.zip": ("ready", 2),
        "arkiv/a.txt": ("ready", 1),
        "arkiv/b.txt": ("ready", 2),
        "arkiv/c.txt": ("ready", 1),
    }


async def test_an_archive_of_nothing_but_refused_files_fails_with_the_reason(
    api: Api, client: httpx.AsyncClient, collection: str
) -> None:
    await upload(client, collection, "arkiv.zip", more_documents.zip_of({"../../x.txt": b"Text"}))
    await api.work()
    job = (await client.get("/api/v1/jobs/")).json()["items"][0]
    assert job["status"] == "failed"
    found = await listed(client, collection)
    assert found["arkiv.zip"]["state"] == "failed"
    assert found["arkiv.zip"]["error"] == "Filens namn leder ut ur arkivet."


async def test_a_file_of_a_folder_keeps_its_path(api: Api, client: httpx.AsyncClient, collection: str) -> None:
    address = f"/api/v1/groups/{collection}/documents/"
    for path in ("Bygg/2026/avgifter.txt", "../Bygg/./2027\\avgifter.txt"):
        answer = await client.put(address, params={"name": "avgifter.txt", "path": path}, content=path.encode())
        assert answer.status_code == 202, answer.text
    await api.work()
    assert set(await listed(client, collection)) == {"Bygg/2026/avgifter.txt", "Bygg/2027/avgifter.txt"}


# Scans


@pytest.mark.skipif(find(TESSERACT) is None, reason="tesseract is not installed")
async def test_a_document_says_which_pages_were_read_by_ocr(
    api: Api, client: httpx.AsyncClient, collection: str
) -> None:
    await upload(client, collection, "fax.pdf", mixed_pdf())
    await upload(client, collection, "lapp.png", more_documents.scan("Parkering vid torget\nkostar tio kronor"))
    await api.work()
    found = await listed(client, collection)
    fax, note = found["fax.pdf"], found["lapp.png"]
    assert (fax["state"], fax["page_count"], fax["pages_by_ocr"], fax["pages_without_text"]) == ("ready", 4, [2], [3])
    assert (note["state"], note["pages_by_ocr"]) == ("ready", [1])
    for words, place in (("byggnadsnamnden december", ("fax.pdf", 2)), ("parkering torget", ("lapp.png", 1))):
        body = {"query": words, "collection_ids": [collection], "mode": "text"}
        passages = (await client.post("/api/v1/search/", json=body)).json()["items"]
        assert (passages[0]["title"], passages[0]["page"]) == place


async def test_an_answer_says_which_pages_nobody_could_search(
    api: Api, client: httpx.AsyncClient, collection: str
) -> None:
    space = await make_space(client, "Frågor")
    mine = await make_collection(client, space)
    await upload(client, mine, "plan.pdf", documents.pdf(["Avgiften för bygglov är 4711 kronor.", "", ""]))
    await upload(client, mine, "hel.pdf", documents.pdf(["Parkering kostar tio kronor i timmen vid torget."]))
    await api.work()
    assistant = await make_assistant(client, space, mine)
    asked = {"assistant_id": assistant, "question": "Vad är avgiften för bygglov?"}
    answer = (await client.post("/api/v1/conversations/", json=asked)).json()
    [unread] = answer["unread"]
    assert (unread["title"], unread["pages"], unread["of"]) == ("plan.pdf", 2, 3)
    shown = (await client.get(f"/api/v1/conversations/{answer['session_id']}/")).json()["messages"][0]
    assert shown["unread"] == [unread]
    cited = [r["version_id"] for r in answer["references"] if r["cited"]]
    assert unread["version_id"] in cited


# Recordings


async def listening_model(client: httpx.AsyncClient, provider: Provider, name: str) -> str:
    """A provider with a model that writes down recordings."""
    body = {"name": f"Server {name}", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
    made = (await client.post("/api/v1/admin/model-providers/", json=body)).json()["id"]
    body = {"provider_id": made, "name": name, "display_name": "Lyssnaren"}
    answer = await client.post("/api/v1/admin/tenant-models/transcription/", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def test_recordings_are_refused_without_a_model(api: Api, client: httpx.AsyncClient, collection: str) -> None:
    answer = await upload(client, collection, "mote.wav", more_documents.wav(1))
    assert answer.status_code == 400
    assert answer.json()["code"] == 9020
    assert "skriver ned tal" in answer.json()["message"] or "writes down speech" in answer.json()["message"]
    assert await listed(client, collection) == {}


async def test_a_recording_is_cited_by_its_time_and_heard_once(
    api: Api, client: httpx.AsyncClient, collection: str, provider: Provider
) -> None:
    await listening_model(client, provider, "ok:120")
    sound = more_documents.wav(2)
    assert (await upload(client, collection, "Nämndens möte.wav", sound)).status_code == 202
    await api.work()
    found = await listed(client, collection)
    assert found["Nämndens möte.wav"]["state"] == "ready"
    assert found["Nämndens möte.wav"]["media_type"] == "audio/wav"
    [(name, content)] = provider.seen.recordings
    assert (name, content) == ("recording.wav", sound)
    body = {"query": "Mening 110", "collection_ids": [collection], "mode": "text"}
    [passage, *_] = (await client.post("/api/v1/search/", json=body)).json()["items"]
    # Sentence n is said at n × 7 seconds; passages begin about every minute.
    assert "Mening 110 " in passage["text"]
    assert passage["headings"] == ["12:08"]
    other = await make_collection(client, await make_space(client, "Andra"), "Andra")
    await upload(client, other, "kopia.wav", sound)
    await api.work()
    assert (await listed(client, other))["kopia.wav"]["state"] == "ready"
    assert len(provider.seen.recordings) == 1


async def test_a_transcript_without_times_is_read_too(
    api: Api, client: httpx.AsyncClient, collection: str, provider: Provider
) -> None:
    await listening_model(client, provider, "plain")
    await upload(client, collection, "mote.wav", more_documents.wav(1))
    await api.work()
    document = (await listed(client, collection))["mote.wav"]
    text = (await client.get(f"/api/v1/info-blobs/{document['id']}/")).json()["text"]
    assert text.strip() == "Hela mötet utan tider."


async def test_a_provider_that_fails_is_asked_again(
    api: Api, client: httpx.AsyncClient, collection: str, provider: Provider
) -> None:
    await listening_model(client, provider, "err:503")
    await upload(client, collection, "mote.wav", more_documents.wav(1))
    await api.work()
    [job] = (await client.get("/api/v1/jobs/")).json()["items"]
    assert job["state"] == "queued"


async def test_a_silent_recording_leaves_a_reason(
    api: Api, client: httpx.AsyncClient, collection: str, provider: Provider
) -> None:
    await listening_model(client, provider, "ok:0")
    await upload(client, collection, "mote.wav", more_documents.wav(1))
    await api.work()
    document = (await listed(client, collection))["mote.wav"]
    assert (document["state"], document["error"]) == ("failed", "Ingenting sägs i inspelningen.")


async def test_a_recording_is_attached_to_a_question_as_what_is_said(api: Api, provider: Provider) -> None:
    client = await api.client()
    space = await make_space(client)
    sound = {"upload_file": ("mote.wav", more_documents.wav(1), "audio/wav")}
    refused = await client.post("/api/v1/files/", params={"space_id": space}, files=sound)
    assert (refused.status_code, refused.json()["code"]) == (400, 9020)
    await listening_model(client, provider, "ok:20")
    taken = (await client.post("/api/v1/files/", params={"space_id": space}, files=sound)).json()
    assert taken["transcription"].startswith("[0:00] Mening 0 ")
    assert "[0:56] Mening 8 " in taken["transcription"]
    assert taken["mimetype"] == "audio/wav"
    assistant = await make_assistant(client, space)
    await use_model(client, provider, "ok:3", assistant)
    asked = {"assistant_id": assistant, "question": "Vad sägs?", "files": [{"id": taken["id"]}]}
    assert (await client.post("/api/v1/conversations/", json=asked)).status_code == 200
    assert "Mening 9 " in json.dumps(provider.seen.requests[-1]["messages"], ensure_ascii=False)
    calls = (await client.get("/api/v1/usage/calls/")).json()["items"]
    [heard] = [each for each in calls if each["purpose"] == "recording"]
    assert (heard["space_id"], heard["user_id"]) == (space, str(api.owner.user_id))
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await anna.post("/api/v1/files/", params={"space_id": space}, files=sound)).status_code == 404
    text = {"upload_file": ("a.txt", b"Text")}
    assert (await anna.post("/api/v1/files/", params={"space_id": space}, files=text)).status_code == 404
    # One's own space is taken where none is named, once there is one.
    assert (await anna.get("/api/v1/spaces/type/personal/")).status_code == 200
    assert (await anna.post("/api/v1/files/", files=sound)).json()["transcription"]


async def test_what_cannot_be_heard_leaves_a_sentence_and_no_file(api: Api, provider: Provider) -> None:
    client = await api.client()
    space = await make_space(client)
    for model, said in (("ok:0", "Ingenting sägs"), ("err:401", "nyckeln")):
        made = await listening_model(client, provider, model)
        await client.post(f"/api/v1/transcription-models/{made}/", json={"is_org_default": True})
        sound = {"upload_file": ("mote.wav", more_documents.wav(1), "audio/wav")}
        answer = await client.post("/api/v1/files/", params={"space_id": space}, files=sound)
        assert answer.status_code >= 400
        assert said in answer.json()["message"]
    assert (await client.get("/api/v1/files/")).json()["items"] == []


@pytest.mark.skipif(find(FFMPEG) is None, reason="ffmpeg is not installed")
async def test_a_long_recording_is_sent_in_parts(
    place: Place, shared_valkey: Valkey, provider: Provider, tmp_path: Path
) -> None:
    async with Installed(place, shared_valkey, transcription_max_file_size=100_000) as api:
        client = await api.client()
        await listening_model(client, provider, "ok:3")
        collection = await make_collection(client, await make_space(client))
        await upload(client, collection, "lang.wav", more_documents.wav(1_250))
        await api.work()
        document = (await listed(client, collection))["lang.wav"]
        assert document["state"] == "ready"
        assert [name for name, _ in provider.seen.recordings] == ["recording.mp3"] * 3
        chunks = await api.runtime.services.chunks.page(api.owner, UUID(document["id"]))
        assert {chunk.heading_path[0] for chunk in chunks} <= {"0:00", "10:00", "20:00"}


async def test_transcription_models_are_administered(api: Api, client: httpx.AsyncClient, provider: Provider) -> None:
    first = await listening_model(client, provider, "whisper-1")
    second = await listening_model(client, provider, "whisper-2")
    shown = (await client.get("/api/v1/transcription-models/")).json()
    assert {m["id"]: m["is_org_default"] for m in shown["items"]} == {first: True, second: False}
    answer = await client.post(f"/api/v1/transcription-models/{second}/", json={"is_org_default": True})
    assert answer.json()["is_org_default"] is True
    off = await client.post(f"/api/v1/transcription-models/{second}/", json={"is_org_enabled": False})
    assert off.status_code == 400
    assert (await client.delete(f"/api/v1/admin/tenant-models/transcription/{second}/")).status_code == 400
    body = {"display_name": "Sekreteraren", "description": "Hör svenska", "open_source": True}
    changed = await client.put(f"/api/v1/admin/tenant-models/transcription/{first}/", json=body)
    assert (changed.json()["nickname"], changed.json()["description"]) == ("Sekreteraren", "Hör svenska")
    assert (await client.delete(f"/api/v1/admin/tenant-models/transcription/{first}/")).status_code == 200
    everything = (await client.get("/api/v1/ai-models/")).json()["transcription_models"]
    assert [m["id"] for m in everything] == [second]
    actions = [entry.action for entry in await api.entries(api.owner.tenant_id)]
    assert actions[-4:] == [
        "model_created",
        "transcription_model_updated",
        "transcription_model_updated",
        "model_deleted",
    ]


async def test_only_administrators_change_transcription_models(
    api: Api, client: httpx.AsyncClient, provider: Provider
) -> None:
    model = await listening_model(client, provider, "whisper-1")
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await anna.get("/api/v1/transcription-models/")).status_code == 200
    for answer in (
        await anna.post(f"/api/v1/transcription-models/{model}/", json={"is_org_enabled": False}),
        await anna.delete(f"/api/v1/admin/tenant-models/transcription/{model}/"),
        await anna.put(f"/api/v1/admin/tenant-models/transcription/{model}/", json={}),
    ):
        assert answer.status_code == 403


# The virus scanner


class Installed:
    """An installation with settings of its own."""

    def __init__(self, place: Place, valkey: Valkey, **settings: object) -> None:
        more = {"redis_url": valkey.url, "outbound_allow": "127.0.0.0/8"}
        self._settings = place.settings(**more, **settings)

    async def __aenter__(self) -> Api:
        self._runtime: Runtime = await build(self._settings)
        self._runtime.contents.prepare()
        owner = await self._runtime.services.setup.run(Setup("Sundsvalls kommun", "owner@example.se", PASSWORD))
        return Api(self._runtime, create_api(self._runtime), owner)

    async def __aexit__(self, *_: object) -> None:
        await self._runtime.close()


@pytest.fixture(params=["unix", "tcp"])
async def scanner(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[clamd.Clamd]:
    """A scanner on each kind of socket."""
    address = f"unix:{tmp_path}/clamd.socket" if request.param == "unix" else "tcp://127.0.0.1:0"
    async with clamd.listening(address, limit=1_000_000) as listening:
        yield listening


async def test_an_infected_file_is_refused_and_noted(place: Place, shared_valkey: Valkey, scanner: clamd.Clamd) -> None:
    async with Installed(place, shared_valkey, clamav_address=scanner.address) as api:
        client = await api.client()
        collection = await make_collection(client, await make_space(client))
        answer = await upload(client, collection, "virus.txt", b"Text " + clamd.VIRUS)
        assert answer.status_code == 415
        assert clamd.NAME in answer.json()["message"]
        attached = await client.post("/api/v1/files/", files={"upload_file": ("virus.txt", clamd.VIRUS)})
        assert attached.status_code == 415
        assert (await upload(client, collection, "bra.txt", b"Bra text.")).status_code == 202
        assert list(await listed(client, collection)) == ["bra.txt"]
        entries = [e for e in await api.entries(api.owner.tenant_id) if e.action == "file_refused"]
        assert [e.changes["new"]["found"] for e in entries] == [clamd.NAME] * 2
        assert b"Bra text." in scanner.scanned
        # Nothing of it is left in the store.
        assert len([p for p in (place.data / "files").rglob("*") if p.is_file() and "tmp" not in p.parts]) <= 1


async def test_members_of_archives_are_looked_at_each(
    place: Place, shared_valkey: Valkey, scanner: clamd.Clamd
) -> None:
    async with Installed(place, shared_valkey, clamav_address=scanner.address) as api:
        client = await api.client()
        collection = await make_collection(client, await make_space(client))
        content = more_documents.zip_of({"a.txt": b"Bra text.", "b.txt": clamd.VIRUS * 3})
        await upload(client, collection, "arkiv.zip", content)
        await api.work()
        await api.work()
        found = await listed(client, collection)
        assert set(found) == {"arkiv.zip", "arkiv/a.txt"}
        assert [r["path"] for r in found["arkiv.zip"]["refused"]] == ["b.txt"]


@pytest.mark.parametrize("required", [True, False])
async def test_a_scanner_that_does_not_answer(
    place: Place, shared_valkey: Valkey, tmp_path: Path, required: bool
) -> None:
    more = {"clamav_address": f"unix:{tmp_path}/nobody.socket", "clamav_required": required}
    async with Installed(place, shared_valkey, **more) as api:
        client = await api.client()
        collection = await make_collection(client, await make_space(client))
        answer = await upload(client, collection, "a.txt", b"Text.")
        actions = [entry.action for entry in await api.entries(api.owner.tenant_id)]
        if required:
            assert answer.status_code == 503
            assert await listed(client, collection) == {}
        else:
            assert answer.status_code == 202
            assert "file_not_screened" in actions


async def parts(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def test_what_the_scanner_cannot_look_at_is_refused(scanner: clamd.Clamd) -> None:
    with pytest.raises(InfectedFile) as refusal:
        await Clamd(scanner.address).scan(parts(b"x" * 5_000_000))
    assert "larger than the virus scanner" in refusal.value.text()


async def test_a_scanner_that_hangs_up_is_unreachable(tmp_path: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_unix_server(hang_up, tmp_path / "s")
    with pytest.raises(ScannerUnreachable):
        await Clamd(f"unix:{tmp_path}/s").scan(parts(b"x" * 1_000_000))
    server.close()


async def test_room_left_is_what_the_tighter_limit_leaves(api: Api, client: httpx.AsyncClient, collection: str) -> None:
    actor: Actor = api.owner
    before = await api.runtime.services.knowledge.room(actor)
    await upload(client, collection, "a.txt", b"x" * 1_000)
    after = await api.runtime.services.knowledge.room(actor)
    assert before.left - after.left == 1_000
