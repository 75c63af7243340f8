"""Knowledge is moved, shared, and withdrawn at once; what is in the organisation's space is everybody's to read."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.kernel.actor import Actor
from domain.users.entities import PredefinedRole
from tests.support.api import Api, make_assistant, make_collection, make_space, upload

SECRET = "Kaffeautomaten kostar tolv kronor."


@dataclass(slots=True)
class House:
    """Two spaces of the owner; the first has a collection, the second an editor and an assistant."""

    api: Api
    owner: httpx.AsyncClient
    editor: httpx.AsyncClient
    space: str
    other: str
    collection: str
    assistant: str

    @property
    def url(self) -> str:
        return f"/api/v1/groups/{self.collection}/"

    async def share(self) -> None:
        answer = await self.owner.put(f"{self.url}shares/{self.other}/")
        assert answer.status_code == 204, answer.text

    async def use(self, client: httpx.AsyncClient | None = None) -> httpx.Response:
        """Give the assistant of the other space the collection."""
        changes = {"groups": [{"id": self.collection}]}
        return await (client or self.editor).post(f"/api/v1/assistants/{self.assistant}/", json=changes)

    async def used(self) -> list[str]:
        shown = (await self.owner.get(f"/api/v1/assistants/{self.assistant}/")).json()
        return [group["id"] for group in shown["groups"]]

    async def found(self, **scope: Any) -> list[str]:
        """What the editor of the other space finds."""
        body = {"query": "kaffeautomaten", "mode": "text", **scope}
        answer = await self.editor.post("/api/v1/search/", json=body)
        return [item["text"] for item in answer.json()["items"]] if answer.status_code == 200 else []

    async def groups(self, client: httpx.AsyncClient | None = None, space: str = "") -> list[dict[str, Any]]:
        shown = await (client or self.editor).get(f"/api/v1/spaces/{space or self.other}/knowledge/")
        return list(shown.json()["groups"]["items"])


@pytest.fixture
async def house(api: Api) -> House:
    owner = await api.client()
    space, other = await make_space(owner, "Bygg"), await make_space(owner, "Skola")
    collection = await make_collection(owner, space)
    await upload(owner, collection, "kaffe.txt", SECRET.encode())
    await api.work()
    user_id = await api.user("editor@example.se", PredefinedRole.USER)
    await owner.post(f"/api/v1/spaces/{other}/members/", json={"id": str(user_id), "role": "editor"})
    editor = await api.client("editor@example.se")
    return House(api, owner, editor, space, other, collection, await make_assistant(owner, other))


async def document_of(house: House) -> str:
    return str((await house.owner.get(f"{house.url}info-blobs/")).json()["items"][0]["id"])


async def test_what_is_shared_is_read_used_and_withdrawn_at_once(house: House) -> None:
    document = await document_of(house)
    assert (await house.editor.get(house.url)).status_code == 404
    assert (await house.use()).status_code == 404
    await house.share()
    [shown] = await house.groups()
    assert (shown["permissions"], shown["shared_from"], shown["space_id"]) == (["read"], "Bygg", house.space)
    assert (await house.editor.get(house.url)).json()["permissions"] == ["read"]
    assert (await house.editor.get(f"/api/v1/info-blobs/{document}/")).status_code == 200
    assert (await house.use()).status_code == 200
    assert await house.used() == [house.collection]
    for scope in ({"space_id": house.other}, {"collection_ids": [house.collection]}, {"assistant_id": house.assistant}):
        assert await house.found(**scope) == [SECRET]
    trial = await house.editor.post(f"/api/v1/spaces/{house.other}/searches/", json={"query": "kaffeautomaten"})
    assert len(trial.json()["passages"]) == 1

    answer = await house.owner.delete(f"{house.url}shares/{house.other}/")
    assert answer.status_code == 204
    assert (await house.used(), await house.groups()) == ([], [])
    for scope in ({"space_id": house.other}, {"collection_ids": [house.collection]}, {"assistant_id": house.assistant}):
        assert await house.found(**scope) == []
    for url in (house.url, f"{house.url}info-blobs/", f"/api/v1/info-blobs/{document}/"):
        assert (await house.editor.get(url)).status_code == 404
    assert (await house.use()).status_code == 404


async def test_a_reader_changes_nothing(house: House) -> None:
    document = await document_of(house)
    await house.share()
    editor, url = house.editor, house.url
    third = await make_space(editor, "Tredje")
    for method, address, body in (
        ("post", url, {"name": "Min"}),
        ("delete", url, None),
        ("post", f"{url}info-blobs/", {"info_blobs": [{"text": "x"}]}),
        ("delete", f"/api/v1/info-blobs/{document}/", None),
        ("post", f"/api/v1/info-blobs/{document}/", {"metadata": {"title": "x"}}),
        ("post", f"{url}transfer/", {"target_space_id": third}),
        ("put", f"{url}shares/{third}/", None),
        ("get", f"{url}shares/", None),
    ):
        answer = await editor.request(method, address, json=body)
        assert answer.status_code == 403, (method, address, answer.text)
    assert (await upload(editor, house.collection, "b.txt", b"x")).status_code == 403
    # But the other space's editors may do without it.
    assert (await editor.delete(f"{url}shares/{house.other}/")).status_code == 204
    assert await house.groups() == []


async def test_who_may_share_with_whom(house: House, other: Actor) -> None:
    stranger = await house.api.client(other.email)
    foreign = await make_space(stranger, "Fjärran")
    assert (await house.owner.put(f"{house.url}shares/{foreign}/")).status_code == 404
    assert (await stranger.put(f"{house.url}shares/{foreign}/")).status_code == 404
    assert (await stranger.delete(f"{house.url}shares/{house.other}/")).status_code == 404
    assert (await house.editor.put(f"{house.url}shares/{house.other}/")).status_code == 404
    assert (await house.owner.put(f"{house.url}shares/{uuid4()}/")).status_code == 404
    await house.share()
    await house.share()
    shares = (await house.owner.get(f"{house.url}shares/")).json()
    assert [each["name"] for each in shares["items"]] == ["Skola"]


async def test_a_collection_moves_and_the_assistants_left_behind_lose_it(house: House) -> None:
    left = await make_assistant(house.owner, house.space, house.collection)
    await house.share()
    await house.use()
    losses = await house.owner.get(f"{house.url}transfer/losses/", params={"target_space_id": house.other})
    assert [each["id"] for each in losses.json()["items"]] == [left]
    body = {"target_space_id": house.other}
    assert (await house.editor.post(f"{house.url}transfer/", json=body)).status_code == 403
    assert (await house.owner.post(f"{house.url}transfer/", json=body)).status_code == 204
    assert (await house.owner.get(f"/api/v1/assistants/{left}/")).json()["groups"] == []
    assert await house.used() == [house.collection]
    assert "edit" in (await house.editor.get(house.url)).json()["permissions"]
    assert (await house.owner.get(f"{house.url}shares/")).json()["items"] == []
    assert await house.groups(house.owner, house.space) == []
    assert await house.found(space_id=house.other) == [SECRET]
    actions = [entry.action for entry in await house.api.entries(house.api.owner.tenant_id)]
    assert "collection_transferred" in actions


async def test_the_organisations_knowledge_is_everybodys_to_read(house: House, other: Actor) -> None:
    organization = (await house.owner.get("/api/v1/spaces/type/organization/")).json()["id"]
    assert (await house.editor.get(f"/api/v1/spaces/{organization}/")).status_code == 404
    body = {"target_space_id": organization}
    theirs = await make_collection(house.editor, house.other, "Egen")
    assert (await house.editor.post(f"/api/v1/groups/{theirs}/transfer/", json=body)).status_code == 404
    assert (await house.owner.post(f"{house.url}transfer/", json=body)).status_code == 204
    shown = {group["id"]: group for group in await house.groups()}
    assert shown[house.collection]["permissions"] == ["read"]
    assert (await house.use()).status_code == 200
    assert await house.found(space_id=house.other) == [SECRET]
    assert (await house.editor.post(house.url, json={"name": "x"})).status_code == 403
    assert (await upload(house.editor, house.collection, "b.txt", b"x")).status_code == 403
    stranger = await house.api.client(other.email)
    assert (await stranger.get(house.url)).status_code == 404
    # Taken back, it is gone from everywhere else.
    back = {"target_space_id": house.space}
    assert (await house.owner.post(f"{house.url}transfer/", json=back)).status_code == 204
    assert (await house.used(), await house.found(space_id=house.other)) == ([], [])
    assert (await house.editor.get(house.url)).status_code == 404


async def test_citations_end_with_the_share(house: House) -> None:
    await house.share()
    await house.use()
    body = {"assistant_id": house.assistant, "question": "Vad kostar kaffeautomaten?"}
    asked = (await house.editor.post("/api/v1/conversations/", json=body)).json()
    assert "tolv kronor" in asked["answer"]
    source = f"/api/v1/conversations/{asked['session_id']}/messages/{asked['id']}/sources/1/text/"
    assert (await house.editor.get(source)).status_code == 200
    await house.owner.delete(f"{house.url}shares/{house.other}/")
    assert (await house.editor.get(source)).status_code == 404
    again = (await house.editor.post("/api/v1/conversations/", json=body)).json()
    assert "tolv kronor" not in again["answer"]


async def test_a_website_is_shared_too(house: House) -> None:
    added = {"url": "http://127.0.0.1:9/", "name": "Sidan"}
    website = (await house.owner.post(f"/api/v1/spaces/{house.space}/knowledge/websites/", json=added)).json()["id"]
    assert (await house.editor.get(f"/api/v1/websites/{website}/")).status_code == 404
    assert (await house.owner.put(f"/api/v1/websites/{website}/shares/{house.other}/")).status_code == 204
    shown = (await house.editor.get(f"/api/v1/websites/{website}/")).json()
    assert (shown["permissions"], shown["shared_from"]) == (["read"], "Bygg")
    for method, path in (("post", "run/"), ("delete", "")):
        assert (await house.editor.request(method, f"/api/v1/websites/{website}/{path}")).status_code == 403
    listed = (await house.editor.get(f"/api/v1/spaces/{house.other}/knowledge/")).json()["websites"]["items"]
    assert [each["id"] for each in listed] == [website]
    assert (await house.editor.delete(f"/api/v1/websites/{website}/shares/{house.other}/")).status_code == 204
    assert (await house.editor.get(f"/api/v1/websites/{website}/")).status_code == 404
