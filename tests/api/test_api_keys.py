"""API keys: what they open, for whom, from where, how long, and that nobody ever sees a secret again."""

import json
import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.auth import scopes
from domain.api_keys.entities import ApiKey, digest_of
from domain.audit.repository import AuditFilter
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from tests.api.test_identity import browser_session
from tests.security.test_routes import routes
from tests.support.api import Api, make_assistant, make_space, within_a_minute

KEYS = "/api/v1/api-keys/"
ACCOUNTS = "/api/v1/admin/service-accounts/"


async def make_key(client: httpx.AsyncClient, *scopes: str, path: str = KEYS, **more: Any) -> dict[str, Any]:
    """A key as its maker sees it, this once."""
    body: dict[str, Any] = {"name": "Skript", "scopes": list(scopes) or ["read", "ask", "write"], **more}
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def holder(api: Api, key: str, header: str = "X-API-Key") -> httpx.AsyncClient:
    """A program that comes with a key."""
    return api.browser(**{header: key})


async def me(client: httpx.AsyncClient) -> int:
    return (await client.get("/api/v1/users/me/")).status_code


async def entries(api: Api, action: str) -> list[Any]:
    async with api.runtime.services.users._uow.read(api.owner.tenant_id) as tx:
        page = await tx.audit.page(AuditFilter(actions=(action,)), limit=100, cursor=None, count=False)
    return list(page.items)


async def change(api: Api, key_id: str, **values: Any) -> None:
    """Set what time would have brought about."""
    async with api.runtime.services.users._uow.begin(api.owner.tenant_id) as tx:
        key = await tx.get(ApiKey, UUID(key_id))
        assert key is not None
        for name, value in values.items():
            setattr(key, name, value)


@pytest.mark.parametrize("header", ["X-API-Key", "api-key", "Authorization"])
async def test_a_key_opens_what_its_owner_may_see(api: Api, header: str) -> None:
    made = await make_key(await api.client())
    assert made["key"].startswith("inp_")
    assert len(made["key"]) == 4 + 128
    assert (made["start"], made["last_four"]) == (made["key"][:10], made["key"][-4:])
    sent = f"Bearer {made['key']}" if header == "Authorization" else made["key"]
    answer = await holder(api, sent, header).get("/api/v1/users/me/")
    assert answer.json()["email"] == "owner@example.se"
    assert answer.json()["truncated_api_key"] == made["last_four"]
    created = await holder(api, sent, header).post("/api/v1/spaces/", json={"name": "Utan sidans märke"})
    assert created.status_code == 201, created.text


@pytest.mark.parametrize(
    "key", ["", "inp_", "inp_" + "0" * 128, "ina_" + "a" * 128, "inp_" + "G" * 128, "å" * 132, "x"]
)
async def test_what_is_no_key_opens_nothing(api: Api, key: str) -> None:
    for header, value in (("X-API-Key", key), ("api-key", key), ("Authorization", f"Bearer {key}")):
        answer = await api.browser().get("/api/v1/users/me/", headers={header.encode(): value.encode()})
        assert answer.status_code == 401


async def test_a_token_counts_before_a_key(api: Api) -> None:
    owner = await api.client()
    key = (await make_key(owner))["key"]
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    anna.headers["X-API-Key"] = key
    assert (await anna.get("/api/v1/users/me/")).json()["email"] == "anna@example.se"
    token = anna.headers["Authorization"].removeprefix("Bearer ")
    assert await me(holder(api, token)) == 401
    anna.headers["Authorization"] = "Bearer nonsense"
    assert await me(anna) == 401


async def test_operators_and_users_keys_do_not_open_each_others_doors(api: Api) -> None:
    key = (await make_key(await api.client(), "read", "write", "admin"))["key"]
    assert (await holder(api, key).get("/api/v1/sysadmin/observability/oidc-debug/")).status_code == 401


async def test_every_route_asks_for_a_scope_and_lists_name_routes_that_exist(api: Api) -> None:
    served = set(routes(api.application))
    assert served >= scopes.OF_ASSISTANT
    assert served >= scopes.LOOKING
    assert served >= scopes.FOR_ALL
    for method, path in served - scopes.FOR_ALL:
        assert scopes.needed(method, path), f"{method} {path}"
    for prefix in scopes.ASKING:
        assert any(path.startswith(prefix) for _, path in served), prefix


async def test_a_key_lacks_what_its_scopes_do_not_name(api: Api) -> None:
    owner = await api.client()
    space = await make_space(owner)
    assistant = await make_assistant(owner, space)
    question = {"assistant_id": assistant, "question": "Hej?"}
    tried = {
        "read": ("GET", f"/api/v1/spaces/{space}/", None),
        "write": ("POST", "/api/v1/spaces/", {"name": "Ny"}),
        "ask": ("POST", "/api/v1/conversations/", question),
        "admin": ("GET", "/api/v1/admin/users/", None),
    }
    for given in (["read"], ["ask"], ["write"], ["read", "admin"], ["read", "ask", "write", "admin"]):
        client = holder(api, (await make_key(owner, *given))["key"])
        for scope, (method, path, body) in tried.items():
            answer = await client.request(method, path, json=body)
            allowed = scope in given
            assert (answer.status_code < 400) == allowed, f"{given} {method} {path}: {answer.status_code}"
            if not allowed:
                assert answer.status_code == 403
        assert await me(client) == 200
    [refused, *_] = await entries(api, "access_denied")
    assert refused.actor_kind == "api_key"


async def test_a_key_has_never_more_than_its_owner(api: Api) -> None:
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    refused = await anna.post(KEYS, json={"name": "x", "scopes": ["read", "admin"]})
    assert (refused.status_code, refused.json()["field"]) == (422, "scopes")
    owner = await api.client()
    key = holder(api, (await make_key(owner, "read", "admin"))["key"])
    assert (await key.get("/api/v1/admin/users/")).status_code == 200
    await make_administrator(api, "bo@example.se")
    bo = await api.client("bo@example.se")
    theirs = holder(api, (await make_key(bo, "read", "admin"))["key"])
    assert (await theirs.get("/api/v1/admin/users/")).status_code == 200
    found = await api.runtime.services.users.find(api.owner, "bo@example.se")
    await api.runtime.services.users.set_roles(api.owner, found, ["User"])
    assert (await theirs.get("/api/v1/admin/users/")).status_code == 403


async def make_administrator(api: Api, email: str) -> UUID:
    return await api.user(email, "Owner")


async def test_nobody_can_read_or_use_the_keys_of_others(api: Api, other: Actor) -> None:
    owner = await api.client()
    made = await make_key(owner)
    await api.user("anna@example.se")
    for stranger in (await api.client("anna@example.se"), await api.client(other.email)):
        assert made["id"] not in (await stranger.get(KEYS)).text
        for method, path, body in (
            ("GET", f"{KEYS}{made['id']}/", None),
            ("PATCH", f"{KEYS}{made['id']}/", {"name": "Mitt"}),
            ("DELETE", f"{KEYS}{made['id']}/", None),
            ("POST", f"{KEYS}{made['id']}/rotate/", {}),
        ):
            assert (await stranger.request(method, path, json=body)).status_code == 404
    spy = holder(api, (await make_key(await api.client(other.email), "read", "write", "admin"))["key"])
    space = await make_space(owner)
    assert (await spy.get(f"/api/v1/spaces/{space}/")).status_code == 404
    assert made["id"] not in (await spy.get(KEYS, params={"all": True})).text
    assert await me(holder(api, made["key"])) == 200


async def test_no_key_makes_or_changes_keys(api: Api) -> None:
    made = await make_key(await api.client(), "read", "ask", "write", "admin")
    client = holder(api, made["key"])
    assert (await client.post(KEYS, json={"name": "Efterföljare"})).status_code == 403
    assert (await client.patch(f"{KEYS}{made['id']}/", json={"networks": []})).status_code == 403
    assert (await client.post(f"{KEYS}{made['id']}/rotate/", json={})).status_code == 403
    assert (await client.get("/api/v1/users/api-keys/")).status_code == 403
    assert (await client.delete(f"{KEYS}{made['id']}/")).status_code == 200
    assert await me(client) == 401


async def test_revoked_expired_and_foreign_keys_are_refused_and_recorded(api: Api) -> None:
    owner = await api.client()
    owner.headers["accept-language"] = "en"
    revoked, expired = await make_key(owner), await make_key(owner)
    foreign = await make_key(owner, networks=["192.0.2.0/24", "2001:db8::/32"])
    ours = await make_key(owner, networks=["127.0.0.1"])
    await owner.delete(f"{KEYS}{revoked['id']}/")
    await change(api, expired["id"], expires_at=now() - timedelta(seconds=1))
    for made, why in ((revoked, "revoked"), (expired, "expired"), (foreign, "network")):
        client = holder(api, made["key"])
        client.headers["accept-language"] = "en"
        for _ in range(3):
            answer = await client.get("/api/v1/users/me/")
            assert answer.status_code == 401
            assert why in answer.json()["message"]
    assert await me(holder(api, ours["key"])) == 200
    found = await entries(api, "api_key_refused")
    assert sorted(str(e.entity_id) for e in found) == sorted(k["id"] for k in (revoked, expired, foreign))
    assert {(e.actor_kind, e.outcome, e.changes["api_key"]["name"]) for e in found} == {
        ("api_key", "failure", "Skript")
    }
    states = {k["id"]: k["state"] for k in (await owner.get(KEYS)).json()["items"]}
    assert [states[k["id"]] for k in (revoked, expired, foreign)] == ["revoked", "expired", "active"]


async def test_networks_are_checked_when_given(api: Api) -> None:
    owner = await api.client()
    answer = await owner.post(KEYS, json={"name": "x", "networks": ["everywhere"]})
    assert (answer.status_code, answer.json()["field"]) == (422, "networks")
    made = await make_key(owner, networks=["10.1.2.3", "10.0.0.7/8"])
    assert made["networks"] == ["10.1.2.3/32", "10.0.0.0/8"]


async def test_renewing_lets_the_old_secret_work_for_a_while(api: Api) -> None:
    owner = await api.client()
    made = await make_key(owner)
    first = made["key"]
    rotated = (await owner.post(f"{KEYS}{made['id']}/rotate/", json={"grace_hours": 2})).json()
    second = rotated["key"]
    assert rotated["id"] == made["id"]
    assert first != second
    assert [await me(holder(api, key)) for key in (first, second)] == [200, 200]
    await change(api, made["id"], previous_until=now() - timedelta(seconds=1))
    assert [await me(holder(api, key)) for key in (first, second)] == [401, 200]
    third = (await owner.post(f"{KEYS}{made['id']}/rotate/", json={})).json()["key"]
    assert [await me(holder(api, key)) for key in (first, second, third)] == [401, 401, 200]
    assert len(await entries(api, "api_key_rotated")) == 2


async def test_the_use_of_a_key_is_noted_once_a_minute(api: Api) -> None:
    owner = await api.client()
    made = await make_key(owner)
    assert made["last_used_at"] is None
    client, path = holder(api, made["key"]), f"{KEYS}{made['id']}/"
    noted = []
    for _ in range(3):
        assert await me(client) == 200
        await api.runtime.services.key_identity.settle()
        noted.append((await owner.get(path)).json()["last_used_at"])
    assert noted[0] is not None
    assert len(set(noted)) == 1
    await change(api, made["id"], last_used_at=now() - timedelta(minutes=2))
    assert await me(client) == 200
    await api.runtime.services.key_identity.settle()
    assert (await owner.get(path)).json()["last_used_at"] > noted[0]


async def test_a_key_has_its_own_limit(api: Api) -> None:
    owner = await api.client()
    client = holder(api, (await make_key(owner, requests_per_minute=3))["key"])
    await within_a_minute()
    codes = [await me(client) for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]
    assert int((await client.get("/api/v1/users/me/")).headers["retry-after"]) >= 1
    assert await me(owner) == 200


async def test_older_clients_get_a_new_key_in_place_of_the_one_before(api: Api) -> None:
    owner = await api.client()
    kept = (await make_key(owner))["key"]
    first = (await owner.get("/api/v1/users/api-keys/")).json()
    assert set(first) >= {"key", "truncated_key"}
    assert first["truncated_key"] == first["key"][-4:]
    second = (await owner.get("/api/v1/users/api-keys/")).json()
    assert [await me(holder(api, key)) for key in (first["key"], second["key"], kept)] == [401, 200, 200]
    assert (await owner.get("/api/v1/users/me/")).json()["truncated_api_key"] == second["truncated_key"]
    assert (await holder(api, second["key"]).get("/api/v1/admin/users/")).status_code == 200


async def test_another_site_cannot_make_a_browser_replace_a_key(api: Api) -> None:
    browser = await browser_session(api)
    assert (await browser.get("/api/v1/users/me/")).status_code == 200
    assert (await browser.get("/api/v1/users/api-keys/")).status_code == 403
    assert (await browser.get(KEYS)).json()["items"] == []


async def test_secrets_and_digests_are_nowhere_but_in_the_answer_that_made_them(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="")
    owner = await api.client()
    made = await make_key(owner)
    renewed = (await owner.post(f"{KEYS}{made['id']}/rotate/", json={"grace_hours": 1})).json()
    await me(holder(api, made["key"]))
    await owner.delete(f"{KEYS}{made['id']}/")
    await me(holder(api, renewed["key"]))
    secret = [made["key"], renewed["key"], digest_of(made["key"]), digest_of(renewed["key"])]
    shown = [
        (await owner.get(KEYS)).text,
        (await owner.get(KEYS, params={"all": True})).text,
        (await owner.get(f"{KEYS}{made['id']}/")).text,
        (await owner.get("/api/v1/users/me/")).text,
        (await owner.get("/api/v1/admin/users/")).text,
        "\n".join(r.getMessage() for r in caplog.records if r.name.split(".")[0] in ("app", "domain", "storage")),
    ]
    for action in ("api_key_generated", "api_key_rotated", "api_key_revoked", "api_key_refused"):
        found = await entries(api, action)
        assert found, action
        shown += [json.dumps(e.changes) + e.description + str(e.error) for e in found]
    for text in shown:
        assert not any(word in text for word in secret)


async def test_the_organisation_says_who_makes_keys_and_how_long_they_live(api: Api) -> None:
    owner = await api.client()
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    rules = "/api/v1/admin/api-key-rules/"
    assert (await anna.get(rules)).json() == {"makers": "everybody", "longest_days": 365, "may_make": True}
    assert (await anna.patch(rules, json={"makers": "everybody", "longest_days": None})).status_code == 403
    too_long = (now() + timedelta(days=400)).isoformat()
    for end in (too_long, None, (now() - timedelta(days=1)).isoformat(), "2099-01-01T00:00:00"):
        answer = await anna.post(KEYS, json={"name": "x", "expires_at": end})
        assert (answer.status_code, answer.json()["field"]) == (422, "expires_at")
    assert (await owner.patch(rules, json={"makers": "administrators", "longest_days": None})).status_code == 200
    assert (await anna.post(KEYS, json={"name": "x"})).status_code == 403
    assert (await anna.get("/api/v1/users/api-keys/")).status_code == 403
    assert (await make_key(owner, expires_at=None))["expires_at"] is None
    [entry] = await entries(api, "tenant_settings_updated")
    assert entry.changes["new"] == {"makers": "administrators", "longest_days": None}


async def test_administrators_see_all_keys_and_revoke_them_but_cannot_take_them_over(api: Api) -> None:
    owner = await api.client()
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    made = await make_key(anna)
    [listed] = (await owner.get(KEYS, params={"all": True, "search": "anna"})).json()["items"]
    assert (listed["id"], listed["owner_name"], listed["manageable"]) == (made["id"], "anna", False)
    assert (await anna.get(KEYS, params={"all": True})).status_code == 403
    assert (await owner.post(f"{KEYS}{made['id']}/rotate/", json={})).status_code == 403
    assert (await owner.patch(f"{KEYS}{made['id']}/", json={"networks": []})).status_code == 403
    assert (await owner.delete(f"{KEYS}{made['id']}/")).status_code == 200
    assert await me(holder(api, made["key"])) == 401


async def test_keys_are_paged(api: Api) -> None:
    owner = await api.client()
    ids = [(await make_key(owner))["id"] for _ in range(5)]
    found, cursor = [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await owner.get(KEYS, params=params)).json()
        assert page["total_count"] == 5
        found += [key["id"] for key in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == ids[::-1]


async def test_keys_end_with_their_owner_and_come_back_only_with_a_reactivation(api: Api) -> None:
    anna_id = await api.user("anna@example.se")
    key = holder(api, (await make_key(await api.client("anna@example.se")))["key"])
    users = api.runtime.services.users
    await users.deactivate(api.owner, anna_id)
    assert await me(key) == 403
    await users.reactivate(api.owner, anna_id)
    assert await me(key) == 200
    await users.delete(api.owner, anna_id)
    assert await me(key) == 401
    await users.restore(api.owner, anna_id)
    assert await me(key) == 401


async def test_an_account_is_made_with_a_key_only_when_asked_for(api: Api) -> None:
    owner = await api.client()
    body = {"email": "x@example.se", "password": "correct horse battery staple", "roles": [], "predefined_roles": []}
    plain = await owner.post("/api/v1/admin/users/", json=body)
    assert plain.json()["api_key"] is None
    asked = await owner.post(
        "/api/v1/admin/users/", params={"with_api_key": True}, json={**body, "email": "y@example.se"}
    )
    assert asked.status_code == 201
    key = asked.json()["api_key"]
    assert key["truncated_key"] == key["key"][-4:]
    answer = await holder(api, key["key"]).get("/api/v1/users/me/")
    assert answer.json()["email"] == "y@example.se"
