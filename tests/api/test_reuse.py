"""Answers that are given again: where editors want it, and never to another question, of other knowledge, or to others."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from domain.conversations.entities import ReusableAnswer
from domain.conversations.reuse import alike
from domain.kernel.clock import now
from storage.search.analysis import stems
from storage.tables.conversations import reusable_answers
from tests.api.test_conversations import QUESTION, with_documents
from tests.api.test_model_catalogue import add_model
from tests.api.test_routing import done, english
from tests.support.api import Api, upload
from tests.support.provider import Provider


async def assistant_that(api: Api, client: httpx.AsyncClient, provider: Provider, reuse: str) -> str:
    """An assistant with documents that gives answers again; its model quotes the question."""
    assistant = await with_documents(api, client)
    model = await add_model(client, provider, "echo")
    body = {"completion_model": {"id": model}, "answer_reuse": reuse, "answer_reuse_hours": 2}
    changed = await client.post(f"/api/v1/assistants/{assistant}/", json=body)
    assert (changed.status_code, changed.json()["answer_reuse"]) == (200, reuse)
    return assistant


async def asked(client: httpx.AsyncClient, assistant: str, question: str = QUESTION, **more: Any) -> dict[str, Any]:
    return await done(client, assistant, question=question, **more)


async def test_the_same_question_gets_the_same_answer_with_its_sources(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await assistant_that(api, client, provider, "same")
    first, again = await asked(client, assistant), await asked(client, assistant)
    assert (first["reused"], again["reused"]["similar"]) == (None, False)
    assert (again["state"], again["text"], provider.seen.calls["echo"]) == ("done", first["text"], 1)
    assert [r["id"] for r in again["references"]] == [r["id"] for r in first["references"]] != []
    # With one word changed it is another question.
    other = await asked(client, assistant, "Vad kostar bygglov för en veranda?")
    assert (other["reused"], provider.seen.calls["echo"]) == (None, 2)
    session = (await client.get(f"/api/v1/conversations/{again['session_id']}/")).json()
    assert session["messages"][0]["references"]
    usage = (await client.get("/api/v1/usage/", params={"group": "model"})).json()["items"]
    assert [u["calls"] for u in usage if u["name"] == "echo"] == [2]


async def test_a_question_in_other_words_gets_it_where_editors_want_that(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await assistant_that(api, client, provider, "similar")
    first = await asked(client, assistant)
    again = await asked(client, assistant, "Vad kostar ett bygglov för altanen?")
    assert (again["reused"]["similar"], again["text"]) == (True, first["text"])
    for other in (
        "Vad kostar bygglov för två altaner?",
        "Vad kostar inte bygglov för en altan?",
        "Vem kostar bygglov för en altan som är från 2019?",
        "Vad kostar rivningslov för en altan?",
    ):
        assert (await asked(client, assistant, other))["reused"] is None, other
    await client.post(f"/api/v1/assistants/{assistant}/", json={"answer_reuse": "same"})
    assert (await asked(client, assistant, "Vad kostar ett bygglov för altaner?"))["reused"] is None


async def test_what_has_changed_meanwhile_is_answered_anew(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await assistant_that(api, client, provider, "similar")
    await asked(client, assistant)
    path = f"/api/v1/assistants/{assistant}/"
    await client.post(path, json={"prompt": {"text": "Svara utförligt."}})
    assert (await asked(client, assistant))["reused"] is None
    await client.post(path, json={"completion_model_kwargs": {"temperature": 0.1}})
    assert (await asked(client, assistant))["reused"] is None
    collection = (await client.get(path)).json()["groups"][0]["id"]
    await upload(
        client, collection, "Taxa.txt", b"Avgiften for bygglov for en altan ar 5 000 kronor. Vad kostar bygglov?"
    )
    await api.work()
    assert (await asked(client, assistant))["reused"] is None
    assert (await asked(client, assistant))["reused"] is not None


async def test_it_is_asked_again_when_somebody_wants_that_or_found_it_bad(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await assistant_that(api, client, provider, "same")
    first = await asked(client, assistant)
    await api.runtime.services.conversations.regenerate(api.owner, await newest(client, first))
    runs = api.runtime.services.conversations.runs
    for task in list(runs._tasks):
        await task
    assert provider.seen.calls["echo"] == 2
    body = {"value": -1, "text": "Fel."}
    again = await asked(client, assistant)
    assert again["reused"] is not None
    # The answer that was made anew is the one that is given; once it is called bad, it is not.
    await api.runtime.services.conversations.rate(api.owner, -1, body["text"], message_id=await newest(client, first))
    assert (await asked(client, assistant))["reused"] is None


async def newest(client: httpx.AsyncClient, answer: dict[str, Any]) -> Any:
    from uuid import UUID

    session = (await client.get(f"/api/v1/conversations/{answer['session_id']}/")).json()
    return UUID(session["messages"][-1]["id"])


async def test_it_goes_with_its_conversation_and_its_time(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await assistant_that(api, client, provider, "same")
    first = await asked(client, assistant)
    assert (await client.delete(f"/api/v1/conversations/{first['session_id']}/")).status_code == 204
    assert (await asked(client, assistant))["reused"] is None
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        old = now() - timedelta(hours=3)
        await session.execute(update(ReusableAnswer).values(created_at=old))
        await session.commit()
    assert (await asked(client, assistant))["reused"] is None
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        # What is too old is not even kept.
        assert await session.scalar(select(func.count()).select_from(ReusableAnswer)) == 1
        assert await session.scalar(select(reusable_answers.c.same).select_from(ReusableAnswer)) is not None


async def test_files_and_conversations_that_are_under_way_are_their_own(api: Api, provider: Provider) -> None:
    client = await english(api)
    assistant = await assistant_that(api, client, provider, "similar")
    sent = await client.post(
        "/api/v1/files/", files={"upload_file": ("egen.txt", b"Mina egna uppgifter.", "text/plain")}
    )
    assert sent.status_code == 200, sent.text
    for _ in range(2):
        assert (await asked(client, assistant, files=[{"id": sent.json()["id"]}]))["reused"] is None
    first = await asked(client, assistant)
    body = {"session_id": first["session_id"], "question": "Vad kostar ett bygglov för altanen?", "stream": False}
    assert (await client.post("/api/v1/conversations/", json=body)).json()["reused"] is None


@pytest.mark.parametrize("change", [{"answer_reuse": "always"}, {"answer_reuse_hours": 0}, {"answer_reuse_hours": 721}])
async def test_settings_that_make_no_sense_are_refused(api: Api, change: dict[str, Any]) -> None:
    client = await api.client()
    assistant = await with_documents(api, client)
    refused = await client.post(f"/api/v1/assistants/{assistant}/", json=change)
    assert (refused.status_code, refused.json()["field"]) == (422, next(iter(change)))


@pytest.mark.parametrize(
    ("question", "other", "same"),
    [
        ("Vad kostar bygglov för en altan?", "Vad kostar ett bygglov för altanen?", True),
        ("När stänger biblioteket?", "Hej! När stänger bibliotek då?", True),
        ("Vem beslutar om bygglov?", "När beslutar ni om bygglov?", False),
        ("Får man bygga?", "Måste man bygga?", False),
        ("Går bussen från Malmö?", "Går bussen till Malmö?", False),
        ("Vad är det?", "Vem är du?", False),
        ("", "", False),
        ("Får Anna flytta till Bo?", "Får Bo flytta till Anna?", False),
        ("Gäller det inom 3 veckor?", "Gäller det inom 2 veckor?", False),
        ("Får man bygga utan lov?", "Får man bygga med lov?", False),
        ("Vad gäller för Storgatan?", "Vad gäller för Lillgatan?", False),
        ("Vad kostar 25 kvm?", "Vad kostar 35 kvm?", False),
    ],
)
def test_only_what_says_the_same_is_alike(question: str, other: str, same: bool) -> None:
    assert alike(question, other, stems) is same
