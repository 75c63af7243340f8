"""Too much, from the wrong place, in a suspicious way: limits, hosts, other web sites, sign-ins."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
import pytest

from app.bootstrap import build
from app.server import create_api
from domain.identity.service import ACCOUNT_THRESHOLD
from domain.kernel.actor import Actor
from domain.tenants.service import Setup
from domain.users.entities import PredefinedRole
from tests.conftest import PASSWORD, Place
from tests.support.api import Api, make_assistant, make_collection, make_space, upload, within_a_minute
from tests.support.mail import MailServer
from tests.support.valkey import Valkey

OPERATOR_KEY = "operator-key-of-the-tests"
SITE = "https://www.sundsvall.se"
Make = Callable[..., Coroutine[Any, Any, Api]]


@pytest.fixture
async def make(place: Place, valkey: Valkey) -> AsyncIterator[Make]:
    """Makes the interface with settings of the test's own."""
    running = []

    async def built(**settings: object) -> Api:
        values: dict[str, object] = {"redis_url": valkey.url, "super_api_key": OPERATOR_KEY, **settings}
        runtime = await build(place.settings(**values))
        running.append(runtime)
        runtime.contents.prepare()
        if await runtime.services.setup.needed():
            owner = await runtime.services.setup.run(Setup("Sundsvalls kommun", "owner@example.se", PASSWORD))
        else:
            owner = api_owner[0]
        api_owner.append(owner)
        if any(name.startswith("rate_limit_") for name in settings):
            await within_a_minute()
        return Api(runtime, create_api(runtime), owner)

    api_owner: list[Actor] = []
    yield built
    for each in running:
        await each.close()


async def try_to_sign_in(client: httpx.AsyncClient, email: str, password: str = "wrong password") -> httpx.Response:
    return await client.post("/api/v1/users/login/token/", data={"username": email, "password": password})


# Limits


@pytest.mark.parametrize("shared", [True, False], ids=["redis", "memory"])
async def test_a_caller_who_asks_too_much_waits_and_nobody_else_does(make: Make, valkey: Valkey, shared: bool) -> None:
    api = await make(rate_limit_requests=5, redis_url=valkey.url if shared else None)
    await api.user("anna@example.se")
    owner, anna = await api.client(), await api.client("anna@example.se")
    left = [int((await owner.get("/api/v1/limits/")).headers.get("x-ratelimit-remaining", -1)) for _ in range(2)]
    assert left == [-1, -1], "what anybody may read is not counted for a caller"
    answers = [await owner.get("/api/v1/users/me/") for _ in range(7)]
    assert [a.status_code for a in answers] == [200] * 5 + [429] * 2
    assert [a.headers["x-ratelimit-remaining"] for a in answers[:5]] == ["4", "3", "2", "1", "0"]
    refused = answers[-1]
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.json()["message"]
    assert (await anna.get("/api/v1/users/me/")).status_code == 200


async def test_processes_count_together(make: Make) -> None:
    one, two = await make(rate_limit_requests=4), await make(rate_limit_requests=4)
    first = await one.client()
    second = two.browser(Authorization=first.headers["Authorization"])
    codes = [(await client.get("/api/v1/users/me/")).status_code for client in (first, second) * 3]
    assert codes == [200] * 4 + [429] * 2


async def test_without_redis_each_process_counts_alone(make: Make) -> None:
    api = await make(rate_limit_requests=3, redis_url="redis://127.0.0.1:9/0")
    client = await api.client()
    codes = [(await client.get("/api/v1/users/me/")).status_code for _ in range(5)]
    assert codes == [200] * 3 + [429] * 2


async def test_an_organisation_has_a_limit_of_its_own(make: Make) -> None:
    api = await make(rate_limit_requests=4, rate_limit_tenant_factor=2)
    for name in "abc":
        await api.user(f"{name}@example.se")
    clients = [await api.client(f"{name}@example.se") for name in "abc"]
    codes = [(await client.get("/api/v1/users/me/")).status_code for client in clients for _ in range(4)]
    assert codes == [200] * 8 + [429] * 4


async def test_questions_and_uploads_have_limits_and_nothing_is_lost(make: Make) -> None:
    api = await make(rate_limit_questions=2, rate_limit_uploads=2)
    client = await api.client()
    space = await make_space(client)
    collection = await make_collection(client, space)
    names = [(await upload(client, collection, f"{n}.txt", f"Text {n}".encode())).status_code for n in range(3)]
    assert names == [202, 202, 429]
    files = await client.post("/api/v1/files/", files={"upload_file": ("b.txt", b"Hemligt")})
    assert files.status_code == 429
    assistant = await make_assistant(client, space)
    body = {"assistant_id": assistant, "question": "Vad?"}
    first = (await client.post("/api/v1/conversations/", json=body)).json()
    again = await client.post("/api/v1/conversations/", json={"session_id": first["session_id"], "question": "Och?"})
    assert again.status_code == 200
    refused = await client.post("/api/v1/conversations/", json=body)
    assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
    kept = (await client.get(f"/api/v1/conversations/{first['session_id']}/")).json()["messages"]
    assert [message["question"] for message in kept] == ["Vad?", "Och?"]


async def test_guessed_tokens_are_held_back_but_not_the_neighbours(make: Make) -> None:
    api = await make(rate_limit_refusals=3)
    client = await api.client()
    guesser = api.browser(Authorization="Bearer x.y.z")
    codes = [(await guesser.get("/api/v1/users/me/")).status_code for _ in range(5)]
    assert codes == [401] * 3 + [429] * 2
    assert (await client.get("/api/v1/users/me/")).status_code == 200


async def test_strangers_have_a_limit_by_address(make: Make) -> None:
    api = await make(rate_limit_strangers=3)
    client = await api.client()
    codes = [(await api.browser("192.0.2.1").get("/api/v1/limits/")).status_code for _ in range(5)]
    assert codes == [200] * 3 + [429] * 2
    pages = await api.browser("192.0.2.1", accept="text/html").get("/api/v1/limits/")
    assert (pages.status_code, pages.headers["content-type"]) == (429, "text/plain; charset=utf-8")
    assert (await api.browser("192.0.2.2").get("/api/v1/limits/")).status_code == 200
    of_one_subscriber = ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:0:ffff::4", "2001:db8:0:1::1")
    codes = [(await api.browser(ip).get("/api/v1/limits/")).status_code for ip in of_one_subscriber]
    assert codes == [200, 200, 200, 429, 200]
    assert (await client.get("/api/v1/users/me/")).status_code == 200


# Hosts and transport


async def test_another_host_name_is_refused(make: Make) -> None:
    api = await make(public_origin="https://ai.example.se", allowed_hosts="internal.example.se")
    for host, status in (
        ("ai.example.se", 200), ("AI.example.se:443", 200), ("internal.example.se", 200), ("localhost:8080", 200),
        ("[::1]:8080", 200), ("evil.example", 400), ("ai.example.se.evil.example", 400), ("", 400),
    ):  # fmt: skip
        answer = await api.browser(host=host).get("/api/v1/limits/")
        assert answer.status_code == status, host
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_plain_http_does_not_ask_for_https(make: Make) -> None:
    api = await make()
    answer = await api.browser().get("/api/v1/limits/")
    assert "strict-transport-security" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


# Other web sites


def preflight(client: httpx.AsyncClient, origin: str) -> Coroutine[Any, Any, httpx.Response]:
    asked = {
        "origin": origin,
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
    }
    return client.request("OPTIONS", "/api/v1/users/me/", headers=asked)


async def test_a_web_site_is_allowed_by_each_organisation_for_itself(api: Api, other: Actor) -> None:
    owner, neighbour = await api.client(), await api.client(other.email)
    assert (await preflight(api.browser(), SITE)).status_code == 400
    assert (await owner.get("/api/v1/users/me/", headers={"origin": SITE})).status_code == 403
    added = await owner.post("/api/v1/allowed-origins/", json={"url": f"{SITE.upper().replace('HTTPS', 'https')}/"})
    assert (added.status_code, added.json()["url"]) == (201, SITE)
    listed = (await owner.get("/api/v1/allowed-origins/")).json()
    assert [each["url"] for each in listed["items"]] == [SITE]
    fresh = Api(api.runtime, create_api(api.runtime), api.owner)  # remembers no earlier refusal
    asked = await preflight(fresh.browser(), SITE)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, SITE)
    assert "access-control-allow-credentials" not in asked.headers
    called = fresh.browser(Authorization=owner.headers["Authorization"], origin=SITE)
    answer = await called.get("/api/v1/users/me/")
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, SITE)
    foreign = fresh.browser(Authorization=neighbour.headers["Authorization"], origin=SITE)
    assert (await foreign.get("/api/v1/users/me/")).status_code == 403
    assert (await neighbour.get("/api/v1/allowed-origins/")).json()["count"] == 0
    assert (await neighbour.delete(f"/api/v1/allowed-origins/{added.json()['id']}/")).status_code == 404
    assert (await owner.delete(f"/api/v1/allowed-origins/{added.json()['id']}/")).status_code == 204
    assert (await called.get("/api/v1/users/me/")).status_code == 403


@pytest.mark.parametrize(
    "url", ["", "www.example.se", "http://www.example.se", "https://a.se/path", "https://u:p@a.se", "javascript:1", "*"]
)
async def test_what_is_not_a_web_site_is_not_allowed(api: Api, url: str) -> None:
    client = await api.client()
    answer = await client.post("/api/v1/allowed-origins/", json={"url": url})
    assert (answer.status_code, answer.json()["field"]) == (422, "url")


async def test_only_administrators_allow_web_sites(api: Api) -> None:
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await anna.get("/api/v1/allowed-origins/")).status_code == 403
    assert (await anna.post("/api/v1/allowed-origins/", json={"url": SITE})).status_code == 403


async def test_the_operator_sees_and_changes_web_sites_of_all(make: Make) -> None:
    api = await make()
    tenant = str(api.owner.tenant_id)
    operator = api.browser(**{"x-api-key": OPERATOR_KEY})
    path = "/api/v1/sysadmin/allowed-origins/"
    made = await operator.post(path, json={"url": SITE, "tenant_id": tenant})
    assert (made.status_code, made.json()["tenant_id"]) == (200, tenant)
    assert (await operator.post(path, json={"url": SITE, "tenant_id": tenant})).status_code == 400
    assert (await operator.post(path, json={"url": SITE, "tenant_id": made.json()["id"]})).status_code == 404
    assert [each["id"] for each in (await operator.get(path)).json()["items"]] == [made.json()["id"]]
    assert (await operator.get(path, params={"tenant_id": tenant})).json()["count"] == 1
    assert (await operator.delete(f"{path}{made.json()['id']}/")).status_code == 204
    assert (await operator.delete(f"{path}{made.json()['id']}/")).status_code == 404
    assert (await (await api.client()).get(path)).status_code == 401


async def test_the_installation_can_allow_a_web_site_for_all(make: Make) -> None:
    api = await make(allowed_origins=f"{SITE}/, https://b.example.se")
    client = await api.client()
    assert (await preflight(api.browser(), SITE)).status_code == 200
    assert (await client.get("/api/v1/users/me/", headers={"origin": SITE})).status_code == 200
    assert (await client.get("/api/v1/users/me/", headers={"origin": "https://c.example.se"})).status_code == 403


# Suspicious sign-ins


async def alerts(client: httpx.AsyncClient) -> list[tuple[str, int]]:
    found = (await client.get("/api/v1/admin/sign-in-alerts/")).json()["items"]
    return [(each["kind"], each["times"]) for each in found]


async def test_many_wrong_passwords_are_shown_once_with_a_count(api: Api) -> None:
    owner = await api.client()
    await api.user("anna@example.se")
    for _ in range(ACCOUNT_THRESHOLD):
        await try_to_sign_in(api.browser("192.0.2.7"), "anna@example.se")
    assert await alerts(owner) == [("repeated_failures", 1)]
    found = (await owner.get("/api/v1/admin/sign-in-alerts/", params={"unseen": True})).json()
    assert (found["unseen_count"], found["items"][0]["user"]["email"]) == (1, "anna@example.se")
    assert found["items"][0]["ip"] == "192.0.2.7"
    assert (await owner.post(f"/api/v1/admin/sign-in-alerts/{found['items'][0]['id']}/seen/")).status_code == 204
    assert (await owner.get("/api/v1/admin/sign-in-alerts/", params={"unseen": True})).json()["items"] == []


async def test_success_after_many_failures_is_suspicious(api: Api) -> None:
    owner = await api.client()
    await api.user("anna@example.se")
    for _ in range(5):
        await try_to_sign_in(api.browser(), "anna@example.se")
    assert await alerts(owner) == []
    assert (await try_to_sign_in(api.browser(), "anna@example.se", PASSWORD)).status_code == 200
    assert await alerts(owner) == [("success_after_failures", 1)]


async def test_one_address_that_tries_many_accounts_is_noticed(api: Api) -> None:
    owner = await api.client()
    for number in range(7):
        await api.user(f"p{number}@example.se")
    for number in range(7):
        await try_to_sign_in(api.browser("192.0.2.9"), f"p{number}@example.se")
    assert await alerts(owner) == [("many_accounts", 2)]


async def test_an_administrator_in_a_new_place_is_noticed(api: Api) -> None:
    await api.user("anna@example.se")
    agent = {"user-agent": "Firefox/128.0 (X11)"}
    for ip, headers in (
        ("192.0.2.1", agent),
        ("192.0.2.77", {"user-agent": "Chrome/1"}),  # the same network
        ("198.51.100.1", {"user-agent": "Firefox/130.1 (X11)"}),  # the same device, newer
    ):
        assert (await try_to_sign_in(api.browser(ip, **headers), "owner@example.se", PASSWORD)).status_code == 200
        assert (await try_to_sign_in(api.browser(ip, **headers), "anna@example.se", PASSWORD)).status_code == 200
    owner = await api.client()  # from 127.0.0.1, with another program
    assert await alerts(owner) == [("new_place", 1)]


async def test_alerts_are_the_organisations_own(api: Api, other: Actor) -> None:
    for _ in range(ACCOUNT_THRESHOLD):
        await try_to_sign_in(api.browser(), "owner@example.se")
    neighbour = await api.client(other.email)
    assert await alerts(neighbour) == []
    await api.user("anna@example.se", PredefinedRole.USER)
    anna = await api.client("anna@example.se")
    assert (await anna.get("/api/v1/admin/sign-in-alerts/")).status_code == 403


async def test_administrators_get_a_mail(make: Make) -> None:
    server = MailServer()
    try:
        api = await make(
            smtp_host="127.0.0.1", smtp_port=server.port, smtp_security="none",
            smtp_from="samrad@example.se", public_origin="https://ai.example.se",
        )  # fmt: skip
        await api.user("anna@example.se")
        for _ in range(ACCOUNT_THRESHOLD):
            await try_to_sign_in(api.browser(), "anna@example.se")
        async with asyncio.timeout(10):
            while not server.letters:
                await asyncio.sleep(0.01)
        [letter] = server.letters
        assert letter["to"] == "owner@example.se"
        assert "https://ai.example.se/admin/security" in letter.get_content()
    finally:
        server.close()
