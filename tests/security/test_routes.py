"""Every route of the interface, taken from its own description: without credentials, with foreign ids, with nonsense."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.kernel.actor import Actor
from tests.support.api import Api, make_assistant, make_collection, make_space, upload

OPEN = {
    ("POST", "/api/v1/users/login/token/"),
    ("GET", "/api/healthz"),
    ("GET", "/api/v1/limits/"),
    ("GET", "/api/v1/files/{id}/download/"),
    ("GET", "/api/v1/auth/federation-status"),
    ("GET", "/api/v1/auth/tenants"),
    ("GET", "/api/v1/auth/initiate"),
    ("POST", "/api/v1/auth/callback"),
    ("POST", "/api/v1/users/login/openid-connect/mobilityguard/"),
}
"""Routes that need no session: a download carries its own proof, the others are ways to sign in."""
OPERATOR = ("/api/v1/sysadmin/", "/api/v1/modules/")
METHODS = ("get", "post", "put", "patch", "delete")
BODIES: list[Any] = [b"", b"{", b"[]", b"null", b'{"name": 1, "question": [], "id": "x"}', b'"\\ud800"', b"\x00\xff"]


def routes(application: Any) -> list[tuple[str, str]]:
    """Method and path of everything that is served."""
    paths = application.openapi()["paths"]
    return [(m.upper(), path) for path, item in paths.items() for m in METHODS if m in item]


def filled(path: str, value: str) -> str:
    """The path with the same value for each of its parameters."""
    parts = [value if part.startswith("{") else part for part in path.split("/")]
    return "/".join("1" if before == "sources" else part for before, part in zip(["", *parts], parts, strict=False))


async def test_nobody_gets_in_without_credentials(api: Api) -> None:
    client = api.browser()
    for method, path in routes(api.application):
        if (method, path) not in OPEN:
            answer = await client.request(method, filled(path, str(uuid4())), json={})
            assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"


async def test_unknown_ids_and_nonsense_get_a_sentence(api: Api) -> None:
    client = await api.client()
    client.headers["accept-language"] = "en"
    for method, path in routes(api.application):
        for value in (str(uuid4()), "0", "../../etc", "%00"):
            for body in BODIES if method != "GET" else (b"",):
                answer = await client.request(
                    method, filled(path, value), content=body, headers={"content-type": "application/json"}
                )
                assert answer.status_code < 500, f"{method} {path} {body!r}: {answer.text}"
                if answer.status_code >= 400:
                    assert answer.json()["message"], f"{method} {path}"
                    assert answer.json()["request_id"]


async def objects(client: httpx.AsyncClient, api: Api) -> dict[str, str]:
    """One of everything that belongs to the owner."""
    space = await make_space(client)
    collection = await make_collection(client, space)
    job = (await upload(client, collection, "a.txt", "Hemligheten är 4711.".encode())).json()["id"]
    await api.work()
    document = (await client.get(f"/api/v1/groups/{collection}/info-blobs/")).json()["items"][0]["id"]
    assistant = await make_assistant(client, space, collection)
    body = {"assistant_id": assistant, "question": "Vad är hemligheten?"}
    answer = (await client.post("/api/v1/conversations/", json=body)).json()
    file = (await client.post("/api/v1/files/", files={"upload_file": ("b.txt", b"Hemligt")})).json()["id"]
    prompt = (await client.get(f"/api/v1/assistants/{assistant}/")).json()["prompt"]["id"]
    provider = {"name": "Server", "provider_type": "openai_compatible", "config": {"endpoint": "http://127.0.0.1:9/v1"}}
    added = (await client.post("/api/v1/admin/model-providers/", json=provider)).json()["id"]
    return {
        "spaces": space, "groups": collection, "jobs": job, "info-blobs": document, "assistants": assistant,
        "conversations": answer["session_id"], "messages": answer["id"], "files": file, "prompts": prompt,
        "model-providers": added, "sessions": answer["session_id"],
    }  # fmt: skip


async def test_a_colleague_without_rights_finds_nothing(api: Api) -> None:
    owner = await api.client()
    owned = await objects(owner, api)
    await api.user("anna@example.se")
    await _finds_nothing(api, await api.client("anna@example.se"), owned)
    await _all_is_there(owner, owned)


async def test_another_organisation_finds_nothing(api: Api, other: Actor) -> None:
    owner = await api.client()
    owned = await objects(owner, api)
    await _finds_nothing(api, await api.client(other.email), owned)
    await _all_is_there(owner, owned)


async def _finds_nothing(api: Api, stranger: httpx.AsyncClient, owned: dict[str, str]) -> None:
    for method, path in routes(api.application):
        if "{" not in path or (method, path) in OPEN:
            continue
        parts = path.split("/")
        for index, part in enumerate(parts):
            if part.startswith("{"):
                kind = parts[index - 1]
                parts[index] = "1" if kind == "sources" else owned.get(kind, str(uuid4()))
        answer = await stranger.request(method, "/".join(parts), json={}, params={"name": "a.txt", "published": True})
        # An administrator there still needs a reason to read their own audit log.
        expected = (401,) if path.startswith(OPERATOR) else (403, 404, 422)
        if path.startswith("/api/v1/audit/"):
            expected = (401, 403, 404, 422)
        assert answer.status_code in expected, f"{method} {path}: {answer.status_code} {answer.text[:200]}"
        assert "4711" not in answer.text
        assert "Hemligt" not in answer.text
    for scope in (
        {"space_id": owned["spaces"]},
        {"collection_ids": [owned["groups"]]},
        {"assistant_id": owned["assistants"]},
    ):
        assert (await stranger.post("/api/v1/search/", json={"query": "hemlighet", **scope})).status_code == 404
    for target in ({"session_id": owned["conversations"]}, {"assistant_id": owned["assistants"]}):
        answer = await stranger.post("/api/v1/conversations/", json={"question": "Vad?", **target})
        assert answer.status_code == 404
    mine = (await stranger.get("/api/v1/spaces/type/personal/")).json()
    created = await make_assistant(stranger, mine["id"])
    for change in ({"groups": [{"id": owned["groups"]}]}, {"attachments": [{"id": owned["files"]}]}):
        answer = await stranger.post(f"/api/v1/assistants/{created}/", json=change)
        assert answer.status_code in (403, 404)
    body = {"question": "Läs", "assistant_id": created, "files": [{"id": owned["files"]}]}
    assert (await stranger.post("/api/v1/conversations/", json=body)).status_code == 404


async def _all_is_there(owner: httpx.AsyncClient, owned: dict[str, str]) -> None:
    for kind in ("spaces", "groups", "info-blobs", "assistants", "conversations", "files", "prompts"):
        assert (await owner.get(f"/api/v1/{kind}/{owned[kind]}/")).status_code == 200, kind


@pytest.mark.parametrize("token", ["", "x.y", "e30.e30"])
async def test_a_download_needs_a_valid_signed_address(api: Api, token: str) -> None:
    owner = await api.client()
    file = (await owner.post("/api/v1/files/", files={"upload_file": ("å ä.txt", b"Hemligt")})).json()["id"]
    stranger = api.browser()
    assert (await stranger.get(f"/api/v1/files/{file}/download/", params={"token": token})).status_code == 401
    signed = (await owner.post(f"/api/v1/files/{file}/signed-url/", json={"expires_in": 60})).json()["url"]
    got = await stranger.get(signed, headers={"range": "bytes=0-2"})
    assert (got.status_code, got.content, got.headers["content-range"]) == (206, b"Hem", "bytes 0-2/7")
    other = (await owner.post("/api/v1/files/", files={"upload_file": ("b.txt", b"Annat")})).json()["id"]
    assert (await stranger.get(signed.replace(file, other))).status_code == 403
