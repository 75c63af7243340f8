"""Assistants are copied and moved; both sides must allow it, and nothing goes along that the other space may not use."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.kernel.actor import Actor
from tests.api.test_conversations import ask
from tests.support.api import Api, make_assistant, make_collection, make_space, publish


@dataclass(slots=True)
class House:
    """An assistant with everything, in the first of two spaces."""

    api: Api
    owner: httpx.AsyncClient
    space: str
    other: str
    collection: str
    assistant: str

    @property
    def url(self) -> str:
        return f"/api/v1/assistants/{self.assistant}/"

    async def member(self, name: str, **roles: str) -> httpx.AsyncClient:
        """A colleague with a role in `space` and one in `other`."""
        user = await self.api.user(f"{name}@example.se")
        for place, role in roles.items():
            body = {"id": str(user), "role": role}
            await self.owner.post(f"/api/v1/spaces/{getattr(self, place)}/members/", json=body)
        return await self.api.client(f"{name}@example.se")

    async def shown(self, assistant: str = "") -> dict[str, Any]:
        answer = await self.owner.get(f"/api/v1/assistants/{assistant or self.assistant}/")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def account(self, space: str = "") -> dict[str, Any]:
        answer = await self.owner.get(f"{self.url}transfer/account/", params={"target_space_id": space or self.other})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture
async def house(api: Api) -> House:
    owner = await api.client()
    space, other = await make_space(owner, "Bygg"), await make_space(owner, "Skola")
    collection = await make_collection(owner, space, "Taxor")
    assistant = await make_assistant(owner, space, collection)
    file = (await owner.post("/api/v1/files/", files={"upload_file": ("regler.txt", b"Regler")})).json()["id"]
    change = {
        "name": "Lovhjälpen", "description": "Om lov", "contact": "Bygg", "starter_questions": ["Vad kostar det?"],
        "completion_model_kwargs": {"temperature": 0.5}, "attachments": [{"id": file}], "insight_enabled": True,
        "data_retention_days": 9, "metadata_json": {"a": [1]}, "whole_documents": True,
        "answer_reuse": "same", "answer_reuse_hours": 9,
    }  # fmt: skip
    answer = await owner.post(f"/api/v1/assistants/{assistant}/", json=change)
    assert answer.status_code == 200, answer.text
    await publish(owner, assistant)
    return House(api, owner, space, other, collection, assistant)


SAME = (
    "description", "contact", "starter_questions", "completion_model_kwargs", "data_retention_days", "metadata_json",
    "whole_documents", "completion_model", "answer_reuse", "answer_reuse_hours",
)  # fmt: skip


async def test_a_copy_has_everything_but_what_takes_a_right_of_its_own(house: House) -> None:
    editor = await house.member("anna", space="editor")
    made = await editor.post(f"{house.url}duplicate/", json={})
    assert made.status_code == 201, made.text
    source, copy = await house.shown(), await house.shown(made.json()["id"])
    assert {n: copy[n] for n in SAME} == {n: source[n] for n in SAME}
    assert copy["name"] == "Lovhjälpen (2)"
    assert copy["prompt"]["text"] == source["prompt"]["text"]
    assert copy["prompt"]["id"] != source["prompt"]["id"]
    assert [f["id"] for f in copy["attachments"]] == [f["id"] for f in source["attachments"]]
    assert [g["id"] for g in copy["groups"]] == [house.collection]
    assert (copy["published"], copy["insight_enabled"], copy["user"]["email"]) == (False, False, "anna@example.se")
    # The two are apart from now on.
    await editor.post(f"/api/v1/assistants/{copy['id']}/", json={"prompt": {"text": "Annat."}, "metadata_json": {}})
    assert (await house.shown())["prompt"]["text"] == source["prompt"]["text"]
    [told] = [e for e in await house.api.entries(house.api.owner.tenant_id) if e.entity_id.__str__() == copy["id"]][:1]
    assert (told.action, told.description) == ("assistant_created", "Lovhjälpen (2) ← Lovhjälpen")


async def test_a_copy_in_another_space_leaves_out_what_may_not_be_used_there(house: House) -> None:
    body = {"space_id": house.other, "name": "Skolhjälpen"}
    copy = (await house.owner.post(f"{house.url}duplicate/", json=body)).json()
    assert (copy["space_id"], copy["name"], copy["groups"]) == (house.other, "Skolhjälpen", [])
    await house.owner.put(f"/api/v1/groups/{house.collection}/shares/{house.other}/")
    copy = (await house.owner.post(f"{house.url}duplicate/", json=body)).json()
    assert [g["id"] for g in copy["groups"]] == [house.collection]


async def test_what_becomes_of_it_is_told_before_and_comes_true(house: House) -> None:
    conversation = (await ask(house.owner, house.assistant, stream=False)).json()["session_id"]
    told = await house.account()
    assert [each["group_id"] for each in told["shareable"]] == [house.collection]
    assert (told["kept"], told["left"]) == ([], [])
    assert (told["becomes_draft"], told["insight_ends"], told["model_changes"]) == (True, False, False)
    moved = await house.owner.post(f"{house.url}transfer/", json={"target_space_id": house.other})
    assert moved.status_code == 204, moved.text
    found = await house.shown()
    assert (found["space_id"], found["groups"], found["published"]) == (house.other, [], False)
    assert [f["name"] for f in found["attachments"]] == ["regler.txt"]
    assert (await house.owner.get(f"/api/v1/conversations/{conversation}/")).status_code == 200
    again = await ask(house.owner, house.assistant, stream=False, session_id=conversation)
    assert again.status_code == 200, again.text
    [entry] = [e for e in await house.api.entries(house.api.owner.tenant_id) if e.action == "assistant_transferred"]
    assert entry.changes["old"] == {
        "space_id": house.space, "published": True, "collection_ids": [house.collection]
    }  # fmt: skip
    history = (await house.owner.get(f"{house.url}history/")).json()["items"]
    assert history[0]["action"] == "assistant_transferred"
    # Moving to where it is does nothing.
    assert (await house.owner.post(f"{house.url}transfer/", json={"target_space_id": house.other})).status_code == 204


async def test_sources_go_along_when_they_are_shared(house: House) -> None:
    body = {"target_space_id": house.other, "move_resources": True}
    assert (await house.owner.post(f"{house.url}transfer/", json=body)).status_code == 204
    assert [g["id"] for g in (await house.shown())["groups"]] == [house.collection]
    shares = (await house.owner.get(f"/api/v1/groups/{house.collection}/shares/")).json()["items"]
    assert [each["space_id"] for each in shares] == [house.other]


async def test_sources_that_one_may_not_share_stay_behind(house: House) -> None:
    third = await make_space(house.owner, "Vård")
    theirs = await make_collection(house.owner, third, "Journaler")
    await house.owner.put(f"/api/v1/groups/{theirs}/shares/{house.space}/")
    await house.owner.post(house.url, json={"groups": [{"id": theirs}, {"id": house.collection}]})
    editor = await house.member("anna", space="editor", other="editor")
    path = f"{house.url}transfer/account/"
    told = (await editor.get(path, params={"target_space_id": house.other})).json()
    assert [each["name"] for each in told["left"]] == ["Journaler"]
    assert [each["name"] for each in told["shareable"]] == ["Taxor"]
    assert told["insight_ends"] is True
    body = {"target_space_id": house.other, "move_resources": True}
    assert (await editor.post(f"{house.url}transfer/", json=body)).status_code == 204
    found = await house.shown()
    assert ([g["id"] for g in found["groups"]], found["insight_enabled"]) == ([house.collection], False)


async def test_both_sides_must_allow_it(house: House, other: Actor) -> None:
    stranger = await house.api.client(other.email)
    foreign = await make_space(stranger, "Grannen")
    cases: list[tuple[httpx.AsyncClient, str, int]] = [
        (await house.member("v1", space="viewer", other="editor"), house.other, 403),
        (await house.member("v2", space="editor", other="viewer"), house.other, 403),
        (await house.member("v3", space="editor"), house.other, 404),
        (await house.member("v4", other="editor"), house.other, 404),
        (stranger, foreign, 404), (house.owner, foreign, 404), (house.owner, str(uuid4()), 404),
    ]  # fmt: skip
    for client, space, expected in cases:
        for request in (
            client.post(f"{house.url}transfer/", json={"target_space_id": space, "move_resources": True}),
            client.post(f"{house.url}duplicate/", json={"space_id": space}),
            client.get(f"{house.url}transfer/account/", params={"target_space_id": space}),
        ):
            answer = await request
            assert answer.status_code == expected, (expected, answer.text)
    assert (await house.shown())["space_id"] == house.space
    default = (await house.owner.get(f"/api/v1/spaces/{house.space}/")).json()["default_assistant"]["id"]
    refused = await house.owner.post(f"/api/v1/assistants/{default}/transfer/", json={"target_space_id": house.other})
    assert refused.status_code == 403
    assert (await house.owner.post(f"/api/v1/assistants/{default}/duplicate/", json={})).status_code == 201
