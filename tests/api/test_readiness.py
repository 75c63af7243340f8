"""What stands in the way of publishing an assistant, and what is only pointed out."""

from datetime import timedelta
from typing import Any

import httpx

from domain.kernel.actor import Actor
from domain.kernel.clock import now
from tests.api.test_conversations import use_model
from tests.support.api import Api, make_assistant, make_collection, make_space, upload
from tests.support.provider import Provider


async def codes(client: httpx.AsyncClient, url: str) -> dict[str, bool]:
    """The findings, with whether each stands in the way."""
    answer = await client.get(f"{url}readiness/")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    assert answer.json()["ready"] == (not any(each["blocking"] for each in found))
    assert [each["blocking"] for each in found] == sorted((each["blocking"] for each in found), reverse=True)
    return {each["code"]: each["blocking"] for each in found}


async def test_what_is_missing_is_told_and_the_grave_things_stand_in_the_way(api: Api) -> None:
    owner = await api.client()
    space = await make_space(owner)
    url = f"/api/v1/assistants/{await make_assistant(owner, space)}/"
    assert await codes(owner, url) == {"no_prompt": True, "no_description": False, "no_contact": False}
    refused = await owner.post(f"{url}publish/", params={"published": True})
    assert (refused.status_code, refused.json()["field"]) == (400, "prompt")
    assert refused.json()["findings"] == ["no_prompt"]
    assert (await owner.get(url)).json()["published"] is False
    texts = {"prompt": {"text": "Svara kort."}, "description": "Om bygglov", "contact": " Bygg-\nenheten  tfn 1 "}
    assert (await owner.post(url, json=texts)).json()["contact"] == "Bygg- enheten tfn 1"
    assert await codes(owner, url) == {}
    assert (await owner.post(f"{url}publish/", params={"published": True})).json()["published"] is True
    # What is published stays so, and is taken back, whatever is missing meanwhile.
    assert (await owner.post(url, json={"prompt": {"text": ""}, "contact": ""})).json()["contact"] is None
    for published in (True, False):
        answer = await owner.post(f"{url}publish/", params={"published": published})
        assert answer.json()["published"] is published, answer.text
    assert (await owner.post(url, json={"contact": "x" * 256})).status_code == 422


async def test_knowledge_that_could_not_be_read_stands_in_the_way(api: Api) -> None:
    owner = await api.client()
    space = await make_space(owner)
    collection = await make_collection(owner, space, "Taxor")
    url = f"/api/v1/assistants/{await make_assistant(owner, space, collection)}/"
    plain = {"no_description": False, "no_contact": False}
    assert await codes(owner, url) == {**plain, "knowledge_empty": False}
    assert (await upload(owner, collection, "trasig.pdf", b"%PDF-1.7 not one")).status_code in (200, 202)
    assert await codes(owner, url) == {**plain, "documents_busy": False}
    await api.work()
    assert await codes(owner, url) == {**plain, "knowledge_failed": True}
    items = (await owner.get(f"{url}readiness/")).json()["items"]
    assert items[0]["group_id"] == collection
    assert "Taxor" in items[0]["message"]
    assert (await owner.post(f"{url}publish/", params={"published": True})).json()["field"] == "knowledge"
    await upload(owner, collection, "taxa.txt", b"Avgiften.")
    await api.work()
    assert await codes(owner, url) == {**plain, "documents_failed": False}


async def test_a_model_that_may_not_be_used_stands_in_the_way(api: Api, provider: Provider) -> None:
    owner = await api.client()
    assistant = await make_assistant(owner, await make_space(owner))
    url = f"/api/v1/assistants/{assistant}/"
    await owner.post(url, json={"prompt": {"text": "Svara."}, "description": "Om", "contact": "Bygg"})
    await use_model(owner, provider, "ok:1", assistant)
    model = (await owner.get(url)).json()["completion_model"]["id"]
    path = f"/api/v1/admin/tenant-models/completion/{model}/"
    today = now().date()
    for change, expected in (
        ({"retires_on": str(today + timedelta(days=9))}, {"model_retires": False}),
        ({"retires_on": str(today)}, {"model_retired": True}),
        ({"retires_on": None}, {}),
    ):
        changed = await owner.put(path, json=change)
        assert changed.status_code == 200, changed.text
        assert await codes(owner, url) == expected
    switched = await owner.post(f"/api/v1/completion-models/{model}/", json={"is_org_enabled": False})
    assert switched.status_code == 200, switched.text
    assert await codes(owner, url) == {"model_off": True}


async def test_only_editors_see_what_is_to_be_mended(api: Api, other: Actor) -> None:
    owner = await api.client()
    space = await make_space(owner)
    url = f"/api/v1/assistants/{await make_assistant(owner, space, await make_collection(owner, space))}/"
    await owner.post(f"{url}publish/", params={"published": True})
    anna = await api.user("anna@example.se")
    await owner.post(f"/api/v1/spaces/{space}/members/", json={"id": str(anna), "role": "viewer"})
    for client, expected in ((await api.client("anna@example.se"), 403), (await api.client(other.email), 404)):
        assert (await client.get(f"{url}readiness/")).status_code == expected
