"""The life of an organisation, as the operator leads it."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from starlette.requests import Request

from app.auth.sysadmin import admit
from app.bootstrap import Runtime
from domain.kernel.actor import Actor
from domain.kernel.errors import Forbidden, TooManyRequests, Unauthenticated
from domain.tenants.administration import NewTenant
from domain.tenants.founding import slug_of
from domain.tenants.operator import OPERATOR, Operator
from domain.tenants.service import Setup
from domain.users.entities import PredefinedRole
from tests.conftest import OPERATOR_KEY, PASSWORD
from tests.support.api import Api, make_collection, make_space, upload

TENANTS = "/api/v1/sysadmin/tenants/"
USERS = "/api/v1/sysadmin/users/"


async def founded(operator: httpx.AsyncClient, name: str, **more: Any) -> dict[str, Any]:
    """A new organisation."""
    answer = await operator.post(TENANTS, json={"name": name, **more})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def names(operator: httpx.AsyncClient, **query: Any) -> list[str]:
    """The names of the organisations that are listed."""
    return [item["name"] for item in (await operator.get(TENANTS, params=query)).json()["items"]]


async def test_an_owner_is_invited_and_can_work_at_once(api: Api) -> None:
    operator = api.operator()
    made = await founded(
        operator, "Åre kommun", owner_email="Chef@are.se", domain="ARE.se", quota_limit=1000, zitadel_org_id="17"
    )
    assert (made["slug"], made["domain"], made["quota_limit"], made["state"]) == (
        "are-kommun",
        "are.se",
        1000,
        "active",
    )
    assert made["zitadel_org_id"] == "17"
    path = httpx.URL(made["invitation"]["url"])
    token = path.params["token"]
    await api.runtime.services.links.use(token, PASSWORD, Operator().origin)
    owner = await api.client("chef@are.se")
    assert (await owner.get("/api/v1/users/tenant/")).json()["name"] == "Åre kommun"
    me = (await owner.get("/api/v1/users/me/")).json()
    assert [role["name"] for role in me["predefined_roles"]] == [PredefinedRole.OWNER]
    space = await make_space(owner)
    assert (await upload(owner, await make_collection(owner, space), "a.txt", b"Hej")).status_code == 202
    listed = (await operator.get(TENANTS, params={"search": "åre"})).json()
    assert listed["count"] == listed["total_count"] == 1
    assert (listed["items"][0]["quota_used"], listed["items"][0]["user_count"]) == (3, 1)
    assert "invitation" not in (await operator.get(f"{TENANTS}{made['id']}/")).text.replace('"invitation":null', "")


async def test_names_are_unique_and_slugs_made_so(api: Api) -> None:
    operator = api.operator()
    assert (await founded(operator, "Örebro"))["slug"] == "orebro"
    assert (await founded(operator, "Orebro!"))["slug"] == "orebro-2"
    assert (await founded(operator, "ÖREBRO-kommun"))["slug"] == "orebro-kommun"
    assert (await founded(operator, "-orebro-"))["slug"] == "orebro-3"
    for name in ("Örebro", "öREBRO", "SUNDSVALLS KOMMUN"):
        answer = await operator.post(TENANTS, json={"name": name})
        assert (answer.status_code, answer.json()["code"]) == (400, 9009)
        assert answer.json()["message"] == "Another organisation has this name."
    assert (await founded(operator, "日本"))["slug"] == "organisation"


async def test_the_same_name_at_the_same_moment_is_founded_once(api: Api) -> None:
    operator, service = Operator(), api.runtime.services.tenants
    same = [service.create(operator, NewTenant("Kalmar")) for _ in range(4)]
    others = [service.create(operator, NewTenant(f"Kalmar{'!' * n}")) for n in range(1, 4)]
    made = await asyncio.gather(*same, *others, return_exceptions=True)
    failed = [each for each in made if isinstance(each, BaseException)]
    assert [getattr(each, "code", each) for each in failed] == [9009] * 3
    slugs = sorted(each.tenant.slug for each in made if not isinstance(each, BaseException))
    assert slugs == ["kalmar", "kalmar-2", "kalmar-3", "kalmar-4"]


async def test_an_address_in_use_founds_nothing(api: Api) -> None:
    operator = api.operator()
    answer = await operator.post(TENANTS, json={"name": "Ny", "owner_email": "owner@example.se"})
    assert (answer.status_code, answer.json()["code"]) == (400, 9004)
    assert await names(operator) == ["Sundsvalls kommun"]


async def test_the_list_goes_on_by_keyset_and_is_searched(api: Api) -> None:
    operator = api.operator()
    for name in ("Delta", "alfa", "Charlie", "bravo"):
        await founded(operator, name, domain=f"{name}.example")
    first = (await operator.get(TENANTS, params={"limit": 2})).json()
    assert [item["name"] for item in first["items"]] == ["alfa", "bravo"]
    assert first["total_count"] == 5
    await founded(operator, "Aaa")
    assert await names(operator, limit=2, cursor=first["next_cursor"]) == ["Charlie", "Delta"]
    assert await names(operator, search="HARLIE.ex") == ["Charlie"]
    assert await names(operator, search="%") == []
    assert await names(operator, domain="Delta.EXAMPLE") == ["Delta"]
    assert await names(operator, domain="elta.example") == []
    for cursor in ("x", "W10", "WyJhIiwiYiJd"):
        assert (await operator.get(TENANTS, params={"cursor": cursor})).status_code == 422


async def test_settings_change_and_what_is_not_named_stays(api: Api) -> None:
    operator = api.operator()
    made = await founded(operator, "Ny", domain="ny.se", display_name="Nya")
    url = f"{TENANTS}{made['id']}/"
    changed = (await operator.post(url, json={"quota_limit": 5, "display_name": None, "provisioning": True})).json()
    assert (changed["quota_limit"], changed["display_name"], changed["provisioning"]) == (5, None, True)
    assert (changed["domain"], changed["name"], changed["slug"]) == ("ny.se", "Ny", "ny")
    for wrong in ({"quota_limit": -1}, {"quota_limit": 2**70}, {"state": "deleting"}, {"display_name": "x" * 300}):
        assert (await operator.post(url, json=wrong)).status_code == 422, wrong
    assert (await operator.post(f"{TENANTS}{uuid4()}/", json={"quota_limit": 5})).status_code == 404
    assert not (await api.runtime.services.audit.verify(UUID(made["id"]))).faults


async def test_only_the_key_opens(api: Api) -> None:
    client = await api.client()
    for headers in ({}, {"x-api-key": "wrong"}, {"x-api-key": "operator-key-of-the-tests "}):
        for method, path in (("GET", TENANTS), ("POST", TENANTS), ("GET", USERS), ("POST", f"{TENANTS}{uuid4()}/")):
            assert (await client.request(method, path, headers=headers, json={})).status_code == 401
    # Nor does the operator's key open what is an organisation's own.
    assert (await api.operator().get("/api/v1/spaces/")).status_code == 401


async def test_people_of_every_organisation(api: Api, other: Actor) -> None:
    operator = api.operator()
    roles = (await operator.get("/api/v1/sysadmin/predefined-roles/")).json()
    owner_role = next(role["id"] for role in roles if role["name"] == "Owner")
    body = {
        "email": "ny@example.org", "tenant_id": str(other.tenant_id), "password": PASSWORD,
        "predefined_roles": [{"id": owner_role}],
    }  # fmt: skip
    made = (await operator.post(USERS, json=body)).json()
    assert made["tenant"]["name"] == "Grannkommunen"
    assert "admin" in made["permissions"]
    invited = (await operator.post(USERS, json={"email": "b@example.org", "tenant_id": str(other.tenant_id)})).json()
    assert invited["state"] == "invited"
    assert "/invitation?token=" in invited["invitation"]["url"]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await operator.get(USERS, params={"limit": 1, **cursor})).json()
        seen += [item["email"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert sorted(seen) == ["b@example.org", "ny@example.org", "owner@example.se", "spion@example.org"]
    assert seen == [item["email"] for item in (await operator.get(USERS)).json()["items"]]
    url = f"{USERS}{made['id']}/"
    assert (await operator.post(url, json={"state": "inactive", "username": "Ny"})).json()["state"] == "inactive"
    assert (await operator.get(url)).json()["username"] == "Ny"
    assert (await operator.delete(url)).json() == {"success": True}
    assert (await operator.get(url)).status_code == 404
    for answer in (await operator.get(USERS), await operator.get(f"{USERS}{invited['id']}/")):
        assert "argon2" not in answer.text
        assert "password" not in answer.text


async def test_ids_of_nobody_are_not_found(api: Api) -> None:
    operator = api.operator()
    assert (await operator.post(USERS, json={"email": "x@y.se", "tenant_id": str(uuid4())})).status_code == 404
    for method in ("GET", "POST", "DELETE"):
        assert (await operator.request(method, f"{USERS}{uuid4()}/", json={})).status_code == 404


async def test_what_the_operator_does_stands_in_the_organisations_log(api: Api) -> None:
    operator = api.operator()
    made = await founded(operator, "Ny", owner_email="chef@ny.se")
    url = f"{TENANTS}{made['id']}/"
    await operator.post(url, json={"quota_limit": 5, "state": "suspended"})
    await operator.post(url, json={"state": "active"})
    entries = await api.entries(UUID(made["id"]))
    assert [entry.action for entry in entries] == [
        "tenant_created", "user_created", "tenant_settings_updated", "tenant_suspended", "tenant_reactivated"
    ]  # fmt: skip
    assert {entry.actor_id for entry in entries} == {OPERATOR}
    assert entries[2].changes == {"old": {"quota_limit": 10 * 1024**3}, "new": {"quota_limit": 5}}
    assert entries[0].entity_id == UUID(made["id"])


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Sundsvalls kommun", "sundsvalls-kommun"),
        ("Åäö", "aao"),
        ("Ø & Æ", "o-ae"),
        ("x" * 70, "x" * 60),
        ("!", "organisation"),
    ],
)
def test_slugs_are_readable(name: str, slug: str) -> None:
    assert slug_of(name) == slug


async def test_wrong_keys_at_the_operators_page_are_counted(api: Api) -> None:
    async def show(key: str, ip: str, right: str | None = OPERATOR_KEY) -> Operator:
        request = Request({"type": "http", "headers": [], "client": (ip, 1), "state": {}})
        return await admit(api.runtime, key, right, request)

    for _ in range(8):
        with pytest.raises(Unauthenticated):
            await show("guess \ud800", "10.0.0.1")
    with pytest.raises(TooManyRequests):
        await show(OPERATOR_KEY, "10.0.0.1")
    assert await show(OPERATOR_KEY, "10.0.0.2")
    with pytest.raises(Unauthenticated):
        await show("", "10.0.0.2", None)


async def test_of_two_who_set_up_at_the_same_moment_one_does(runtime: Runtime) -> None:
    both = [Setup(f"Kommun {n}", f"p{n}@example.se", PASSWORD) for n in range(2)]
    done = await asyncio.gather(*(runtime.services.setup.run(each) for each in both), return_exceptions=True)
    assert {type(each) for each in done} == {Actor, Forbidden}
    assert len(await runtime.directory.tenant_ids()) == 1
