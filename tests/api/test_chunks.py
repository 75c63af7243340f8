"""Chunks that people see and change, and what the search finds then."""

from typing import Any

import httpx

from domain.users.entities import PredefinedRole
from tests.support import documents
from tests.support.api import Api, make_collection, make_space, upload

FACT = "Avgiften för bygglov för en altan är 4 300 kronor och betalas innan beslutet."
PAGES = ["Handbok om bygglov för handläggare i kommunen.", FACT, "Beslutet kan överklagas inom tre veckor."]

NEW = (
    "På den här nya sidan står det hur man överklagar, till vem man skickar sitt överklagande "
    "och när det senast måste komma in."
)


async def document_of(api: Api, client: httpx.AsyncClient, collection_id: str) -> str:
    await upload(client, collection_id, "Handbok.pdf", documents.pdf(PAGES))
    await api.work()
    return str((await client.get(f"/api/v1/groups/{collection_id}/info-blobs/")).json()["items"][0]["id"])


async def found(client: httpx.AsyncClient, collection_id: str, query: str, mode: str = "text") -> list[str]:
    body = {"query": query, "collection_ids": [collection_id], "mode": mode}
    return [item["text"] for item in (await client.post("/api/v1/search/", json=body)).json()["items"]]


async def test_a_chunk_changed_by_hand_changes_what_the_search_finds_until_the_document_is_replaced(api: Api) -> None:
    client = await api.client()
    collection_id = await make_collection(client, await make_space(client))
    document_id = await document_of(api, client, collection_id)
    page = (await client.get(f"/api/v1/info-blobs/{document_id}/chunks/")).json()
    assert [(c["page"], c["enabled"], c["edited"]) for c in page["items"]] == [(n, True, False) for n in (1, 2, 3)]
    chunk = page["items"][1]
    address = f"/api/v1/info-blobs/{document_id}/chunks/{chunk['id']}/"
    changed = await client.patch(address, json={"text": "Avgiften för altaner avskaffades av kommunfullmäktige."})
    assert (changed.status_code, changed.json()["edited"]) == (200, True), changed.text
    assert await found(client, collection_id, "kommunfullmäktige") == [changed.json()["text"]]
    assert await found(client, collection_id, "kronor") == []
    nearest = await found(client, collection_id, "Vem avskaffade avgiften för altaner?", "vector")
    assert nearest[0] == changed.json()["text"]

    assert (await client.patch(address, json={"enabled": False})).json()["enabled"] is False
    assert await found(client, collection_id, "kommunfullmäktige") == []
    for mode in ("vector", "hybrid"):
        assert changed.json()["text"] not in await found(client, collection_id, "Vem avskaffade avgiften?", mode)
    assert (await client.patch(address, json={"enabled": True})).json()["enabled"] is True
    assert await found(client, collection_id, "kommunfullmäktige") == [changed.json()["text"]]
    assert [e.action for e in await api.entries(api.owner.tenant_id)].count("chunk_updated") == 3

    await upload(client, collection_id, "Handbok.pdf", documents.pdf([*PAGES[:2], NEW]))
    await api.work()
    assert await found(client, collection_id, "kommunfullmäktige") == []
    anew = (await client.get(f"/api/v1/info-blobs/{document_id}/chunks/")).json()["items"]
    assert [(c["text"], c["edited"]) for c in anew] == [(PAGES[0], False), (FACT, False), (NEW, False)]
    assert (await client.patch(address, json={"enabled": False})).status_code == 404


async def test_what_is_no_chunk_is_refused_with_a_sentence(api: Api) -> None:
    client = await api.client()
    client.headers["accept-language"] = "en"
    collection_id = await make_collection(client, await make_space(client))
    document_id = await document_of(api, client, collection_id)
    [first, *_] = (await client.get(f"/api/v1/info-blobs/{document_id}/chunks/?limit=1")).json()["items"]
    address = f"/api/v1/info-blobs/{document_id}/chunks/{first['id']}/"
    for text in (" ", "ord " * 900):
        refused = await client.patch(address, json={"text": text})
        assert refused.status_code == 422, refused.text
        assert refused.json()["message"]
    assert (await client.get(f"/api/v1/info-blobs/{document_id}/chunks/")).json()["items"][0] == first


async def test_a_look_before_indexing(api: Api) -> None:
    client = await api.client()
    collection_id = await make_collection(client, await make_space(client))

    async def sent(name: str, pages: list[str]) -> str:
        query: Any = {"name": name, "preview": "true"}
        answer = await client.put(
            f"/api/v1/groups/{collection_id}/documents/", params=query, content=documents.pdf(pages)
        )
        await api.work()
        return str(answer.json()["id"])

    document_id = await sent("Handbok.pdf", PAGES)
    address = f"/api/v1/info-blobs/{document_id}"
    assert (await client.get(f"{address}/")).json()["state"] == "preview"
    assert await found(client, collection_id, "altan") == []
    shown = (await client.get(f"{address}/preview/", params={"limit": 2})).json()
    assert ([i["page"] for i in shown["items"]], shown["total_count"], shown["next_after"]) == ([1, 2], 3, 1)
    assert FACT in shown["items"][1]["text"]
    assert (await client.post(f"{address}/index/")).status_code == 202
    await api.work()
    assert (await client.get(f"{address}/")).json()["state"] == "ready"
    assert FACT in (await found(client, collection_id, "altan"))[0]
    assert (await client.post(f"{address}/index/")).status_code == 400

    again = await sent("Handbok.pdf", ["En annan handbok."])
    assert again == document_id
    assert FACT in (await found(client, collection_id, "altan"))[0]
    assert (await client.post(f"{address}/discard/")).status_code == 204
    assert FACT in (await found(client, collection_id, "altan"))[0]

    other = await sent("Annat.pdf", ["Något helt annat."])
    assert (await client.post(f"/api/v1/info-blobs/{other}/discard/")).status_code == 204
    assert (await client.get(f"/api/v1/info-blobs/{other}/")).status_code == 404


async def test_another_size_cuts_the_collection_anew_but_not_what_was_changed_by_hand(api: Api) -> None:
    client = await api.client()
    collection_id = await make_collection(client, await make_space(client))
    text = " ".join(f"Mening nummer {n} handlar om bygglov i kommunen." for n in range(120))
    for title in ("a", "b"):
        body = {"info_blobs": [{"text": f"{title}. {text}", "metadata": {"title": title}}]}
        await client.post(f"/api/v1/groups/{collection_id}/info-blobs/", json=body)
    await api.work()
    items = (await client.get(f"/api/v1/groups/{collection_id}/info-blobs/")).json()["items"]
    ids = {i["metadata"]["title"]: i["id"] for i in items}

    async def chunks(title: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = -1
        while True:
            page = (await client.get(f"/api/v1/info-blobs/{ids[title]}/chunks/?after={after}&limit=3")).json()
            found += page["items"]
            if page["next_after"] is None:
                return found
            after = page["next_after"]

    before = await chunks("a")
    first = (await chunks("b"))[0]
    await client.patch(f"/api/v1/info-blobs/{ids['b']}/chunks/{first['id']}/", json={"enabled": False})
    address = f"/api/v1/groups/{collection_id}"
    assert (await client.put(f"{address}/chunk-size/", json={"chunk_tokens": 5})).status_code == 422
    changed = (await client.put(f"{address}/chunk-size/", json={"chunk_tokens": 100})).json()
    assert changed == {"chunk_tokens": 100, "outdated": 1, "kept": 1}
    assert await chunks("a") == before
    assert (await client.post(f"{address}/reindex/")).status_code == 202
    await api.work()
    after = await chunks("a")
    assert len(after) > 2 * len(before)
    assert all(c["tokens"] <= 110 for c in after)
    assert (await chunks("b"))[0]["id"] == first["id"]
    assert (await client.get(f"{address}/chunk-size/")).json() == {"chunk_tokens": 100, "outdated": 0, "kept": 1}
    assert len(await found(client, collection_id, "bygglov")) > 0


async def test_a_viewer_of_the_space_sees_no_chunks(api: Api) -> None:
    client = await api.client()
    space_id = await make_space(client)
    collection_id = await make_collection(client, space_id)
    document_id = await document_of(api, client, collection_id)
    user_id = await api.user("anna@example.se", PredefinedRole.USER)
    await client.post(f"/api/v1/spaces/{space_id}/members/", json={"id": str(user_id), "role": "viewer"})
    anna = await api.client("anna@example.se")
    chunk_id = (await client.get(f"/api/v1/info-blobs/{document_id}/chunks/")).json()["items"][0]["id"]
    for method, path in (
        ("GET", f"/api/v1/info-blobs/{document_id}/chunks/"),
        ("PATCH", f"/api/v1/info-blobs/{document_id}/chunks/{chunk_id}/"),
        ("GET", f"/api/v1/info-blobs/{document_id}/preview/"),
        ("GET", f"/api/v1/groups/{collection_id}/chunk-size/"),
        ("POST", f"/api/v1/groups/{collection_id}/reindex/"),
    ):
        assert (await anna.request(method, path, json={})).status_code == 404, path
