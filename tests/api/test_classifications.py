"""Security classes: a space is served by models of its level or above wherever one is chosen or used, never silently."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest

from domain.kernel.errors import NotApproved
from domain.models.service import ProviderDraft
from domain.users.entities import PredefinedRole
from tests.api.test_conversations import ask
from tests.api.test_model_catalogue import add_model
from tests.support import more_documents
from tests.support.api import Api, make_assistant, make_collection, make_space, upload
from tests.support.provider import DIMS, Provider

CLASSES = "/api/v1/security-classifications/"
SECRET = "Kaffeautomaten kostar tolv kronor."


@dataclass(slots=True)
class House:
    """Three classes; a model that is trusted up to each; two spaces with an assistant each, the first with a collection."""

    api: Api
    client: httpx.AsyncClient
    provider: Provider
    classes: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    space: str = ""
    other: str = ""
    collection: str = ""
    assistant: str = ""
    builtin: str = ""

    async def patch(self, path: str, **body: Any) -> httpx.Response:
        return await self.client.patch(path, json=body)

    async def classify(self, space: str, name: str | None, token: str | None = None) -> httpx.Response:
        chosen = {"id": self.classes[name]} if name else None
        return await self.patch(f"/api/v1/spaces/{space}/", security_classification=chosen, impact_token=token)

    async def impact(self, name: str, space: str = "") -> dict[str, Any]:
        path = f"/api/v1/spaces/{space or self.space}/security_classification/{self.classes[name]}/impact-analysis/"
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def classified(self, name: str, space: str = "") -> None:
        """A space, else the first, gets a class, whatever that takes away."""
        answer = await self.classify(space or self.space, name, (await self.impact(name, space))["impact_token"])
        assert answer.status_code == 200, answer.text

    async def trust(self, kind: str, model: str, name: str | None, **more: Any) -> httpx.Response:
        chosen = {"id": self.classes[name]} if name else None
        return await self.client.post(
            f"/api/v1/{kind}-models/{model}/", json={"security_classification": chosen, **more}
        )

    async def choose(self, model: str, assistant: str = "") -> httpx.Response:
        body = {"completion_model": {"id": model}}
        return await self.client.post(f"/api/v1/assistants/{assistant or self.assistant}/", json=body)

    async def reads(self) -> None:
        """The collection gets a document."""
        assert (await upload(self.client, self.collection, "kaffe.txt", SECRET.encode())).status_code == 202
        await self.api.work()

    async def embedding_model(self) -> str:
        models = (await self.client.get("/api/v1/embedding-models/")).json()["items"]
        return next(str(each["id"]) for each in models if each["is_org_enabled"])


@pytest.fixture
async def house(api: Api, provider: Provider) -> House:
    client = await api.client()
    client.headers["accept-language"] = "en"
    made = House(api, client, provider)
    for name in ("Öppen", "Intern", "Hemlig"):
        answer = await client.post(CLASSES, json={"name": name, "set_lowest_security": False})
        assert answer.status_code == 201, answer.text
        made.classes[name] = answer.json()["id"]
    assert (await client.post(f"{CLASSES}enable/", json={"enabled": True})).json() == {"security_enabled": True}
    for number, name in enumerate(made.classes):
        made.models[name] = await add_model(client, provider, f"ok:{number + 3}")
        assert (await made.trust("completion", made.models[name], name)).status_code == 200
    made.builtin = await made.embedding_model()
    assert (await made.trust("embedding", made.builtin, "Intern")).status_code == 200
    made.space, made.other = await make_space(client, "Bygg"), await make_space(client, "Skola")
    made.collection = await make_collection(client, made.space)
    made.assistant = await make_assistant(client, made.space, made.collection)
    return made


async def test_classes_are_kept_in_order_and_told_of(house: House) -> None:
    client = house.client
    shown = (await client.get(CLASSES)).json()
    assert shown["security_enabled"] is True
    levels = [(each["name"], each["security_level"]) for each in shown["security_classifications"]]
    assert levels == [("Öppen", 0), ("Intern", 1), ("Hemlig", 2)]
    lowest = (await client.post(CLASSES, json={"name": "Publik", "description": "För alla"})).json()
    assert (lowest["security_level"], lowest["description"]) == (0, "För alla")
    assert (await client.post(CLASSES, json={"name": "publik"})).status_code == 400
    one = f"{CLASSES}{lowest['id']}/"
    assert (await client.patch(one, json={})).status_code == 400
    assert (await client.patch(one, json={"name": "Allmän"})).json()["name"] == "Allmän"
    assert (await client.get(one)).json()["description"] == "För alla"
    order = [lowest["id"], house.classes["Öppen"], house.classes["Intern"]]
    missing = await client.patch(CLASSES, json={"security_classifications": [{"id": i} for i in order]})
    assert missing.status_code == 400
    unknown = [{"id": i} for i in [*order, house.models["Intern"]]]
    assert (await client.patch(CLASSES, json={"security_classifications": unknown})).status_code == 404
    whole = [{"id": i} for i in [order[1], order[0], order[2], house.classes["Hemlig"]]]
    answer = await client.patch(CLASSES, json={"security_classifications": whole})
    assert [each["name"] for each in answer.json()["security_classifications"]][:2] == ["Öppen", "Allmän"]
    assert (await client.delete(one)).status_code == 204
    assert (await client.get(one)).status_code == 404
    left = (await client.get(CLASSES)).json()["security_classifications"]
    assert [each["security_level"] for each in left] == [0, 1, 2]
    actions = {entry.action for entry in await house.api.entries(house.api.owner.tenant_id)}
    done = ("created", "updated", "deleted", "levels_updated", "enabled")
    assert {f"security_classification_{word}" for word in done} <= actions


async def test_a_class_in_use_is_not_deleted(house: House) -> None:
    await house.classified("Intern")
    answer = await house.client.delete(f"{CLASSES}{house.classes['Intern']}/")
    assert answer.status_code == 409
    for name in ("Bygg", "ok:4", "multilingual-e5-small"):
        assert name in answer.json()["message"], answer.text
    # Not even while classes do not count: what has one would lose it without a word.
    await house.client.post(f"{CLASSES}enable/", json={"enabled": False})
    assert (await house.client.delete(f"{CLASSES}{house.classes['Intern']}/")).status_code == 409


async def test_a_space_is_classified_only_with_what_was_shown(house: House) -> None:
    assert (await house.choose(house.models["Öppen"])).status_code == 200
    impact = await house.impact("Hemlig")
    assert house.assistant in {each["id"] for each in impact["assistants"]}
    assert {each["id"] for each in impact["completion_models"]} >= {house.models["Öppen"], house.models["Intern"]}
    assert house.models["Hemlig"] not in {each["id"] for each in impact["completion_models"]}
    assert [each["id"] for each in impact["embedding_models"]] == [house.builtin]
    affected = {(each["kind"], each["reason"], each["name"]) for each in impact["affected"]}
    assert {("assistant", "model", "Hjälpen"), ("documents", "embedding", "Handböcker")} <= affected
    refused = await house.classify(house.space, "Hemlig")
    assert (refused.status_code, refused.headers["x-error-code"]) == (409, "unconfirmed")
    assert refused.json()["impact_token"] == impact["impact_token"]
    # Something else was added to what would be lost: what was shown is not what would happen.
    second = await make_assistant(house.client, house.space)
    assert (await house.choose(house.models["Öppen"], second)).status_code == 200
    assert (await house.classify(house.space, "Hemlig", impact["impact_token"])).status_code == 409
    await house.classified("Hemlig")
    shown = (await house.client.get(f"/api/v1/spaces/{house.space}/")).json()
    assert shown["security_classification"]["name"] == "Hemlig"
    assert [each["id"] for each in shown["completion_models"]] == [house.models["Hemlig"]]
    assert shown["embedding_models"] == []
    offered = (await house.client.get("/api/v1/ai-models/", params={"space_id": house.space})).json()
    meets = {each["id"]: each["meets_security_classification"] for each in offered["completion_models"]}
    assert (meets[house.models["Hemlig"]], meets[house.models["Öppen"]]) == (True, False)
    [entry] = [e for e in await house.api.entries(house.api.owner.tenant_id) if e.action == "space_updated"]
    assert entry.changes["new"] == {"security_classification_id": house.classes["Hemlig"]}


async def test_a_model_that_is_not_approved_is_neither_used_nor_swapped(house: House) -> None:
    client = house.client
    assert (await house.choose(house.models["Öppen"])).status_code == 200
    asked = await client.post("/api/v1/conversations/", json={"assistant_id": house.assistant, "question": "Hej?"})
    assert asked.status_code == 200
    await house.classified("Intern")
    for answer in (
        await ask(client, house.assistant, stream=False),
        await ask(client, house.assistant),
        await client.post(
            "/v1/chat/completions",
            json={"model": house.assistant, "messages": [{"role": "user", "content": "Hej"}]},
        ),
    ):
        assert answer.status_code == 403, answer.text
        assert "ok:3" in answer.text, answer.text
    shown = (await client.get(f"/api/v1/assistants/{house.assistant}/")).json()
    assert shown["completion_model"]["id"] == house.models["Öppen"]
    ready = await client.post(f"/api/v1/assistants/{house.assistant}/publish/?published=true")
    assert (ready.status_code, ready.json()["field"]) == (400, "completion_model"), ready.text
    assert "model_not_approved" in ready.json()["findings"]
    calls = house.provider.seen.calls.total()
    refused = await house.choose(house.models["Öppen"])
    assert (refused.status_code, refused.headers["x-error-code"]) == (403, "not_approved")
    assert (await house.choose(house.models["Intern"])).status_code == 200
    assert (await ask(client, house.assistant, stream=False)).status_code == 200
    assert house.provider.seen.calls.total() == calls + 1
    # A new assistant gets a model that may serve the space, although another is the organisation's default.
    made = await make_assistant(client, house.space)
    chosen = (await client.get(f"/api/v1/assistants/{made}/")).json()["completion_model"]["id"]
    assert chosen in (house.models["Intern"], house.models["Hemlig"])
    # And a move to a model that is not approved there is refused, with the name of the space.
    target = {"to_model_id": house.models["Öppen"], "confirm_migration": True}
    moved = await client.post(f"/api/v1/completion-models/{house.models['Intern']}/migrate", json=target)
    assert moved.status_code == 422
    assert "Bygg" in moved.json()["message"]
    # Switched off, everything is allowed again, and nothing is forgotten.
    await client.post(f"{CLASSES}enable/", json={"enabled": False})
    assert (await house.choose(house.models["Öppen"])).status_code == 200
    assert (await ask(client, house.assistant, stream=False)).status_code == 200
    back = await client.post(f"{CLASSES}enable/", json={"enabled": True})
    assert back.status_code == 409
    token = back.json()["impact_token"]
    answer = await client.post(f"{CLASSES}enable/", json={"enabled": True, "impact_token": token})
    assert answer.status_code == 200
    assert (await ask(client, house.assistant, stream=False)).status_code == 403


async def test_knowledge_is_only_given_to_approved_embedding_models(house: House) -> None:
    client, space = house.client, house.space
    assert (await house.choose(house.models["Hemlig"])).status_code == 200
    await house.classified("Hemlig")
    sentence = "multilingual-e5-small"
    for answer in (
        await upload(client, house.collection, "b.txt", b"Mera"),
        await client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Ny"}),
        await client.post(
            f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Ny", "embedding_model": {"id": house.builtin}}
        ),
        await client.post(f"/api/v1/spaces/{space}/knowledge/websites/", json={"url": "http://127.0.0.1:9/"}),
        await client.post("/api/v1/search/", json={"query": "kaffe", "space_id": space}),
        await client.post("/api/v1/search/", json={"query": "kaffe", "collection_ids": [house.collection]}),
        await client.post("/api/v1/search/", json={"query": "kaffe", "assistant_id": house.assistant}),
        await client.post(f"/api/v1/spaces/{space}/searches/", json={"query": "kaffe"}),
        await ask(client, house.assistant, stream=False),
    ):
        assert (answer.status_code, answer.headers["x-error-code"]) == (403, "not_approved"), answer.text
    assert sentence in answer.text
    # The way out: a model that is approved.
    services = house.api.runtime.services
    made = await services.models.add_provider(
        house.api.owner, ProviderDraft("E", "openai_compatible", house.provider.url)
    )
    model = await services.models.add_embedding_model(house.api.owner, made.id, "ok", dimensions=DIMS)
    change = f"/api/v1/groups/{house.collection}/embedding-model/"
    assert (await client.post(change, json={"embedding_model": {"id": str(model.id)}})).status_code == 403
    assert (await house.trust("embedding", str(model.id), "Hemlig")).status_code == 200
    assert (await client.post(change, json={"embedding_model": {"id": str(model.id)}})).status_code == 202
    await house.api.work()
    assert (await client.post("/api/v1/search/", json={"query": "kaffe", "space_id": space})).status_code == 200
    assert (await upload(client, house.collection, "b.txt", b"Mera")).status_code == 202


async def test_what_is_being_read_stops_when_the_model_is_no_longer_approved(house: House) -> None:
    await house.reads()
    assert (await upload(house.client, house.collection, "b.txt", b"Mera text")).status_code == 202
    await house.classified("Hemlig")
    await house.api.work()
    found = (await house.client.get(f"/api/v1/groups/{house.collection}/info-blobs/")).json()["items"]
    state = {each["metadata"]["title"]: (each["state"], each["error"]) for each in found}
    assert state["b.txt"][0] == "failed"
    assert "inte godkänd" in state["b.txt"][1]
    assert state["kaffe.txt"] == ("ready", None)


async def test_recordings_are_heard_by_an_approved_model(house: House) -> None:
    client = house.client
    server = {"name": "Tal", "provider_type": "openai_compatible", "config": {"endpoint": house.provider.url}}
    provider = (await client.post("/api/v1/admin/model-providers/", json=server)).json()["id"]
    body = {"provider_id": provider, "name": "whisper", "display_name": "Whisper"}
    heard = (await client.post("/api/v1/admin/tenant-models/transcription/", json=body)).json()["id"]
    await house.classified("Intern")
    refused = await upload(client, house.collection, "tal.wav", more_documents.wav(1))
    assert (refused.status_code, refused.headers["x-error-code"]) == (403, "not_approved")
    assert (await house.trust("transcription", heard, "Intern")).status_code == 200
    assert (await upload(client, house.collection, "tal.wav", more_documents.wav(1))).status_code == 202


async def test_knowledge_of_a_higher_space_is_not_read_in_a_lower_one(house: House) -> None:
    await house.reads()
    client, shares = house.client, f"/api/v1/groups/{house.collection}/shares/"
    assert (await client.put(f"{shares}{house.other}/")).status_code == 204
    borrower = await make_assistant(client, house.other, house.collection)
    impact = await house.impact("Intern")
    reasons = {(each["kind"], each["reason"], each["space"]) for each in impact["affected"]}
    assert {("documents", "share", "Skola"), ("assistant", "knowledge", "Skola")} <= reasons
    assert borrower in {each["id"] for each in impact["affected"]}
    await house.classified("Intern")
    editor_id = await house.api.user("editor@example.se", PredefinedRole.USER)
    await client.post(f"/api/v1/spaces/{house.other}/members/", json={"id": str(editor_id), "role": "editor"})
    editor = await house.api.client("editor@example.se")
    assert (await editor.get(f"/api/v1/groups/{house.collection}/")).status_code == 404
    found = await editor.post("/api/v1/search/", json={"query": "kaffe", "space_id": house.other})
    assert found.json()["items"] == []
    refused = await ask(client, borrower, stream=False)
    assert refused.status_code == 403
    assert "Handböcker" in refused.text
    # Neither shared anew nor moved: not to a lower space, one's own, nor to the organisation's.
    await client.delete(f"{shares}{house.other}/")
    own = (await client.get("/api/v1/spaces/type/personal/")).json()["id"]
    everybodys = (await client.get("/api/v1/spaces/type/organization/")).json()["id"]
    for target in (house.other, own):
        assert (await client.put(f"{shares}{target}/")).status_code == 403
    for target in (house.other, own, everybodys):
        moved = await client.post(f"/api/v1/groups/{house.collection}/transfer/", json={"target_space_id": target})
        assert moved.status_code == 403, moved.text
    # A space of the same class may have it.
    await house.classified("Intern", house.other)
    assert (await client.put(f"{shares}{house.other}/")).status_code == 204
    assert (await editor.get(f"/api/v1/groups/{house.collection}/")).status_code == 200


async def test_a_question_does_not_go_to_the_unapproved_model_of_a_borrowed_collection(house: House) -> None:
    client = house.client
    services = house.api.runtime.services
    made = await services.models.add_provider(
        house.api.owner, ProviderDraft("E", "openai_compatible", house.provider.url)
    )
    model = await services.models.add_embedding_model(house.api.owner, made.id, "ok", dimensions=DIMS)
    body = {"name": "Lånad", "embedding_model": {"id": str(model.id)}}
    lent = (await client.post(f"/api/v1/spaces/{house.other}/knowledge/groups/", json=body)).json()["id"]
    await house.classified("Intern")
    assert (await client.put(f"/api/v1/groups/{lent}/shares/{house.space}/")).status_code == 403
    assert (await house.classify(house.space, None)).status_code == 200
    assert (await client.put(f"/api/v1/groups/{lent}/shares/{house.space}/")).status_code == 204
    changes = {"groups": [{"id": lent}]}
    assert (await client.post(f"/api/v1/assistants/{house.assistant}/", json=changes)).status_code == 200
    await house.choose(house.models["Intern"])
    impact = await house.impact("Intern")
    assert ("assistant", "embedding") in {(each["kind"], each["reason"]) for each in impact["affected"]}
    await house.classified("Intern")
    embedded = len(house.provider.seen.embedded)
    assert (await ask(client, house.assistant, stream=False)).status_code == 403
    assert len(house.provider.seen.embedded) == embedded


async def test_trusting_a_model_less_and_another_order_are_confirmed_too(house: House) -> None:
    client = house.client
    await house.choose(house.models["Intern"])
    await house.classified("Intern")
    change = {"model_id": house.models["Intern"]}
    impact = (await client.post(f"{CLASSES}impact-analysis/", json=change)).json()
    assert [(each["name"], each["space"]) for each in impact["affected"]] == [("Hjälpen", "Bygg")]
    assert (await house.trust("completion", house.models["Intern"], None)).status_code == 409
    done = await house.trust("completion", house.models["Intern"], None, impact_token=impact["impact_token"])
    assert (done.status_code, done.json()["security_classification"]) == (200, None)
    assert done.json()["is_org_enabled"] is True
    assert (await house.trust("completion", house.models["Intern"], "Intern")).status_code == 200
    order = [{"id": house.classes[name]} for name in ("Öppen", "Hemlig", "Intern")]
    await house.choose(house.models["Hemlig"])
    refused = await client.patch(CLASSES, json={"security_classifications": order})
    assert refused.status_code == 409
    token = refused.json()["impact_token"]
    done = await client.patch(CLASSES, json={"security_classifications": order, "impact_token": token})
    assert done.status_code == 200
    assert (await ask(client, house.assistant, stream=False)).status_code == 403


async def test_only_shared_spaces_have_a_class_and_only_while_classes_count(house: House) -> None:
    client = house.client
    for kind, status in (("personal", 403), ("organization", 400)):
        space = (await client.get(f"/api/v1/spaces/type/{kind}/")).json()["id"]
        assert (await house.classify(space, "Intern")).status_code == status
    unknown = {"id": house.models["Intern"]}
    assert (await house.patch(f"/api/v1/spaces/{house.space}/", security_classification=unknown)).status_code == 404
    await client.post(f"{CLASSES}enable/", json={"enabled": False})
    assert (await house.classify(house.space, "Intern")).status_code == 400


async def test_only_administrators_change_classes(house: House) -> None:
    await house.api.user("anna@example.se")
    anna = await house.api.client("anna@example.se")
    one = f"{CLASSES}{house.classes['Intern']}/"
    assert (await anna.get(CLASSES)).status_code == 200
    for answer in (
        await anna.post(CLASSES, json={"name": "Egen"}),
        await anna.patch(CLASSES, json={"security_classifications": []}),
        await anna.patch(one, json={"name": "Egen"}),
        await anna.delete(one),
        await anna.post(f"{CLASSES}enable/", json={"enabled": False}),
        await anna.post(f"{CLASSES}impact-analysis/", json={"enabled": True}),
        await anna.post(f"/api/v1/completion-models/{house.models['Intern']}/", json={"security_classification": None}),
    ):
        assert answer.status_code == 403, answer.text


async def test_an_answer_that_cannot_be_made_anew_is_kept(house: House) -> None:
    client = house.client
    assert (await house.choose(house.models["Öppen"])).status_code == 200
    answer = (await ask(client, house.assistant, stream=False)).json()
    await house.classified("Intern")
    conversation = f"/api/v1/conversations/{answer['session_id']}/"
    message = (await client.get(conversation)).json()["messages"][0]["id"]
    with pytest.raises(NotApproved):
        await house.api.runtime.services.conversations.regenerate(house.api.owner, UUID(message))
    assert [each["id"] for each in (await client.get(conversation)).json()["messages"]] == [message]


async def test_a_website_is_not_read_for_a_model_that_is_not_approved(house: House) -> None:
    client = house.client
    path = f"/api/v1/spaces/{house.space}/knowledge/websites/"
    site = (await client.post(path, json={"url": "http://127.0.0.1:9/", "name": "Sajten"})).json()["id"]
    await house.api.work()
    reasons = {(each["kind"], each["name"], each["reason"]) for each in (await house.impact("Hemlig"))["affected"]}
    assert ("website", "Sajten", "embedding") in reasons
    await house.classified("Hemlig")
    refused = await client.post(f"/api/v1/websites/{site}/run/")
    assert (refused.status_code, refused.headers["x-error-code"]) == (403, "not_approved")


async def test_a_model_that_stands_in_is_approved_too(house: House) -> None:
    client = house.client
    broken = await add_model(client, house.provider, "err:500")
    assert (await house.trust("completion", broken, "Hemlig")).status_code == 200
    others = [house.models["Öppen"], house.models["Intern"]]
    body = {"stand_ins": others}
    changed = await client.put(f"/api/v1/admin/tenant-models/completion/{broken}/", json=body)
    assert changed.status_code == 200, changed.text
    assert (await house.choose(broken)).status_code == 200
    await house.classified("Intern")
    answer = (await ask(client, house.assistant, stream=False)).json()
    assert answer["model"]["id"] == house.models["Intern"], answer


async def test_a_space_chooses_its_models_and_all_else_is_refused(house: House) -> None:
    client, path = house.client, f"/api/v1/spaces/{house.space}/"
    await client.post(f"{CLASSES}enable/", json={"enabled": False})
    assert (await house.choose(house.models["Öppen"])).status_code == 200
    lists = {
        "completion_models": [{"id": house.models["Intern"]}, {"id": house.models["Hemlig"]}],
        "embedding_models": [],
    }
    refused = await house.patch(path, **lists)
    assert (refused.status_code, refused.headers["x-error-code"]) == (409, "unconfirmed")
    reasons = {(each["name"], each["reason"]) for each in refused.json()["affected"]}
    assert {("Hjälpen", "model"), ("Handböcker", "embedding")} <= reasons
    done = await house.patch(path, **lists, impact_token=refused.json()["impact_token"])
    assert done.status_code == 200, done.text
    assert {each["id"] for each in done.json()["completion_models"]} == {house.models["Intern"], house.models["Hemlig"]}
    assert done.json()["embedding_models"] == []
    assert (await ask(client, house.assistant, stream=False)).status_code == 403
    assert (await upload(client, house.collection, "b.txt", b"Mera")).status_code == 403
    assert (await client.post("/api/v1/search/", json={"query": "k", "space_id": house.space})).status_code == 403
    assert (await client.post(f"{path}knowledge/groups/", json={"name": "Ny"})).status_code == 403
    assert (await house.choose(house.models["Öppen"])).status_code == 403
    made = await make_assistant(client, house.space)
    shown = (await client.get(f"/api/v1/assistants/{made}/")).json()["completion_model"]
    assert shown["id"] in {house.models["Intern"], house.models["Hemlig"]}
    # Another space is free to use what it likes, and null is all of them again.
    elsewhere = await make_assistant(client, house.other)
    assert (await house.choose(house.models["Öppen"], elsewhere)).status_code == 200
    assert (await house.patch(path, embedding_models=None, completion_models=None)).status_code == 200
    assert (await house.choose(house.models["Öppen"])).status_code == 200
    assert (await upload(client, house.collection, "b.txt", b"Mera")).status_code == 202


async def test_lists_name_models_of_the_kind_that_are_trusted(house: House) -> None:
    client, path = house.client, f"/api/v1/spaces/{house.space}/"
    await house.classified("Intern")
    unknown = await house.patch(path, completion_models=[{"id": house.builtin}])
    assert (unknown.status_code, unknown.json()["field"]) == (404, "completion_models")
    untrusted = await house.patch(path, completion_models=[{"id": house.models["Öppen"]}])
    assert (untrusted.status_code, untrusted.json()["field"]) == (400, "completion_models")
    one = [{"id": house.models["Intern"]}]
    assert (await house.patch(path, completion_models=one)).status_code == 200
    # Moving everything to a model that the space has not chosen is refused, too.
    assert (await house.choose(house.models["Intern"])).status_code == 200
    body = {"to_model_id": house.models["Hemlig"], "confirm_migration": True}
    moved = await client.post(f"/api/v1/completion-models/{house.models['Intern']}/migrate", json=body)
    assert (moved.status_code, moved.json()["field"]) == (422, "to_model_id")
    # What the history of a space tells of it.
    entries = await house.api.entries(house.api.owner.tenant_id)
    told = [entry.changes["new"] for entry in entries if entry.action == "space_updated"]
    assert told[-1] == {"allowed_models": {"completion": [house.models["Intern"]]}}


async def test_an_assistant_goes_to_no_lower_class_and_gets_a_model_that_may_serve_it(house: House) -> None:
    assert (await house.choose(house.models["Öppen"])).status_code == 200
    await house.classified("Intern", house.other)
    url = f"/api/v1/assistants/{house.assistant}/"
    path, target = f"{url}transfer/account/", {"target_space_id": house.other}
    told = (await house.client.get(path, params=target)).json()
    assert (told["model_changes"], told["completion_model_id"]) == (True, house.models["Intern"])
    copy = await house.client.post(f"{url}duplicate/", json={"space_id": house.other})
    assert copy.json()["completion_model"]["id"] == house.models["Intern"]
    assert (await house.client.post(f"{url}transfer/", json=target)).status_code == 204
    assert (await house.client.get(url)).json()["completion_model"]["id"] == house.models["Intern"]
    for action, body in (("transfer", {"target_space_id": house.space}), ("duplicate", {"space_id": house.space})):
        refused = await house.client.post(f"{url}{action}/", json=body)
        assert refused.status_code == 403, refused.text
        assert "högre säkerhetsklass" in refused.json()["message"]
    assert (await house.client.get(url)).json()["space_id"] == house.other


async def test_what_the_class_forbids_stands_in_the_way_of_publishing(house: House) -> None:
    url = f"/api/v1/assistants/{house.assistant}/"
    assert (await house.choose(house.models["Intern"])).status_code == 200
    await house.trust("completion", house.models["Intern"], "Intern")
    await house.classified("Intern")
    found = (await house.client.get(f"{url}readiness/")).json()["items"]
    assert not any(each["blocking"] for each in found)
    await house.classified("Hemlig")
    found = (await house.client.get(f"{url}readiness/")).json()["items"]
    blocking = [each["code"] for each in found if each["blocking"]]
    assert set(blocking) & {"model_not_approved", "no_model"}
    assert "knowledge_not_approved" in blocking
    assert (await house.client.post(f"{url}publish/", params={"published": True})).status_code == 400
