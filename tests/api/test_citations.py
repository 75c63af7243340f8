"""What an answer says is checked against what it cites, and everything that led to it is there to be read."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import func, select, update

from domain.conversations.entities import Explanation
from domain.conversations.explaining import as_sent
from domain.kernel.clock import now
from domain.knowledge.entities import Chunk, DocumentVersion, UnansweredQuestion
from domain.models.service import ProviderDraft
from domain.users.entities import PredefinedRole
from tests.api.test_conversations import use_model
from tests.support import documents
from tests.support.api import Api, events_of, make_assistant, make_collection, make_space, upload
from tests.support.provider import DIMS, Provider

QUESTION = "Vad kostar bygglov för en altan, och hur överklagar man?"
PAGES = [
    "Handbok om bygglov för handläggare i kommunen, med allt som gäller för ansökan.",
    "Avgiften för bygglov för en altan är 4 300 kronor och betalas innan beslutet. Ansökan görs på kommunens webbplats.",
    "Beslutet kan överklagas inom tre veckor hos länsstyrelsen. Överklagandet skickas till kommunen först.",
]
TRUTH = "Bygglov för en altan kostar 4 300 kronor i avgift"
LIE = "Avgiften för bygglov för en altan är 9 900 kronor"


async def asked(
    api: Api,
    client: httpx.AsyncClient,
    provider: Provider,
    script: str,
    pages: list[str] = PAGES,
    name: str = "Handbok.pdf",
) -> tuple[dict[str, Any], str]:
    """The end of an answer that says `script`, with {n} for the passage that holds the fee; and the document's id."""
    space_id = await make_space(client)
    collection_id = await make_collection(client, space_id)
    content = documents.pdf(pages) if name.endswith(".pdf") else "\n\n".join(pages).encode()
    await upload(client, collection_id, name, content)
    await api.work()
    assistant_id = await make_assistant(client, space_id, collection_id)
    await use_model(client, provider, "script", assistant_id)
    # Which number the passage gets is the search's affair: seek it first.
    found = await client.post(
        "/api/v1/search/", json={"query": QUESTION, "collection_ids": [collection_id], "limit": 10}
    )
    n = next(i["rank"] for i in found.json()["items"] if "4 300" in i["text"])
    provider.script = script.replace("{n}", str(n))
    body = {"assistant_id": assistant_id, "question": QUESTION, "stream": True}
    events = events_of((await client.post("/api/v1/conversations/", params={"version": 2}, json=body)).text)
    [item] = (await client.get(f"/api/v1/groups/{collection_id}/info-blobs/")).json()["items"]
    return events[-1]["data"] | {"n": n, "collection_id": collection_id, "assistant_id": assistant_id}, str(item["id"])


async def test_a_lie_is_not_found_and_the_truth_is_supported(api: Api, provider: Provider) -> None:
    client = await api.client()
    done, _ = await asked(api, client, provider, f"{TRUTH} [{{n}}]. {LIE} [{{n}}].")
    assert [c["verdict"] for c in done["citations"]] == ["supported", "not_found"]
    session = (await client.get(f"/api/v1/conversations/{done['session_id']}/")).json()
    [message] = session["messages"]
    assert message["citations"] == done["citations"]
    address = f"/api/v1/conversations/{done['session_id']}/messages/{done['id']}/sources/{done['n']}"
    supported = (await client.get(f"{address}/text/?citation=0")).json()
    [mark] = supported["marks"]
    assert supported["text"][mark["start"] : mark["end"]].startswith("Avgiften för bygglov")
    assert "webbplats" not in supported["text"][mark["start"] : mark["end"]]
    assert (supported["page"], supported["replaced"], supported["changed"]) == (2, False, False)
    lie = (await client.get(f"{address}/text/?citation=1")).json()
    assert lie["marks"] == []
    marked = await client.get(f"{address}/page/?citation=0")
    plain = await client.get(f"{address}/page/?citation=1")
    assert marked.content.startswith(b"\x89PNG")
    assert marked.content != plain.content


async def test_the_cited_version_stays_while_it_is_cited_and_goes_with_the_document(
    api: Api, provider: Provider
) -> None:
    client = await api.client()
    done, document_id = await asked(api, client, provider, f"{TRUTH} [{{n}}].")
    address = f"/api/v1/conversations/{done['session_id']}/messages/{done['id']}/sources/{done['n']}"
    before = await client.get(f"{address}/page/?citation=0")
    await upload(client, done["collection_id"], "Handbok.pdf", documents.pdf(["Allt är nytt. Avgiften är borttagen."]))
    await api.work()
    after = await client.get(f"{address}/page/?citation=0")
    assert after.content == before.content
    text = (await client.get(f"{address}/text/?citation=0")).json()
    assert (text["version"], text["replaced"]) == (1, True)
    assert "4 300" in text["text"]
    assert (await client.delete(f"/api/v1/info-blobs/{document_id}/")).status_code == 200
    for kind in ("page", "text"):
        assert (await client.get(f"{address}/{kind}/")).status_code == 404
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        for kind in (Chunk, DocumentVersion):
            assert await session.scalar(select(func.count()).select_from(kind)) == 0


async def test_a_text_without_pages_is_shown_with_its_passage_marked(api: Api, provider: Provider) -> None:
    client = await api.client()
    done, _ = await asked(api, client, provider, f"{TRUTH} [{{n}}].", name="Handbok.txt")
    address = f"/api/v1/conversations/{done['session_id']}/messages/{done['id']}/sources/{done['n']}"
    shown = (await client.get(f"{address}/text/?citation=0")).json()
    [mark] = shown["marks"]
    assert "4 300 kronor" in shown["text"][mark["start"] : mark["end"]]
    assert shown["page"] is None
    assert (await client.get(f"{address}/page/")).status_code == 404


async def test_what_a_model_was_sent_can_be_read_where_its_assistant_logs_it(api: Api, provider: Provider) -> None:
    client = await api.client()
    done, _ = await asked(api, client, provider, f"{TRUTH} [{{n}}].")
    address = f"/api/v1/logging/{done['id']}/"
    assert (await client.get(address)).status_code == 404
    log = {"logging_enabled": True}
    assert (await client.post(f"/api/v1/assistants/{done['assistant_id']}/", json=log)).status_code == 200
    logged = (await client.get(address)).json()
    [body] = [json.loads(raw) for raw in provider.seen.bodies if b'"messages":' in raw]
    assert logged["logging_details"]["json_body"] == body["messages"]
    assert body["messages"][0]["content"] in logged["logging_details"]["context"]
    assert (logged["question"], TRUTH in logged["answer"]) == (QUESTION, True)
    await api.user("anna@example.se")
    assert (await (await api.client("anna@example.se")).get(address)).status_code == 404


async def test_why_this_answer_holds_the_request_byte_for_byte(api: Api, provider: Provider) -> None:
    client = await api.client()
    done, _ = await asked(api, client, provider, f"{TRUTH} [{{n}}].")
    address = f"/api/v1/conversations/{done['session_id']}/messages/{done['id']}"
    kept = await client.get(f"{address}/context/")
    [body] = [raw for raw in provider.seen.bodies if b'"messages":' in raw]
    assert b'"messages":' + kept.content + b"," in body
    assert kept.content.decode() == as_sent(json.loads(body)["messages"])
    why = (await client.get(f"{address}/explanation/")).json()
    assert why["kept"] is True
    search = why["search"]
    assert search["query"]
    assert search["vectors"][0]["title"] == "Handbok.pdf"
    assert {row["page"] for row in search["words"]} <= {1, 2, 3}
    assert [row["rank"] for row in search["fused"]] == list(range(1, len(search["fused"]) + 1))
    assert [p["number"] for p in why["passages"]] == list(range(1, len(why["passages"]) + 1))
    assert (why["model"]["name"], why["model"]["tokens_question"], why["model"]["cost"]) == ("script", 11, None)
    assert {"retrieval_ms", "first_token_ms", "total_ms", "check_ms"} <= why["milliseconds"].keys()
    assert why["citations"] == done["citations"]


async def test_a_follow_up_keeps_its_own_context_and_all_goes_with_the_conversation(
    api: Api, provider: Provider
) -> None:
    client = await api.client()
    done, _ = await asked(api, client, provider, f"{TRUTH} [{{n}}].")
    body = {"session_id": done["session_id"], "question": "Och när betalar man?"}
    further = (await client.post("/api/v1/conversations/", json=body)).json()
    kept = await client.get(f"/api/v1/conversations/{done['session_id']}/messages/{further['id']}/context/")
    bodies = [raw for raw in provider.seen.bodies if b'"messages":' in raw]
    assert [b'"messages":' + kept.content + b"," in raw for raw in bodies] == [False, True]
    assert (await client.delete(f"/api/v1/conversations/{done['session_id']}/")).status_code == 204
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        assert await session.scalar(select(func.count()).select_from(Explanation)) == 0


async def test_nobody_else_reads_why(api: Api, provider: Provider) -> None:
    client = await api.client()
    done, _ = await asked(api, client, provider, f"{TRUTH} [{{n}}].")
    await api.user("anna@example.se", PredefinedRole.OWNER)
    anna = await api.client("anna@example.se")
    address = f"/api/v1/conversations/{done['session_id']}/messages/{done['id']}"
    for part in ("explanation", "context", "sources/1/text", "sources/1/page"):
        assert (await anna.get(f"{address}/{part}/")).status_code == 404


async def test_the_search_can_be_tried(api: Api) -> None:
    client = await api.client()
    space_id = await make_space(client)
    collection_id = await make_collection(client, space_id)
    other = await make_collection(client, space_id, "Tom")
    await upload(client, collection_id, "Handbok.pdf", documents.pdf(PAGES))
    await api.work()
    address = f"/api/v1/spaces/{space_id}/searches/"
    tried = (await client.post(address, json={"query": "Vad kostar bygglov?"})).json()
    assert tried["search"]["vectors"]
    assert tried["search"]["words"]
    assert tried["search"]["fused"]
    assert tried["search"]["milliseconds"]
    assert tried["passages"][0]["title"] == "Handbok.pdf"
    alone = (await client.post(address, json={"query": "Vad kostar bygglov?", "mode": "text"})).json()
    assert alone["search"]["vectors"] == []
    assert alone["search"]["words"]
    empty = (await client.post(address, json={"query": "bygglov", "collection_ids": [other]})).json()
    assert (empty["passages"], empty["search"]["fused"]) == ([], [])
    assert (await client.post(address, json={"query": " "})).status_code == 422


async def test_a_search_is_narrowed(api: Api) -> None:
    client = await api.client()
    space_id = await make_space(client)
    collection_id = await make_collection(client, space_id)
    # The shortest chunks there are: ninety of the usual length are embedded for ten seconds.
    size = {"chunk_tokens": 80}
    assert (await client.put(f"/api/v1/groups/{collection_id}/chunk-size/", json=size)).status_code == 200
    fee = "Bygglov söks hos kommunen, som prövar det och tar betalt för det. " * 4
    many = "\n\n".join(f"# Bygglov {number}\n\nBygglov nummer {number}. {fee}" for number in range(90))
    await upload(client, collection_id, "Handbok.md", many.encode())
    await upload(client, collection_id, "Parkering.txt", b"Parkering avgiftsbelagd dygnet runt vid torget.")
    await upload(
        client, collection_id, "Permits.html", b"<p>The building permit is what you ask the municipality for.</p>"
    )
    await api.work()
    listed = (await client.get(f"/api/v1/groups/{collection_id}/info-blobs/")).json()["items"]
    documents_by_title = {item["metadata"]["title"]: item for item in listed}
    far, near = documents_by_title["Parkering.txt"], documents_by_title["Handbok.md"]
    chunks = (await client.get(f"/api/v1/info-blobs/{near['id']}/chunks/?after=88&limit=1")).json()["items"]
    assert chunks, "the handbook alone fills the depth of the first look"
    tagged = await client.post(
        f"/api/v1/info-blobs/{far['id']}/", json={"metadata": {"tags": [" Nämnden ", "nämnden", "Beslut 2026"]}}
    )
    assert tagged.json()["metadata"]["tags"] == ["Nämnden", "Beslut 2026"]

    async def found(**narrowed: Any) -> list[str]:
        body = {"query": "bygglov nummer 3", "limit": 10, "filter": narrowed}
        tried = await client.post(f"/api/v1/spaces/{space_id}/searches/", json=body)
        assert tried.status_code == 200, tried.text
        again = await client.post("/api/v1/search/", json={**body, "space_id": space_id})
        titles = [passage["title"] for passage in tried.json()["passages"]]
        assert titles == [item["title"] for item in again.json()["items"]]
        return titles

    assert len(await found()) == 10
    assert await found(tags=["nämnden"]) == ["Parkering.txt"], "found below the depth of the first look"
    assert await found(tags=["nämnden", "annat"]) == []
    assert await found(types=["html"]) == ["Permits.html"]
    assert await found(languages=["en"]) == ["Permits.html"]
    assert await found(source="website") == []
    today = now().date()
    assert await found(since=str(today + timedelta(days=1))) == []
    assert await found(until=str(today - timedelta(days=1))) == []
    assert len(await found(since=str(today - timedelta(days=1)), until=str(today + timedelta(days=1)))) == 10
    wrong = {"query": "x", "filter": {"since": "2026-02-01", "until": "2026-01-01"}}
    assert (await client.post(f"/api/v1/spaces/{space_id}/searches/", json=wrong)).status_code == 422
    long = {"metadata": {"tags": ["x" * 51]}}
    assert (await client.post(f"/api/v1/info-blobs/{far['id']}/", json=long)).status_code == 422


async def test_without_the_embedding_model_words_are_sought_and_that_is_said(api: Api, provider: Provider) -> None:
    client = await api.client()
    models = api.runtime.services.models
    added = await models.add_provider(api.owner, ProviderDraft("Test", "openai_compatible", provider.url))
    model = await models.add_embedding_model(api.owner, added.id, "ok", dimensions=DIMS)
    space_id = await make_space(client)
    body = {"name": "Handbok", "embedding_model": {"id": str(model.id)}}
    made = await client.post(f"/api/v1/spaces/{space_id}/knowledge/groups/", json=body)
    assert made.status_code == 201, made.text
    collection_id = made.json()["id"]
    await upload(client, collection_id, "Handbok.pdf", documents.pdf(PAGES))
    await api.work()
    assistant_id = await make_assistant(client, space_id, collection_id)
    said = []
    for address in (provider.url, "http://127.0.0.1:9/v1"):
        moved = {"config": {"endpoint": address}}
        assert (await client.put(f"/api/v1/admin/model-providers/{added.id}/", json=moved)).status_code == 200
        question = {"assistant_id": assistant_id, "question": "Vad kostar bygglov?"}
        answer = (await client.post("/api/v1/conversations/", json=question)).json()
        place = f"/api/v1/conversations/{answer['session_id']}/messages/{answer['id']}/explanation/"
        search = (await client.get(place)).json()["search"]
        said.append((answer["words_only"], bool(answer["references"]), search["silent"], bool(search["vectors"])))
    assert said == [(False, True, [], True), (True, True, ["ok"], False)]
    alone = {"query": "bygglov", "mode": "vector"}
    refused = await client.post(f"/api/v1/spaces/{space_id}/searches/", json=alone)
    assert refused.status_code == 503


async def test_questions_without_an_answer_are_kept_only_where_that_is_switched_on(api: Api) -> None:
    client = await api.client()
    space_id = await make_space(client)
    collection_id = await make_collection(client, space_id)
    assistant_id = await make_assistant(client, space_id, collection_id)
    address = f"/api/v1/spaces/{space_id}/unanswered-questions/"

    async def ask(question: str) -> None:
        body = {"assistant_id": assistant_id, "question": question}
        assert (await client.post("/api/v1/conversations/", json=body)).status_code == 200

    await ask("Får man ha höns i tätort?")
    assert (await client.get(address)).json()["items"] == []
    switched = await client.post(f"/api/v1/assistants/{assistant_id}/", json={"insight_enabled": True})
    assert switched.status_code == 200, switched.text
    await asyncio.gather(ask("Får man ha höns i tätort?"), ask("Var hyr man en båt?"))
    await ask("får man ha höns i tätort")
    items = (await client.get(address)).json()["items"]
    assert {(i["question"], i["count"]) for i in items} == {
        ("Får man ha höns i tätort?", 2),
        ("Var hyr man en båt?", 1),
    }
    first = (await client.get(address, params={"limit": 1})).json()
    second = (await client.get(address, params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [first["items"][0]["question"], second["items"][0]["question"]] == [i["question"] for i in items]
    assert (await client.delete(f"{address}{items[0]['id']}/")).status_code == 204
    assert len((await client.get(address)).json()["items"]) == 1
    assert "unanswered_question_deleted" in [e.action for e in await api.entries(api.owner.tenant_id)]
    assert all("höns" not in repr(e.__dict__) for e in await api.entries(api.owner.tenant_id))
    await client.post(f"/api/v1/assistants/{assistant_id}/", json={"data_retention_days": 1})
    assert await api.runtime.services.unanswered.retain_everywhere() == 0
    statement = update(UnansweredQuestion).values(last_asked_at=now() - timedelta(days=2))
    async with api.runtime.database.session(api.owner.tenant_id, write=True) as session:
        await session.execute(statement)
        await session.commit()
    assert await api.runtime.services.unanswered.retain_everywhere() == 1
    assert (await client.get(address)).json()["items"] == []

    user_id = await api.user("anna@example.se", PredefinedRole.USER)
    await client.post(f"/api/v1/spaces/{space_id}/members/", json={"id": str(user_id), "role": "viewer"})
    anna = await api.client("anna@example.se")
    assert (await anna.get(address)).status_code == 404
    assert (await anna.post(f"/api/v1/spaces/{space_id}/searches/", json={"query": "x"})).status_code == 404
