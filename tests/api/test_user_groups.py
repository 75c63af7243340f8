"""User groups, and the spaces they open."""

from typing import Any

import httpx

from domain.kernel.actor import Actor
from tests.support.api import Api, make_space

URL = "/api/v1/user-groups/"


async def make_group(client: httpx.AsyncClient, name: str = "Bygg") -> str:
    answer = await client.post(URL, json={"name": name})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def addresses(group: dict[str, Any]) -> list[str]:
    return [user["email"] for user in group["users"]]


async def test_members_come_and_go(api: Api) -> None:
    owner = await api.client()
    group = await make_group(owner)
    anna, bo = await api.user("anna@example.se"), await api.user("bo@example.se")
    url = f"{URL}{group}/"
    assert addresses((await owner.post(f"{url}users/{anna}/")).json()) == ["anna@example.se"]
    assert addresses((await owner.post(f"{url}users/{anna}/")).json()) == ["anna@example.se"]
    replaced = (await owner.post(url, json={"name": "Miljö", "users": [{"id": str(bo)}]})).json()
    assert (replaced["name"], addresses(replaced)) == ("Miljö", ["bo@example.se"])
    assert addresses((await owner.delete(f"{url}users/{bo}/")).json()) == []
    assert (await owner.delete(f"{url}users/{bo}/")).status_code == 404
    assert (await owner.delete(url)).json()["name"] == "Miljö"
    assert (await owner.get(url)).status_code == 404


async def test_names_are_unique_and_the_list_goes_on(api: Api) -> None:
    owner = await api.client()
    for name in ("Åldring", "bygg", "Avfall"):
        await make_group(owner, name)
    refused = await owner.post(URL, json={"name": "BYGG"})
    assert (refused.status_code, refused.json()["field"]) == (400, "name")
    walked: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 1, **({"cursor": cursor} if cursor else {})}
        page = (await owner.get(URL, params=params)).json()
        walked += [group["name"] for group in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert walked == [g["name"] for g in (await owner.get(URL)).json()["items"]]
    assert set(walked) == {"Avfall", "bygg", "Åldring"}


async def test_a_group_opens_a_space_and_the_highest_role_counts(api: Api) -> None:
    owner = await api.client()
    space, group = await make_space(owner), await make_group(owner)
    anna_id = await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    await owner.post(f"{URL}{group}/users/{anna_id}/")
    members, url = f"/api/v1/spaces/{space}/group-members/", f"/api/v1/spaces/{space}/"
    assert (await anna.get(url)).status_code == 404
    added = await owner.post(members, json={"id": group, "role": "viewer"})
    assert (added.status_code, added.json()["user_count"]) == (201, 1)
    assert (await owner.post(members, json={"id": group, "role": "viewer"})).status_code == 400
    assert (await anna.get(url)).json()["permissions"] == ["read"]
    assert [s["name"] for s in (await anna.get("/api/v1/spaces/")).json()["items"]] == ["Bygg"]
    await owner.post(f"/api/v1/spaces/{space}/members/", json={"id": str(anna_id), "role": "editor"})
    assert (await anna.post(f"{url}knowledge/groups/", json={"name": "X"})).status_code == 201
    await owner.patch(f"{members}{group}/", json={"role": "admin"})
    assert (await anna.get(url)).json()["permissions"] == ["read", "edit", "delete"]
    assert [g["role"] for g in (await owner.get(url)).json()["group_members"]["items"]] == ["admin"]
    assert (await owner.delete(f"{URL}{group}/")).status_code == 409
    assert (await owner.delete(f"{members}{group}/")).status_code == 204
    assert (await anna.get(url)).json()["permissions"] == ["read"]
    await owner.delete(f"/api/v1/spaces/{space}/members/{anna_id}/")
    assert (await anna.get(url)).status_code == 404


async def test_who_leaves_the_group_is_out_at_once(api: Api) -> None:
    owner = await api.client()
    space, group = await make_space(owner), await make_group(owner)
    anna_id = await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    await owner.post(f"{URL}{group}/users/{anna_id}/")
    await owner.post(f"/api/v1/spaces/{space}/group-members/", json={"id": group, "role": "viewer"})
    assert (await anna.get(f"/api/v1/spaces/{space}/")).status_code == 200
    await owner.delete(f"{URL}{group}/users/{anna_id}/")
    assert (await anna.get(f"/api/v1/spaces/{space}/")).status_code == 404


async def test_an_administrator_through_a_group_cannot_shut_themselves_out(api: Api) -> None:
    owner = await api.client()
    space, group = await make_space(owner), await make_group(owner)
    anna_id = await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    await owner.post(f"{URL}{group}/users/{anna_id}/")
    members = f"/api/v1/spaces/{space}/group-members/"
    await owner.post(members, json={"id": group, "role": "admin"})
    assert (await anna.delete(f"{members}{group}/")).status_code == 400
    assert (await anna.patch(f"{members}{group}/", json={"role": "viewer"})).status_code == 400
    assert (await anna.get(f"/api/v1/spaces/{space}/")).json()["permissions"] == ["read", "edit", "delete"]


async def test_viewers_and_editors_do_not_manage_groups(api: Api) -> None:
    owner = await api.client()
    space, group = await make_space(owner), await make_group(owner)
    editor_id = await api.user("ed@example.se")
    await owner.post(f"/api/v1/spaces/{space}/members/", json={"id": str(editor_id), "role": "editor"})
    editor = await api.client("ed@example.se")
    members = f"/api/v1/spaces/{space}/group-members/"
    assert (await editor.post(members, json={"id": group, "role": "admin"})).status_code == 403
    assert (await editor.get(members)).json()["items"] == []


async def test_a_deleted_colleague_is_no_member(api: Api) -> None:
    owner = await api.client()
    space, group = await make_space(owner), await make_group(owner)
    anna_id = await api.user("anna@example.se")
    await owner.post(f"{URL}{group}/users/{anna_id}/")
    await owner.post(f"/api/v1/spaces/{space}/members/", json={"id": str(anna_id), "role": "editor"})
    await owner.delete("/api/v1/admin/users/anna@example.se")
    assert addresses((await owner.get(f"{URL}{group}/")).json()) == []
    seen = (await owner.get(f"/api/v1/spaces/{space}/")).json()["members"]["items"]
    assert [m["email"] for m in seen] == ["owner@example.se"]
    other = await make_group(owner, "Miljö")
    assert (await owner.post(f"{URL}{other}/users/{anna_id}/")).status_code == 404


async def test_another_organisations_group_does_not_exist(api: Api, other: Actor) -> None:
    theirs = (await api.runtime.services.user_groups.create(other, "Deras")).group.id
    owner = await api.client()
    space = await make_space(owner)
    url = f"{URL}{theirs}/"
    for answer in (await owner.get(url), await owner.post(url, json={"name": "X"}), await owner.delete(url)):
        assert answer.status_code == 404
    answer = await owner.post(f"/api/v1/spaces/{space}/group-members/", json={"id": str(theirs), "role": "viewer"})
    assert answer.status_code == 404
