"""Budgets: held back before a call, counted after it, and never overspent however many ask at once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import select, update

from domain.budgets.entities import BudgetUse, Span
from domain.kernel.clock import now
from domain.usage.entities import ModelCall
from tests.api.test_conversations import ask
from tests.api.test_model_catalogue import add_model
from tests.api.test_usage import answers, priced
from tests.support.api import Api, make_assistant, make_space
from tests.support.provider import Provider

BUDGETS = "/api/v1/admin/budgets/"


async def set_up(api: Api, provider: Provider, model: str = "ok:20") -> tuple[httpx.AsyncClient, str, str]:
    """A client, a space, and an assistant whose model writes at most 256 tokens."""
    client = await api.client()
    space = await make_space(client)
    assistant = await make_assistant(client, space)
    model_id = await priced(client, provider, model, assistant)
    short = await client.put(f"/api/v1/admin/tenant-models/completion/{model_id}/", json={"max_output": 256})
    assert short.status_code == 200, short.text
    return client, space, assistant


async def add(client: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    answer = await client.post(BUDGETS, json={"scope": "tenant", "span": "month", **values})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def uses(api: Api) -> list[BudgetUse]:
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        return list(await session.scalars(select(BudgetUse)))


@pytest.mark.parametrize(("limit", "unit"), [(1_500, "tokens"), ("0.4", "cost")])
async def test_fifty_at_once_never_overspend(api: Api, provider: Provider, limit: Any, unit: str) -> None:
    client, _, assistant = await set_up(api, provider)
    budget = await add(client, **{unit: limit})
    said = await asyncio.gather(*(ask(client, assistant, stream=False) for _ in range(50)))
    allowed = [answer for answer in said if answer.status_code == 200]
    refused = [answer for answer in said if answer.status_code == 403]
    assert (len(allowed) + len(refused), bool(allowed), bool(refused)) == (50, True, True)
    # What the provider has counted is what the ledger says, and what the budget says.
    calls = await answers(api)
    counted = len(provider.seen.requests) * (11 + 20)
    assert len(allowed) == len(provider.seen.requests) == len(calls)
    assert sum(call.tokens_in + call.tokens_out for call in calls) == counted
    [use] = await uses(api)
    assert (use.tokens, use.tokens_reserved, use.cost_reserved) == (counted, 0, 0)
    assert use.cost == sum(call.cost or 0 for call in calls)
    shown = (await client.get(f"{BUDGETS}{budget['id']}/")).json()
    used = {"tokens": shown["used_tokens"], "cost": float(shown["used_cost"])}[unit]
    assert 0 < used <= float(limit)
    assert all(answer.json()["code"] == 9008 for answer in refused)


async def test_when_it_is_used_up_it_says_until_when_and_whom_to_ask(api: Api, provider: Provider) -> None:
    client, _, assistant = await set_up(api, provider)
    await add(client, tokens=0, span="day", contact="it@example.se")
    answer = await ask(client, assistant, stream=False)
    assert (answer.status_code, answer.headers["x-error-code"]) == (403, "budget_exhausted")
    body = answer.json()
    assert "it@example.se" in body["message"]
    resets = datetime.fromisoformat(body["resets_at"])
    assert timedelta() < resets - now() <= timedelta(hours=25)
    assert f"{resets:%Y-%m-%d 00:00}" in body["message"]
    assert provider.seen.requests == []


async def test_the_built_in_model_counts_in_no_budget(api: Api) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    await add(client, tokens=0)
    assert (await ask(client, assistant, stream=False)).status_code == 200
    assert await uses(api) == []


async def test_those_concerned_are_warned_at_eighty_percent(api: Api, provider: Provider) -> None:
    client, _, assistant = await set_up(api, provider, "ok:389")
    await add(client, tokens=1_000, scope="user", user_id=str(api.owner.user_id))
    await ask(client, assistant, stream=False)
    assert not [e for e in await api.entries(api.owner.tenant_id) if e.action == "budget_nearly_used"]
    await ask(client, assistant, stream=False)
    [warning] = [e for e in await api.entries(api.owner.tenant_id) if e.action == "budget_nearly_used"]
    assert warning.changes["new"]["percent"] == 80
    [standing] = (await client.get("/api/v1/usage/budgets/", params={"assistant_id": assistant})).json()["items"]
    assert (standing["scope"], standing["share"]) == ("user", 0.8)


async def test_each_budget_counts_only_what_is_its_own(api: Api, provider: Provider) -> None:
    client, space, assistant = await set_up(api, provider)
    other = await make_assistant(client, space)
    chosen = (await client.get(f"/api/v1/assistants/{assistant}/")).json()["completion_model"]["id"]
    await client.post(f"/api/v1/assistants/{other}/", json={"completion_model": {"id": chosen}})
    await add(client, scope="assistant", assistant_id=assistant, tokens=0)
    await add(client, scope="space", space_id=space, tokens=100_000)
    await add(client, scope="user", tokens=100_000)
    assert (await ask(client, assistant, stream=False)).status_code == 403
    assert (await ask(client, other, stream=False)).status_code == 200
    assert sorted(use.tokens for use in await uses(api)) == [31, 31]
    anna_id = await api.user("anna@example.se")
    joined = {"id": str(anna_id), "role": "editor"}
    assert (await client.post(f"/api/v1/spaces/{space}/members/", json=joined)).status_code == 200
    assert (await ask(await api.client("anna@example.se"), other, stream=False)).status_code == 200
    # Each user has a share of their own of the budget that is for each of them; the space has one for all.
    assert sorted(use.tokens for use in await uses(api)) == [31, 31, 62]


@pytest.mark.parametrize("model", ["err:500", "cut:6"])
async def test_what_fails_gives_back_what_was_held(api: Api, provider: Provider, model: str) -> None:
    client, _, assistant = await set_up(api, provider, model)
    await add(client, tokens=10_000)
    await ask(client, assistant)
    # What might pass by itself is asked once more, as a call of its own.
    [use], calls = await uses(api), await answers(api)
    assert (use.tokens_reserved, use.tokens) == (0, sum(call.tokens_in + call.tokens_out for call in calls))
    assert (use.tokens == 0) == (model == "err:500")


async def test_what_a_dead_process_held_is_given_back(api: Api, provider: Provider) -> None:
    client, _, assistant = await set_up(api, provider, "hang:2")
    await add(client, tokens=10_000)
    asking = asyncio.create_task(ask(client, assistant, version=1))
    assert await asyncio.to_thread(provider.wait_for_question)
    [use] = await uses(api)
    assert use.tokens_reserved > 256
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        await session.execute(update(ModelCall).values(lease_until=now() - timedelta(seconds=1)))
        await session.commit()
    assert await api.runtime.services.ledger.sweep() == 1
    [use] = await uses(api)
    assert (use.tokens_reserved, use.tokens > 0) == (0, True)
    conversations = api.runtime.services.conversations
    await conversations.stop(api.owner, next(iter(conversations.runs._runs.values())).message_id)
    await asking
    # The end that comes late counts nothing twice.
    assert [u.tokens for u in await uses(api)] == [use.tokens]


async def test_a_new_span_begins_anew(api: Api, provider: Provider) -> None:
    client, _, assistant = await set_up(api, provider)
    await add(client, tokens=1_000, span="day")
    await ask(client, assistant, stream=False)
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        yesterday = Span.DAY.begins(now() - timedelta(days=1), ZoneInfo("Europe/Stockholm"))
        await session.execute(update(BudgetUse).values(begins_at=yesterday, tokens=1_000))
        await session.commit()
    assert (await ask(client, assistant, stream=False)).status_code == 200
    assert sorted(use.tokens for use in await uses(api)) == [31, 1_000]


@pytest.mark.parametrize(
    ("values", "status", "field"),
    [
        ({"scope": "tenant"}, 422, "tokens"),
        ({"scope": "tenant", "tokens": 5, "space_id": "00000000-0000-0000-0000-000000000001"}, 404, "space_id"),
        ({"scope": "space", "tokens": 5, "space_id": "00000000-0000-0000-0000-000000000001"}, 404, "space_id"),
        ({"scope": "tenant", "cost": 5, "currency": "XXX"}, 422, "currency"),
    ],
)
async def test_what_makes_no_sense_is_refused(api: Api, values: dict[str, Any], status: int, field: str) -> None:
    answer = await (await api.client()).post(BUDGETS, json=values)
    assert (answer.status_code, answer.json()["field"]) == (status, field)


async def test_budgets_are_for_administrators(api: Api) -> None:
    client = await api.client()
    budget = await add(client, tokens=5, contact="")
    assert budget["contact"] == "owner@example.se"
    changed = await client.put(f"{BUDGETS}{budget['id']}/", json={"tokens": 7, "span": "week", "enabled": False})
    assert (changed.json()["tokens"], changed.json()["span"], changed.json()["enabled"]) == (7, "week", False)
    assert (await client.get("/api/v1/usage/budgets/")).json()["items"] == []
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    for answer in (
        await anna.get(BUDGETS),
        await anna.post(BUDGETS, json={"scope": "tenant", "tokens": 1}),
        await anna.delete(f"{BUDGETS}{budget['id']}/"),
    ):
        assert answer.status_code == 403
    assert (await client.delete(f"{BUDGETS}{budget['id']}/")).status_code == 204
    actions = [e.action for e in await api.entries(api.owner.tenant_id)]
    assert {"budget_created", "budget_updated", "budget_deleted"} <= set(actions)


def test_when_spans_begin_and_end() -> None:
    zone = ZoneInfo("Europe/Stockholm")
    moment = datetime(2026, 10, 25, 12, tzinfo=UTC)
    for span, begins, ends in (
        (Span.DAY, "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"),
        (Span.WEEK, "2026-10-19T00:00:00+02:00", "2026-10-26T00:00:00+01:00"),
        (Span.MONTH, "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"),
    ):
        begun = span.begins(moment, zone)
        assert (begun.isoformat(), span.ends(begun).isoformat()) == (begins, ends)


async def test_a_model_that_the_budget_still_allows_stands_in(api: Api, provider: Provider) -> None:
    client, _, assistant = await set_up(api, provider)
    dear = (await client.get(f"/api/v1/assistants/{assistant}/")).json()["completion_model"]["id"]
    free = await add_model(client, provider, "ok:5")
    path = f"/api/v1/admin/tenant-models/completion/{dear}/"
    assert (await client.put(path, json={"stand_ins": [free]})).status_code == 200
    note = [{"model": "ok:20", "trouble": "budget"}]

    async def asked() -> dict[str, Any]:
        answer = (await ask(client, assistant, stream=False)).json()
        session = (await client.get(f"/api/v1/conversations/{answer['session_id']}/")).json()
        return dict(session["messages"][-1])

    # The longest answer of the first may cost more than there is, so another one that may be had answers.
    budget = await add(client, cost="0.05")
    message = await asked()
    assert (message["completion_model"]["name"], message["attempts"]) == ("ok:5", note)
    # When no money is left at all, what costs none is asked at once.
    assert (await client.put(f"{BUDGETS}{budget['id']}/", json={"cost": "0"})).status_code == 200
    message = await asked()
    assert (message["completion_model"]["name"], message["attempts"]) == ("ok:5", note)
    assert provider.seen.calls == {"ok:5": 2}
    # Tokens are tokens, whoever makes them.
    await add(client, tokens=0)
    refused = await ask(client, assistant, stream=False)
    assert (refused.status_code, refused.json()["code"]) == (403, 9008)
    assert provider.seen.calls == {"ok:5": 2}
