"""Embedding, reranking and transcription keep to what a provider can take, and leave alone what fails."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update

from domain.jobs.entities import Job, JobState
from domain.kernel.clock import now
from domain.knowledge import searching
from domain.models import capacity
from domain.models.capacity import PARALLEL, RATE
from domain.models.health import FAILURES
from domain.models.turns import RESTING
from tests.support.api import Api, make_assistant, make_collection, make_space, upload
from tests.support.more_documents import wav
from tests.support.provider import DIMS, Provider

TEXT = "Bygglov för en altan kostar 4 300 kronor enligt taxan."
QUESTION = "Vad kostar bygglov för en altan?"


class House:
    """A provider with limits for models of every kind, and a collection that its embedding model reads."""

    def __init__(self, api: Api, client: httpx.AsyncClient) -> None:
        self.api, self.client = api, client
        self.space = self.collection = self.added = ""

    async def furnish(self, provider: Provider, embedding: str = "ok", **limits: int) -> None:
        services, owner = self.api.runtime.services, self.api.owner
        config = {"endpoint": provider.url, **limits}
        body = {"name": "Liten", "provider_type": "openai_compatible", "config": config}
        self.added = str((await self.client.post("/api/v1/admin/model-providers/", json=body)).json()["id"])
        model = await services.models.add_embedding_model(owner, UUID(self.added), embedding, dimensions=DIMS)
        await services.models.set_embedding_flags(owner, model.id, is_default=True)
        self.space = await make_space(self.client)
        self.collection = await make_collection(self.client, self.space)

    async def with_one_place(self, provider: Provider) -> None:
        """A provider that takes one call at a time, and a document that was read; what was embedded for it is forgotten."""
        await self.furnish(provider, **{PARALLEL: 1})
        await upload(self.client, self.collection, "Taxa.txt", TEXT.encode())
        await self.api.work()
        while provider.wait_for_embedding(0):
            pass

    async def add(self, kind: str, name: str) -> str:
        body = {"provider_id": self.added, "name": name, "display_name": name}
        answer = await self.client.post(f"/api/v1/admin/tenant-models/{kind}/", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    async def tried(self) -> dict[str, Any]:
        """How a search went."""
        answer = await self.client.post(f"/api/v1/spaces/{self.space}/searches/", json={"query": QUESTION})
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["search"])

    async def why_not(self) -> str:
        """The reason why a search by meaning alone is not possible."""
        body = {"query": QUESTION, "collection_ids": [self.collection], "mode": "vector"}
        answer = await self.client.post("/api/v1/search/", json=body)
        assert answer.status_code == 503, answer.text
        return str(answer.json()["message"])

    async def states(self) -> list[str]:
        items = (await self.client.get(f"/api/v1/groups/{self.collection}/info-blobs/")).json()["items"]
        return sorted(item["state"] for item in items)

    async def due(self) -> None:
        """Whatever was to be tried later is to be tried now."""
        async with self.api.runtime.database.session(self.api.owner.tenant_id) as session:
            await session.execute(update(Job).values(run_after=None), execution_options={"synchronize_session": False})
            await session.commit()


@pytest.fixture
async def house(api: Api) -> House:
    client = await api.client()
    return House(api, client)


async def test_calls_of_every_kind_share_the_places_and_none_waits_for_itself(house: House, provider: Provider) -> None:
    await house.furnish(provider, **{PARALLEL: 1})
    model = await house.client.post(f"/api/v1/admin/model-providers/{house.added}/models/", json={"name": "ok:5"})
    await house.add("rerank", "orders")
    await house.add("transcription", "ok:3")
    assistant = await make_assistant(house.client, house.space, house.collection)
    await house.client.post(f"/api/v1/assistants/{assistant}/", json={"completion_model": {"id": model.json()["id"]}})
    for name, content in (("Taxa.txt", TEXT), ("Avgift.txt", f"Avgiften. {TEXT}")):
        await upload(house.client, house.collection, name, content.encode())
    await upload(house.client, house.collection, "Möte.wav", wav(1))
    await house.api.work()
    await upload(house.client, house.collection, "Ny.txt", f"Nytt. {TEXT}".encode())
    body = {"assistant_id": assistant, "question": QUESTION}
    asking = [house.client.post("/api/v1/conversations/", json=body) for _ in range(4)]
    answers = await asyncio.gather(house.api.work(), *asking)
    assert [answer.json()["state"] for answer in answers[1:]] == ["done"] * 4
    assert provider.seen.calls["ok:5"] == 4
    assert provider.seen.calls["orders"] == 4
    assert len(provider.seen.recordings) == 1
    assert provider.seen.most_busy == 1


async def test_a_search_without_a_place_goes_on_by_words_and_work_leaves_room_for_people(
    house: House, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.with_one_place(provider)
    for name in ("Ny.txt", "Nyare.txt"):
        await upload(house.client, house.collection, name, f"Nytt om {name}. {TEXT}".encode())
    provider.hold_embeddings(words="Nytt")
    working = asyncio.create_task(house.api.work())
    assert await asyncio.to_thread(provider.wait_for_embedding)
    monkeypatch.setattr(searching, "QUERY_SECONDS", 0.3)
    search = await house.tried()
    assert (search["silent"], len(search["fused"])) == (["ok"], 1)
    assert "inte blev din tur" in await house.why_not()
    # With a second place the same work leaves it to people.
    config = {"endpoint": provider.url, PARALLEL: 2}
    changed = await house.client.put(f"/api/v1/admin/model-providers/{house.added}/", json={"config": config})
    assert changed.status_code == 200, changed.text
    monkeypatch.setattr(searching, "QUERY_SECONDS", 15.0)
    assert (await house.tried())["silent"] == []
    provider.release_embeddings()
    await working
    assert await house.states() == ["ready"] * 3


async def test_an_embedding_model_that_fails_is_left_alone(house: House, provider: Provider) -> None:
    await house.furnish(provider, "first:1")
    await upload(house.client, house.collection, "Taxa.txt", TEXT.encode())
    await house.api.work()
    searches = [await house.tried() for _ in range(FAILURES + 2)]
    assert provider.seen.calls["first:1"] == 1 + FAILURES
    assert all(search["fused"] and search["silent"] for search in searches)
    assert "får därför vila" in await house.why_not()
    [health] = (await house.client.get("/api/v1/ai-models/health/")).json()
    assert (health["kind"], health["nickname"], health["failures"]) == ("embedding", "first:1", FAILURES)
    assert 0 < health["resting_seconds"] <= 15
    assert (await house.client.get("/api/v1/completion-models/health/")).json() == []


async def test_one_that_is_silent_too(house: House, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.furnish(provider)
    await upload(house.client, house.collection, "Taxa.txt", TEXT.encode())
    await house.api.work()
    provider.hold_embeddings()
    monkeypatch.setattr(searching, "QUERY_SECONDS", 0.2)
    told = [await house.why_not() for _ in range(FAILURES + 1)]
    assert ["svarar inte" in each for each in told] == [True] * FAILURES + [False]
    assert "får därför vila" in told[-1]


async def test_recordings_wait_until_a_model_that_failed_is_tried_again(house: House, provider: Provider) -> None:
    await house.furnish(provider)
    await house.add("transcription", "err:500")
    for number in range(FAILURES + 1):
        await upload(house.client, house.collection, f"Möte{number}.wav", wav(1 + number))
    await house.api.work()
    assert provider.seen.calls["err:500"] == FAILURES
    async with house.api.runtime.database.session(house.api.owner.tenant_id, write=False) as session:
        found = list(await session.scalars(select(Job)))
    last = max(found, key=lambda job: job.run_after or job.created_at)
    assert (last.state, last.error) == (JobState.QUEUED, RESTING)
    assert last.run_after is not None
    assert last.run_after > now() + timedelta(seconds=5)


async def test_a_document_waits_for_its_turn_as_often_as_it_has_to(
    house: House, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.with_one_place(provider)
    provider.hold_embeddings(words=QUESTION)
    monkeypatch.setattr(searching, "QUERY_SECONDS", 120.0)
    person = asyncio.create_task(house.tried())
    assert await asyncio.to_thread(provider.wait_for_embedding)
    monkeypatch.setattr(capacity, "LATER_WAIT", 0.05)
    await upload(house.client, house.collection, "Ny.txt", f"Nytt. {TEXT}".encode())
    calls = provider.seen.calls["ok"]
    for _ in range(6):  # more often than a job is tried
        await house.due()
        await house.api.work()
        assert await house.states() == ["indexing", "ready"]
    assert provider.seen.calls["ok"] == calls
    provider.release_embeddings()
    assert (await person)["silent"] == []
    await house.due()
    await house.api.work()
    assert await house.states() == ["ready"] * 2


async def test_a_request_for_embeddings_fits_into_the_minute(house: House, provider: Provider) -> None:
    await house.furnish(provider, **{RATE: 4_000})
    await upload(
        house.client, house.collection, "Lång.txt", "\n\n".join(f"{n}. {TEXT * 12}" for n in range(12)).encode()
    )
    await house.api.work()
    assert await house.states() == ["ready"]
    assert provider.seen.calls["ok"] > 1
