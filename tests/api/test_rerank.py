"""Models that put in order what a search has found: asked, told, counted, and never needed."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from domain.usage.entities import ModelCall
from storage.tables.usage import model_calls
from tests.support.api import Api, make_assistant, make_collection, make_space, upload
from tests.support.provider import Provider

QUESTION = "Vad kostar bygglov för en altan?"
TEXTS = {
    "Taxa.txt": "Bygglov för en altan kostar 4 300 kronor enligt taxan.",
    "Handbok.txt": "Vad kostar bygglov för en altan? Fråga kommunen om vad det kostar.",
    "Protokoll.txt": "Nämnden beslutade om avgiften för altaner: fem procent högre.",
}


@pytest.fixture
async def client(api: Api) -> httpx.AsyncClient:
    """The owner's client."""
    return await api.client()


@pytest.fixture
async def ids(api: Api, client: httpx.AsyncClient, provider: Provider) -> dict[str, str]:
    """Three documents that each could be the best, an assistant that reads them, and a provider of rerank models."""
    space = await make_space(client)
    collection = await make_collection(client, space)
    for name, text in TEXTS.items():
        await upload(client, collection, name, text.encode())
    await api.work()
    body = {"name": "Ordning", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
    added = (await client.post("/api/v1/admin/model-providers/", json=body)).json()
    assistant = await make_assistant(client, space, collection)
    return {"space": space, "collection": collection, "assistant": assistant, "provider": added["id"]}


async def add(client: httpx.AsyncClient, ids: dict[str, str], name: str) -> str:
    body = {"provider_id": ids["provider"], "name": name, "display_name": f"Ordnaren {name}"}
    answer = await client.post("/api/v1/admin/tenant-models/rerank/", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def tried(client: httpx.AsyncClient, ids: dict[str, str], **more: Any) -> tuple[list[str], dict[str, Any]]:
    answer = await client.post(f"/api/v1/spaces/{ids['space']}/searches/", json={"query": QUESTION, **more})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return [each["title"] for each in found["passages"]], found["search"]


async def reranks(api: Api) -> list[ModelCall]:
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        wanted = select(ModelCall).where(model_calls.c.kind == "rerank").order_by(model_calls.c.id)
        return list(await session.scalars(wanted))


async def test_the_order_is_the_model_s_and_that_is_told_and_counted(
    api: Api, client: httpx.AsyncClient, ids: dict[str, str], provider: Provider
) -> None:
    before, search = await tried(client, ids)
    assert (search["reranker"], search["reranked"], await reranks(api)) == (None, [], [])
    model = await add(client, ids, "orders")
    provider.preferred = [TEXTS["Protokoll.txt"], TEXTS["Taxa.txt"]]
    wanted = ["Protokoll.txt", "Taxa.txt", "Handbok.txt"]
    assert before != wanted
    titles, search = await tried(client, ids)
    assert titles == wanted
    assert [each["title"] for each in search["reranked"]] == wanted
    assert [each["title"] for each in search["fused"]] != wanted
    assert (search["reranker"], "rerank" in search["milliseconds"]) == ("Ordnaren orders", True)
    [asked] = provider.seen.reranked
    assert (asked["model"], asked["query"], asked["top_n"]) == ("orders", QUESTION, 3)
    assert sorted(text.split("\n")[-1] for text in asked["documents"]) == sorted(TEXTS.values())
    everywhere = {"query": QUESTION, "assistant_id": ids["assistant"]}
    found = (await client.post("/api/v1/search/", json=everywhere)).json()["items"]
    assert [each["title"] for each in found] == wanted
    answer = {"assistant_id": ids["assistant"], "question": QUESTION}
    asked_of = (await client.post("/api/v1/conversations/", json=answer)).json()
    place = f"/api/v1/conversations/{asked_of['session_id']}/messages/{asked_of['id']}/explanation/"
    why = (await client.get(place)).json()
    assert why["search"]["reranker"] == "Ordnaren orders"
    assert [each["title"] for each in why["passages"]] == wanted
    counted = await reranks(api)
    assert [(str(c.model_id), c.tokens_in, c.estimated, c.outcome) for c in counted] == [(model, 77, False, "done")] * 3
    assert (str(counted[-1].message_id), counted[-1].purpose) == (asked_of["id"], "answer")
    _titles, by_words = await tried(client, ids, mode="text")
    assert by_words["reranker"] is None


@pytest.mark.parametrize("name", ["err:500", "garbage", "slow:30"])
async def test_without_an_order_what_was_found_stands_and_that_is_told(
    api: Api, client: httpx.AsyncClient, ids: dict[str, str], provider: Provider, name: str
) -> None:
    before, _search = await tried(client, ids)
    api.runtime.services.search.reranking._reranker._seconds = 0.3  # type: ignore[attr-defined]
    await add(client, ids, name)
    titles, search = await tried(client, ids)
    assert titles == before
    assert (search["reranker"], search["reranked"]) == (f"Ordnaren {name}", [])
    assert [call.outcome for call in await reranks(api)] == ["failed"]
    for _ in range(3):
        await tried(client, ids)
    assert provider.seen.calls[name] == 3, "one that fails three times is left alone"


async def test_a_place_that_the_model_does_not_name_comes_after_those_it_names(
    client: httpx.AsyncClient, ids: dict[str, str], provider: Provider
) -> None:
    await add(client, ids, "few:1")
    provider.preferred = [TEXTS["Protokoll.txt"]]
    titles, search = await tried(client, ids)
    assert titles[0] == "Protokoll.txt"
    assert sorted(titles) == sorted(TEXTS)
    assert len(search["reranked"]) == 3


async def test_an_organisation_and_a_space_switch_it_off(
    api: Api, client: httpx.AsyncClient, ids: dict[str, str], provider: Provider
) -> None:
    model = await add(client, ids, "orders")
    off = await client.post(f"/api/v1/rerank-models/{model}/", json={"is_org_enabled": False})
    assert (off.status_code, off.json()["is_org_default"]) == (200, True)
    assert (await tried(client, ids))[1]["reranker"] is None
    await client.post(f"/api/v1/rerank-models/{model}/", json={"is_org_enabled": True})
    space = f"/api/v1/spaces/{ids['space']}/"
    assert [each["id"] for each in (await client.get(space)).json()["rerank_models"]] == [model]
    assert (await client.patch(space, json={"rerank_models": []})).json()["rerank_models"] == []
    assert (await tried(client, ids))[1]["reranker"] is None
    await client.patch(space, json={"rerank_models": None})
    assert (await tried(client, ids))[1]["reranker"] == "Ordnaren orders"
    assert len(provider.seen.reranked) == 1


async def test_a_space_with_a_class_is_only_served_by_models_that_are_trusted_so_far(
    client: httpx.AsyncClient, ids: dict[str, str], provider: Provider
) -> None:
    model = await add(client, ids, "orders")
    classes = "/api/v1/security-classifications/"
    assert (await client.post(f"{classes}enable/", json={"enabled": True})).status_code == 200
    made = await client.post(classes, json={"name": "Intern", "description": "", "set_lowest_security": True})
    assert made.status_code in (200, 201), made.text
    label = {"security_classification": {"id": made.json()["id"]}}
    for kind in ("completion", "embedding"):
        [builtin] = (await client.get(f"/api/v1/{kind}-models/")).json()["items"]
        trusted = await client.post(f"/api/v1/{kind}-models/{builtin['id']}/", json=label)
        assert trusted.status_code == 200, trusted.text
    assert (await client.patch(f"/api/v1/spaces/{ids['space']}/", json=label)).status_code == 200
    assert (await tried(client, ids))[1]["reranker"] is None
    assert provider.seen.reranked == []
    trusted = await client.post(f"/api/v1/rerank-models/{model}/", json=label)
    assert trusted.json()["security_classification"]["name"] == "Intern"
    assert (await tried(client, ids))[1]["reranker"] == "Ordnaren orders"


async def test_rerank_models_are_administered(
    api: Api, client: httpx.AsyncClient, ids: dict[str, str], provider: Provider
) -> None:
    first, second = await add(client, ids, "orders"), await add(client, ids, "others")
    shown = (await client.get("/api/v1/rerank-models/")).json()["items"]
    assert {each["id"]: each["is_org_default"] for each in shown} == {first: True, second: False}
    again = {"provider_id": ids["provider"], "name": "orders", "display_name": "x"}
    assert (await client.post("/api/v1/admin/tenant-models/rerank/", json=again)).status_code == 409
    builtin = (await client.get("/api/v1/completion-models/")).json()["items"][0]["provider_id"]
    silent = await client.post("/api/v1/admin/tenant-models/rerank/", json={**again, "provider_id": builtin})
    assert (silent.status_code, silent.json()["field"]) == (422, "provider_id")
    price = {"valid_from": "2020-01-01", "currency": "SEK", "input": 1_000_000}
    priced = await client.post(f"/api/v1/admin/models/{first}/prices/", json=price)
    assert priced.status_code == 201, priced.text
    await tried(client, ids)
    assert [(call.cost, call.currency) for call in await reranks(api)] == [(77_000_000_000, "SEK")]
    changed = await client.put(f"/api/v1/admin/tenant-models/rerank/{second}/", json={"display_name": "Domaren"})
    assert changed.json()["nickname"] == "Domaren"
    assert (await client.delete(f"/api/v1/admin/tenant-models/rerank/{first}/")).status_code == 400
    await client.post(f"/api/v1/rerank-models/{second}/", json={"is_org_default": True})
    assert (await client.delete(f"/api/v1/admin/tenant-models/rerank/{first}/")).status_code == 200
    everything = (await client.get("/api/v1/ai-models/")).json()["rerank_models"]
    assert [each["nickname"] for each in everything] == ["Domaren"]
    actions = {entry.action for entry in await api.entries(api.owner.tenant_id)}
    assert {"model_created", "rerank_model_updated", "model_price_added", "model_deleted"} <= actions
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await anna.get("/api/v1/rerank-models/")).status_code == 200
    for refused in (
        await anna.post("/api/v1/admin/tenant-models/rerank/", json=again),
        await anna.post(f"/api/v1/rerank-models/{second}/", json={"is_org_enabled": False}),
        await anna.put(f"/api/v1/admin/tenant-models/rerank/{second}/", json={"display_name": "Min"}),
        await anna.delete(f"/api/v1/admin/tenant-models/rerank/{second}/"),
    ):
        assert refused.status_code == 403
