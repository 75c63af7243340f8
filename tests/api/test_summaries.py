"""Long conversations: what was said first is summed up, shown, and told to the model in place of the words."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.api.test_model_catalogue import add_model
from tests.api.test_routing import english
from tests.support.api import Api, make_assistant, make_space
from tests.support.provider import Provider

TOLD = "Sum up what we have said so far."


async def small(client: httpx.AsyncClient, provider: Provider, name: str = "ok:150") -> str:
    """An assistant whose model has a small window."""
    model = await add_model(client, provider, name, token_limit=4_000)
    assistant = await make_assistant(client, await make_space(client, f"Yta {name}"))
    body = {"completion_model": {"id": model}}
    assert (await client.post(f"/api/v1/assistants/{assistant}/", json=body)).status_code == 200
    return assistant


async def ask(api: Api, client: httpx.AsyncClient, question: str, **target: Any) -> dict[str, Any]:
    """Ask, and wait until everything that follows the answer is done."""
    answer = await client.post("/api/v1/conversations/", json={"question": question, **target})
    assert answer.status_code == 200, answer.text
    await asyncio.gather(*api.runtime.services.conversations.runs._tasks)
    return dict(answer.json())


async def shown(client: httpx.AsyncClient, session: str) -> list[dict[str, Any]]:
    return list((await client.get(f"/api/v1/conversations/{session}/")).json()["messages"])


def last_sent(provider: Provider) -> list[dict[str, Any]]:
    return list(json.loads(provider.seen.bodies[-1])["messages"])


async def test_a_long_conversation_goes_on_with_a_summary(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await small(client, provider)
    session = (await ask(api, client, "Den första frågan?", assistant_id=assistant))["session_id"]
    assert [m["summary"] for m in await shown(client, session)] == [None]
    await ask(api, client, "Den andra frågan?", session_id=session)
    first, second = await shown(client, session)
    assert second["summary"] is None
    assert first["summary"] == first["answer"].strip()
    # The summary was asked for with what it covers, and nothing more.
    asked = last_sent(provider)
    assert [m["content"] for m in asked[1:]] == ["Den första frågan?", first["answer"], TOLD]

    await ask(api, client, "Den tredje frågan?", session_id=session)
    [answering] = [b for b in map(json.loads, provider.seen.bodies) if "tredje" in str(b["messages"][-1]["content"])]
    told = [m["content"] for m in answering["messages"] if m["role"] != "system"]
    assert told[:4] == [TOLD, first["summary"], "Den andra frågan?", second["answer"]]
    assert not any("första" in text for text in told)

    calls = (await client.get("/api/v1/usage/calls/")).json()["items"]
    summaries = [c for c in calls if c["purpose"] == "summary"]
    assert len(summaries) >= 1
    assert all(c["conversation_id"] == session and c["outcome"] == "done" for c in summaries)


async def test_a_branch_has_the_summary_of_what_came_before_it(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await small(client, provider)
    session = (await ask(api, client, "Den första frågan?", assistant_id=assistant))["session_id"]
    await ask(api, client, "Den andra frågan?", session_id=session)
    first, second = await shown(client, session)
    assert first["summary"]
    await ask(api, client, "Den andra, i andra ord?", session_id=session, replaces=second["id"])
    [answering] = [b for b in map(json.loads, provider.seen.bodies) if "i andra ord" in str(b["messages"][-1])]
    assert [m["content"] for m in answering["messages"] if m["role"] != "system"][:2] == [TOLD, first["summary"]]
    await ask(api, client, "Den första, i nya ord?", session_id=session, replaces=first["id"])
    [answering] = [b for b in map(json.loads, provider.seen.bodies) if "i nya ord" in str(b["messages"][-1])]
    assert len([m for m in answering["messages"] if m["role"] != "system"]) == 1


@pytest.mark.parametrize("model", ["think:300:0", "garbage:2"])
async def test_a_conversation_goes_on_when_it_cannot_be_summed_up(api: Api, provider: Provider, model: str) -> None:
    client = await english(api)
    assistant = await small(client, provider)
    session = (await ask(api, client, "Den första frågan?", assistant_id=assistant))["session_id"]
    provider.sums_up = model
    await ask(api, client, "Den andra frågan?", session_id=session)
    assert provider.seen.requests[-1]["messages"][-1]["content"] == TOLD
    assert [m["summary"] for m in await shown(client, session)] == [None, None]
    third = await ask(api, client, "Den tredje frågan?", session_id=session)
    assert third["state"] == "done"
