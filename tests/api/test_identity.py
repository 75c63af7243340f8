"""Signing in by API and in a browser, and what ends it."""

import httpx
import pytest

from domain.identity.service import ACCOUNT_THRESHOLD
from tests.conftest import PASSWORD
from tests.support.api import Api


async def test_me_tells_who_one_is_and_what_one_may(api: Api) -> None:
    client = await api.client()
    me = (await client.get("/api/v1/users/me/")).json()
    assert me["email"] == "owner@example.se"
    assert "admin" in me["predefined_roles"][0]["permissions"]


@pytest.mark.parametrize(
    ("email", "password"), [("owner@example.se", "wrong password"), ("nobody@example.se", PASSWORD), ("", "")]
)
async def test_one_and_the_same_refusal_whatever_was_wrong(api: Api, email: str, password: str) -> None:
    answer = await api.browser(**{"accept-language": "en"}).post(
        "/api/v1/users/login/token/", data={"username": email or "x", "password": password or "y"}
    )
    assert answer.status_code == 401
    body = answer.json()
    assert body["intric_error_code"] == 9005
    assert body["message"] == "The e-mail address or the password is wrong."
    assert body["request_id"]


async def test_errors_speak_the_callers_language(api: Api) -> None:
    answer = await api.browser(**{"accept-language": "sv"}).get("/api/v1/users/me/")
    english = await api.browser(**{"accept-language": "en"}).get("/api/v1/users/me/")
    assert (answer.status_code, english.json()["message"]) == (401, "Sign in to continue.")
    assert answer.json()["message"] != english.json()["message"]


async def test_guessing_is_slowed_down(api: Api) -> None:
    client = api.browser()
    wrong = {"username": "owner@example.se", "password": "wrong password"}
    for _ in range(ACCOUNT_THRESHOLD):
        assert (await client.post("/api/v1/users/login/token/", data=wrong)).status_code == 401
    right = {"username": "owner@example.se", "password": PASSWORD}
    blocked = await client.post("/api/v1/users/login/token/", data=right)
    assert blocked.status_code == 429
    assert int(blocked.headers["retry-after"]) > 0


async def test_a_deactivated_user_is_out_at_the_next_request(api: Api) -> None:
    user_id = await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await anna.get("/api/v1/users/me/")).status_code == 200
    await api.runtime.services.users.deactivate(api.owner, user_id)
    assert (await anna.get("/api/v1/users/me/")).status_code == 401
    answer = await api.browser().post(
        "/api/v1/users/login/token/", data={"username": "anna@example.se", "password": PASSWORD}
    )
    assert (answer.status_code, answer.json()["intric_error_code"]) == (403, 9019)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."])
async def test_tokens_that_are_none(api: Api, token: str) -> None:
    answer = await api.browser(authorization=f"Bearer {token}").get("/api/v1/users/me/")
    assert answer.status_code == 401


async def test_a_token_of_another_installation_is_refused(api: Api) -> None:
    from app.auth.tokens import TokenRules, issue

    signed_in = await api.runtime.services.identity.sign_in("owner@example.se", PASSWORD, api.owner.origin, kind="api")
    forged = issue(TokenRules(b"k" * 32, "samrad", "samrad", 600), signed_in.sign_in)
    assert (await api.browser(authorization=f"Bearer {forged}").get("/api/v1/users/me/")).status_code == 401


async def browser_session(api: Api) -> httpx.AsyncClient:
    client = api.browser(origin="http://localhost")
    answer = await client.post("/auth/sign-in", json={"email": "owner@example.se", "password": PASSWORD})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-samrad=")
    assert all(part in cookie for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"))
    client.headers["cookie"] = cookie.split(";")[0]
    return client


async def test_a_browsers_writes_need_the_csrf_token(api: Api) -> None:
    client = await browser_session(api)
    assert (await client.get("/api/v1/users/me/")).status_code == 200
    forged = await client.post("/api/v1/spaces/", json={"name": "Forged"})
    assert forged.status_code == 403
    [session] = [s for s in await api.runtime.services.identity.sessions(api.owner) if s.kind == "browser"]
    client.headers["x-csrf-token"] = api.application.state.callers.csrf(session.id)
    assert (await client.post("/api/v1/spaces/", json={"name": "Real"})).status_code == 201


async def test_sign_out_ends_the_session_on_the_server(api: Api) -> None:
    client = await browser_session(api)
    [session] = [s for s in await api.runtime.services.identity.sessions(api.owner) if s.kind == "browser"]
    client.headers["x-csrf-token"] = api.application.state.callers.csrf(session.id)
    assert (await client.post("/auth/sign-out")).status_code == 204
    assert (await client.get("/api/v1/users/me/")).status_code == 401


async def test_sign_in_from_another_site_is_refused(api: Api) -> None:
    client = api.browser(origin="https://evil.example")
    answer = await client.post("/auth/sign-in", json={"email": "owner@example.se", "password": PASSWORD})
    assert answer.status_code == 403


async def test_imported_bcrypt_hashes_work_and_are_replaced(api: Api) -> None:
    import bcrypt

    from domain.users.entities import User

    user_id = await api.user("gammal@example.se")
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        found = await session.get(User, user_id)
        assert found is not None
        found.password_hash = old
        await session.commit()
    await api.client("gammal@example.se")
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        found = await session.get(User, user_id)
    assert found is not None
    assert (found.password_hash or "").startswith("$argon2id$")
