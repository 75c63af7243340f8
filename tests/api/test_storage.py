"""Room for documents: what is used, and that nobody gets more."""

import asyncio
from uuid import UUID

import httpx

from domain.kernel.actor import Actor
from domain.tenants.operator import Operator
from tests.support.api import Api, make_collection, make_space, upload

GIB = 1024**3


async def limit(api: Api, quota: int) -> None:
    """Give the organisation this much room."""
    await api.runtime.services.tenants.update(Operator(), api.owner.tenant_id, {"quota_limit": quota})


async def refused(client: httpx.AsyncClient, collection: str, sizes: list[int]) -> int:
    """Upload files of these sizes at the same moment; how many were refused for want of room."""
    sent = [upload(client, collection, f"{n}.txt", bytes([97 + n]) * size) for n, size in enumerate(sizes)]
    answers = await asyncio.gather(*sent)
    for answer in answers:
        assert answer.status_code == 202 or (answer.status_code, answer.json()["code"]) == (403, 9008)
    return sum(answer.status_code == 403 for answer in answers)


async def test_the_last_room_is_given_once(api: Api) -> None:
    client = await api.client()
    collection = await make_collection(client, await make_space(client))
    await limit(api, 100)
    assert await refused(client, collection, [60, 60, 60, 60]) == 3
    assert (await client.get("/api/v1/storage/")).json() == {
        "total_used": 60, "personal_used": 0, "shared_used": 60, "limit": 100,
        "documents": 1, "passages": 0, "limits": {"documents": None, "passages": None},
    }  # fmt: skip
    assert await refused(client, collection, [41]) == 1
    assert await refused(client, collection, [40]) == 0


async def test_a_persons_own_limit_holds_too(api: Api) -> None:
    await api.user("anna@example.se", role="Owner")
    anna = await api.client("anna@example.se")
    user = (await anna.get("/api/v1/users/me/")).json()["id"]
    await api.runtime.services.users.update(api.owner, UUID(user), {"quota_limit": 1000})
    collection = await make_collection(anna, await make_space(anna))
    assert await refused(anna, collection, [600, 600, 600]) == 2
    # Others have room of their own.
    owner = await api.client()
    other = await make_collection(owner, await make_space(owner, "Annat"))
    assert await refused(owner, other, [600]) == 0


async def test_spaces_are_listed_with_what_they_store(api: Api) -> None:
    client = await api.client()
    spaces = {name: await make_space(client, name) for name in ("Beta", "alfa", "Gamma")}
    await upload(client, await make_collection(client, spaces["Beta"]), "a.txt", b"x" * 30)
    personal = (await client.get("/api/v1/spaces/type/personal/")).json()["id"]
    await upload(client, await make_collection(client, personal), "a.txt", b"y" * 12)
    used = (await client.get("/api/v1/storage/")).json()
    counted = {"documents": 2, "passages": 0, "limits": {"documents": None, "passages": None}}
    assert used == {"total_used": 42, "personal_used": 12, "shared_used": 30, "limit": 10 * GIB, **counted}
    first = (await client.get("/api/v1/storage/spaces/", params={"limit": 2})).json()
    assert [(item["name"], item["size"]) for item in first["items"]] == [("alfa", 0), ("Beta", 30)]
    assert [(m["email"], m["role"]) for m in first["items"][1]["members"]] == [("owner@example.se", "admin")]
    rest = (await client.get("/api/v1/storage/spaces/", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert "Gamma" in [item["name"] for item in rest["items"]]
    assert rest["next_cursor"] is None


async def test_the_largest_come_first_among_spaces_and_people(api: Api, other: Actor) -> None:
    await api.user("anna@example.se", role="Owner")
    anna, client = await api.client("anna@example.se"), await api.client()
    spaces = {name: await make_space(anna, name) for name in ("Alfa", "Beta", "Gamma")}
    collection = await make_collection(anna, spaces["Beta"])
    await upload(anna, collection, "a.txt", b"Altaner. " * 5)
    await upload(anna, collection, "b.txt", b"Staket. " * 5)
    await upload(anna, await make_collection(anna, spaces["Gamma"]), "c.txt", b"Murar. " * 2)
    personal = (await client.get("/api/v1/spaces/type/personal/")).json()["id"]
    await upload(client, await make_collection(client, personal), "d.txt", b"Eget. " * 10)
    await api.work()
    seen, cursor = [], None
    while True:
        params = {"sort": "size", "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/v1/storage/spaces/", params=params)).json()
        seen += [(item["name"], item["size"], item["documents"], item["passages"]) for item in page["items"]]
        if not (cursor := page["next_cursor"]):
            break
    assert seen[:2] == [("Beta", 85, 2, 2), ("Gamma", 14, 1, 1)]
    assert {name for name, size, *_ in seen[2:] if not size} >= {"Alfa"}
    url = "/api/v1/storage/people/"
    first = (await client.get(url, params={"limit": 1})).json()
    [most] = first["items"]
    assert [most[name] for name in ("email", "size", "documents", "limit")] == ["anna@example.se", 99, 3, None]
    rest = (await client.get(url, params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [(p["email"], p["size"], p["passages"]) for p in rest["items"]] == [("owner@example.se", 60, 1)]
    assert rest["next_cursor"] is None
    for wrong in ("x", "WyJ4IiwgIngiXQ"):
        assert (await client.get(url, params={"cursor": wrong})).status_code == 422
    await api.runtime.services.users.update(api.owner, UUID(first["items"][0]["id"]), {"quota_limit": 1000})
    assert (await client.get(url, params={"limit": 1})).json()["items"][0]["limit"] == 1000
    # Another organisation has nothing of it.
    stranger = await api.client(other.email)
    assert (await stranger.get(url)).json()["items"] == []


async def test_only_administrators_see_it(api: Api) -> None:
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    for url in ("/api/v1/storage/", "/api/v1/storage/spaces/", "/api/v1/storage/people/"):
        assert (await anna.get(url)).status_code == 403
    assert (await anna.post("/api/v1/admin/privacy-policy/", json={"url": "https://x.se"})).status_code == 403


async def test_the_address_of_the_privacy_policy(api: Api) -> None:
    client = await api.client()
    url = "/api/v1/admin/privacy-policy/"
    kept = (await client.post(url, json={"url": " https://sundsvall.se/gdpr "})).json()
    assert kept["privacy_policy"] == "https://sundsvall.se/gdpr"
    for wrong in (
        "javascript:alert(1)",
        "sundsvall.se",
        "https://",
        "https://x y",
        "http://[",
        "https://x/" + "y" * 2000,
    ):
        assert (await client.post(url, json={"url": wrong})).status_code == 422, wrong
    assert (await client.get("/api/v1/users/tenant/")).json()["privacy_policy"] == "https://sundsvall.se/gdpr"
    assert (await client.post(url, json={"url": None})).json()["privacy_policy"] is None
    changes = [e.changes for e in await api.entries(api.owner.tenant_id) if e.action == "tenant_settings_updated"]
    assert [change["new"] for change in changes] == [
        {"privacy_policy": "https://sundsvall.se/gdpr"}, {"privacy_policy": None}
    ]  # fmt: skip


async def test_a_space_has_a_limit_of_its_own(api: Api) -> None:
    client = await api.client()
    space, other = await make_space(client, "Bygg"), await make_space(client, "Skola")
    collection, elsewhere = await make_collection(client, space), await make_collection(client, other)
    url = f"/api/v1/storage/spaces/{space}/"
    for wrong in (5, 2**63, 10**37):
        assert (await client.put(url, json={"limit": wrong})).status_code == 422
    assert (await client.put(url, json={"limit": 1000})).json() == {"limit": 1000}
    assert await refused(client, collection, [600, 600, 600]) == 2
    answer = await upload(client, collection, "mer.txt", b"z" * 500)
    assert (answer.status_code, "Bygg" in answer.json()["message"]) == (403, True)
    # Elsewhere there is room; but what is there does not fit into the full space.
    assert await refused(client, elsewhere, [700]) == 0
    moved = await client.post(f"/api/v1/groups/{elsewhere}/transfer/", json={"target_space_id": space})
    assert (moved.status_code, moved.json()["code"]) == (403, 9008)
    shown = (await client.get("/api/v1/storage/spaces/")).json()["items"]
    assert {item["name"]: item["limit"] for item in shown if item["name"] in ("Bygg", "Skola")} == {
        "Bygg": 1000, "Skola": None
    }  # fmt: skip
    assert (await client.put(url, json={"limit": None})).json() == {"limit": None}
    assert await refused(client, collection, [5000]) == 0
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await anna.put(url, json={"limit": 5000})).status_code == 403


async def test_documents_and_passages_have_limits_of_their_own(api: Api) -> None:
    client = await api.client()
    space = await make_space(client)
    collection = await make_collection(client, space)
    me = (await client.get("/api/v1/users/me/")).json()["id"]
    url = "/api/v1/storage/limits/"

    async def sent(name: str) -> tuple[int, str]:
        answer = await upload(client, collection, name, f"Om {name}.".encode())
        await api.work()
        return answer.status_code, answer.json().get("message", "")

    assert (await sent("a.txt"))[0] == 202
    for subject, words in (({"space_id": space}, "Bygg"), ({"user_id": me}, "Du"), ({}, "Organisationen")):
        assert (await client.put(url, json={**subject, "documents": 1})).json() == {"documents": 1, "passages": None}
        status, said = await sent("b.txt")
        assert (status, words in said, "1" in said) == (403, True, True), said
        # What is there is replaced as before.
        assert (await upload(client, collection, "a.txt", f"Om {words} på nytt.".encode())).status_code == 202
        await api.work()
        await client.put(url, json=subject)
    await client.put(url, json={"space_id": space, "passages": 2})
    assert (await sent("b.txt"))[0] == 202
    assert (await sent("c.txt"))[0] == 403
    long = "\n\n".join(
        f"# Del {n}\n\nBygglov nummer {n}. " + "Det prövas av nämnden efter lagen. " * 40 for n in range(6)
    )
    await client.put(url, json={"space_id": space, "passages": 3})
    assert (await upload(client, collection, "lang.md", long.encode())).status_code == 202
    await api.work()
    listed = (await client.get(f"/api/v1/groups/{collection}/info-blobs/")).json()["items"]
    [failed] = [d for d in listed if d["metadata"]["title"] == "lang.md"]
    assert (failed["state"], failed["error"].startswith("Ytan")) == ("failed", True)
    shown = (await client.get("/api/v1/storage/spaces/")).json()["items"]
    assert [(each["passages"], each["limits"]) for each in shown] == [(2, {"documents": None, "passages": 3})]
    whole = (await client.get("/api/v1/storage/")).json()
    assert (whole["passages"], whole["limits"]) == (2, {"documents": None, "passages": None})
    # A collection that is too much for a space does not move there.
    other = await make_space(client, "Annat")
    await client.put(url, json={"space_id": other, "documents": 1})
    moved = await client.post(f"/api/v1/groups/{collection}/transfer/", json={"target_space_id": other})
    assert (moved.status_code, "Annat" in moved.json()["message"]) == (403, True)
    for wrong in ({"documents": -1}, {"passages": 3_000_000_000}, {"space_id": space, "user_id": me}):
        assert (await client.put(url, json=wrong)).status_code == 422
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await anna.put(url, json={"documents": 1})).status_code == 403
    actions = [entry.action for entry in await api.entries(api.owner.tenant_id)]
    assert actions.count("knowledge_limit_set") == 9
