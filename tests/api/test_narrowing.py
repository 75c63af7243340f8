"""Questions that their asker narrows: to collections of the assistant, and to documents of a kind."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.api.test_conversations import use_model
from tests.support.api import Api, make_assistant, make_collection, make_space, publish, upload
from tests.support.provider import Provider

URL = "/api/v1/conversations/"
QUESTION = "Vad kostar bygglov för en altan?"
FEES = {"2025": "Bygglov för en altan kostar 3 900 kronor.", "2026": "Bygglov för en altan kostar 4 300 kronor."}


@pytest.fixture
async def client(api: Api) -> httpx.AsyncClient:
    """The owner's client."""
    return await api.client()


@pytest.fixture
async def ids(api: Api, client: httpx.AsyncClient) -> dict[str, str]:
    """An assistant with a collection for each year; the document of 2026 is tagged."""
    space = await make_space(client)
    found = {year: await make_collection(client, space, f"Taxa {year}") for year in FEES}
    for year, text in FEES.items():
        await upload(client, found[year], f"Taxa {year}.txt", text.encode())
    await api.work()
    assistant = await make_assistant(client, space)
    groups = {"groups": [{"id": each} for each in found.values()], "prompt": {"text": "Svara kort."}}
    assert (await client.post(f"/api/v1/assistants/{assistant}/", json=groups)).status_code == 200
    [document] = (await client.get(f"/api/v1/groups/{found['2026']}/info-blobs/")).json()["items"]
    tags = {"metadata": {"tags": ["Gällande"]}}
    assert (await client.post(f"/api/v1/info-blobs/{document['id']}/", json=tags)).status_code == 200
    return {**found, "assistant": assistant, "space": space}


async def ask(client: httpx.AsyncClient, ids: dict[str, str], **more: Any) -> httpx.Response:
    return await client.post(URL, json={"assistant_id": ids["assistant"], "question": QUESTION, **more})


def titles(answer: dict[str, Any]) -> set[str]:
    return {each["metadata"]["title"] for each in answer["references"]}


async def last(client: httpx.AsyncClient, session_id: str) -> dict[str, Any]:
    message: dict[str, Any] = (await client.get(f"{URL}{session_id}/")).json()["messages"][-1]
    return message


async def test_an_answer_is_sought_where_its_asker_wants_it(client: httpx.AsyncClient, ids: dict[str, str]) -> None:
    everywhere = (await ask(client, ids)).json()
    assert titles(everywhere) == {"Taxa 2025.txt", "Taxa 2026.txt"}
    assert (await last(client, everywhere["session_id"]))["narrowed"] is None
    old = (await ask(client, ids, collection_ids=[ids["2025"]])).json()
    assert titles(old) == {"Taxa 2025.txt"}
    assert "3 900" in old["answer"]
    tagged = (await ask(client, ids, filter={"tags": ["gällande"], "types": ["txt"], "since": "2020-01-01"})).json()
    assert titles(tagged) == {"Taxa 2026.txt"}
    kept = await last(client, tagged["session_id"])
    assert kept["narrowed"] == {"tags": ["gällande"], "types": ["txt"], "since": "2020-01-01"}
    place = f"{URL}{old['session_id']}/messages/{old['id']}/explanation/"
    why = (await client.get(place)).json()
    assert why["narrowed"] == {"collections": [{"id": ids["2025"], "name": "Taxa 2025"}]}
    assert {each["title"] for each in why["search"]["fused"]} == {"Taxa 2025.txt"}


async def test_what_is_narrowed_stays_so_when_it_is_asked_again_and_counts_for_one_question(
    api: Api, client: httpx.AsyncClient, ids: dict[str, str]
) -> None:
    first = (await ask(client, ids, collection_ids=[ids["2025"]], filter={"source": "documents"})).json()
    conversations = api.runtime.services.conversations
    again = await conversations.regenerate(api.owner, UUID(first["id"]))
    async for _event in conversations.follow(api.owner, again.message.id):
        pass
    shown = await last(client, first["session_id"])
    assert shown["narrowed"]["collections"][0]["name"] == "Taxa 2025"
    assert titles(shown) == {"Taxa 2025.txt"}
    further = {"session_id": first["session_id"], "question": "Och vad kostar bygglov för altan enligt taxan?"}
    assert titles((await client.post(URL, json=further)).json()) == {"Taxa 2025.txt", "Taxa 2026.txt"}


async def test_an_interrupted_answer_goes_on_where_it_was_sought(
    api: Api, client: httpx.AsyncClient, ids: dict[str, str], provider: Provider
) -> None:
    await use_model(client, provider, "cut:3", ids["assistant"])
    first = (await ask(client, ids, collection_ids=[ids["2025"]])).json()
    assert first["state"] == "failed", first
    await use_model(client, provider, "ok:3", ids["assistant"])
    conversations = api.runtime.services.conversations
    asked = await conversations.resume(api.owner, UUID(first["id"]))
    async for _event in conversations.follow(api.owner, asked.message.id):
        pass
    view = await conversations.message(api.owner, asked.message.id)
    assert {source.title for source in view.sources} == {"Taxa 2025.txt"}


async def test_nothing_is_searched_that_the_assistant_does_not_search(
    api: Api, client: httpx.AsyncClient, ids: dict[str, str]
) -> None:
    hidden = await make_collection(client, await make_space(client, "Hemligt"), "Hemligt")
    await publish(client, ids["assistant"])
    for wanted in ([hidden], [ids["2025"], hidden], [str(uuid4())]):
        refused = await ask(client, ids, collection_ids=wanted)
        assert (refused.status_code, refused.json()["field"]) == (404, "collection_ids")
    bare = await make_assistant(client, ids["space"])
    refused = await ask(client, {"assistant": bare}, filter={"types": ["pdf"]})
    assert (refused.status_code, refused.json()["field"]) == (422, "filter")
    turned = await ask(client, ids, filter={"since": "2026-02-01", "until": "2026-01-01"})
    assert (turned.status_code, turned.json()["field"]) == (422, "until")
    assert (await ask(client, ids, filter={"types": ["exe"]})).status_code == 422
    assert (await client.get(URL)).json()["total_count"] == 0


async def test_a_question_that_was_narrowed_to_nothing_is_no_gap_in_the_knowledge(
    client: httpx.AsyncClient, ids: dict[str, str]
) -> None:
    switched = await client.post(f"/api/v1/assistants/{ids['assistant']}/", json={"insight_enabled": True})
    assert switched.status_code == 200, switched.text
    nothing = (await ask(client, ids, filter={"tags": ["finns inte"]})).json()
    assert nothing["references"] == []
    address = f"/api/v1/spaces/{ids['space']}/unanswered-questions/"
    assert (await client.get(address)).json()["items"] == []
    all_of_it = {"assistant_id": ids["assistant"], "question": "Hur byter man olja på en motorcykel?"}
    assert (await client.post(URL, json=all_of_it)).status_code == 200
    assert [each["question"] for each in (await client.get(address)).json()["items"]] == [all_of_it["question"]]
