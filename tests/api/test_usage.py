"""The usage ledger: a row for each call of a model, whatever becomes of it, and who may look."""

import asyncio
import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from domain.kernel.clock import now
from domain.usage.entities import ModelCall
from storage.tables.usage import model_calls
from tests.api.test_conversations import ask, use_model
from tests.api.test_model_catalogue import add_model
from tests.support.api import Api, make_assistant, make_collection, make_space, upload
from tests.support.provider import Provider


async def ledger(api: Api) -> list[ModelCall]:
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        return list(await session.scalars(select(ModelCall).order_by(model_calls.c.id)))


async def answers(api: Api) -> list[ModelCall]:
    return [call for call in await ledger(api) if call.kind == "completion"]


async def priced(client: httpx.AsyncClient, provider: Provider, name: str, assistant_id: str) -> str:
    """Let the assistant use a model with a price: 100 and 300 kronor for a million tokens."""
    model = await add_model(client, provider, name)
    price = {"valid_from": str(now().date() - timedelta(days=1)), "input": 100, "output": 300}
    assert (await client.post(f"/api/v1/admin/models/{model}/prices/", json=price)).status_code == 201
    changed = await client.post(f"/api/v1/assistants/{assistant_id}/", json={"completion_model": {"id": model}})
    assert changed.status_code == 200, changed.text
    return model


async def test_an_answer_is_in_the_ledger_with_its_cost(api: Api, provider: Provider) -> None:
    client = await api.client()
    space = await make_space(client)
    assistant = await make_assistant(client, space)
    model = await priced(client, provider, "ok:7", assistant)
    said = (await ask(client, assistant, stream=False)).json()
    [call] = await answers(api)
    assert (call.tokens_in, call.tokens_out, call.estimated, call.outcome) == (11, 7, False, "done")
    assert (str(call.user_id), str(call.space_id), str(call.assistant_id)) == (str(api.owner.user_id), space, assistant)
    assert (str(call.model_id), str(call.message_id)) == (model, said["id"])
    assert None not in (call.total_ms, call.first_token_ms)
    assert call.lease_until is None
    why = await client.get(f"/api/v1/conversations/{said['session_id']}/messages/{said['id']}/explanation/")
    shown = why.json()["model"]
    assert (Decimal(str(shown["cost"])), shown["currency"]) == (Decimal("0.0032"), "SEK")


async def test_the_row_outlives_the_conversation(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    await priced(client, provider, "ok:7", assistant)
    said = (await ask(client, assistant, stream=False)).json()
    assert (await client.delete(f"/api/v1/conversations/{said['session_id']}/")).status_code == 204
    assert (await client.delete(f"/api/v1/assistants/{assistant}/")).status_code == 204
    report = (await client.get("/api/v1/usage/", params={"group": "assistant"})).json()
    [gone] = report["items"]
    assert (gone["key"], gone["name"], gone["tokens_out"]) == (assistant, "", 7)


async def test_the_own_assistant_of_a_space_goes_by_the_name_of_the_space(api: Api) -> None:
    client = await api.client()
    space = await make_space(client)
    own = (await client.get(f"/api/v1/spaces/{space}/")).json()["default_assistant"]["id"]
    await ask(client, own, stream=False)
    report = (await client.get("/api/v1/usage/", params={"group": "assistant"})).json()
    name = (await client.get(f"/api/v1/spaces/{space}/")).json()["name"]
    assert [(each["key"], each["name"]) for each in report["items"]] == [(own, name)]


@pytest.mark.parametrize(
    ("model", "outcome", "written"), [("err:401", "failed", 0), ("cut:6", "failed", 6), ("garbage:2", "failed", 0)]
)
async def test_what_fails_is_in_the_ledger_too(
    api: Api, provider: Provider, model: str, outcome: str, written: int
) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    await priced(client, provider, model, assistant)
    await ask(client, assistant)
    [call] = await answers(api)
    assert (call.outcome, call.estimated, call.error_code is not None) == (outcome, True, True)
    # What the provider refused costs nothing; what had arrived is estimated.
    assert (call.tokens_out >= written, bool(call.cost)) == (True, written > 0)


async def test_a_stopped_answer_is_paid_for_as_far_as_it_came(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    await priced(client, provider, "hang:5", assistant)
    asking = asyncio.create_task(ask(client, assistant, version=1))
    conversations = api.runtime.services.conversations
    async with asyncio.timeout(20):
        while not conversations.runs._runs or next(iter(conversations.runs._runs.values())).text.count(" ") < 4:
            await asyncio.sleep(0.02)
    run = next(iter(conversations.runs._runs.values()))
    [open_one] = await answers(api)
    assert (open_one.outcome, open_one.tokens_in > 0, open_one.cost) == ("running", True, None)
    await conversations.stop(api.owner, run.message_id)
    await asking
    [call] = await answers(api)
    assert (call.outcome, call.tokens_out > 0, bool(call.cost)) == ("stopped", True, True)


async def test_a_call_whose_process_died_is_closed(api: Api) -> None:
    client = await api.client()
    model = (await client.get("/api/v1/completion-models/")).json()["items"][0]
    choice = next(c for c in await api.runtime.services.models.completion_models(api.owner))
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        call = ModelCall(
            tenant_id=api.owner.tenant_id, day=now().date(), kind="completion", purpose="answer", tokens_in=40,
            model_id=choice.model.id, model_name="m", provider_name="p", lease_until=now() + timedelta(hours=1),
        )  # fmt: skip
        session.add(call)
        await session.commit()
    ledger_service = api.runtime.services.ledger
    assert (str(choice.model.id), await ledger_service.sweep()) == (model["id"], 0)
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        await session.execute(update(ModelCall).values(lease_until=now() - timedelta(seconds=1)))
        await session.commit()
    assert await ledger_service.sweep() == 1
    assert await ledger_service.sweep() == 0
    [closed] = await ledger(api)
    assert (closed.outcome, closed.tokens_in, closed.lease_until) == ("interrupted", 40, None)


async def test_documents_and_searches_are_in_the_ledger(api: Api) -> None:
    client = await api.client()
    space = await make_space(client)
    collection = await make_collection(client, space)
    await upload(client, collection, "a.txt", b"Avgiften till biblioteket betalas med kort.")
    await api.work()
    assistant = await make_assistant(client, space, collection)
    await ask(client, assistant, stream=False)
    found = {(call.purpose, call.kind): call for call in await ledger(api)}
    assert set(found) == {("document", "embedding"), ("answer", "embedding"), ("answer", "completion")}
    assert {str(call.space_id) for call in found.values()} == {space}
    assert found["answer", "completion"].model_name == "Quotes from the documents"
    assert all(call.cost is None and call.outcome == "done" for call in found.values())


async def test_the_ledger_sums_to_what_the_provider_has_counted(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    await priced(client, provider, "ok:9", assistant)
    await asyncio.gather(*(ask(client, assistant, stream=False) for _ in range(12)))
    total = (await client.get("/api/v1/usage/")).json()["total"]
    assert len(provider.seen.requests) == total["calls"] == 12
    assert (total["tokens_in"], total["tokens_out"]) == (12 * 11, 12 * 9)
    assert Decimal(str(total["cost"])) == 12 * (11 * 100 + 9 * 300) / Decimal(1_000_000)
    summary = (await client.get("/api/v1/token-usage/")).json()
    assert summary["total_token_usage"] == 12 * 20
    users = (await client.get("/api/v1/token-usage/users", params={"sort_by": "total_requests"})).json()
    assert (users["total_users"], users["users"][0]["email"]) == (1, "owner@example.se")
    one = (await client.get(f"/api/v1/token-usage/users/{api.owner.user_id}/summary")).json()["user"]
    assert (one["total_requests"], one["models_used"][0]["output_token_usage"]) == (12, 108)


async def test_calls_are_paged_and_exported(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    await priced(client, provider, "ok:2", assistant)
    for _ in range(5):
        await ask(client, assistant, stream=False)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params: dict[str, Any] = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/api/v1/usage/calls/", params=params)).json()
        seen += [call["id"] for call in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert (len(seen), len(set(seen))) == (5, 5)
    exported = await client.get("/api/v1/usage/export/")
    rows = list(csv.DictReader(io.StringIO(exported.text.removeprefix("\ufeff"))))
    assert [row["id"] for row in rows] == seen
    assert {row["cost"] for row in rows} == {"0.0017"}
    assert any(e.action == "usage_exported" for e in await api.entries(api.owner.tenant_id))


@pytest.mark.parametrize("days", [{"since": "2026-02-01", "until": "2026-01-01"}, {"since": "0001-01-01"}])
async def test_days_that_make_no_sense(api: Api, days: dict[str, str]) -> None:
    client = await api.client()
    assert (await client.get("/api/v1/usage/", params=days)).json()["field"] == "since"
    assert (await client.get("/api/v1/usage/", params={"until": "0001-01-01"})).status_code == 200


async def test_who_may_look(api: Api, provider: Provider) -> None:
    owner = await api.client()
    space = await make_space(owner)
    assistant = await make_assistant(owner, space)
    await use_model(owner, provider, "ok:2", assistant)
    await ask(owner, assistant, stream=False)
    anna_id = await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    mine = (await anna.get("/api/v1/usage/mine/")).json()
    assert (mine["total"]["calls"], mine["items"]) == (0, [])
    for path in (
        "/api/v1/usage/", "/api/v1/usage/calls/", "/api/v1/usage/export/", "/api/v1/token-usage/",
        "/api/v1/token-usage/users", f"/api/v1/usage/?user_id={api.owner.user_id}",
        f"/api/v1/usage/?assistant_id={assistant}",
        f"/api/v1/usage/calls/?user_id={api.owner.user_id}",
    ):  # fmt: skip
        assert (await anna.get(path)).status_code == 403, path
    assert (await anna.get(f"/api/v1/spaces/{space}/usage/")).status_code == 404
    joined = {"id": str(anna_id), "role": "viewer"}
    assert (await owner.post(f"/api/v1/spaces/{space}/members/", json=joined)).status_code == 200
    assert (await anna.get(f"/api/v1/spaces/{space}/usage/")).status_code == 403
    changed = await owner.patch(f"/api/v1/spaces/{space}/members/{anna_id}/", json={"role": "admin"})
    assert changed.status_code == 200
    report = (await anna.get(f"/api/v1/spaces/{space}/usage/")).json()
    assert report["total"]["calls"] == 1
    assert (await anna.get(f"/api/v1/spaces/{space}/usage/?group=user")).status_code == 403
