"""Service accounts: programs with roles and keys that are nobody and never sign in."""

import json
from uuid import UUID

from domain.kernel.actor import Actor
from tests.api.test_api_keys import KEYS, entries, holder, make_key, me
from tests.support.api import Api, make_space

ACCOUNTS = "/api/v1/admin/service-accounts/"


async def test_a_service_account_works_with_keys_and_never_signs_in(api: Api) -> None:
    owner = await api.client()
    before = (await owner.get("/api/v1/admin/users/")).json()["metadata"]
    role = next(r for r in (await owner.get("/api/v1/admin/predefined-roles/")).json() if r["name"] == "User")
    body = {"name": "E-tjänsten", "description": "Svarar på webben", "roles": [role["id"]]}
    account = (await owner.post(ACCOUNTS, json=body)).json()
    assert [account["name"], account["state"], account["roles"][0]["name"]] == ["E-tjänsten", "active", "User"]
    key = await make_key(owner, "read", "ask", "write", path=f"{ACCOUNTS}{account['id']}/api-keys/")
    program = holder(api, key["key"])
    assert (await program.get("/api/v1/users/me/")).json()["username"] == "E-tjänsten"
    space = await make_space(program, "Tjänstens yta")
    assert (await owner.get(f"/api/v1/spaces/{space}/")).status_code == 404
    [entry] = await entries(api, "space_created")
    assert (entry.actor_kind, entry.actor_id) == ("api_key", UUID(account["id"]))
    assert entry.changes["api_key"] == {"id": key["id"], "name": "Skript"}
    assert entry.actor_name == f"{account['email']} · Skript"
    # It is counted nowhere as a person, and the routes about people do not know it.
    listed = (await owner.get("/api/v1/admin/users/")).json()
    assert listed["metadata"] == before
    assert account["email"] not in json.dumps(listed)
    for path in (account["id"], account["email"]):
        assert (await owner.get(f"/api/v1/admin/users/{path}/")).status_code == 404
        password = {"password": "correct horse battery staple"}
        assert (await owner.post(f"/api/v1/admin/users/{path}/", json=password)).status_code == 404
    form = {"username": account["email"], "password": ""}
    assert (await api.browser().post("/api/v1/users/login/token/", data=form)).status_code in (401, 422)
    holders = {v.held.name: v.holders for v in await api.runtime.services.roles.all(api.owner)}
    assert holders["User"] == 0


async def test_a_service_account_ends_with_its_keys(api: Api) -> None:
    owner = await api.client()
    account = (await owner.post(ACCOUNTS, json={"name": "Robot"})).json()
    path = f"{ACCOUNTS}{account['id']}/"
    program = holder(api, (await make_key(owner, "read", path=f"{path}api-keys/"))["key"])
    assert (await owner.get(path)).json()["keys"] == 1
    assert (await owner.patch(path, json={"state": "inactive", "description": "Vilar"})).json()["state"] == "inactive"
    assert await me(program) == 403
    assert (await owner.patch(path, json={"state": "active"})).json()["description"] == "Vilar"
    assert await me(program) == 200
    assert (await owner.delete(path)).status_code == 200
    assert await me(program) == 401
    assert (await owner.get(path)).status_code == 404
    actions = ("created", "updated", "deleted")
    assert [len(await entries(api, f"service_account_{action}")) for action in actions] == [1, 2, 1]


async def test_service_accounts_are_for_administrators_within_their_own_rights(api: Api, other: Actor) -> None:
    owner = await api.client()
    account = (await owner.post(ACCOUNTS, json={"name": "Robot"})).json()
    await api.user("anna@example.se")
    for client, expected in ((await api.client("anna@example.se"), 403), (await api.client(other.email), 404)):
        assert (await client.get(f"{ACCOUNTS}{account['id']}/")).status_code == expected
        assert (await client.patch(f"{ACCOUNTS}{account['id']}/", json={"name": "x"})).status_code == expected
        assert (await client.delete(f"{ACCOUNTS}{account['id']}/")).status_code == expected
        created = await client.post(f"{ACCOUNTS}{account['id']}/api-keys/", json={"name": "x"})
        assert created.status_code == expected
    # An administrator of few rights gets no key to more.
    role = await api.runtime.services.roles.create(api.owner, "Nyckelhållare", ["admin"])
    await api.user("bo@example.se", str(role.held.id))
    powerful = next(r for r in (await owner.get("/api/v1/admin/predefined-roles/")).json() if r["name"] == "Owner")
    await owner.patch(f"{ACCOUNTS}{account['id']}/", json={"roles": [powerful["id"]]})
    kept = await make_key(owner, "read", path=f"{ACCOUNTS}{account['id']}/api-keys/")
    bo = await api.client("bo@example.se")
    assert (await bo.post(f"{ACCOUNTS}{account['id']}/api-keys/", json={"name": "x"})).status_code == 403
    assert (await bo.post(f"{KEYS}{kept['id']}/rotate/", json={})).status_code == 403
    assert (await bo.post(ACCOUNTS, json={"name": "Ny", "roles": [powerful["id"]]})).status_code == 403
