"""The REST interface over a real installation on each database, called as clients call it."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from app.bootstrap import Runtime
from app.jobs.work import _carry_out
from app.server import create_api
from domain.audit.entities import AuditEntry
from domain.kernel.actor import Actor
from domain.users.entities import PredefinedRole
from storage.tables.audit import audit_entries
from tests.conftest import OPERATOR_KEY, PASSWORD

WHOLE_SECONDS = 15.0


async def within_a_minute() -> None:
    """Wait until the clock's minute has room for a test of limits.

    They count over a sliding minute, whose first seconds already forget a little of the minute before.
    """
    left = 60 - time.time() % 60
    if left < WHOLE_SECONDS:
        await asyncio.sleep(left)


@dataclass(slots=True)
class Api:
    """Callers of one installation."""

    runtime: Runtime
    application: Any
    owner: Actor

    def browser(self, ip: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
        """A client without credentials."""
        transport = httpx.ASGITransport(self.application, raise_app_exceptions=False, client=(ip, 50000))
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)

    async def client(self, email: str = "owner@example.se") -> httpx.AsyncClient:
        """A client that is signed in by token."""
        client = self.browser()
        answer = await client.post("/api/v1/users/login/token/", data={"username": email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client

    def operator(self) -> httpx.AsyncClient:
        """A client with the operator's key."""
        return self.browser(**{"x-api-key": OPERATOR_KEY, "accept-language": "en"})

    async def user(self, email: str, role: str = PredefinedRole.USER) -> UUID:
        """A colleague of the owner."""
        return (await self.runtime.services.users.add(self.owner, email, PASSWORD, role=role)).user.id

    async def entries(self, tenant_id: UUID) -> list[AuditEntry]:
        """The audit log of an organisation, the oldest entry first."""
        async with self.runtime.database.session(tenant_id, write=False) as session:
            return list(await session.scalars(select(AuditEntry).order_by(audit_entries.c.id)))

    async def work(self) -> None:
        """Do every job that is due, as a worker would."""
        for lane in ("interactive", "ingest", "maintenance"):
            for located in await self.runtime.directory.due_jobs(lane, 100):
                job = await self.runtime.services.jobs.claim(located.tenant_id, located.id)
                if job is not None:
                    await _carry_out(self.runtime, job)


@pytest.fixture
async def api(runtime: Runtime, owner: Actor) -> Api:
    """The interface, with an organisation and its owner."""
    runtime.contents.prepare()
    return Api(runtime, create_api(runtime), owner)


async def make_space(client: httpx.AsyncClient, name: str = "Bygg") -> str:
    """A shared space of the client."""
    answer = await client.post("/api/v1/spaces/", json={"name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def make_collection(client: httpx.AsyncClient, space_id: str, name: str = "Handböcker") -> str:
    """A collection in the space."""
    answer = await client.post(f"/api/v1/spaces/{space_id}/knowledge/groups/", json={"name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def upload(client: httpx.AsyncClient, collection_id: str, name: str, content: bytes) -> httpx.Response:
    """Send a file as a form does."""
    return await client.post(f"/api/v1/groups/{collection_id}/info-blobs/upload/", files={"file": (name, content)})


async def make_assistant(client: httpx.AsyncClient, space_id: str, collection_id: str | None = None) -> str:
    """An assistant in the space, answering from the collection."""
    answer = await client.post(f"/api/v1/spaces/{space_id}/applications/assistants/", json={"name": "Hjälpen"})
    assert answer.status_code == 201, answer.text
    assistant_id = str(answer.json()["id"])
    if collection_id is not None:
        changes = {"groups": [{"id": collection_id}], "prompt": {"text": "Svara kort."}}
        answer = await client.post(f"/api/v1/assistants/{assistant_id}/", json=changes)
        assert answer.status_code == 200, answer.text
    return assistant_id


async def publish(client: httpx.AsyncClient, assistant_id: str) -> None:
    """Show an assistant to viewers; one that has no instruction gets one."""
    url = f"/api/v1/assistants/{assistant_id}/"
    if (await client.get(url)).json()["prompt"] is None:
        await client.post(url, json={"prompt": {"text": "Svara kort."}})
    answer = await client.post(f"{url}publish/", params={"published": True})
    assert answer.status_code == 200, answer.text


def events_of(text: str) -> list[dict[str, Any]]:
    """Server-sent events: name, data, id."""
    import json

    found = []
    for block in text.split("\r\n\r\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\r\n") if ": " in line and not line.startswith(":"))
        if "event" in fields:
            found.append({"event": fields["event"], "data": json.loads(fields["data"]), "id": fields.get("id")})
    return found
