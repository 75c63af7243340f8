"""Modules, and that the two keys of the operator open different doors."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from app.bootstrap import build
from app.config import SettingsError, load
from app.server import create_api
from domain.tenants.service import Setup
from tests.conftest import OPERATOR_KEY, PASSWORD, Place
from tests.support.api import Api
from tests.support.valkey import Valkey

MODULE_KEY = "second-key-of-the-operator"
MODULES = "/api/v1/modules/"


@pytest.fixture
async def keyed(place: Place, valkey: Valkey) -> AsyncIterator[Api]:
    """An installation whose operator has both keys."""
    settings = place.settings(redis_url=valkey.url, super_api_key=OPERATOR_KEY, super_duper_api_key=MODULE_KEY)
    runtime = await build(settings)
    owner = await runtime.services.setup.run(Setup("Sundsvalls kommun", "owner@example.se", PASSWORD))
    yield Api(runtime, create_api(runtime), owner)
    await runtime.close()


def keeper(api: Api) -> httpx.AsyncClient:
    """A client with the key of modules."""
    return api.browser(**{"x-api-key": MODULE_KEY, "accept-language": "en"})


async def test_modules_are_made_and_given(keyed: Api) -> None:
    client, url = keeper(keyed), f"{MODULES}{keyed.owner.tenant_id}/"
    made = [(await client.post(MODULES, json={"name": name})).json() for name in ("tjänster", "Analys")]
    assert [item["name"] for item in (await client.get(MODULES)).json()["items"]] == ["Analys", "tjänster"]
    for name, status in (("ANALYS", 400), ("", 422), ("x" * 300, 422)):
        assert (await client.post(MODULES, json={"name": name})).status_code == status
    for wanted in (made, made[:1], made[:1], []):
        answer = await client.post(url, json=[{"id": module["id"]} for module in wanted])
        assert answer.status_code == 200, answer.text
        assert {module["id"] for module in answer.json()["modules"]} == {module["id"] for module in wanted}
        assert "api_credentials" not in answer.text
    assert (await client.post(url, json=[{"id": str(uuid4())}])).status_code == 404
    assert (await client.post(f"{MODULES}{uuid4()}/", json=[])).status_code == 404
    entries = [
        e.changes["new"] for e in await keyed.entries(keyed.owner.tenant_id) if e.action == "module_added_to_tenant"
    ]
    assert entries == [{"modules": ["Analys", "tjänster"]}, {"modules": ["tjänster"]}, {"modules": []}]


async def test_each_key_is_refused_at_the_others_door(keyed: Api) -> None:
    signed_in = await keyed.client()
    for client in (keyed.operator(), keyed.browser(), signed_in):
        for method, path in (("GET", MODULES), ("POST", MODULES), ("POST", f"{MODULES}{keyed.owner.tenant_id}/")):
            assert (await client.request(method, path, json={"name": "x"})).status_code == 401
    for path in ("tenants/", "users/", "predefined-roles/", "deletion-certificates/", "allowed-origins/"):
        assert (await keeper(keyed).get(f"/api/v1/sysadmin/{path}")).status_code == 401


async def test_without_a_key_nobody_gets_in(api: Api) -> None:
    for key in ("", "None", OPERATOR_KEY):
        assert (await api.browser(**{"x-api-key": key}).get(MODULES)).status_code == 401


def test_the_keys_may_have_their_former_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTRIC_SUPER_API_KEY", OPERATOR_KEY)
    monkeypatch.setenv("INTRIC_SUPER_DUPER_API_KEY", MODULE_KEY)
    settings = load()
    assert (settings.super_api_key, settings.super_duper_api_key) == (OPERATOR_KEY, MODULE_KEY)
    monkeypatch.setenv("INTRIC_SUPER_DUPER_API_KEY", OPERATOR_KEY)
    with pytest.raises(SettingsError, match="different keys"):
        load()
