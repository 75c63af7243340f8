"""Secrets that were planted everywhere are found nowhere: no log, no audit entry, no answer, no export.

Each stands once in the request that brings it, or in the one answer that hands it out; all that is said after is searched.
"""

import json
import logging
import secrets

import httpx
import pytest

from app.observability.logs import QUIET
from tests.api.test_audit import reader
from tests.conftest import MASTER_KEY, PASSWORD
from tests.security.test_walk import work_of
from tests.support.api import Api
from tests.support.provider import Provider


def is_quiet(name: str) -> bool:
    """Whether the program keeps this library from telling details, whatever the level (see `app.cli`)."""
    return name.startswith(QUIET)


class Ear:
    """Everything a client was answered, but for the answers that hand a secret out."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def listen(self, client: httpx.AsyncClient) -> httpx.AsyncClient:
        """Note the answers that this client gets from now on, heads and bodies."""

        async def note(answer: httpx.Response) -> None:
            await answer.aread()
            self.heard.append(f"{answer.request.method} {answer.url}\n{dict(answer.headers)}\n{answer.text}")

        client.event_hooks["response"].append(note)
        return client


async def entries_of(api: Api) -> list[str]:
    """The audit log as it stands in the database."""
    found: list[str] = []
    async with api.runtime.services.audit._uow.read(api.owner.tenant_id) as tx:
        while page := await tx.audit.in_order(len(found), 200):
            found += [json.dumps({k: str(v) for k, v in vars(entry).items()}) for entry in page]
    return found


async def test_planted_secrets_are_found_nowhere(
    api: Api, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key, password, wrong = (f"sk-{secrets.token_hex(20)}", secrets.token_urlsafe(20), f"fel-{secrets.token_hex(8)}")
    planted = {"provider key": key, "password": password, "wrong password": wrong, "own password": PASSWORD}
    planted |= {"master key": MASTER_KEY.hex(), "token key": api.runtime.token_key.decode()}
    ear, plain = Ear(), await reader(api)
    planted["token"] = plain.headers["authorization"].split()[1]
    planted["leave to read"] = plain.headers["cookie"].partition("=")[2]
    # What hands a secret out is asked by the plain client, and its answer left out of the search.
    planted["API key"] = (await plain.get("/api/v1/users/api-keys/")).json()["key"]
    invited = (await plain.post("/api/v1/admin/users/", json={"email": "anna@example.se"})).json()
    planted["invitation"] = invited["invitation"]["url"].partition("token=")[2]
    client = ear.listen(api.browser(**{k: plain.headers[k] for k in ("authorization", "cookie")}))
    endpoint = {"endpoint": provider.url}
    made = await client.post(
        "/api/v1/admin/model-providers/",
        json={
            "name": "Server",
            "provider_type": "openai_compatible",
            "credentials": {"api_key": key},
            "config": endpoint,
        },
    )
    place = f"/api/v1/admin/model-providers/{made.json()['id']}/"
    moved = {"config": {"endpoint": "http://127.0.0.1:9/v1"}, "credentials": {"api_key": key}}
    await client.put(place, json=moved)
    for path in ("test/", "models/"):  # fails: nobody is there
        await client.request("POST" if path == "test/" else "GET", place + path)
    changed = {"password": password, "state": "active"}
    assert (await client.post("/api/v1/admin/users/anna@example.se/", json=changed)).status_code == 200
    for attempt in (wrong, password):
        form = {"username": "anna@example.se", "password": attempt}
        signed_in = await api.browser().post("/api/v1/users/login/token/", data=form)
    planted["token of Anna"] = signed_in.json()["access_token"]
    await api.browser(authorization=f"Bearer {planted['token of Anna']}x").get("/api/v1/users/me/")
    await work_of(client, api, "Annat")
    await look_around(client)
    logged = "\n".join(r.getMessage() + str(r.exc_text or "") for r in caplog.records if not is_quiet(r.name))
    everything = {"answers": "\n".join(ear.heard), "log": logged, "audit log": "\n".join(await entries_of(api))}
    assert len(ear.heard) > 30
    assert "user_updated" in everything["audit log"]
    for where, text in everything.items():
        for name, secret in planted.items():
            assert secret not in text, f"{name} in {where}"


async def look_around(client: httpx.AsyncClient) -> None:
    """Every list and settings page there is, and the exports of the audit log."""
    document = (await client.get("/openapi.json")).json()
    for path, item in document["paths"].items():
        if "get" in item and "{" not in path and "api-keys" not in path.removeprefix("/api/v1/api-keys/"):
            await client.get(path)
    for form in ("csv", "json", "jsonl"):
        assert (await client.get("/api/v1/audit/logs/export", params={"format": form})).status_code == 200
