"""Which model answers when one does not: other tries, stand-ins, models that rest, providers with limits."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from domain.conversations import attempts
from domain.conversations.entities import Message
from domain.usage.entities import ModelCall
from storage.tables.conversations import messages
from storage.tables.usage import model_calls
from tests.api.test_conversations import QUESTION, ask, with_documents
from tests.api.test_model_catalogue import add_model
from tests.api.test_usage import answers
from tests.support.api import Api, events_of, make_assistant, make_space
from tests.support.provider import Provider


async def english(api: Api) -> httpx.AsyncClient:
    await api.runtime.services.users.update_me(api.owner, {"language": "en"})
    return await api.client()


async def chain(client: httpx.AsyncClient, provider: Provider, *names: str, assistant: str | None = None) -> str:
    """An assistant with the first of these models, for which the others stand in; the id of the assistant."""
    ids = [await add_model(client, provider, name) for name in names]
    path = f"/api/v1/admin/tenant-models/completion/{ids[0]}/"
    assert (await client.put(path, json={"stand_ins": ids[1:]})).json()["stand_ins"] == ids[1:]
    assistant = assistant or await make_assistant(client, await make_space(client, f"Yta {names[0]}"))
    body = {"completion_model": {"id": ids[0]}}
    assert (await client.post(f"/api/v1/assistants/{assistant}/", json=body)).status_code == 200
    return assistant


async def done(client: httpx.AsyncClient, assistant_id: str, **more: Any) -> dict[str, Any]:
    """The last event of an answer, with the text."""
    events = events_of((await ask(client, assistant_id, version=1, **more)).text)
    text = "".join(e["data"]["answer"] for e in events if e["event"] == "text")
    return {**events[-1]["data"], "text": text, "session_id": events[0]["data"]["session_id"]}


async def message_of(client: httpx.AsyncClient, answer: dict[str, Any]) -> dict[str, Any]:
    session = (await client.get(f"/api/v1/conversations/{answer['session_id']}/")).json()
    found: dict[str, Any] = session["messages"][-1]
    return found


@pytest.mark.parametrize(
    ("first", "trouble", "calls"),
    [
        ("err:500", "down", 2),
        ("err:429", "busy", 2),
        ("err:429:60", "busy", 1),
        ("err:401", "key", 1),
        ("err:404", "unknown_model", 1),
        ("garbage:2", "garbage", 1),
        ("tool", "garbage", 1),
    ],
)
async def test_another_model_answers_before_the_first_word(
    api: Api, provider: Provider, first: str, trouble: str, calls: int
) -> None:
    client = await english(api)
    answer = await done(client, await chain(client, provider, first, "ok:5"))
    assert (answer["state"], answer["text"].split()) == ("done", [f"w{n}" for n in range(5)])
    assert answer["attempts"] == [{"model": first, "trouble": trouble}] * calls
    assert (provider.seen.calls[first], provider.seen.calls["ok:5"]) == (calls, 1)
    message = await message_of(client, answer)
    assert (message["completion_model"]["name"], message["attempts"]) == ("ok:5", answer["attempts"])
    # Each call has a row of its own, closed, and what was refused costs nothing.
    rows = [(row.model_name, row.outcome, row.tokens_out) for row in await answers(api)]
    assert rows == [(first, "failed", 0)] * calls + [("ok:5", "done", 5)]


async def test_a_model_that_does_not_begin_is_not_waited_for(
    api: Api, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for the question to reach the model on a busy machine.
    monkeypatch.setattr(attempts, "FIRST_WORD_SECONDS", 1.0)
    client = await english(api)
    answer = await done(client, await chain(client, provider, "slow:60", "ok:5"))
    assert (answer["state"], answer["attempts"]) == ("done", [{"model": "slow:60", "trouble": "silent"}])
    # It was left, not only forgotten.
    assert await asyncio.to_thread(provider.wait_for_disconnect)


async def test_what_passes_by_itself_is_asked_once_more(api: Api, provider: Provider) -> None:
    client = await english(api)
    answer = await done(client, await chain(client, provider, "retry:1"))
    assert (answer["state"], len(answer["attempts"]), provider.seen.calls["retry:1"]) == ("done", 1, 2)


async def test_a_request_that_is_refused_is_not_carried_elsewhere(api: Api, provider: Provider) -> None:
    client = await english(api)
    answer = await done(client, await chain(client, provider, "err:400", "ok:5"))
    assert (answer["state"], provider.seen.calls["ok:5"]) == ("failed", 0)


async def test_the_passages_fit_the_model_that_answers(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "err:401", "echo", assistant=await with_documents(api, client))
    answer = await done(client, assistant)
    assert (answer["state"], "[1]" in answer["text"]) == ("done", True)
    message = await message_of(client, answer)
    assert [r["metadata"]["title"] for r in message["references"]] == ["Handbok.pdf"]
    path = f"/api/v1/conversations/{answer['session_id']}/messages/{message['id']}/context/"
    # What is kept as the model's context is what the model was sent that answered.
    assert (await client.get(path)).json() == provider.seen.requests[-1]["messages"]


@pytest.mark.parametrize("first", ["cut:6", "cuterr:6", "spoil:6"])
async def test_an_answer_that_has_begun_goes_on_elsewhere_only_when_asked(
    api: Api, provider: Provider, first: str
) -> None:
    client = await english(api)
    answer = await done(client, await chain(client, provider, first, "ok:5"))
    begun = "w0 w1 w2 w3 w4 w5 "
    assert (answer["state"], answer["text"], provider.seen.calls["ok:5"]) == ("failed", begun, 0)
    message = await message_of(client, answer)
    path = f"/api/v1/conversations/{answer['session_id']}/messages/{message['id']}/continue/"
    events = events_of((await client.post(path, params={"elsewhere": True, "version": 1})).text)
    new = "".join(e["data"]["answer"] for e in events if e["event"] == "text")
    assert (events[-1]["data"]["state"], new) == ("done", "w0 w1 w2 w3 w4 ")
    whole = await message_of(client, answer)
    assert (whole["answer"], whole["completion_model"]["name"]) == (begun + new, "ok:5")
    again = await client.post(path)
    assert (again.status_code, "not interrupted" in again.json()["message"]) == (400, True)


async def test_only_models_of_the_same_region_stand_in(api: Api, provider: Provider) -> None:
    client = await english(api)
    here = await add_model(client, provider, "err:401", hosting="swe")
    europe = await add_model(client, provider, "ok:6", hosting="eu")
    america = await add_model(client, provider, "ok:5", hosting="usa")
    path = "/api/v1/admin/tenant-models/completion/{}/".format
    for model, other in ((here, europe), (here, america), (europe, america), (here, here)):
        refused = await client.put(path(model), json={"stand_ins": [other]})
        assert (refused.status_code, refused.json()["field"]) == (422, "stand_ins")
    assert (await client.put(path(america), json={"stand_ins": [europe, here]})).status_code == 200
    # A model that moves away afterwards is not asked either.
    assert (await client.put(path(europe), json={"stand_ins": [here]})).status_code == 200
    near = await add_model(client, provider, "ok:7", hosting="swe")
    assert (await client.put(path(here), json={"stand_ins": [near]})).status_code == 200
    assert (await client.put(path(near), json={"hosting": "usa"})).status_code == 200
    assistant = await make_assistant(client, await make_space(client))
    await client.post(f"/api/v1/assistants/{assistant}/", json={"completion_model": {"id": here}})
    assert (await done(client, assistant))["state"] == "failed"
    assert provider.seen.calls["ok:7"] == 0


async def test_models_that_were_switched_off_or_deleted_are_passed_over(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "err:401", "ok:5", "ok:6", "ok:7")
    known = {m["name"]: m["id"] for m in (await client.get("/api/v1/completion-models/")).json()["items"]}
    off = await client.post(f"/api/v1/completion-models/{known['ok:5']}/", json={"is_org_enabled": False})
    gone = await client.delete(f"/api/v1/admin/tenant-models/completion/{known['ok:6']}/")
    assert (off.status_code, gone.status_code) == (200, 200)
    answer = await done(client, assistant)
    assert (answer["state"], provider.seen.calls) == ("done", {"err:401": 1, "ok:7": 1})


async def test_the_cheapest_or_the_quickest_is_asked_first_where_editors_want_that(
    api: Api, provider: Provider
) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "rate:20:2", "ok:5", "ok:6")
    models = (await client.get("/api/v1/completion-models/")).json()["items"]
    known = {model["name"]: model["id"] for model in models}
    for name, amount in (("rate:20:2", 30), ("ok:5", 20), ("ok:6", 10)):
        body = {"valid_from": "2026-01-01", "input": amount, "output": amount}
        priced = await client.post(f"/api/v1/admin/models/{known[name]}/prices/", json=body)
        assert priced.status_code == 201, priced.text

    async def asked_first(preference: str) -> str:
        path = f"/api/v1/assistants/{assistant}/"
        assert (await client.post(path, json={"model_preference": preference})).status_code == 200
        answer = await done(client, assistant)
        assert answer["state"] == "done"
        return str((await message_of(client, answer))["completion_model"]["name"])

    assert await asked_first("order") == "rate:20:2"
    assert await asked_first("cost") == "ok:6"
    health = api.runtime.services.conversations.health
    for name, milliseconds in (("rate:20:2", 900), ("ok:5", 100), ("ok:6", 500)):
        for _ in range(50):
            health.began(UUID(known[name]), milliseconds)
    assert await asked_first("speed") == "ok:5"
    refused = await client.post(f"/api/v1/assistants/{assistant}/", json={"model_preference": "best"})
    assert (refused.status_code, refused.json()["field"]) == (422, "model_preference")
    # What the model of the assistant was set to goes along only where it is asked itself.
    own = (await client.get(f"/api/v1/assistants/{assistant}/")).json()["completion_model"]["id"]
    await client.put(f"/api/v1/admin/tenant-models/completion/{own}/", json={"reasoning": True})
    await client.post(f"/api/v1/assistants/{assistant}/", json={"completion_model_kwargs": {"reasoning_effort": "low"}})
    assert await asked_first("cost") == "ok:6"
    assert "reasoning_effort" not in provider.seen.requests[-1]


async def test_the_best_rated_is_asked_first_where_editors_want_that(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "ok:4", "ok:5", "ok:6")
    known = {m["name"]: m["id"] for m in (await client.get("/api/v1/completion-models/")).json()["items"]}
    path = f"/api/v1/assistants/{assistant}/"

    async def rated(*thumbs: int) -> str:
        """Which model answers; its answer gets these thumbs, the last of which stays."""
        answer = await done(client, assistant)
        message = await message_of(client, answer)
        for value in thumbs:
            body = {"value": value, "message_id": message["id"], "text": "Så är det"}
            feedback = f"/api/v1/conversations/{answer['session_id']}/feedback/"
            assert (await client.post(feedback, json=body)).status_code == 200
            assert (await message_of(client, answer))["feedback"] == {"value": value, "text": "Så är det"}
        return str(message["completion_model"]["name"])

    assert await rated(1) == "ok:4"
    assert (await client.post(path, json={"model_preference": "quality"})).status_code == 200
    # One good answer speaks for it, until two bad ones speak against it; nothing is known of the others.
    assert [await rated(1, -1), await rated(-1), await rated(1)] == ["ok:4", "ok:4", "ok:5"]
    assert await rated() == "ok:5"
    found = (await client.get("/api/v1/completion-models/ratings/")).json()
    expected = [(known["ok:4"], 1, 3), (known["ok:5"], 1, 1)]
    assert sorted((each["id"], each["good"], each["rated"]) for each in found) == sorted(expected)
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await anna.get("/api/v1/completion-models/ratings/")).status_code == 403
    # Of an answer in somebody else's conversation nobody says anything.
    answer = await done(client, assistant)
    message = await message_of(client, answer)
    theirs = (await anna.post("/api/v1/conversations/", json={"question": "Hej"})).json()
    body = {"value": 1, "message_id": message["id"]}
    for session in (answer["session_id"], theirs.get("session_id", answer["session_id"])):
        assert (await anna.post(f"/api/v1/conversations/{session}/feedback/", json=body)).status_code == 404


async def test_a_question_that_is_too_long_for_one_model_is_for_another(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "ok:4", "ok:5", "ok:6")
    known = {m["name"]: m["id"] for m in (await client.get("/api/v1/completion-models/")).json()["items"]}
    for name, limit in (("ok:4", 4_000), ("ok:5", 4_000), ("ok:6", 64_000)):
        set_to = await client.put(f"/api/v1/admin/tenant-models/completion/{known[name]}/", json={"token_limit": limit})
        assert set_to.status_code == 200, set_to.text
    answer = await done(client, assistant, question="Vad gäller för altaner? " * 1_000)
    message = await message_of(client, answer)
    assert (answer["state"], message["completion_model"]["name"]) == ("done", "ok:6")
    assert message["attempts"] == [{"model": "ok:4", "trouble": "length"}, {"model": "ok:5", "trouble": "length"}]


async def test_an_assistant_has_a_fallback_of_its_own(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "err:401", "ok:5")
    own = await add_model(client, provider, "ok:6", hosting="swe")
    away = await add_model(client, provider, "ok:7", hosting="usa")
    path = f"/api/v1/assistants/{assistant}/"
    mine = (await client.get(path)).json()["completion_model"]["id"]
    for wrong, status in ((away, 422), (mine, 422), ("00000000-0000-0000-0000-000000000001", 404)):
        refused = await client.post(path, json={"fallback_model_id": wrong})
        assert (refused.status_code, refused.json()["field"]) == (status, "fallback_model_id")
    changed = await client.post(path, json={"fallback_model_id": own})
    assert changed.json()["fallback_model_id"] == own
    # It comes before those that stand in for the model.
    answer = await done(client, assistant)
    assert (await message_of(client, answer))["completion_model"]["name"] == "ok:6"
    card = (await client.get(f"{path}transparency/")).json()
    assert [each["name"] for each in card["stand_ins"]] == ["ok:6", "ok:5"]
    # Whoever replaces that model replaces it here too; and the history tells it, with a way back.
    moved = await client.post(f"/api/v1/completion-models/{own}/migrate", json={"to_model_id": mine})
    assert moved.status_code == 200, moved.text
    assert (await client.get(path)).json()["fallback_model_id"] == mine
    answer = await done(client, assistant)
    assert (await message_of(client, answer))["completion_model"]["name"] == "ok:5"
    entries = (await client.get(f"{path}history/")).json()["items"]
    restored = await client.post(f"{path}history/{entries[1]['id']}/restore/")
    assert (restored.status_code, restored.json()["fallback_model_id"]) == (200, own)
    first = await client.post(f"{path}history/{entries[-1]['id']}/restore/")
    assert (first.status_code, first.json()["fallback_model_id"]) == (200, None)


async def test_stand_ins_are_for_administrators_to_choose(api: Api, provider: Provider) -> None:
    client = await english(api)
    models = [await add_model(client, provider, f"ok:{n}") for n in range(5, 10)]
    path = f"/api/v1/admin/tenant-models/completion/{models[0]}/"
    refused = await client.put(path, json={"stand_ins": models[1:]})
    assert (refused.status_code, refused.json()["field"]) == (422, "stand_ins")
    unknown = await client.put(path, json={"stand_ins": ["00000000-0000-0000-0000-000000000001"]})
    assert unknown.status_code == 404
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await anna.put(path, json={"stand_ins": models[1:2]})).status_code == 403


async def test_a_model_that_fails_again_and_again_is_left_alone(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await chain(client, provider, "err:500")
    assert [(await done(client, assistant))["state"] for _ in range(4)] == ["failed"] * 4
    # Three failures, and nobody calls it any more.
    assert provider.seen.calls["err:500"] == 3
    events = events_of((await ask(client, assistant, version=1)).text)
    [error] = [e for e in events if e["event"] == "error"]
    assert "left alone for" in error["data"]["error"]
    [health] = (await client.get("/api/v1/completion-models/health/")).json()
    assert (health["nickname"], health["trouble"], health["failures"]) == ("err:500", "down", 3)
    assert 0 < health["resting_seconds"] <= 15
    # A model that stands in for it is asked at once.
    other = await add_model(client, provider, "ok:5")
    path = f"/api/v1/admin/tenant-models/completion/{health['id']}/"
    assert (await client.put(path, json={"stand_ins": [other]})).status_code == 200
    answer = await done(client, assistant)
    assert (answer["state"], answer["attempts"]) == ("done", [{"model": "err:500", "trouble": "resting"}])
    assert provider.seen.calls["err:500"] == 3


async def test_a_provider_gets_no_more_calls_than_it_can_take(api: Api, provider: Provider) -> None:
    client = await english(api)
    config = {"endpoint": provider.url, "max_parallel": 2}
    server = {"name": "Liten", "provider_type": "openai_compatible", "config": config}
    added = (await client.post("/api/v1/admin/model-providers/", json=server)).json()
    assert added["config"]["max_parallel"] == 2
    model = await client.post(f"/api/v1/admin/model-providers/{added['id']}/models/", json={"name": "rate:40:4"})
    assistant = await make_assistant(client, await make_space(client))
    await client.post(f"/api/v1/assistants/{assistant}/", json={"completion_model": {"id": model.json()["id"]}})
    found = await asyncio.gather(*(done(client, assistant) for _ in range(8)))
    assert [each["state"] for each in found] == ["done"] * 8
    assert provider.seen.most_open == 2
    for wrong in (0, -1, "many", True):
        refused = await client.post(
            "/api/v1/admin/model-providers/", json={**server, "name": "X", "config": {**config, "max_parallel": wrong}}
        )
        assert (refused.status_code, refused.json()["field"]) == (422, "max_parallel")


async def test_two_hundred_answers_of_which_a_third_fail_leave_nothing_behind(api: Api, provider: Provider) -> None:
    client = await english(api)
    good = await chain(client, provider, "ok:20")
    replaced = await chain(client, provider, "err:401", "ok:7")
    cut = await chain(client, provider, "cut:6")
    found = await asyncio.gather(*(done(client, (good, cut, replaced)[n % 3]) for n in range(200)))
    states = {kind: {each["state"] for each in found[n::3]} for n, kind in enumerate(("good", "cut", "replaced"))}
    assert states == {"good": {"done"}, "cut": {"failed"}, "replaced": {"done"}}
    assert {each["text"].count("w") for each in found[1::3]} == {6}
    assert {each["text"].count("w") for each in found[2::3]} == {7}
    runs = api.runtime.services.conversations.runs
    async with asyncio.timeout(10):
        while len(runs) or any(t.get_name().startswith("answer ") for t in asyncio.all_tasks()):
            await asyncio.sleep(0.01)
        while provider.seen.open:
            await asyncio.sleep(0.01)
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        running = select(func.count()).select_from(Message).where(messages.c.state == "running")
        calls = select(func.count()).select_from(ModelCall).where(model_calls.c.outcome == "running")
        written = (
            select(func.sum(model_calls.c.tokens_out)).select_from(ModelCall).where(model_calls.c.outcome == "done")
        )
        assert (await session.scalar(running), await session.scalar(calls)) == (0, 0)
        # What the provider has counted: 67 answers of 20 words, 66 of 7.
        assert await session.scalar(written) == 67 * 20 + 66 * 7
    assert QUESTION in str(provider.seen.requests[0]["messages"])
