"""How much of the model's window a conversation takes."""

import uuid

from tests.api.test_branches import ask
from tests.support.api import Api, make_assistant, make_space


async def test_a_conversation_takes_room_and_only_its_author_learns_how_much(api: Api) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    url = f"/api/v1/assistants/{assistant}/token-estimate"
    await client.post(f"/api/v1/assistants/{assistant}/", json={"prompt": {"text": "Svara kort." * 30}})
    file = await client.post("/api/v1/files/", files={"upload_file": ("a.txt", b"Avgift. " * 60)})
    empty = (await client.post(url, json={})).json()
    assert empty["breakdown"]["prompt"] > 90
    assert empty["breakdown"]["history"] == 0
    session = (await ask(client, "Vad gäller? " * 50, assistant_id=assistant))["session_id"]
    body = {"session_id": session, "text": "Och sedan?", "file_ids": [file.json()["id"]]}
    full = (await client.post(url, json=body)).json()
    parts = full["breakdown"]
    assert parts["history"] > 150
    assert parts["files"] > 100
    assert full["tokens"] == sum(parts[name] for name in ("prompt", "history", "text", "files"))
    assert full["percentage"] == round(100 * full["tokens"] / full["limit"], 2)
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    own = await make_assistant(anna, await make_space(anna, "Annas"))
    theirs = f"/api/v1/assistants/{own}/token-estimate"
    assert (await anna.post(url, json={})).status_code == 404
    assert (await anna.post(theirs, json={})).status_code == 200
    for named in (session, str(uuid.uuid4())):
        assert (await anna.post(theirs, json={"session_id": named})).status_code == 404
