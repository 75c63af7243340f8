"""Every route of the interface, taken from its own description: without credentials, with foreign ids, with nonsense."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support.api import Api

OPEN = {
    ("POST", "/api/v1/users/login/token/"),
    ("GET", "/api/healthz"),
    ("GET", "/api/v1/limits/"),
    ("GET", "/api/v1/notice/"),
    ("GET", "/api/v1/files/{id}/download/"),
    ("GET", "/api/v1/auth/federation-status"),
    ("GET", "/api/v1/auth/tenants"),
    ("GET", "/api/v1/auth/initiate"),
    ("POST", "/api/v1/auth/callback"),
    ("POST", "/api/v1/users/login/openid-connect/mobilityguard/"),
}
"""Routes that need no session: a download carries its own proof, a notice is for all, the others are ways to sign in."""
OPERATOR = ("/api/v1/sysadmin/", "/api/v1/modules/", "/api/healthz/crawler")
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
