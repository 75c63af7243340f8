"""Keys of organisations at AI providers: entering them, who may, and with which key a provider is really called."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.ai import chat
from app.bootstrap import Runtime, build
from app.config import Settings
from app.server import create_api
from domain.kernel.actor import Actor
from domain.tenants.service import Setup
from tests.conftest import PASSWORD, Place
from tests.support.api import Api, make_assistant, make_space
from tests.support.provider import Provider

OPERATOR = {"X-API-Key": "operators-very-long-key"}
KEY, OTHER, THEIRS = "sk-kommunens-nyckel-0042", "sk-kommunens-andra-0077", "sk-driftens-nyckel-0099"
ADMIN = "/api/v1/admin/credentials/"


async def _api(place: Place, **more: object) -> Api:
    usual: dict[str, object] = {"super_api_key": OPERATOR["X-API-Key"], "outbound_allow": "127.0.0.0/8"}
    runtime = await build(place.settings(**(usual | more)), listen=False)
    runtime.contents.prepare()
    if await runtime.services.setup.needed():
        owner = await runtime.services.setup.run(Setup("Sundsvalls kommun", "owner@example.se", PASSWORD))
    else:
        [tenant_id] = await runtime.directory.tenant_ids()
        owner = Actor(tenant_id=tenant_id, user_id=tenant_id)
    return Api(runtime, create_api(runtime), owner)


@pytest.fixture
async def api(place: Place) -> Any:
    made = await _api(place, tenant_credentials_enabled=True)
    yield made
    await made.runtime.close()


async def _entries(api: Api) -> list[Any]:
    async with api.runtime.rotation._uow.read(api.owner.tenant_id) as tx:
        return [e for e in await tx.audit.in_order(0, 100) if e.action == "credentials_updated"]


async def test_an_administrator_sets_replaces_and_removes_a_key(api: Api) -> None:
    client = await api.client()
    answer = await client.put(f"{ADMIN}OpenAI", json={"api_key": f" {KEY} "})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["provider"], answer.json()["masked_key"]) == ("openai", "***0042")
    await client.put(f"{ADMIN}openai", json={"api_key": OTHER})
    listed = await client.get(ADMIN)
    [shown] = listed.json()["credentials"]
    assert (shown["masked_key"], shown["encryption_status"], shown["config"]) == ("***0077", "encrypted", {})
    assert (await client.delete(f"{ADMIN}openai")).status_code == 200
    assert (await client.delete(f"{ADMIN}openai")).status_code == 404
    assert (await client.get(ADMIN)).json() == {"credentials": []}
    entries = await _entries(api)
    assert [e.description for e in entries] == ["openai"] * 3
    assert "nyckel" not in str([e.changes for e in entries]) + listed.text


async def test_the_operator_does_the_same_for_an_organisation(api: Api) -> None:
    client = api.browser(**OPERATOR)
    path = f"/api/v1/sysadmin/tenants/{api.owner.tenant_id}/credentials"
    body = {"api_key": KEY, "endpoint": "http://10.1.1.1/v1/"}
    answer = (await client.put(f"{path}/hosted_vllm", json=body)).json()
    assert answer["tenant_id"] == str(api.owner.tenant_id)
    [shown] = (await client.get(path)).json()["credentials"]
    assert shown["config"] == {"endpoint": "http://10.1.1.1/v1"}
    removed = (await client.delete(f"{path}/hosted_vllm")).json()
    assert (removed["provider"], (await client.get(path)).json()["credentials"]) == ("hosted_vllm", [])
    unknown = f"/api/v1/sysadmin/tenants/{uuid4()}/credentials"
    assert (await client.get(unknown)).status_code == 404
    assert (await client.put(f"{unknown}/openai", json=body)).status_code == 404
    assert (await (await api.client()).get(path)).status_code == 401


@pytest.mark.parametrize(
    ("provider", "body", "missing"),
    [
        ("openai", {}, ["api_key"]),
        ("openai", {"api_key": " kort  "}, ["api_key"]),
        ("azure", {"api_key": KEY}, ["endpoint", "api_version", "deployment_name"]),
        ("hosted_vllm", {"api_key": KEY}, ["endpoint"]),
        ("hosted_vllm", {"api_key": KEY, "endpoint": "file:///etc/passwd"}, ["endpoint"]),
    ],
)
async def test_what_is_missing_is_named(api: Api, provider: str, body: dict[str, str], missing: list[str]) -> None:
    answer = await (await api.client()).put(f"{ADMIN}{provider}", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"] == "credential_validation_failed"
    assert [error["field"] for error in answer.json()["errors"]] == missing
    assert set(missing) <= set(answer.json()["provider_requirements"])


async def test_others_may_not(api: Api) -> None:
    await api.user("kollega@example.se")
    client = await api.client("kollega@example.se")
    for answer in (await client.get(ADMIN), await client.put(f"{ADMIN}openai", json={"api_key": KEY})):
        assert answer.status_code == 403
    assert (await (await api.client()).put(f"{ADMIN}okänd", json={"api_key": KEY})).status_code == 422


async def test_switched_off_there_is_no_such_thing(place: Place) -> None:
    api = await _api(place)
    client = await api.client()
    operator = api.browser(**OPERATOR)
    for answer in (
        await client.get(ADMIN),
        await client.put(f"{ADMIN}openai", json={"api_key": KEY}),
        await operator.get(f"/api/v1/sysadmin/tenants/{api.owner.tenant_id}/credentials"),
    ):
        assert (answer.status_code, answer.json()["error"]) == (404, "feature_disabled")
    assert (await client.get("/api/v1/settings/")).json()["tenant_credentials_enabled"] is False
    await api.runtime.close()


async def _assistant(client: httpx.AsyncClient, provider: Provider, kind: str = "openai_compatible") -> str:
    """An assistant whose model is at a provider without a key of its own."""
    assistant_id = await make_assistant(client, await make_space(client))
    body = {"name": "Modellen", "provider_type": kind, "config": {"endpoint": provider.url}}
    added = await client.post("/api/v1/admin/model-providers/", json=body)
    assert added.status_code == 200, added.text
    path = f"/api/v1/admin/model-providers/{added.json()['id']}/models/"
    model = (await client.post(path, json={"name": "ok:3"})).json()
    changes = {"completion_model": {"id": model["id"]}}
    assert (await client.post(f"/api/v1/assistants/{assistant_id}/", json=changes)).status_code == 200
    return assistant_id


async def _ask(client: httpx.AsyncClient, assistant_id: str) -> httpx.Response:
    return await client.post("/api/v1/conversations/", json={"assistant_id": assistant_id, "question": "Hej?"})


def _sent(provider: Provider) -> str | None:
    return provider.seen.headers[-1].get("authorization")


async def test_the_organisations_key_arrives_at_the_provider(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant_id = await _assistant(client, provider)
    await _ask(client, assistant_id)
    assert _sent(provider) is None
    await client.put(f"{ADMIN}hosted_vllm", json={"api_key": KEY, "endpoint": provider.url})
    assert (await _ask(client, assistant_id)).status_code == 200
    assert _sent(provider) == f"Bearer {KEY}"
    [shown] = (await client.get("/api/v1/admin/model-providers/")).json()[:1]
    assert shown["masked_api_key"] is None
    tested = (await client.post(f"/api/v1/admin/model-providers/{shown['id']}/test/")).json()
    assert tested["success"]
    assert _sent(provider) == f"Bearer {KEY}"
    await client.delete(f"{ADMIN}hosted_vllm")
    await _ask(client, assistant_id)
    assert _sent(provider) is None


async def test_a_key_follows_no_other_address(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant_id = await _assistant(client, provider)
    await client.put(f"{ADMIN}hosted_vllm", json={"api_key": KEY, "endpoint": "http://127.0.0.1:9/v1"})
    await _ask(client, assistant_id)
    assert _sent(provider) is None


async def test_without_a_key_strict_mode_falls_back_on_nothing(place: Place, provider: Provider) -> None:
    """The same organisation, first with the installation's key, then with TENANT_CREDENTIALS_ENABLED."""
    more = {"openai_api_key": THEIRS, "vllm_api_key": THEIRS, "vllm_endpoint": provider.url}
    loose = await _api(place, **more)
    client = await loose.client()
    assistant_id = await _assistant(client, provider)
    assert (await _ask(client, assistant_id)).status_code == 200
    assert _sent(provider) == f"Bearer {THEIRS}"
    cloud = await client.post("/api/v1/admin/model-providers/", json={"name": "Moln", "provider_type": "openai"})
    assert cloud.status_code == 200, cloud.text
    path = f"/api/v1/admin/model-providers/{cloud.json()['id']}/"
    model = (await client.post(f"{path}models/", json={"name": "ok:3"})).json()
    await loose.runtime.close()

    strict = await _api(place, tenant_credentials_enabled=True, **more)
    client = await strict.client()
    await _ask(client, assistant_id)
    assert _sent(provider) is None
    changes = {"completion_model": {"id": model["id"]}}
    assert (await client.post(f"/api/v1/assistants/{assistant_id}/", json=changes)).status_code == 200
    refused = await _ask(client, assistant_id)
    assert (refused.status_code, refused.json()["code"]) == (503, 9026), refused.text
    another = await client.post("/api/v1/admin/model-providers/", json={"name": "Annan", "provider_type": "openai"})
    assert another.status_code == 422
    # An address in the credential is where the key goes, and the provider without one is called there.
    await client.put(f"{ADMIN}openai", json={"api_key": KEY, "endpoint": provider.url})
    assert (await _ask(client, assistant_id)).status_code == 200
    assert _sent(provider) == f"Bearer {KEY}"
    await strict.runtime.close()


async def test_another_address_of_a_provider_demands_its_key_again(api: Api, provider: Provider) -> None:
    client = await api.client()
    path = "/api/v1/admin/model-providers/"
    body: dict[str, Any] = {
        "name": "Modellen", "provider_type": "openai_compatible", "config": {"endpoint": provider.url},
        "credentials": {"api_key": KEY},
    }  # fmt: skip
    added = (await client.post(path, json=body)).json()
    assert added["masked_api_key"].endswith("0042")
    moved = {"config": {"endpoint": "http://127.0.0.1:9/v1"}}
    assert (await client.put(f"{path}{added['id']}/", json=moved)).status_code == 422
    again = {**moved, "credentials": {"api_key": OTHER}}
    assert (await client.put(f"{path}{added['id']}/", json=again)).json()["masked_api_key"].endswith("0077")


async def test_a_silent_provider_is_given_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(chat, "TEST_SECONDS", 0.3)
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    body = {"name": "Tyst", "provider_type": "openai_compatible", "config": {"endpoint": address}}
    tested = (await (await api.client()).post("/api/v1/admin/model-providers/test/", json=body)).json()
    assert not tested["success"]
    assert "0.3" in tested["steps"][-1]["message"]
    server.close()


async def test_nothing_of_a_conversation_can_be_read_in_the_database(place: Place, provider: Provider) -> None:
    """Question, answer, name, comment, instruction and keys, in the raw file or the raw tables."""
    api = await _api(place, tenant_credentials_enabled=True)
    client = await api.client()
    assistant_id = await _assistant(client, provider)
    [model] = [m for m in (await client.get("/api/v1/completion-models/")).json()["items"] if m["name"] == "ok:3"]
    changes = {"completion_model": {"id": model["id"]}, "prompt": {"text": "Instruktionen är hemlighallen."}}
    await client.post(f"/api/v1/assistants/{assistant_id}/", json=changes)
    body = {"assistant_id": assistant_id, "question": "Var ligger fragehallen?"}
    asked = (await client.post("/api/v1/conversations/", json=body)).json()
    assert asked["answer"].strip() == "w0 w1 w2"
    session = f"/api/v1/conversations/{asked['session_id']}/"
    await client.post(f"{session}title/", json={})
    rated = await client.post(f"{session}feedback/", json={"value": 1, "text": "Omdömet om svarshallen."})
    assert rated.status_code == 200, rated.text
    await client.put(f"{ADMIN}openai", json={"api_key": KEY})
    found = (await client.get("/api/v1/conversations/", params={"assistant_id": assistant_id})).json()
    assert "fragehallen" in str(found)
    [shown] = (await client.get(session)).json()["messages"]
    assert (shown["question"], shown["answer"].strip()) == ("Var ligger fragehallen?", "w0 w1 w2")
    raw = await _raw(api.runtime, place)
    for planted in ("fragehallen", "w0 w1", "hemlighallen", "svarshallen", KEY):
        assert planted not in raw, planted
    assert "Sundsvalls kommun" in raw
    await api.runtime.close()


async def _raw(runtime: Runtime, place: Place) -> str:
    settings: Settings = runtime.settings
    if place.url is None:
        files = sorted(settings.data_dir.glob("samrad.db*"))
        return "".join(path.read_bytes().decode("latin-1") for path in files)
    import asyncpg

    connection = await asyncpg.connect(place.url.replace("samrad_owner@", "postgres@"))
    try:
        tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        rows = [await connection.fetch(f'select t::text from "{name}" t') for (name,) in tables]
    finally:
        await connection.close()
    return "\n".join(row[0] for table in rows for row in table)
