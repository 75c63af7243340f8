"""Another embedding model while people search: side by side, checked, at once, and given up without a trace."""

import asyncio
from array import array
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from app.jobs.work import _carry_out
from domain.jobs.entities import JobState
from domain.knowledge import reembedding
from domain.knowledge.embedding_changes import TRIAL
from domain.knowledge.entities import ChangeState, Collection, Document, DocumentState, DocumentVersion
from domain.knowledge.ingestion import chunk_of, entry
from domain.knowledge.parsing import ChunkDraft, with_headings
from domain.models.service import ProviderDraft
from domain.users.entities import PredefinedRole
from storage.search.analysis import analyse
from tests.support.api import Api, make_collection, make_space, upload
from tests.support.provider import DIMS, Provider, embedding

WIDE = 96
BY_HAND = {"scoped_by_hand": True}
TEXTS = {
    "bygglov.txt": "Bygglov söks hos byggnadsnämnden. Handläggningen tar tio veckor.",
    "skola.txt": "Skolskjuts beviljas elever som har lång väg till skolan.",
    "avfall.txt": "Sopkärlen töms varannan vecka. Grovavfall lämnas på återvinningscentralen.",
}


@dataclass(slots=True)
class House:
    """A collection with one model of a provider, and another model that is not used yet."""

    api: Api
    client: httpx.AsyncClient
    provider: Provider
    space: str
    collection: str
    model: str

    @property
    def url(self) -> str:
        return f"/api/v1/groups/{self.collection}/embedding-model/"

    async def start(self, url: str = "") -> httpx.Response:
        return await self.client.post(url or self.url, json={"embedding_model": {"id": self.model}})

    async def found(self, query: str = "Bygglov söks hos byggnadsnämnden") -> dict[str, Any]:
        """The best passage by meaning alone."""
        scope = {"query": query, "collection_ids": [self.collection], "mode": "vector"}
        items = (await self.client.post("/api/v1/search/", json=scope)).json()["items"]
        assert items, "nothing was found"
        return dict(items[0])

    async def present(self) -> str:
        shown = (await self.client.get(f"/api/v1/groups/{self.collection}/")).json()
        return str(shown["embedding_model"]["id"])

    async def change(self) -> dict[str, Any]:
        """The change as it is shown; empty when it is done or there is none."""
        items = (await self.client.get(self.url)).json()["items"]
        return dict(items[0]) if items else {}

    async def vectors(self) -> list[tuple[int, int]]:
        """(set, dimensions) of every vector, on either database."""
        sqlite = self.api.runtime.database.dialect == "sqlite"
        rows = (
            "select case when vector < 0 then 1 else 0 end as number, dims from chunk_vector_places"
            if sqlite
            else "select vector_set as number, dims from chunk_vectors"
        )
        async with self.api.runtime.database.session(self.api.owner.tenant_id, write=False) as session:
            found = await session.execute(text(rows), execution_options=BY_HAND)
            return sorted((row.number, row.dims) for row in found)

    def at_work(self) -> "asyncio.Task[None]":
        """The work that is due, beside the test."""
        return asyncio.create_task(self.api.work())

    async def embedding_is_held(self) -> None:
        """Wait until the provider has another request for embeddings that it does not answer."""
        assert await asyncio.to_thread(self.provider.wait_for_embedding)


@pytest.fixture
async def house(api: Api, provider: Provider) -> House:
    services = api.runtime.services
    made = await services.models.add_provider(api.owner, ProviderDraft("Test", "openai_compatible", provider.url))
    old = await services.models.add_embedding_model(api.owner, made.id, "ok", dimensions=DIMS)
    model = await services.models.add_embedding_model(api.owner, made.id, f"dims:{WIDE}", dimensions=WIDE)
    await services.models.set_embedding_flags(api.owner, old.id, is_default=True)
    client = await api.client()
    space = await make_space(client)
    collection = (await services.knowledge.create_collection(api.owner, UUID(space), "Handböcker")).collection
    await shelved(api, collection)
    return House(api, client, provider, space, str(collection.id), str(model.id))


async def shelved(api: Api, collection: Collection) -> None:
    """The texts as searchable documents, without the reading of files."""
    tenant = collection.tenant_id
    async with api.runtime.services.ingestion._uow.begin(tenant) as tx:
        for title, content in TEXTS.items():
            document = Document(tenant_id=tenant, collection_id=collection.id, user_id=collection.user_id, title=title)
            version = DocumentVersion(
                tenant_id=tenant, document_id=document.id, number=1, filename=title, media_type="text/plain", size=9,
                sha256=document.id.hex * 2, blob_id=None, state=DocumentState.READY, language="sv",
            )  # fmt: skip
            await tx.add(document, version)
            document.version_id = version.id
            whole = with_headings(title, (), content)
            draft = ChunkDraft(0, content, 0, len(content), 12, whole)
            chunk = chunk_of(document, version, draft)
            vector = array("f", embedding(whole)).tobytes()
            await tx.knowledge.store_chunks(version, [chunk], [entry(chunk, analyse(whole, "sv"), vector, 0)])


async def held(house: House) -> "asyncio.Task[None]":
    """A change whose embedding has begun and waits for the provider."""
    assert (await house.start()).status_code == 202
    while house.provider.wait_for_embedding(0):
        pass
    house.provider.hold_embeddings(f"dims:{WIDE}")
    work = house.at_work()
    await house.embedding_is_held()
    return work


async def test_a_collection_changes_its_model_and_its_dimensions(house: House) -> None:
    cost = (await house.client.get(f"{house.url}cost/", params={"embedding_model_id": house.model})).json()
    assert (cost["collections"], cost["documents"], cost["chunks"]) == (1, 3, 3)
    assert cost["tokens"] > 20
    assert await house.vectors() == [(0, DIMS)] * 3
    job = (await house.start()).json()
    assert (job["task"], job["status"]) == ("change_embedding_model", "queued")
    assert (await house.change())["state"] == ChangeState.WAITING
    await house.api.work()
    assert await house.present() == house.model
    assert await house.vectors() == [(1, WIDE)] * 3
    assert (await house.found())["title"] == "bygglov.txt"
    assert await house.change() == {}
    actions = [entry.action for entry in await house.api.entries(house.api.owner.tenant_id)]
    assert actions[-2:] == ["embedding_model_change_started", "embedding_model_changed"]
    # And what comes later has the new model, in the set that answers.
    await upload(house.client, house.collection, "ny.txt", b"Parkeringstillstand for boende kostar 300 kronor.")
    await house.api.work()
    assert await house.vectors() == [(1, WIDE)] * 4
    assert (await house.found("Parkeringstillstand"))["title"] == "ny.txt"


async def test_the_way_back_leads_to_the_first_set(house: House) -> None:
    old = await house.present()
    await house.start()
    await house.api.work()
    back = await house.client.post(house.url, json={"embedding_model": {"id": old}})
    assert back.status_code == 202
    await house.api.work()
    assert (await house.present(), await house.vectors()) == (old, [(0, DIMS)] * 3)
    assert (await house.found())["title"] == "bygglov.txt"


async def test_search_answers_with_the_old_model_while_the_new_one_comes(house: House) -> None:
    old = await house.present()
    work = await held(house)
    assert (await house.change())["state"] == ChangeState.EMBEDDING
    assert await house.present() == old
    assert (await house.found())["title"] == "bygglov.txt"
    # What is added, changed and removed meanwhile is caught up with.
    await upload(house.client, house.collection, "bad.txt", "Badhuset öppnar klockan sju.".encode())
    [located] = await house.api.runtime.directory.due_jobs("ingest", 5)
    job = await house.api.runtime.services.jobs.claim(located.tenant_id, located.id)
    assert job is not None
    await _carry_out(house.api.runtime, job)
    documents = (await house.client.get(f"/api/v1/groups/{house.collection}/info-blobs/")).json()["items"]
    by_title = {item["metadata"]["title"]: item["id"] for item in documents}
    await house.client.delete(f"/api/v1/info-blobs/{by_title['skola.txt']}/")
    chunks = f"/api/v1/info-blobs/{by_title['avfall.txt']}/chunks/"
    chunk = (await house.client.get(chunks)).json()["items"][0]["id"]
    changed = await house.client.patch(f"{chunks}{chunk}/", json={"text": "Matavfall hämtas varje vecka."})
    assert changed.status_code == 200, changed.text
    house.provider.release_embeddings()
    await work
    assert (await house.present(), await house.vectors()) == (house.model, [(1, WIDE)] * 3)
    assert (await house.found("Badhuset öppnar klockan sju."))["title"] == "bad.txt"
    assert "Matavfall" in (await house.found("Matavfall hämtas varje vecka."))["text"]
    assert any("Matavfall" in embedded for embedded in house.provider.seen.embedded)


async def test_cancelled_everything_stays_as_it_was(house: House) -> None:
    old = await house.present()
    work = await held(house)
    assert (await house.client.delete(house.url)).status_code == 200
    await work
    assert (await house.present(), await house.vectors()) == (old, [(0, DIMS)] * 3)
    assert (await house.change())["state"] == ChangeState.CANCELLED
    house.provider.release_embeddings()
    assert (await house.client.delete(house.url)).status_code == 400
    # And it can be begun anew.
    assert (await house.start()).status_code == 202
    await house.api.work()
    assert await house.present() == house.model


async def test_cancelled_before_it_begins(house: House) -> None:
    await house.start()
    assert (await house.client.delete(house.url)).json()["state"] == "cancelled"
    assert (await house.change())["state"] == ChangeState.CANCELLED
    await house.api.work()
    assert await house.vectors() == [(0, DIMS)] * 3


async def test_a_worker_that_dies_half_way_is_followed_by_another(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.knowledge.reembedding.BATCH", 1)
    jobs = house.api.runtime.services.jobs
    await house.start()
    [located] = await house.api.runtime.directory.due_jobs("maintenance", 5)
    job = await jobs.claim(located.tenant_id, located.id)
    assert job is not None
    seen: list[float] = []

    async def report(fraction: float, step: str) -> None:
        seen.append(fraction)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await house.api.runtime.services.reembedding.run(job, report)
    assert await house.vectors() == [(0, DIMS)] * 3 + [(1, WIDE)]
    assert ((await house.change())["done"], (await house.change())["total"]) == (1, 3)
    await jobs.fail(job, ConnectionError(), "x")
    embedded = len(house.provider.seen.embedded)
    async with house.api.runtime.database.session(job.tenant_id) as session:
        await session.execute(text("update jobs set run_after = null"), execution_options=BY_HAND)
        await session.commit()
    await house.api.work()
    assert (await house.present(), await house.vectors()) == (house.model, [(1, WIDE)] * 3)
    # Two that were missing, and the check's sample: the first one was not made again.
    assert len(house.provider.seen.embedded) - embedded == 2 + 3


async def test_killed_between_the_change_and_the_clearing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    services = house.api.runtime.services
    await house.start()
    [located] = await house.api.runtime.directory.due_jobs("maintenance", 5)
    job = await services.jobs.claim(located.tenant_id, located.id)
    assert job is not None
    cleared = type(services.reembedding)._clear

    async def dies(*args: Any) -> None:
        if await house.present() == house.model:
            raise ConnectionError
        await cleared(*args)

    async def report(fraction: float, step: str) -> None:
        pass

    with monkeypatch.context() as patched:
        patched.setattr(type(services.reembedding), "_clear", dies)
        with pytest.raises(ConnectionError):
            await services.reembedding.run(job, report)
    assert (await house.present(), await house.vectors()) == (house.model, [(0, DIMS)] * 3 + [(1, WIDE)] * 3)
    assert (await house.found())["title"] == "bygglov.txt"
    await services.reembedding.run(job, report)
    assert (await house.vectors(), await house.change()) == ([(1, WIDE)] * 3, {})


async def test_a_model_that_cannot_be_called_changes_nothing(house: House) -> None:
    models = house.api.runtime.services.models
    provider_id = next(p.id for p in await models.providers(house.api.owner) if p.name == "Test")
    broken = await models.add_embedding_model(house.api.owner, provider_id, "err:500", dimensions=DIMS)
    answer = await house.client.post(house.url, json={"embedding_model": {"id": str(broken.id)}})
    assert answer.status_code == 503
    wrong = await models.add_embedding_model(house.api.owner, provider_id, "other", dimensions=DIMS + 1)
    answer = await house.client.post(house.url, json={"embedding_model": {"id": str(wrong.id)}})
    assert (answer.status_code, str(DIMS) in answer.json()["message"]) == (503, True)
    await models.set_embedding_flags(house.api.owner, UUID(house.model), enabled=False)
    assert (await house.start()).status_code == 400
    assert await house.change() == {}


async def test_a_provider_that_fails_for_good_leaves_the_old_model(house: House) -> None:
    old = await house.present()
    await house.start()
    services = house.api.runtime.services
    provider = next(p for p in await services.models.providers(house.api.owner) if p.name == "Test")
    draft = ProviderDraft("Test", "openai_compatible", "http://127.0.0.1:9/v1")
    await services.models.update_provider(house.api.owner, provider.id, draft)
    await attempted(house)
    change = await house.change()
    assert (change["state"], change["error"] != "") == (ChangeState.FAILED, True)
    assert (await house.present(), await house.vectors()) == (old, [(0, DIMS)] * 3)
    job = await services.jobs.get(house.api.owner, UUID(change["job_id"]))
    assert job.state == JobState.DEAD


async def attempted(house: House) -> None:
    """All attempts of the job that is due, one right after the other, the model rested each time."""
    health = house.api.runtime.services.conversations.health
    for _ in range(4):
        await health.answers(UUID(house.model))
        await house.api.work()
        async with house.api.runtime.database.session(house.api.owner.tenant_id) as session:
            await session.execute(text("update jobs set run_after = null"), execution_options=BY_HAND)
            await session.commit()


async def test_a_change_that_failed_goes_on_where_it_stopped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reembedding, "BATCH", 1)
    models = house.api.runtime.services.models
    provider_id = next(p.id for p in await models.providers(house.api.owner) if p.name == "Test")
    # The first call tries it, two passages get their vectors, the third does not.
    model = await models.add_embedding_model(house.api.owner, provider_id, "first:3", dimensions=DIMS)
    house.model = str(model.id)
    old = await house.present()
    await house.start()
    await attempted(house)
    change = await house.change()
    assert (change["state"], change["done"], change["total"]) == (ChangeState.FAILED, 2, 3)
    assert await house.vectors() == [(0, DIMS)] * 3 + [(1, DIMS)] * 2
    assert (await house.found())["title"] == "bygglov.txt"
    house.provider.reset()
    await house.start()
    assert ((await house.change())["state"], (await house.change())["done"]) == (ChangeState.WAITING, 2)
    await house.api.work()
    assert (await house.change(), await house.present()) == ({}, str(model.id))
    assert old != str(model.id)
    assert await house.vectors() == [(1, DIMS)] * 3
    passages = [each for each in house.provider.seen.embedded if each != TRIAL]
    assert len(passages) == 1 + 3, "the one that was missing, and the sample that looks for itself"


async def test_a_failed_change_is_given_up_and_leaves_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reembedding, "BATCH", 1)
    models = house.api.runtime.services.models
    provider_id = next(p.id for p in await models.providers(house.api.owner) if p.name == "Test")
    wide, failing = (
        house.model,
        await models.add_embedding_model(house.api.owner, provider_id, "first:3", dimensions=DIMS),
    )
    url = f"{house.url}failed/"
    assert (await house.client.delete(url)).status_code == 400
    for end in ("given up", "another model"):
        house.provider.reset()
        house.model = str(failing.id)
        await house.start()
        await attempted(house)
        assert len(await house.vectors()) == 5
        if end == "given up":
            await house.api.user("anna@example.se")
            anna = await house.api.client("anna@example.se")
            assert (await anna.delete(url)).status_code == 404
            assert (await house.client.delete(url)).status_code == 204
            assert (await house.change(), await house.vectors()) == ({}, [(0, DIMS)] * 3)
    house.model = wide
    await house.start()
    await house.api.work()
    assert await house.vectors() == [(1, WIDE)] * 3, "vectors of another model are not gone on with"


async def test_vectors_that_find_nothing_are_not_switched_to(house: House) -> None:
    old = await house.present()
    models = house.api.runtime.services.models
    provider_id = next(p.id for p in await models.providers(house.api.owner) if p.name == "Test")
    noise = await models.add_embedding_model(house.api.owner, provider_id, "noise", dimensions=DIMS)
    await house.client.post(house.url, json={"embedding_model": {"id": str(noise.id)}})
    await house.api.work()
    change = await house.change()
    assert (change["state"], "Handböcker" in change["error"]) == (ChangeState.FAILED, True)
    assert (await house.present(), await house.vectors()) == (old, [(0, DIMS)] * 3)


async def test_all_of_a_space_and_everywhere(house: House) -> None:
    second = await make_collection(house.client, house.space, "Skolan")
    await upload(house.client, second, "a.txt", b"Lov och ledighet.")
    elsewhere = await make_collection(house.client, await make_space(house.client, "Annat"))
    await house.api.work()
    old = await house.present()
    assert (await house.start(f"/api/v1/spaces/{house.space}/embedding-model/")).status_code == 202
    shown = (await house.client.get(f"/api/v1/spaces/{house.space}/embedding-model/")).json()
    assert {item["name"] for item in shown["items"]} == {"Handböcker", "Skolan"}
    assert (await house.start()).status_code == 409
    await house.api.work()
    scope = {"query": "lov", "collection_ids": [house.collection, second, elsewhere]}
    assert (await house.client.post("/api/v1/search/", json=scope)).status_code == 200
    # The rest: what the old model still embeds.
    url = f"/api/v1/embedding-models/{old}/replacement/"
    cost = (await house.client.get(f"{url}cost/", params={"embedding_model_id": house.model})).json()
    assert cost["collections"] == 1
    assert (await house.start(url)).status_code == 202
    await house.api.work()
    assert (await house.start(url)).status_code == 400
    for collection in (house.collection, second, elsewhere):
        shown = (await house.client.get(f"/api/v1/groups/{collection}/")).json()
        assert shown["embedding_model"]["id"] == house.model


async def test_collections_of_two_models_are_searched_together(house: House) -> None:
    second = await make_collection(house.client, house.space, "Skolan")
    await upload(house.client, second, "lov.txt", "Höstlovet är vecka 44.".encode())
    await house.api.work()
    await house.start()
    await house.api.work()
    for query, title in (("Bygglov söks hos byggnadsnämnden", "bygglov.txt"), ("Höstlovet är vecka 44", "lov.txt")):
        scope = {"query": query, "collection_ids": [house.collection, second]}
        items = (await house.client.post("/api/v1/search/", json=scope)).json()["items"]
        assert items[0]["title"] == title


async def test_who_may_change_models(house: House, other: Any) -> None:
    for email, role in (("viewer@example.se", "viewer"), ("editor@example.se", "editor")):
        user_id = await house.api.user(email, PredefinedRole.USER)
        await house.client.post(f"/api/v1/spaces/{house.space}/members/", json={"id": str(user_id), "role": role})
    body = {"embedding_model": {"id": house.model}}
    viewer, editor = await house.api.client("viewer@example.se"), await house.api.client("editor@example.se")
    stranger = await house.api.client(other.email)
    space = f"/api/v1/spaces/{house.space}/embedding-model/"
    everywhere = f"/api/v1/embedding-models/{await house.present()}/replacement/"
    for url in (house.url, space):
        assert (await viewer.post(url, json=body)).status_code in (403, 404)
        assert (await stranger.post(url, json=body)).status_code == 404
    assert (await editor.post(everywhere, json=body)).status_code == 403
    assert (await stranger.post(everywhere, json=body)).status_code == 404
    assert (await house.client.post(everywhere, json=body)).status_code == 202
    # A job for everything is not an editor's to stop.
    assert (await editor.delete(house.url)).status_code == 403
    assert (await house.client.delete(house.url)).status_code == 200
    assert (await editor.post(house.url, json=body)).status_code == 202
