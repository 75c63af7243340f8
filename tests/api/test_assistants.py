"""The list of assistants: paged, in order of name, with a number of statements that does not grow with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from sqlalchemy import event

from tests.support.api import Api, make_assistant, make_collection, make_space, publish

URL = "/api/v1/assistants/"


@contextmanager
def statements(api: Api) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []
    engines = {api.runtime.database.reader.sync_engine, api.runtime.database.writer.sync_engine}

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        sent.append(statement)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


async def furnished(client: httpx.AsyncClient, space: str, name: str) -> str:
    """An assistant with a collection, a website, a file and an instruction of its own."""
    assistant = await make_assistant(client, space, await make_collection(client, space, f"Om {name}"))
    site = {"url": f"http://127.0.0.1:9/{name}", "name": name}
    website = (await client.post(f"/api/v1/spaces/{space}/knowledge/websites/", json=site)).json()["id"]
    file = (await client.post("/api/v1/files/", files={"upload_file": (f"{name}.txt", b"Regler")})).json()["id"]
    change = {"name": name, "websites": [{"id": website}], "attachments": [{"id": file}]}
    answer = await client.post(f"{URL}{assistant}/", json=change)
    assert answer.status_code == 200, answer.text
    return assistant


async def test_the_list_costs_the_same_however_many_there_are(api: Api) -> None:
    owner = await api.client()
    counts = []
    for spaces in ({"Bygg": ["Lov"], "Skola": ["Plats"]}, {"Vård": ["Kö", "Mat"], "Trafik": ["Bro"]}):
        for space_name, names in spaces.items():
            space = await make_space(owner, space_name)
            for name in names:
                await furnished(owner, space, name)
        with statements(api) as sent:
            found = (await owner.get(URL)).json()
        counts.append(len(sent))
    assert [item["name"] for item in found["items"]] == ["Bro", "Kö", "Lov", "Mat", "Plats"]
    for item in found["items"]:
        assert item == (await owner.get(f"{URL}{item['id']}/")).json(), item["name"]
        assert [g["name"] for g in item["groups"]] == [f"Om {item['name']}"]
        assert [w["name"] for w in item["websites"]] == [item["name"]]
        assert [f["name"] for f in item["attachments"]] == [f"{item['name']}.txt"]
        assert item["prompt"]["text"] == "Svara kort."
    assert counts[0] == counts[1]


async def test_the_list_is_paged_searched_and_shows_what_one_may_use(api: Api) -> None:
    owner = await api.client()
    space = await make_space(owner)
    ids = {}
    for name in ("Öppet", "allmän", "Allmän", "100 % säker", "Zebra"):
        ids[name] = await make_assistant(owner, space)
        await owner.post(f"{URL}{ids[name]}/", json={"name": name})
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (await owner.get(URL, params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        assert page["count"] == len(page["items"]) <= 2
        assert page["total_count"] == 5
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 5
    assert set(seen) == set(ids.values())
    for words, names in (("ALLMÄN", {"allmän", "Allmän"}), ("100 %", {"100 % säker"}), ("_", set())):
        found = (await owner.get(URL, params={"name": words})).json()["items"]
        assert {item["name"] for item in found} == names
    assert (await owner.get(URL, params={"cursor": "x"})).status_code == 422
    assert (await owner.get(URL, params={"limit": 0})).status_code == 422
    anna = await api.user("anna@example.se")
    await owner.post(f"/api/v1/spaces/{space}/members/", json={"id": str(anna), "role": "viewer"})
    await publish(owner, ids["Zebra"])
    viewer = await api.client("anna@example.se")
    found = (await viewer.get(URL)).json()
    assert ([item["name"] for item in found["items"]], found["total_count"]) == (["Zebra"], 1)
    assert (await (await api.client()).get(URL, params={"limit": 1})).json()["count"] == 1


async def test_what_is_listed_of_all_spaces_costs_the_same_however_many_there_are(api: Api) -> None:
    owner = await api.client()
    paths = {"spaces/": {"include_applications": True}, "groups/": {}, "websites/": {}}
    counts: dict[str, list[int]] = {path: [] for path in paths}
    found: dict[str, Any] = {}
    for names in (("Bygg",), ("Skola", "Trafik")):
        for name in names:
            await furnished(owner, await make_space(owner, name), name)
        for path, params in paths.items():
            # What is only done once is done.
            await owner.get(f"/api/v1/{path}", params=params)
            with statements(api) as sent:
                found[path] = (await owner.get(f"/api/v1/{path}", params=params)).json()["items"]
            counts[path].append(len(sent))
    assert {path: first == second for path, (first, second) in counts.items()} == dict.fromkeys(paths, True), counts
    told = {s["name"]: [a["name"] for a in s["applications"]["assistants"]["items"]] for s in found["spaces/"]}
    assert told == {name: [name] for name in ("Bygg", "Skola", "Trafik")}
    assert [each["name"] for each in found["groups/"]] == ["Om Bygg", "Om Skola", "Om Trafik"]
    assert [each["name"] for each in found["websites/"]] == ["Bygg", "Skola", "Trafik"]
    for path in ("groups/", "websites/"):
        for item in found[path]:
            alone = (await owner.get(f"/api/v1/{path}{item['id']}/")).json()
            assert item["permissions"] == alone["permissions"]


async def test_of_all_spaces_viewers_are_shown_what_they_may_see(api: Api) -> None:
    owner = await api.client()
    space = await make_space(owner)
    draft, shown = await furnished(owner, space, "Utkast"), await furnished(owner, space, "Hjälpen")
    await publish(owner, shown)
    member = {"id": str(await api.user("anna@example.se")), "role": "viewer"}
    assert (await owner.post(f"/api/v1/spaces/{space}/members/", json=member)).status_code == 200
    anna = await api.client("anna@example.se")
    [seen] = (await anna.get("/api/v1/spaces/", params={"include_applications": True})).json()["items"]
    assert [each["id"] for each in seen["applications"]["assistants"]["items"]] == [shown] != [draft]
    for path in ("groups/", "websites/"):
        assert (await anna.get(f"/api/v1/{path}")).json()["items"] == []


async def test_the_overview_shows_spaces_with_what_can_be_used_there(api: Api) -> None:
    owner = await api.client()
    counts = []
    for name in ("Bygg", "Skola"):
        space = await make_space(owner, name)
        await furnished(owner, space, f"{name}, utkast")
        await publish(owner, await furnished(owner, space, name))
        await owner.get("/api/v1/dashboard/")
        with statements(api) as sent:
            found = (await owner.get("/api/v1/dashboard/")).json()["spaces"]
        counts.append(len(sent))
    assert counts[0] == counts[1]
    assert [each["name"] for each in found["items"] if not each["personal"]] == ["Bygg", "Skola"]
    assert [len(each["applications"]["assistants"]["items"]) for each in found["items"]] == [0, 2, 2]
    published = (await owner.get("/api/v1/dashboard/", params={"only_published": True})).json()["spaces"]
    told = {s["name"]: [a["name"] for a in s["applications"]["assistants"]["items"]] for s in published["items"]}
    assert (told, published["count"]) == ({"Bygg": ["Bygg"], "Skola": ["Skola"]}, 2)
    await api.user("anna@example.se")
    stranger = await api.client("anna@example.se")
    assert [s["personal"] for s in (await stranger.get("/api/v1/dashboard/")).json()["spaces"]["items"]] == [True]
