"""From an upload to a passage, and back out of every store."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from tests.support import documents
from tests.support.api import Api, make_assistant, make_collection, make_space, upload

FACT = "Avgiften för bygglov för en altan är 4 300 kronor och betalas innan beslutet."
PAGES = ["Handbok om bygglov för handläggare i kommunen.", FACT, "Beslutet kan överklagas inom tre veckor."]


async def test_upload_read_search_and_download(api: Api) -> None:
    client = await api.client()
    space_id = await make_space(client)
    collection_id = await make_collection(client, space_id)
    content = documents.pdf(PAGES)
    job = await upload(client, collection_id, "../../Handbok \\ åäö 📄.pdf", content)
    assert job.status_code == 202
    assert job.json()["status"] == "queued"
    await api.work()
    done = (await client.get(f"/api/v1/jobs/{job.json()['id']}/")).json()
    assert done["status"] == "complete", done
    [item] = (await client.get(f"/api/v1/groups/{collection_id}/info-blobs/")).json()["items"]
    assert (item["state"], item["page_count"], item["language"]) == ("ready", 3, "sv")
    assert "/" not in item["metadata"]["title"]
    found = await client.post(
        "/api/v1/search/", json={"query": "Vad kostar bygglov?", "space_id": space_id, "limit": 3}
    )
    best = found.json()["items"][0]
    assert "4 300 kronor" in best["text"]
    assert best["vector_score"] > 0.8
    assert best["text_score"] > 0
    blob = (await client.get(f"/api/v1/info-blobs/{item['id']}/")).json()
    assert blob["text"][best["start"] : best["end"]].split() == best["text"].split()
    original = await client.get(f"/api/v1/info-blobs/{item['id']}/original/")
    assert original.content == content
    assert "sandbox" in original.headers["content-security-policy"]


async def test_modes_and_compound_words(api: Api) -> None:
    client = await api.client()
    collection_id = await make_collection(client, await make_space(client))
    for title, words in (
        ("a", "Bygglovshandläggaren svarar."),
        ("b", "Barnbidraget höjs."),
        ("c", "Får betar på ängen."),
    ):
        body = {"info_blobs": [{"text": words, "metadata": {"title": title}}]}
        assert (await client.post(f"/api/v1/groups/{collection_id}/info-blobs/", json=body)).status_code == 200
    await api.work()

    async def titles(query: str, mode: str) -> list[str]:
        body = {"query": query, "collection_ids": [collection_id], "mode": mode}
        return [i["title"] for i in (await client.post("/api/v1/search/", json=body)).json()["items"]]

    assert await titles("handläggning av bygglov", "text") == ["a"]
    assert await titles("bidrag", "text") == ["b"]
    assert await titles("far", "text") == []
    assert (await titles("pengar till barnfamiljer", "vector"))[0] == "b"


async def test_the_same_content_is_not_stored_twice_and_a_title_makes_a_version(api: Api) -> None:
    client = await api.client()
    collection_id = await make_collection(client, await make_space(client))
    first = await upload(client, collection_id, "plan.txt", "Planen gäller från mars.".encode())
    await api.work()
    same = await upload(client, collection_id, "kopia.txt", "Planen gäller från mars.".encode())
    assert same.json()["id"] == first.json()["id"]
    await upload(client, collection_id, "plan.txt", "Planen gäller från april.".encode())
    [item] = (await client.get(f"/api/v1/groups/{collection_id}/info-blobs/")).json()["items"]
    assert (item["version"], item["state"]) == (2, "queued")
    query = {"query": "Från vilken månad gäller planen?", "collection_ids": [collection_id]}
    assert "mars" in (await client.post("/api/v1/search/", json=query)).json()["items"][0]["text"]
    await api.work()
    [passage] = (await client.post("/api/v1/search/", json=query)).json()["items"]
    assert "april" in passage["text"]


async def test_a_file_that_cannot_be_read_says_why_and_can_be_cancelled_retried_deleted(api: Api) -> None:
    client = await api.client()
    collection_id = await make_collection(client, await make_space(client))
    for name, content in (
        ("skadad.pdf", documents.pdf(PAGES)[:200]),
        ("låst.pdf", documents.encrypted_pdf()),
        ("bild.pdf", documents.png()),
    ):
        assert (await upload(client, collection_id, name, content)).status_code == 202
    await api.work()
    items = (await client.get(f"/api/v1/groups/{collection_id}/info-blobs/")).json()["items"]
    assert {i["state"] for i in items} == {"failed"}
    assert all(i["error"] for i in items)
    [locked] = [i for i in items if i["metadata"]["title"] == "låst.pdf"]
    assert "lösenord" in locked["error"]
    again = await client.post(f"/api/v1/info-blobs/{locked['id']}/retry/")
    assert again.json()["state"] == "queued"
    cancelled = await client.post(f"/api/v1/info-blobs/{locked['id']}/cancel/")
    assert cancelled.json()["state"] == "cancelled"
    assert (await client.delete(f"/api/v1/info-blobs/{locked['id']}/")).status_code == 200


async def test_refusals_before_anything_is_stored(api: Api) -> None:
    client = await api.client()
    collection_id = await make_collection(client, await make_space(client))
    assert (await upload(client, collection_id, "virus.exe", b"MZ")).status_code == 415
    assert (await upload(client, collection_id, "tom.txt", b"")).status_code == 422
    huge = await client.put(
        f"/api/v1/groups/{collection_id}/documents/", params={"name": "stor.pdf"}, content=b"x",
        headers={"content-length": str(3 * 1024**3)},
    )  # fmt: skip
    assert (huge.status_code, huge.json()["intric_error_code"]) == (413, 9015)


async def test_deleting_deletes_from_every_store(api: Api) -> None:
    client = await api.client()
    space_id = await make_space(client)
    collection_id = await make_collection(client, space_id)
    await upload(client, collection_id, "hemligt.txt", b"Kanariefageln sjunger i xylofonparken.")
    await api.work()
    files = api.runtime.settings.data_dir / "files" / api.owner.tenant_id.hex
    assert any(path.is_file() for path in files.rglob("*"))
    [item] = (await client.get(f"/api/v1/groups/{collection_id}/info-blobs/")).json()["items"]
    assert (await client.delete(f"/api/v1/info-blobs/{item['id']}/")).status_code == 200
    assert not any(path.is_file() for path in files.rglob("*"))
    query = {"query": "xylofonparken", "space_id": space_id, "mode": "text"}
    assert (await client.post("/api/v1/search/", json=query)).json()["items"] == []
    tables = ["chunks", "blobs", "document_versions"]
    tables += (
        ["chunk_terms", "chunk_places", "chunk_vectors_384"]
        if api.runtime.database.dialect == "sqlite"
        else ["chunk_index"]
    )
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        for table in tables:
            statement = text(f"select count(*) from {table}")
            count = (await session.execute(statement, execution_options={"scoped_by_hand": True})).scalar()
            assert count == 0, table


async def test_viewers_search_through_an_assistant_only(api: Api) -> None:
    owner = await api.client()
    space_id = await make_space(owner)
    collection_id = await make_collection(owner, space_id)
    assistant_id = await make_assistant(owner, space_id, collection_id)
    await owner.post(f"/api/v1/assistants/{assistant_id}/publish/", params={"published": True})
    user_id = await api.user("viewer@example.se")
    await owner.post(f"/api/v1/spaces/{space_id}/members/", json={"id": str(user_id), "role": "viewer"})
    viewer = await api.client("viewer@example.se")
    for scope, status in (
        ({"space_id": space_id}, 403),
        ({"collection_ids": [collection_id]}, 404),
        ({"assistant_id": assistant_id}, 200),
    ):
        assert (await viewer.post("/api/v1/search/", json={"query": "x", **scope})).status_code == status


async def test_a_body_that_is_too_large_is_refused_while_it_comes(api: Api) -> None:
    client = await api.client()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1024**2

    answer = await client.post("/api/v1/search/", content=endless(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["intric_error_code"]) == (413, 9015)


async def test_tags_of_many_documents_are_changed_all_or_none(api: Api) -> None:
    client = await api.client()
    space_id = await make_space(client)
    collection_id, other = await make_collection(client, space_id), await make_collection(client, space_id, "Andra")
    for name in ("a.txt", "b.txt", "c.txt"):
        await upload(client, collection_id, name, f"Om {name}".encode())
    await upload(client, other, "d.txt", b"Om d")
    url = f"/api/v1/groups/{collection_id}/"
    listed = {d["metadata"]["title"]: d["id"] for d in (await client.get(f"{url}info-blobs/")).json()["items"]}
    [far] = (await client.get(f"/api/v1/groups/{other}/info-blobs/")).json()["items"]
    a, b, c = (listed[name] for name in sorted(listed))

    async def tags() -> list[list[str]]:
        found = {d["id"]: d["metadata"]["tags"] for d in (await client.get(f"{url}info-blobs/")).json()["items"]}
        return [found[a], found[b], found[c]]

    async def change(ids: list[str], **more: list[str]) -> tuple[int, Any]:
        answer = await client.post(f"{url}tags/", json={"info_blob_ids": ids, **more})
        return answer.status_code, answer.json().get("changed", answer.json().get("field"))

    assert await change([a, b], add=["Nämnden", " 2026 "]) == (200, 2)
    assert await change([a, b, c], add=["nämnden"], remove=["2026"]) == (200, 3)
    assert await tags() == [["Nämnden"], ["Nämnden"], ["nämnden"]]
    assert await change([a, b, c], add=["NÄMNDEN"]) == (200, 0)
    full = [f"t{n}" for n in range(19)]
    assert await change([a], add=full) == (200, 1)
    assert await change([b, a], add=["ett till"]) == (422, "add")
    assert (await tags())[1] == ["Nämnden"], "nothing is changed when one cannot be"
    for ids, field in (([], "info_blob_ids"), ([str(uuid4()) for _ in range(501)], "info_blob_ids")):
        assert await change(ids, add=["x"]) == (422, field)
    assert await change([a]) == (422, "add")
    assert await change([a], add=["x" * 51]) == (422, "tags")
    assert await change([b, far["id"]], add=["x"]) == (404, "info_blob_ids")
    entries = [e for e in await api.entries(api.owner.tenant_id) if e.action == "document_updated"]
    assert len(entries) == 6
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    foreign = await anna.post(f"{url}tags/", json={"info_blob_ids": [a], "add": ["x"]})
    assert foreign.status_code == 404
    viewer = {"id": str((await anna.get("/api/v1/users/me/")).json()["id"]), "role": "viewer"}
    assert (await client.post(f"/api/v1/spaces/{space_id}/members/", json=viewer)).status_code == 200
    foreign = await anna.post(f"{url}tags/", json={"info_blob_ids": [a], "add": ["x"]})
    assert foreign.status_code in (403, 404)
