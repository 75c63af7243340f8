"""Signing in with a certified OpenID provider, running under Node: PKCE, key rotation, both kinds of signing out."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
import uvicorn

from tests.conftest import Place
from tests.support.federation import SLUG, Federated, federated_over
from tests.support.identity_provider import IdentityProvider
from tests.support.postgres import free_port
from tests.support.valkey import Valkey

FOLDER = Path(__file__).resolve().parents[1] / "support" / "oidc"
NODE = shutil.which("node")
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="Node.js is not installed"),
    pytest.mark.skipif(not (FOLDER / "node_modules").exists(), reason="the certified provider is not installed"),
]
REDIRECT, AFTER = "http://localhost/login/callback", "http://localhost/sign-in"


class Certified:
    """The certified provider on a port of its own."""

    def __init__(self, back_channel: str) -> None:
        self.port, self.back_channel = free_port(), back_channel
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, key: str) -> None:
        """Start, or start anew, with a signing key of this name."""
        self.stop()
        command = [str(NODE), "provider.mjs", str(self.port), REDIRECT, AFTER, self.back_channel, key]
        self.process = subprocess.Popen(command, cwd=FOLDER, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == b"ready"

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


class Person:
    """A browser at the provider."""

    def __init__(self) -> None:
        self.client = httpx.AsyncClient(trust_env=False)

    async def follow(self, url: str) -> str:
        """Sign in as anna, allow everything; the address that the browser is sent back to."""
        answer = await self.client.get(url)
        for _ in range(12):
            if answer.has_redirect_location:
                target = str(answer.url.join(answer.headers["location"]))
                if target.startswith("http://localhost/"):
                    return target
                answer = await self.client.get(target)
                continue
            assert answer.status_code == 200, answer.text
            action = re.search(r'action="([^"]+)"', answer.text)
            assert action, answer.text
            fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', answer.text))
            fields |= {"login": "anna", "password": "anything"} if fields.get("prompt") == "login" else {}
            if "xsrf" in fields:
                fields["logout"] = "yes"
            answer = await self.client.post(str(answer.url.join(action[1])), data=fields)
        raise AssertionError("the provider does not come to an end")


@pytest.fixture
def back_channel() -> Iterator[int]:
    """A free port, where our side listens for what the provider says."""
    return free_port()


@pytest.fixture
async def certified(
    place: Place, shared_valkey: Valkey, identity_provider: IdentityProvider, back_channel: int
) -> AsyncIterator[tuple[Federated, Certified]]:
    """An installation whose organisation signs in with the certified provider."""
    async for made in federated_over(place, shared_valkey, identity_provider, federation_per_tenant_enabled=True):
        provider = Certified(f"http://127.0.0.1:{back_channel}/auth/oidc/logout/{made.owner.tenant_id}")
        await asyncio.to_thread(provider.start, "first")
        try:
            await made.provisioning()
            mapping = [{"group": "it", "role": "AI Configurator"}]
            answer = await made.configure(
                discovery_endpoint=provider.issuer, scopes="openid email profile groups", group_roles=mapping
            )
            assert answer.status_code == 200, answer.text
            yield made, provider
        finally:
            provider.stop()


async def come_in(federated: Federated, person: Person) -> httpx.AsyncClient:
    """A browser of ours with a session, after signing in at the provider."""
    client = federated.browser(origin="http://localhost", **{"accept-language": "en"})
    begun = await client.post("/auth/oidc/start", json={"organisation": SLUG})
    assert begun.status_code == 200, begun.text
    target = await person.follow(begun.json()["url"])
    client.headers["cookie"] = begun.headers["set-cookie"].split(";")[0]
    answer = await client.get("/login/callback?" + urlsplit(target).query)
    assert answer.status_code == 303, answer.text
    [session] = [h for h in answer.headers.get_list("set-cookie") if h.startswith("__Host-samrad=")]
    client.headers["cookie"] = session.split(";")[0]
    csrf = federated.application.state.callers.csrf(UUID(hex=session.split("=", 1)[1].split(".")[1]))
    client.headers["x-csrf-token"] = csrf
    return client


async def test_people_sign_in_with_their_roles_and_the_doctor_is_content(
    certified: tuple[Federated, Certified],
) -> None:
    federated, _ = certified
    report = (await federated.operator().post(federated.path() + "/test")).json()
    assert report["success"], report
    me = (await (await come_in(federated, Person())).get("/api/v1/users/me/")).json()
    assert (me["email"], me["username"]) == ("anna@sundsvall.se", "Anna Ek")
    assert [role["name"] for role in me["predefined_roles"]] == ["AI Configurator"]


async def test_a_new_key_of_the_provider_is_no_obstacle(certified: tuple[Federated, Certified]) -> None:
    federated, provider = certified
    await come_in(federated, Person())
    await asyncio.to_thread(provider.start, "second")
    await come_in(federated, Person())


async def test_the_doctor_finds_what_is_wrong_at_it(certified: tuple[Federated, Certified]) -> None:
    federated, _ = certified
    answer = await federated.configure(
        discovery_endpoint=certified[1].issuer, client_secret="not the right secret", redirect_path="/elsewhere"
    )
    assert answer.status_code == 200
    report = (await federated.operator().post(federated.path() + "/test")).json()
    found = [step["message"] for step in report["steps"] if not step["passed"]]
    assert len(found) == 2, report
    assert "http://localhost/elsewhere" in found[0]
    assert "refused the client id or the client secret" in found[1]


async def test_signing_out_here_ends_it_there(certified: tuple[Federated, Certified]) -> None:
    federated, _ = certified
    person = Person()
    client = await come_in(federated, person)
    url = (await client.post("/auth/sign-out")).json()["url"]
    assert (await person.follow(url)).startswith(AFTER)
    again = await federated.browser(origin="http://localhost").post("/auth/oidc/start", json={"organisation": SLUG})
    page = await person.client.get(again.json()["url"], follow_redirects=True)
    assert 'name="login"' in page.text, "the provider asks who it is again"


async def test_signing_out_there_ends_it_here(certified: tuple[Federated, Certified], back_channel: int) -> None:
    federated, _ = certified
    person = Person()
    client = await come_in(federated, person)
    assert (await client.get("/api/v1/users/me/")).status_code == 200
    config = uvicorn.Config(federated.application, host="127.0.0.1", port=back_channel, log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0)
        url = await federated.runtime.services.provider_sign_in.sign_out_url(
            await federated.application.state.callers.actor(_connection(client)), base="http://localhost"
        )
        assert url is not None
        await person.follow(url)
        assert (await client.get("/api/v1/users/me/")).status_code == 401
    finally:
        server.should_exit = True
        await serving


def _connection(client: httpx.AsyncClient) -> object:
    """The client as our side sees it."""
    from starlette.requests import HTTPConnection

    headers = [(name.lower().encode(), value.encode()) for name, value in client.headers.items()]
    headers.append((b"host", b"localhost"))
    scope = {"type": "http", "method": "GET", "scheme": "http", "path": "/", "query_string": b"", "headers": headers}
    return HTTPConnection(scope | {"server": ("localhost", 80), "client": ("127.0.0.1", 1), "state": {}})
