"""The official OpenAI client talks to assistants as to models, and gets what everybody gets, and no more."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import func, select, update

from domain.assistants.entities import Assistant
from domain.conversations import saving
from domain.conversations.entities import Conversation, Message
from domain.conversations.views import Dialogue
from domain.kernel.clock import now
from storage.tables.assistants import assistants
from tests.api.test_budgets import add
from tests.api.test_conversations import with_documents
from tests.api.test_usage import answers, ledger, priced
from tests.support.api import Api, make_assistant, make_space, publish
from tests.support.provider import Provider

QUESTION: list[Any] = [{"role": "user", "content": "Vad kostar bygglov för en altan?"}]


async def key_of(client: httpx.AsyncClient, **more: Any) -> str:
    made = await client.post("/api/v1/api-keys/", json={"name": "Program", "scopes": ["ask"], **more})
    assert made.status_code in (200, 201), made.text
    return str(made.json()["key"])


def official(api: Api, key: str) -> AsyncOpenAI:
    """OpenAI's own client, over the application."""
    transport = httpx.ASGITransport(api.application, raise_app_exceptions=False)
    http = httpx.AsyncClient(transport=transport, base_url="http://localhost")
    return AsyncOpenAI(base_url="http://localhost/v1", api_key=key, http_client=http, max_retries=0)


async def kept(api: Api) -> int:
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        return await session.scalar(select(func.count()).select_from(Conversation)) or 0


async def test_an_assistant_answers_as_a_model(api: Api) -> None:
    client = await api.client()
    assistant = await with_documents(api, client)
    program = official(api, await key_of(client))
    found = {model.id async for model in program.models.list()}
    assert assistant in found
    assert (await program.models.retrieve(assistant)).owned_by == "samrad"
    answer = await program.chat.completions.create(model=assistant, messages=QUESTION)
    assert "4 300 kronor" in (answer.choices[0].message.content or "")
    assert (answer.choices[0].finish_reason, answer.object) == ("stop", "chat.completion")
    about: Any = answer.model_extra["samrad"] if answer.model_extra else {}
    assert about["sources"][0]["title"] == "Handbok.pdf"
    assert any(source["cited"] for source in about["sources"])
    # The program keeps its conversation itself: nothing of it stays here but the ledger.
    assert await kept(api) == 0
    assert [call.outcome for call in await answers(api)] == ["done"]


async def test_a_stream_with_usage_and_sources(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    await priced(client, provider, "ok:12", assistant)
    program = official(api, await key_of(client))
    stream = await program.chat.completions.create(
        model=assistant, messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "".join(f"w{n} " for n in range(12))
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (11, 12, 23)
    [call] = await answers(api)
    assert (call.tokens_in, call.tokens_out, call.api_key_id is not None, bool(call.cost)) == (11, 12, True, True)
    assert await kept(api) == 0


async def test_the_whole_conversation_reaches_the_model(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    await client.post(f"/api/v1/assistants/{assistant}/", json={"prompt": {"text": "Du är kommunens hjälp."}})
    await priced(client, provider, "ok:3", assistant)
    program = official(api, await key_of(client))
    conversation: list[Any] = [{"role": "system", "content": "Svara på lätt svenska."}]
    for turn in ("Hej!", "Vad kostar det?", "Och för två?"):
        conversation.append({"role": "user", "content": turn})
        answer = await program.chat.completions.create(
            model=assistant, messages=conversation, temperature=0.2, max_tokens=50
        )
        conversation.append({"role": "assistant", "content": answer.choices[0].message.content})
    sent = provider.seen.requests[-1]
    assert (sent["temperature"], sent["max_tokens"]) == (0.2, 50)
    assert "Du är kommunens hjälp." in sent["messages"][0]["content"]
    assert "Svara på lätt svenska." in sent["messages"][0]["content"]
    said = [message["content"] for message in sent["messages"][1:]]
    assert said[:4] == ["Hej!", "w0 w1 w2 ", "Vad kostar det?", "w0 w1 w2 "] or [s.strip() for s in said[:4]] == [
        "Hej!", "w0 w1 w2", "Vad kostar det?", "w0 w1 w2"
    ]  # fmt: skip
    assert "Och för två?" in said[4]


async def test_what_is_stored_is_an_ordinary_conversation(api: Api) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    program = official(api, await key_of(client))
    answer = await program.chat.completions.create(model=assistant, messages=QUESTION, store=True)
    about: Any = answer.model_extra["samrad"] if answer.model_extra else {}
    shown = (await client.get(f"/api/v1/conversations/{about['conversation_id']}/")).json()
    assert shown["messages"][0]["id"] == about["message_id"]


async def test_models_come_in_pages_without_those_that_cannot_answer(api: Api) -> None:
    client = await api.client()
    space = await make_space(client)
    made = sorted([await make_assistant(client, space) for _ in range(5)])
    await publish(client, made[1])
    without = await make_assistant(client, space)
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        bare = update(Assistant).where(assistants.c.id == UUID(without)).values(completion_model_id=None)
        await session.execute(bare)
        await session.commit()
    member = {"id": str(await api.user("anna@example.se")), "role": "viewer"}
    assert (await client.post(f"/api/v1/spaces/{space}/members/", json=member)).status_code == 200
    embedding = (await client.get("/api/v1/embedding-models/")).json()["items"][0]["id"]
    for who, wanted in ((client, [*made, embedding]), (await api.client("anna@example.se"), [made[1], embedding])):
        found: list[str] = []
        more = True
        while more:
            asked = {"limit": 2, **({"after": found[-1]} if found else {})}
            page = (await who.get("/v1/models", params=asked)).json()
            assert 1 <= len(page["data"]) <= 2
            found += [each["id"] for each in page["data"]]
            more = page["has_more"]
        assert found == sorted(wanted)
    assert (await client.get("/v1/models", params={"after": "gpt-4"})).status_code == 404


async def test_embeddings_as_numbers_and_as_base64(api: Api) -> None:
    client = await api.client()
    model = (await client.get("/api/v1/embedding-models/")).json()["items"][0]
    program = official(api, await key_of(client))
    # The official client asks for base64 and unpacks it, unless numbers are asked for.
    packed = await program.embeddings.create(model=model["name"], input=["Bygglov", "Skola"])
    plain = await program.embeddings.create(model=model["id"], input="Bygglov", encoding_format="float")
    assert [each.index for each in packed.data] == [0, 1]
    packed = await program.embeddings.create(model=model["name"], input="Bygglov")
    assert len(plain.data[0].embedding) == model["dimensions"]
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-5)
    assert packed.usage.prompt_tokens > 0
    calls = [call for call in await ledger(api) if call.kind == "embedding"]
    assert [(call.purpose, call.outcome) for call in calls] == [("program", "done")] * 3


async def test_errors_are_openais(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    await priced(client, provider, "err:500", assistant)
    program = official(api, await key_of(client))
    create: Any = program.chat.completions.create
    with pytest.raises(openai.NotFoundError) as missing:
        await create(model=str(uuid4()), messages=QUESTION)
    with pytest.raises(openai.NotFoundError) as unknown:
        await create(model="gpt-4o", messages=QUESTION)
    assert (unknown.value.code, missing.value.type) == ("model_not_found", "invalid_request_error")
    for extra in ({"tools": [{"type": "function", "function": {"name": "f"}}]}, {"n": 3}, {"temperature": 9}):
        with pytest.raises(openai.BadRequestError) as refused:
            await create(model=assistant, messages=QUESTION, **extra)
        assert refused.value.param == next(iter(extra))
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}]
    with pytest.raises(openai.BadRequestError):
        await create(model=assistant, messages=picture)
    with pytest.raises(openai.APIStatusError) as failed:
        await create(model=assistant, messages=QUESTION)
    assert "provider" in failed.value.message or "leverantör" in failed.value.message
    with pytest.raises(openai.AuthenticationError):
        await official(api, "inp_" + "x" * 40).models.list()
    await add(client, tokens=0)
    with pytest.raises(openai.RateLimitError) as used_up:
        await create(model=assistant, messages=QUESTION)
    assert used_up.value.code == "insufficient_quota"


async def test_an_error_within_a_stream(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    await priced(client, provider, "cut:4", assistant)
    stream = await official(api, await key_of(client)).chat.completions.create(
        model=assistant, messages=QUESTION, stream=True
    )
    seen: list[str] = []

    async def take() -> None:
        async for chunk in stream:
            seen.append(chunk.choices[0].delta.content or "")

    with pytest.raises(openai.APIError):
        await take()
    assert "".join(seen).startswith("w0 w1")


async def test_keys_reach_only_what_they_are_for(api: Api) -> None:
    client = await api.client()
    space = await make_space(client)
    assistant, other = await make_assistant(client, space), await make_assistant(client, space)
    with pytest.raises(openai.PermissionDeniedError):
        await official(api, await key_of(client, scopes=["read"])).chat.completions.create(
            model=assistant, messages=QUESTION
        )
    made = await client.post(f"/api/v1/assistants/{assistant}/api-keys/", json={"name": "Webben"})
    narrow = official(api, made.json()["key"])
    assert [model.id async for model in narrow.models.list()] == [assistant]
    assert (await narrow.chat.completions.create(model=assistant, messages=QUESTION)).choices
    with pytest.raises(openai.AuthenticationError):
        await narrow.chat.completions.create(model=other, messages=QUESTION)
    with pytest.raises(openai.AuthenticationError):
        await narrow.embeddings.create(model="multilingual-e5-small", input="x")
    # A colleague who is not in the space finds neither.
    await api.user("anna@example.se")
    annas = official(api, await key_of(await api.client("anna@example.se")))
    assert not {assistant, other} & {model.id async for model in annas.models.list()}
    with pytest.raises(openai.NotFoundError):
        await annas.chat.completions.create(model=assistant, messages=QUESTION)


async def test_nothing_stays_when_the_process_dies(
    api: Api, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This process gives no sign of life.
    monkeypatch.setattr(saving, "SAVE_SECONDS", 3600.0)
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    await priced(client, provider, "hang:3", assistant)
    conversations = api.runtime.services.conversations
    asked = await conversations.converse(api.owner, Dialogue(UUID(assistant), "Vad kostar det?"))
    assert await asyncio.to_thread(provider.wait_for_question)
    # As if another process had asked.
    run = conversations.runs._runs.pop(asked.message.id)
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        await session.execute(update(Message).values(heartbeat_at=now() - timedelta(hours=1)))
        await session.commit()
    assert await conversations.sweep(0) == 1
    assert await kept(api) == 0
    assert [call.outcome for call in await answers(api)] == ["interrupted"]
    run.stop.set()
    assert await asyncio.to_thread(provider.wait_for_disconnect)


async def test_who_goes_away_stops_the_answer(api: Api, provider: Provider) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    await priced(client, provider, "hang:3", assistant)
    program = official(api, await key_of(client))
    waiting = asyncio.create_task(program.chat.completions.create(model=assistant, messages=QUESTION))
    assert await asyncio.to_thread(provider.wait_for_question)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await asyncio.to_thread(provider.wait_for_disconnect)
    async with asyncio.timeout(10):
        while (await answers(api))[0].outcome == "running" or await kept(api):
            await asyncio.sleep(0.05)
    [call] = await answers(api)
    assert call.outcome == "stopped"
