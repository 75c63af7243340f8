"""What is known of models and what they cost: for administrators to say, for everybody to see."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from domain.kernel.clock import now
from domain.models.entities import ModelPrice
from domain.models.money import cost, to_decimal
from tests.support.api import Api
from tests.support.provider import Provider

TODAY = now().date()


async def add_model(client: httpx.AsyncClient, provider: Provider, name: str = "ok:5", **more: Any) -> str:
    server = {"name": f"Server {name}", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
    added = (await client.post("/api/v1/admin/model-providers/", json=server)).json()
    body = {"provider_id": added["id"], "name": name, "display_name": name, **more}
    made = await client.post("/api/v1/admin/tenant-models/completion/", json=body)
    assert made.status_code == 200, made.text
    return str(made.json()["id"])


async def of(client: httpx.AsyncClient, model_id: str) -> dict[str, Any]:
    found = (await client.get("/api/v1/completion-models/")).json()["items"]
    return next(each for each in found if each["id"] == model_id)


async def test_what_administrators_say_everybody_sees(api: Api, provider: Provider) -> None:
    client = await api.client()
    model = await add_model(client, provider)
    other = await add_model(client, provider, "ok:6")
    facts = {
        "hosting": "eu", "org": "Mistral", "license": "Apache-2.0", "max_output": 4096, "reasoning": True,
        "hf_link": "https://example.se/model", "retires_on": str(TODAY + timedelta(days=30)), "replacement_id": other,
    }  # fmt: skip
    changed = await client.put(f"/api/v1/admin/tenant-models/completion/{model}/", json=facts)
    assert changed.status_code == 200, changed.text
    await api.user("anna@example.se")
    seen = await of(await api.client("anna@example.se"), model)
    assert {name: seen[name] for name in facts} == facts
    assert seen["can_access"]
    emptied = await client.put(f"/api/v1/admin/tenant-models/completion/{model}/", json={"retires_on": None})
    assert (emptied.json()["retires_on"], emptied.json()["license"]) == (None, "Apache-2.0")
    [entry] = [e for e in await api.entries(api.owner.tenant_id) if "hosting" in e.changes.get("new", {})]
    assert entry.changes["old"]["hosting"] == "swe"


async def test_a_retired_model_is_not_called_any_more(api: Api, provider: Provider) -> None:
    client = await api.client()
    model = await add_model(client, provider)
    path = f"/api/v1/admin/tenant-models/completion/{model}/"
    assert (await client.put(path, json={"retires_on": str(TODAY)})).json()["can_access"] is False
    assert (await client.put(path, json={"retires_on": str(TODAY + timedelta(days=1))})).json()["can_access"] is True


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"token_limit": 3}, "token_limit"),
        ({"hf_link": "javascript:alert(1)"}, "link"),
        ({"stability": "shaky"}, "stability"),
        ({"display_name": " "}, "nickname"),
    ],
)
async def test_what_makes_no_sense_is_refused(api: Api, provider: Provider, change: dict[str, Any], field: str) -> None:
    client = await api.client()
    model = await add_model(client, provider)
    answer = await client.put(f"/api/v1/admin/tenant-models/completion/{model}/", json=change)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_price_holds_until_the_next_one_begins(api: Api, provider: Provider) -> None:
    client = await api.client()
    model = await add_model(client, provider)
    path = f"/api/v1/admin/models/{model}/prices/"
    for days, amount in ((-10, 10), (-1, "20.5"), (1, 30)):
        body = {"valid_from": str(TODAY + timedelta(days=days)), "input": amount, "output": 60, "currency": "sek"}
        assert (await client.post(path, json=body)).status_code == 201
    price = (await of(client, model))["price"]
    assert (price["input"], price["output"], price["cached"], price["currency"]) == ("20.5", "60", None, "SEK")
    kept = (await client.get(path)).json()["items"]
    assert [float(p["input"]) for p in kept] == [30, 20.5, 10]
    assert (await client.delete(f"/api/v1/admin/model-prices/{kept[1]['id']}/")).status_code == 200
    assert float((await of(client, model))["price"]["input"]) == 10


async def test_prices_that_cannot_be_added_up_are_refused(api: Api, provider: Provider) -> None:
    client = await api.client()
    path = f"/api/v1/admin/models/{await add_model(client, provider)}/prices/"
    day = {"valid_from": str(TODAY)}
    assert (await client.post(path, json={**day, "input": -1})).json()["field"] == "input"
    assert (await client.post(path, json={**day, "currency": "XXX"})).json()["field"] == "currency"
    assert (await client.post(path, json={**day, "input": 1, "currency": "EUR"})).status_code == 201
    assert (await client.post(path, json={**day, "input": 1, "currency": "EUR"})).json()["field"] == "valid_from"
    other = await client.post(path, json={"valid_from": "2020-01-01", "input": 1, "currency": "SEK"})
    assert (other.status_code, other.json()["field"]) == (422, "currency")
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await anna.get(path)).status_code == 403
    assert (await anna.post(path, json=day)).status_code == 403


async def test_models_of_every_kind_come_and_go(api: Api, provider: Provider) -> None:
    client = await api.client()
    await add_model(client, provider)
    [server] = [p for p in (await client.get("/api/v1/admin/model-providers/")).json() if p["name"] == "Server ok:5"]
    body = {"provider_id": server["id"], "name": "vec", "dimensions": 64, "hosting": "swe"}
    added = (await client.post("/api/v1/admin/tenant-models/embedding/", json=body)).json()
    path = f"/api/v1/admin/tenant-models/embedding/{added['id']}/"
    assert (await client.put(path, json={"max_input": 512})).json()["max_input"] == 512
    assert (await client.delete(path)).status_code == 200
    assert (await client.delete(path)).status_code == 404


def test_what_a_call_costs() -> None:
    price = ModelPrice(
        tenant_id=None, valid_from=TODAY, currency="SEK", input=10 * 10**9, output=30 * 10**9, cached=10**9, minute=6 * 10**9
    )  # type: ignore[arg-type]  # fmt: skip
    assert to_decimal(cost(price, 1_000_000, 1_000_000)) == 40
    assert to_decimal(cost(price, 1_000_000, 0, tokens_cached=500_000)) == 5 + 1 / 2
    assert to_decimal(cost(price, 0, 0, seconds=90)) == 9
    assert cost(price, 1, 0) == 10_000
