"""Providers that do not answer, each in its own way: a question ends in a sentence, others take over, nothing is stuck."""

import asyncio
import time
from collections import Counter
from typing import Any, cast
from uuid import UUID

import httpx
import pytest

from app.ai import openai_client, openai_stream
from domain.conversations import attempts
from domain.jobs.entities import JobState
from domain.kernel.errors import Trouble
from domain.models.health import FAILURES
from domain.models.service import ProviderDraft
from tests.api.test_conversations import ask
from tests.api.test_routing import chain, done, english, message_of
from tests.support.api import Api, events_of, make_collection, make_space, upload
from tests.support.black_hole import KINDS, silent
from tests.support.provider import DIMS, Provider
from tests.support.worker import until

pytestmark = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
PATIENCE = 0.6
BOUND_SECONDS = 20.0
TROUBLE = {
    "silent": Trouble.SILENT, "alive": Trouble.SILENT, "refused": Trouble.UNREACHABLE, "dropped": Trouble.UNREACHABLE,
}  # fmt: skip
SENTENCE = {
    Trouble.SILENT: ("did not answer in time", "did not begin to answer"),
    Trouble.UNREACHABLE: ("cannot be reached",),
}


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for is waited for less long; everything else is as it is."""
    for name in ("CONNECT_SECONDS", "SILENCE_SECONDS", "ANSWER_SECONDS"):
        for module in (openai_client, openai_stream):
            monkeypatch.setattr(module, name, PATIENCE, raising=False)
    monkeypatch.setattr(attempts, "ALONE_SECONDS", PATIENCE * 2)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_question_ends_in_a_sentence_and_the_model_rests(api: Api, kind: str) -> None:
    client = await english(api)
    async with KINDS[kind]() as hole:
        assistant = await chain(client, cast("Provider", hole), "ok:5")
        began, troubles = time.monotonic(), Counter[str]()
        while troubles[TROUBLE[kind]] < FAILURES:
            answer = await done(client, assistant)
            assert (answer["state"], answer["text"]) == ("failed", "")
            tried = [each["trouble"] for each in answer["attempts"]]
            told = (await message_of(client, answer))["error"]
            if not troubles:
                assert any(words in told for words in SENTENCE[TROUBLE[kind]]), told
                # Who took a question and was silent is not asked the same again.
                assert tried == [TROUBLE[kind]] * (1 if TROUBLE[kind] is Trouble.SILENT else 2)
            troubles.update(tried)
        assert set(troubles) <= {TROUBLE[kind], Trouble.RESTING}
        assert time.monotonic() - began < BOUND_SECONDS
        calls = hole.calls
        resting = await done(client, assistant)
        assert "left alone" in (await message_of(client, resting))["error"]
        assert hole.calls == calls
    assert not api.runtime.services.conversations.runs._runs


@pytest.mark.parametrize("kind", KINDS)
async def test_another_model_takes_over(
    api: Api, provider: Provider, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "FIRST_WORD_SECONDS", PATIENCE * 2)
    client = await english(api)
    async with KINDS[kind]() as hole:
        assistant = await chain(client, cast("Provider", hole), "ok:7")
        other = await chain(client, provider, "ok:5")
        ids = [await _model_of(client, each) for each in (assistant, other)]
        path = f"/api/v1/admin/tenant-models/completion/{ids[0]}/"
        assert (await client.put(path, json={"stand_ins": ids[1:]})).status_code == 200
        answer = await done(client, assistant)
    assert (answer["state"], answer["text"].split()) == ("done", [f"w{n}" for n in range(5)])
    assert {each["trouble"] for each in answer["attempts"]} == {TROUBLE[kind]}


async def _model_of(client: httpx.AsyncClient, assistant_id: str) -> str:
    found: dict[str, Any] = (await client.get(f"/api/v1/assistants/{assistant_id}/")).json()
    return str(found["completion_model"]["id"])


async def test_one_can_stop_while_nothing_comes(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_stream, "SILENCE_SECONDS", 120.0)
    monkeypatch.setattr(attempts, "ALONE_SECONDS", 300.0)
    client = await english(api)
    async with silent() as hole:
        assistant = await chain(client, cast("Provider", hole), "ok:5")
        asking = asyncio.create_task(ask(client, assistant, version=1))

        async def asked() -> bool:
            return hole.calls > 0

        await until(asked)
        conversations = api.runtime.services.conversations
        [run] = conversations.runs._runs.values()
        view = await conversations.message(api.owner, run.message_id)
        began = time.monotonic()
        path = f"/api/v1/conversations/{view.message.conversation_id}/messages/{run.message_id}/stop/"
        assert (await client.post(path)).status_code == 204
        events = events_of((await asking).text)
        assert events[-1]["data"]["state"] == "stopped"
        assert time.monotonic() - began < BOUND_SECONDS


async def test_a_document_waits_for_its_embedding_model_and_is_read_when_it_is_back(
    api: Api, provider: Provider
) -> None:
    client, models = await english(api), api.runtime.services.models
    async with silent() as hole:
        added = await models.add_provider(api.owner, ProviderDraft("Tyst", "openai_compatible", hole.url))
        model = await models.add_embedding_model(api.owner, added.id, "ok", dimensions=DIMS)
        space = await make_space(client)
        collection = await make_collection(client, space)
        body = {"name": "Tyst", "embedding_model": {"id": str(model.id)}}
        made = await client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json=body)
        assert made.status_code == 201, made.text
        collection = made.json()["id"]
        job_id = UUID((await upload(client, collection, "a.txt", b"Avgiften till 300 kronor.")).json()["id"])
        await api.work()
        waiting = await api.runtime.services.jobs.get(api.owner, job_id)
        assert (waiting.state, waiting.attempt, hole.calls) == (JobState.QUEUED, 1, 1)
        assert waiting.error == openai_client.MUTE
    path = f"/api/v1/admin/model-providers/{added.id}/"
    assert (await client.put(path, json={"config": {"endpoint": provider.url}})).status_code == 200

    async def read() -> bool:
        await api.work()
        return (await api.runtime.services.jobs.get(api.owner, job_id)).state == JobState.DONE

    await until(read)
