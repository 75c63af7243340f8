"""Roles of the organisation's own."""

import asyncio

import pytest
from sqlalchemy import select

from domain.audit.entities import AuditEntry
from domain.kernel.actor import Actor
from domain.users.entities import PredefinedRole
from storage.tables.audit import audit_entries
from tests.support.api import Api

URL = "/api/v1/roles/"


async def test_a_role_is_made_changed_and_deleted(api: Api) -> None:
    owner = await api.client()
    made = (await owner.post(URL, json={"name": " Redaktion ", "permissions": ["insights", "apps"]})).json()
    assert (made["name"], made["permissions"]) == ("Redaktion", ["apps", "insights"])
    url = f"{URL}{made['id']}/"
    changed = (await owner.post(url, json={"permissions": ["apps"]})).json()
    assert (changed["name"], changed["permissions"]) == ("Redaktion", ["apps"])
    assert (await owner.get(URL)).json()["roles"]["count"] == 1
    assert (await owner.delete(url)).json()["id"] == made["id"]
    assert (await owner.get(url)).status_code == 404
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        found = await session.scalars(select(AuditEntry).where(audit_entries.c.entity_type == "role"))
        changes = {entry.action: entry.changes for entry in found}
    assert set(changes) == {"role_created", "role_modified", "role_deleted"}
    assert changes["role_modified"]["old"]["permissions"] == ["apps", "insights"]
    assert changes["role_modified"]["new"]["permissions"] == ["apps"]


async def test_what_can_be_given_is_described(api: Api) -> None:
    owner = await api.client()
    offered = (await owner.get(f"{URL}permissions/")).json()
    assert len(offered) == 10
    assert all(each["description"] for each in offered)
    predefined = (await owner.get("/api/v1/admin/predefined-roles/")).json()
    assert [role["name"] for role in predefined] == ["User", "AI Configurator", "Owner"]
    assert (await owner.post(URL, json={"name": "X", "permissions": ["everything"]})).status_code == 422


@pytest.mark.parametrize("name", ["Redaktion", "redaktion", "Owner", "user"])
async def test_names_are_unique(api: Api, name: str) -> None:
    owner = await api.client()
    await owner.post(URL, json={"name": "Redaktion", "permissions": []})
    refused = await owner.post(URL, json={"name": name, "permissions": []})
    assert (refused.status_code, refused.json()["field"]) == (409, "name")


async def test_the_same_name_at_the_same_moment(api: Api) -> None:
    owner = await api.client()
    answers = await asyncio.gather(*(owner.post(URL, json={"name": "Nya", "permissions": []}) for _ in range(4)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 200
    assert set(codes[1:]) <= {400, 409}


async def test_predefined_roles_stay_as_they_are(api: Api) -> None:
    owner = await api.client()
    url = f"{URL}{PredefinedRole.USER.id}/"
    assert (await owner.get(url)).json()["name"] == "User"
    assert (await owner.post(url, json={"permissions": ["admin"]})).status_code == 403
    assert (await owner.delete(url)).status_code == 403


async def test_a_role_in_use_says_so(api: Api) -> None:
    owner = await api.client()
    made = (await owner.post(URL, json={"name": "Redaktion", "permissions": ["insights"]})).json()
    user_id = await api.user("anna@example.se")
    await owner.post(f"/api/v1/admin/users/{user_id}/", json={"roles": [{"id": made["id"]}]})
    owner.headers["accept-language"] = "en"
    refused = await owner.delete(f"{URL}{made['id']}/")
    assert refused.status_code == 409
    assert "1" in refused.json()["message"]
    assert (await owner.get(f"{URL}{made['id']}/")).json()["holders"] == 1
    holders = (await owner.get("/api/v1/admin/users/", params={"role": made["id"]})).json()["items"]
    assert [user["email"] for user in holders] == ["anna@example.se"]
    assert (await owner.delete(f"{URL}{made['id']}/", params={"force": True})).status_code == 200
    left = (await owner.get(f"/api/v1/admin/users/{user_id}/")).json()
    assert (left["roles"], left["predefined_roles"][0]["name"]) == ([], "User")


async def test_a_role_cannot_lose_the_last_administrator(api: Api) -> None:
    services = api.runtime.services
    role = await services.roles.create(api.owner, "Ledning", [p for p in api.owner.permissions if p != "editor"])
    boss = await api.user("chef@example.se")
    await services.users.set_roles(api.owner, boss, [role.held.id])
    chief = await api.client("chef@example.se")
    me = (await chief.get("/api/v1/users/me/")).json()["id"]
    assert (await chief.post(f"/api/v1/admin/users/{api.owner.user_id}/deactivate")).status_code == 200
    assert (await chief.post(f"{URL}{role.held.id}/", json={"permissions": ["insights"]})).status_code == 400
    assert (await chief.delete(f"{URL}{role.held.id}/", params={"force": True})).status_code == 400
    assert (await chief.get(f"/api/v1/admin/users/{me}/")).json()["permissions"]


async def test_another_organisations_role_does_not_exist(api: Api, other: Actor) -> None:
    theirs = await api.runtime.services.roles.create(other, "Deras", ["assistants"])
    owner = await api.client()
    url = f"{URL}{theirs.held.id}/"
    for answer in (await owner.get(url), await owner.post(url, json={"name": "X"}), await owner.delete(url)):
        assert answer.status_code == 404
    invite = {"email": "anna@example.se", "predefined_role": {"id": str(theirs.held.id)}}
    assert (await owner.post("/api/v1/users/admin/invite/", json=invite)).status_code == 404
