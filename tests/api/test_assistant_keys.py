"""Keys of assistants: they ask one assistant, keep what is their own, and end with it."""

from uuid import uuid4

import httpx

from app.auth import scopes
from domain.kernel.actor import Actor
from tests.api.test_api_keys import KEYS, entries, holder, make_key
from tests.security.test_routes import OPEN, routes
from tests.support.api import Api, make_assistant, make_space, publish


async def talking(api: Api) -> tuple[httpx.AsyncClient, str, httpx.AsyncClient]:
    """The owner, an assistant, and a program with the assistant's key."""
    owner = await api.client()
    assistant = await make_assistant(owner, await make_space(owner))
    made = await make_key(owner, path=f"/api/v1/assistants/{assistant}/api-keys/")
    assert made["key"].startswith("ina_")
    return owner, assistant, holder(api, made["key"])


async def test_an_assistants_key_asks_its_assistant_and_keeps_what_is_its_own(api: Api) -> None:
    owner, assistant, program = await talking(api)
    file = (await program.post("/api/v1/files/", files={"upload_file": ("a.txt", b"Fyra")})).json()["id"]
    body = {"question": "Hej?", "files": [{"id": file}]}
    answer = await program.post(f"/api/v1/assistants/{assistant}/sessions/", json=body)
    assert answer.status_code == 200, answer.text
    session = answer.json()["session_id"]
    again = await program.post("/api/v1/conversations/", json={"session_id": session, "question": "Och?"})
    assert again.status_code == 200
    assert [s["id"] for s in (await program.get("/api/v1/conversations/")).json()["items"]] == [session]
    feedback = await program.post(f"/api/v1/assistants/{assistant}/sessions/{session}/feedback/", json={"value": 1})
    assert feedback.status_code == 200
    assert (await program.get("/api/v1/settings/")).status_code == 200
    # Neither side sees the other's.
    mine = (await owner.post("/api/v1/conversations/", json={"assistant_id": assistant, "question": "Min"})).json()
    own_file = (await owner.post("/api/v1/files/", files={"upload_file": ("b.txt", b"Min")})).json()["id"]
    assert (await owner.get("/api/v1/conversations/")).json()["count"] == 1
    assert (await owner.get(f"/api/v1/conversations/{session}/")).status_code == 404
    assert (await owner.get(f"/api/v1/files/{file}/")).status_code == 404
    assert file not in (await owner.get("/api/v1/files/")).text
    for path in (f"conversations/{mine['session_id']}/", f"files/{own_file}/"):
        assert (await program.get(f"/api/v1/{path}")).status_code == 404
    another = await make_key(owner, path=f"/api/v1/assistants/{assistant}/api-keys/")
    assert (await holder(api, another["key"]).get(f"/api/v1/conversations/{session}/")).status_code == 404
    await owner.post(f"{KEYS}{another['id']}/rotate/", json={})
    attach = {"question": "Läs", "assistant_id": assistant, "files": [{"id": own_file}]}
    assert (await program.post("/api/v1/conversations/", json=attach)).status_code == 404
    assert [e.actor_kind for e in await entries(api, "question_asked")].count("api_key") == 2


async def test_an_assistants_key_opens_nothing_else(api: Api) -> None:
    owner, assistant, program = await talking(api)
    elsewhere = await make_assistant(owner, await make_space(owner, "Annat"))
    for method, path in routes(api.application):
        if (method, path) in scopes.OF_ASSISTANT | OPEN:
            continue
        filled = path.replace("{id}", assistant)
        filled = "/".join(str(uuid4()) if part.startswith("{") else part for part in filled.split("/"))
        answer = await program.request(method, filled, json={})
        assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
    question = {"question": "Hej?"}
    assert (await program.post(f"/api/v1/assistants/{elsewhere}/sessions/", json=question)).status_code == 401
    other = await program.post("/api/v1/conversations/", json={**question, "assistant_id": elsewhere})
    assert other.status_code == 401
    assert (await program.post(f"/api/v1/assistants/{assistant}/sessions/", json=question)).status_code == 200


async def test_an_assistants_key_goes_with_the_assistant(api: Api) -> None:
    owner, assistant, program = await talking(api)
    stored = await program.post("/api/v1/files/", files={"upload_file": ("a.txt", b"Bara nyckelns")})
    assert stored.status_code == 200
    folder = api.runtime.settings.data_dir / "files"
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 1
    assert (await owner.delete(f"/api/v1/assistants/{assistant}/")).status_code == 204
    assert (await program.get("/api/v1/conversations/")).status_code == 401
    assert [path for path in folder.rglob("*") if path.is_file()] == []


async def test_only_editors_make_and_see_keys_of_an_assistant(api: Api, other: Actor) -> None:
    owner, assistant, _ = await talking(api)
    [space] = {a["space_id"] for a in [(await owner.get(f"/api/v1/assistants/{assistant}/")).json()]}
    anna = await api.user("anna@example.se")
    await publish(owner, assistant)
    await owner.post(f"/api/v1/spaces/{space}/members/", json={"id": str(anna), "role": "viewer"})
    path = f"/api/v1/assistants/{assistant}/api-keys/"
    for client, expected in ((await api.client("anna@example.se"), 403), (await api.client(other.email), 404)):
        assert (await client.get(path)).status_code == expected
        assert (await client.post(path, json={"name": "x"})).status_code == expected
        assert (await client.get(KEYS, params={"assistant_id": assistant})).status_code == expected
    listed = (await owner.get(KEYS, params={"assistant_id": assistant})).json()["items"]
    assert [key["scopes"] for key in listed] == [["ask"]]
    legacy = (await owner.get(path)).json()
    assert legacy["key"].startswith("ina_")
    assert (await holder(api, legacy["key"]).get("/api/v1/conversations/")).status_code == 200


async def test_an_assistants_key_reaches_no_further_than_its_maker(api: Api) -> None:
    owner, assistant, _ = await talking(api)
    space = (await owner.get(f"/api/v1/assistants/{assistant}/")).json()["space_id"]
    anna_id = await api.user("anna@example.se")
    await owner.post(f"/api/v1/spaces/{space}/members/", json={"id": str(anna_id), "role": "editor"})
    made = await make_key(await api.client("anna@example.se"), path=f"/api/v1/assistants/{assistant}/api-keys/")
    program, path = holder(api, made["key"]), f"/api/v1/assistants/{assistant}/sessions/"
    assert (await program.post(path, json={"question": "Hej?"})).status_code == 200
    await owner.delete(f"/api/v1/spaces/{space}/members/{anna_id}/")
    assert (await program.post(path, json={"question": "Hej?"})).status_code == 404
    await api.runtime.services.users.delete(api.owner, anna_id)
    assert (await program.post(path, json={"question": "Hej?"})).status_code == 401
