"""Spaces and their members: rights as answers, and as what is really allowed."""

import httpx

from tests.support.api import Api, make_assistant, make_collection, make_space, publish


async def test_the_personal_space_is_made_once_and_is_ones_own(api: Api) -> None:
    client = await api.client()
    first = (await client.get("/api/v1/spaces/type/personal/")).json()
    again = (await client.get("/api/v1/spaces/type/personal/")).json()
    assert first["id"] == again["id"]
    assert first["personal"] is True
    assert first["permissions"] == ["read"]
    assert first["default_assistant"]["type"] == "default-assistant"
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await anna.get(f"/api/v1/spaces/{first['id']}/")).status_code == 404


async def test_a_personal_space_cannot_be_renamed_deleted_or_shared(api: Api) -> None:
    client = await api.client()
    personal = (await client.get("/api/v1/spaces/type/personal/")).json()["id"]
    anna = await api.user("anna@example.se")
    assert (await client.patch(f"/api/v1/spaces/{personal}/", json={"name": "X"})).status_code == 403
    assert (await client.delete(f"/api/v1/spaces/{personal}/")).status_code == 403
    member = {"id": str(anna), "role": "viewer"}
    assert (await client.post(f"/api/v1/spaces/{personal}/members/", json=member)).status_code == 403


async def member(api: Api, owner: httpx.AsyncClient, space_id: str, role: str) -> httpx.AsyncClient:
    email = f"{role}@example.se"
    user_id = await api.user(email)
    answer = await owner.post(f"/api/v1/spaces/{space_id}/members/", json={"id": str(user_id), "role": role})
    assert answer.status_code == 200, answer.text
    return await api.client(email)


async def test_each_role_may_what_the_answers_say(api: Api) -> None:
    owner = await api.client()
    space_id = await make_space(owner)
    assistant_id = await make_assistant(owner, space_id)
    viewer, editor = await member(api, owner, space_id, "viewer"), await member(api, owner, space_id, "editor")
    url = f"/api/v1/spaces/{space_id}/"
    assert (await viewer.get(url)).json()["permissions"] == ["read"]
    assert (await owner.get(url)).json()["permissions"] == ["read", "edit", "delete"]
    assert (await viewer.patch(url, json={"name": "X"})).status_code == 403
    assert (await editor.patch(url, json={"name": "X"})).status_code == 403
    assert (await viewer.post(f"{url}knowledge/groups/", json={"name": "X"})).status_code == 403
    assert (await editor.post(f"{url}knowledge/groups/", json={"name": "X"})).status_code == 201
    assert (await viewer.get(f"/api/v1/assistants/{assistant_id}/")).status_code == 404
    await publish(editor, assistant_id)
    seen = (await viewer.get(f"/api/v1/assistants/{assistant_id}/")).json()
    assert seen["permissions"] == ["read"]
    assert "edit" in (await editor.get(f"/api/v1/assistants/{assistant_id}/")).json()["permissions"]


async def test_viewers_do_not_see_other_members(api: Api) -> None:
    owner = await api.client()
    space_id = await make_space(owner)
    viewer = await member(api, owner, space_id, "viewer")
    seen = (await viewer.get(f"/api/v1/spaces/{space_id}/")).json()["members"]
    assert [m["email"] for m in seen["items"]] == ["viewer@example.se"]
    everybody = (await owner.get(f"/api/v1/spaces/{space_id}/")).json()["members"]["items"]
    assert [m["email"] for m in everybody] == ["owner@example.se", "viewer@example.se"]


async def test_a_space_keeps_an_administrator(api: Api) -> None:
    owner = await api.client()
    space_id = await make_space(owner)
    me = (await owner.get("/api/v1/users/me/")).json()["id"]
    assert (await owner.delete(f"/api/v1/spaces/{space_id}/members/{me}/")).status_code == 400
    changed = await owner.patch(f"/api/v1/spaces/{space_id}/members/{me}/", json={"role": "viewer"})
    assert changed.status_code == 400


async def test_a_removed_member_is_out_at_once(api: Api) -> None:
    owner = await api.client()
    space_id = await make_space(owner)
    editor = await member(api, owner, space_id, "editor")
    me = (await editor.get("/api/v1/users/me/")).json()["id"]
    assert (await owner.delete(f"/api/v1/spaces/{space_id}/members/{me}/")).status_code == 204
    assert (await editor.get(f"/api/v1/spaces/{space_id}/")).status_code == 404


async def test_names_are_checked(api: Api) -> None:
    client = await api.client()
    for name in ("", "   ", "x" * 256, "\u0000"):
        answer = await client.post("/api/v1/spaces/", json={"name": name})
        assert (answer.status_code, answer.json()["field"]) == (422, "name")
        assert answer.json()["detail"]


async def test_deleting_a_space_takes_everything_in_it(api: Api) -> None:
    client = await api.client()
    space_id = await make_space(client)
    collection_id = await make_collection(client, space_id)
    assistant_id = await make_assistant(client, space_id, collection_id)
    assert (await client.delete(f"/api/v1/spaces/{space_id}/")).status_code == 204
    for path in (f"spaces/{space_id}", f"groups/{collection_id}", f"assistants/{assistant_id}"):
        assert (await client.get(f"/api/v1/{path}/")).status_code == 404


async def test_the_organisations_space_is_for_administrators(api: Api) -> None:
    client = await api.client()
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await client.get("/api/v1/spaces/type/organization/")).json()["organization"] is True
    assert (await anna.get("/api/v1/spaces/type/organization/")).status_code == 404
