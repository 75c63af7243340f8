"""What everybody who may ask an assistant may know of it, and that conversations go when it says so."""

from datetime import timedelta
from uuid import UUID

import httpx
from sqlalchemy import update

from domain.conversations.entities import Conversation
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from tests.api.test_conversations import ask, use_model
from tests.support.api import Api, make_assistant, make_collection, make_space, publish
from tests.support.provider import Provider


async def card_of(client: httpx.AsyncClient, assistant: str) -> dict[str, object]:
    answer = await client.get(f"/api/v1/assistants/{assistant}/transparency/")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_viewer_learns_who_answers_for_it_what_it_reads_and_what_is_kept(
    api: Api, other: Actor, provider: Provider
) -> None:
    owner = await api.client()
    space = await make_space(owner)
    assistant = await make_assistant(owner, space, await make_collection(owner, space, "Taxor"))
    file = (await owner.post("/api/v1/files/", files={"upload_file": ("regler.txt", b"Regler")})).json()["id"]
    change = {"description": "Om bygglov", "contact": "Byggenheten", "attachments": [{"id": file}]}
    assert (await owner.post(f"/api/v1/assistants/{assistant}/", json=change)).status_code == 200
    await use_model(owner, provider, "ok:1", assistant)
    anna = await api.user("anna@example.se")
    await owner.post(f"/api/v1/spaces/{space}/members/", json={"id": str(anna), "role": "viewer"})
    viewer, stranger = await api.client("anna@example.se"), await api.client(other.email)
    path = f"/api/v1/assistants/{assistant}/transparency/"
    assert (await viewer.get(path)).status_code == 404
    await publish(owner, assistant)
    assert (await stranger.get(path)).status_code == 404
    card = await card_of(viewer, assistant)
    assert card["responsible"] == {"owner": "owner", "contact": "Byggenheten"}
    assert card["collections"] == [{"name": "Taxor", "url": None}]
    assert card["attachments"] == [{"name": "regler.txt", "url": None}]
    model = dict(card["model"] or {})  # type: ignore[call-overload]
    assert (model["name"], model["hosting"], model["provider"], model["usable"]) == (
        "ok:1", "swe", "Server ok:1", True,
    )  # fmt: skip
    assert card["stand_ins"] == []
    models = {m["name"]: m["id"] for m in (await owner.get("/api/v1/completion-models/")).json()["items"]}
    named = {"stand_ins": [models["extractive"]]}
    await owner.put(f"/api/v1/admin/tenant-models/completion/{models['ok:1']}/", json=named)
    assert [m["provider"] for m in (await card_of(viewer, assistant))["stand_ins"]] == ["Samråd"]  # type: ignore[attr-defined]
    assert (card["keep_days"], card["readable_by_others"], card["keeps_unanswered"]) == (None, False, False)
    await owner.patch(f"/api/v1/spaces/{space}/", json={"data_retention_days": 30})
    assert (await card_of(viewer, assistant))["keep_days"] == 30
    assert card["gives_answers_again"] is False
    more = {"data_retention_days": 7, "insight_enabled": True, "answer_reuse": "same"}
    await owner.post(f"/api/v1/assistants/{assistant}/", json=more)
    card = await card_of(viewer, assistant)
    assert (card["keep_days"], card["keeps_unanswered"], card["gives_answers_again"]) == (7, True, True)


async def _age(api: Api, conversation: str, days: int) -> None:
    statement = update(Conversation).where(Conversation.id == UUID(conversation))  # type: ignore[arg-type]
    async with api.runtime.database.session(api.owner.tenant_id, write=True) as session:
        await session.execute(statement.values(last_message_at=now() - timedelta(days=days)))
        await session.commit()


async def test_conversations_go_when_their_time_is_over(api: Api) -> None:
    owner = await api.client()
    spaces = [await make_space(owner, name) for name in ("Bygg", "Skola")]
    assistants = [await make_assistant(owner, space) for space in spaces]
    kept = []
    for assistant in assistants:
        for age in (5, 40):
            answer = await ask(owner, assistant, stream=False)
            kept.append((assistant, age, answer.json()["session_id"]))
            await _age(api, answer.json()["session_id"], age)
    retain = api.runtime.services.retention.retain_everywhere
    assert await retain() == 0
    await owner.patch(f"/api/v1/spaces/{spaces[0]}/", json={"data_retention_days": 30})
    assert await retain() == 1

    async def alive() -> list[tuple[int, int]]:
        found = [(a, age, (await owner.get(f"/api/v1/conversations/{c}/")).status_code) for a, age, c in kept]
        return [(assistants.index(a), age) for a, age, status in found if status == 200]

    assert await alive() == [(0, 5), (1, 5), (1, 40)]
    # What the assistant says counts before what the space says.
    await owner.post(f"/api/v1/assistants/{assistants[0]}/", json={"data_retention_days": 3})
    assert await retain() == 1
    assert await alive() == [(1, 5), (1, 40)]
    told = [e for e in await api.entries(api.owner.tenant_id) if e.action == "retention_policy_applied"]
    assert [e.changes["new"] for e in told] == [{"removed": 1, "retention_days": d} for d in (30, 3)]
