"""Every lie that an identity provider can tell is refused with a sentence of its own, and leaves nothing behind."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from domain.federation.entities import PendingSignIn
from domain.kernel.clock import now
from storage.tables.federation import pending_sign_ins
from tests.support.federation import SLUG, Federated
from tests.support.identity_provider import CLIENT

TOKEN_LIES = {
    "wrong_issuer": "was issued by https://evil.example",
    "wrong_audience": "meant for somebody else",
    "no_audience": "meant for somebody else",
    "audience_of_many": "another client (claim “azp”)",
    "wrong_azp": "another client (claim “azp”)",
    "foreign_aud_own_azp": "meant for somebody else",
    "no_nonce": "another sign-in (claim “nonce”)",
    "wrong_nonce": "another sign-in (claim “nonce”)",
    "expired": "has expired",
    "future_iat": "from the future",
    "future_nbf": "from the future",
    "ancient": "issued too long ago",
    "no_expiry": "The claim “exp” is missing",
    "expiry_text": "The claim “exp” is missing",
    "nan_expiry": "The claim “exp” is missing",
    "no_subject": "The claim “sub” is missing",
    "empty_subject": "The claim “sub” is missing",
    "alg_none": "signed with none, which is not accepted",
    "hs256_public_key": "signed with HS256, which is not accepted",
    "hs256_secret": "signed with HS256, which is not accepted",
    "unknown_kid": "a key that the identity provider does not publish",
    "wrong_signature": "The signature of the ID token is wrong",
    "wrong_at_hash": "does not belong to the access token",
    "list_as_token": "The ID token cannot be read",
    "garbled_token": "The ID token cannot be read",
    "token_garbage": "The answer of the identity provider cannot be read",
    "no_id_token": "sent no ID token",
    "no_access_token": "sent no access token",
    "token_huge": "is too large",
    "token_slow": "did not answer in time",
    "token_nested": "cannot be read",
    "token_redirect": "answered with a redirect",
    "token_broken": "refused the exchange of the code (server_error)",
    "userinfo_other_person": "about another person",
    "userinfo_garbage": "cannot be read",
    "userinfo_redirect": "answered with a redirect",
    "userinfo_huge": "is too large",
    "jwks_huge": "is too large",
    "jwks_garbage": "cannot be read",
    "jwks_redirect": "answered with a redirect",
}
PERSONS: list[tuple[dict[str, Any], int, str]] = [
    ({"email_verified": False}, 403, "has not verified your e-mail address"),
    ({"email_verified": None}, 403, "does not say whether your e-mail address is verified"),
    ({"email": None}, 401, "did not say your e-mail address"),
    ({"email": "@x"}, 401, "an e-mail address that is none"),
    ({"email": "a@@b.se"}, 401, "an e-mail address that is none"),
    ({"email": ["anna@sundsvall.se"]}, 401, "an e-mail address that is none"),
    ({"email": "anna@elsewhere.se"}, 403, "Addresses of elsewhere.se may not sign in here"),
    ({"email": "anna@it.sundsvall.se"}, 403, "Addresses of it.sundsvall.se may not sign in here"),
    ({"email": "anna@sundsvall.se.evil.example"}, 403, "may not sign in here"),
]
DISCOVERY_LIES: list[tuple[str, dict[str, Any], str]] = [
    ("discovery_huge", {}, "is too large"),
    ("discovery_slow", {}, "did not answer in time"),
    ("discovery_garbage", {}, "cannot be read"),
    ("discovery_redirect", {}, "answered with a redirect"),
    ("discovery_broken", {}, "answered with the status 500"),
    ("", {"issuer": "https://evil.example"}, "is for the issuer https://evil.example"),
    ("", {"token_endpoint": "http://idp.example.se/token"}, "http://idp.example.se/token must begin with https://"),
    ("", {"authorization_endpoint": "javascript:alert(1)"}, "must begin with https://"),
    ("", {"jwks_uri": "file:///etc/passwd"}, "must begin with https://"),
    ("", {"token_endpoint": None}, "lacks “token_endpoint”"),
    ("", {"jwks_uri": 7}, "lacks “jwks_uri”"),
    ("", {"response_types_supported": ["id_token"]}, "does not offer the code flow"),
    ("", {"code_challenge_methods_supported": ["plain"]}, "does not offer PKCE with S256"),
    ("", {"id_token_signing_alg_values_supported": ["none", "HS256"]}, "no algorithm that is accepted"),
    ("", {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "neither in the form nor in the header"),
]


def refused(answer: httpx.Response, status: int, sentence: str) -> None:
    """The refusal is the expected one and carries the id that the person can report."""
    assert (answer.status_code, sentence in answer.json()["message"]) == (status, True), answer.text
    assert answer.json()["request_id"] == answer.headers["x-correlation-id"]
    assert "access_token" not in answer.json()


@pytest.mark.parametrize(("lie", "sentence"), TOKEN_LIES.items())
async def test_lies_in_what_the_provider_sends(federated: Federated, lie: str, sentence: str) -> None:
    before = await federated.counts()
    federated.provider.evil = lie
    answer = await federated.sign_in()
    refused(answer, 401, sentence)
    assert await federated.counts() == before
    [entry] = [e for e in await federated.audit("sign_in") if e.outcome == "failure"]
    assert entry.request_id == answer.headers["x-correlation-id"]


@pytest.mark.parametrize(("claims", "status", "sentence"), PERSONS)
async def test_people_who_may_not_come_in(
    federated: Federated, claims: dict[str, Any], status: int, sentence: str
) -> None:
    assert (await federated.configure(allowed_domains=["Sundsvall.SE"])).status_code == 200
    before = await federated.counts()
    person = {**federated.provider.person, **claims}
    federated.provider.person = {name: value for name, value in person.items() if value is not None}
    refused(await federated.sign_in(), status, sentence)
    assert await federated.counts() == before


@pytest.mark.parametrize(("lie", "document", "sentence"), DISCOVERY_LIES)
async def test_lies_in_the_discovery_document(
    shared_federation: Federated, lie: str, document: dict[str, Any], sentence: str
) -> None:
    before = await shared_federation.counts()
    shared_federation.provider.evil, shared_federation.provider.document = lie, document
    refused(await shared_federation.sign_in(tenant=None), 401, sentence)
    assert await shared_federation.counts() == before


@pytest.mark.parametrize("name", ["token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize("target", ["https://169.254.169.254/latest", "https://10.0.0.1/x", "https://[::1]/x"])
async def test_calls_into_the_private_network(shared_federation: Federated, name: str, target: str) -> None:
    before = await shared_federation.counts()
    shared_federation.provider.document = {name: target}
    shared_federation.provider.person.pop("email")
    refused(await shared_federation.sign_in(tenant=None), 401, "in a private network and may not be called")
    assert await shared_federation.counts() == before


async def test_a_provider_cannot_be_stored_with_a_foreign_issuer_or_a_private_address(federated: Federated) -> None:
    federated.provider.document = {"issuer": "https://evil.example"}
    answer = await federated.configure(discovery_endpoint=federated.provider.issuer + "/other")
    assert answer.status_code == 400
    for address in ("https://169.254.169.254", "http://idp.example.se", "ftp://x", "https://a@10.0.0.1"):
        answer = await federated.configure(discovery_endpoint=address)
        assert answer.status_code in (400, 422), answer.text
        assert answer.json()["field"] == "discovery_endpoint"


async def test_a_state_works_once(federated: Federated) -> None:
    client = federated.browser(**{"accept-language": "en"})
    begun = await federated.initiate(client)
    returned = await federated.at_provider(begun.json()["authorization_url"])
    assert (await client.post("/api/v1/auth/callback", json=returned)).status_code == 200
    before = await federated.counts()
    refused(await client.post("/api/v1/auth/callback", json=returned), 400, "was used already")
    assert await federated.counts() == before


async def test_a_state_is_bound_to_its_browser(federated: Federated) -> None:
    begun = await federated.initiate(federated.browser())
    returned = await federated.at_provider(begun.json()["authorization_url"])
    before = await federated.counts()
    victim = federated.browser(**{"accept-language": "en"})
    await federated.initiate(victim)
    refused(await victim.post("/api/v1/auth/callback", json=returned), 400, "begun in another browser")
    assert await federated.counts() == before


async def test_a_state_is_bound_to_its_organisation(federated: Federated) -> None:
    other = await federated.neighbour()
    assert (await federated.configure(other)).status_code == 200
    client = federated.browser(**{"accept-language": "en"})
    begun = await federated.initiate(client, "grannkommunen")
    returned = await federated.at_provider(begun.json()["authorization_url"])
    before = await federated.counts()
    returned["state"] = f"{federated.owner.tenant_id.hex}.{returned['state'].split('.')[1]}"
    answer = await client.post("/api/v1/auth/callback", json=returned)
    assert (answer.status_code, "not known here" in answer.json()["message"]) == (400, True)
    assert await federated.counts() == before


@pytest.mark.parametrize("state", ["", "x", ".", "0.0", "\u0000", "a" * 2000, "00000000-0000-0000-0000-000000000000.x"])
async def test_a_state_that_was_never_given_out(federated: Federated, state: str) -> None:
    client = federated.browser(**{"accept-language": "en"})
    answer = await client.post("/api/v1/auth/callback", json={"code": "x", "state": state})
    assert (answer.status_code, "not known here" in answer.json()["message"]) == (400, True), answer.text


async def test_a_state_grows_too_old(federated: Federated) -> None:
    client = federated.browser(**{"accept-language": "en"})
    begun = await federated.initiate(client)
    returned = await federated.at_provider(begun.json()["authorization_url"])
    async with federated.runtime.database.session(federated.owner.tenant_id) as session:
        late = update(PendingSignIn).where(pending_sign_ins.c.id.is_not(None))
        await session.execute(late.values(expires_at=now() - timedelta(seconds=1)))
        await session.commit()
    refused(await client.post("/api/v1/auth/callback", json=returned), 400, "took too long")


async def test_a_state_is_bound_to_the_settings_it_began_with(federated: Federated) -> None:
    client = federated.browser(**{"accept-language": "en"})
    begun = await federated.initiate(client)
    returned = await federated.at_provider(begun.json()["authorization_url"])
    before = await federated.counts()
    assert (await federated.configure(client_id="another")).status_code == 200
    refused(await client.post("/api/v1/auth/callback", json=returned), 400, "settings of your organisation changed")
    assert await federated.counts() == before


@pytest.mark.parametrize("issuer", ["https://evil.example", ""])
async def test_an_answer_from_another_provider(federated: Federated, issuer: str) -> None:
    before = await federated.counts()
    refused(await federated.sign_in(iss=issuer), 401, "came from another identity provider")
    assert await federated.counts() == before


async def test_an_answer_without_issuer_where_the_provider_promises_it(shared_federation: Federated) -> None:
    shared_federation.provider.document = {"authorization_response_iss_parameter_supported": True}
    refused(await shared_federation.sign_in(tenant=None, iss=None), 401, "came from another identity provider")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [("access_denied", "ended the sign-in"), ("<b>temporarily</b>_unavailable", "(btemporarilyb_unavailable)")],
)
async def test_the_provider_refuses(federated: Federated, error: str, sentence: str) -> None:
    before = await federated.counts()
    refused(await federated.sign_in(error=error, code=""), 401, sentence)
    assert await federated.counts() == before


async def test_a_code_of_another_sign_in(federated: Federated) -> None:
    stolen = await federated.at_provider((await federated.initiate(federated.browser())).json()["authorization_url"])
    before = await federated.counts()
    refused(await federated.sign_in(code=stolen["code"]), 401, "refused the code")
    assert await federated.counts() == before


async def test_a_wrong_secret(federated: Federated) -> None:
    federated.provider.clients[CLIENT] = "another secret by now"
    refused(await federated.sign_in(), 401, "refused the client id or the client secret")


async def test_an_organisation_cannot_vouch_for_the_people_of_another(federated: Federated) -> None:
    other = await federated.neighbour()
    assert (await federated.configure(other)).status_code == 200
    federated.provider.person["email"] = "owner@example.se"
    refused(await federated.sign_in(tenant="grannkommunen"), 403, "no account for you")
    before = await federated.counts()
    federated.provider.person["email"] = "chef@grannkommunen.se"
    refused(await federated.sign_in(), 403, "no account for you")
    assert await federated.counts() == before


async def test_an_address_that_went_to_a_new_person_does_not_bring_the_account(federated: Federated) -> None:
    assert (await federated.sign_in()).status_code == 200
    before = await federated.counts()
    federated.provider.person["sub"] = "somebody-new"
    refused(await federated.sign_in(), 403, "belongs to another person")
    assert await federated.counts() == before


async def test_unknown_organisations_and_those_without_a_provider_look_the_same(federated: Federated) -> None:
    await federated.neighbour()
    client = federated.browser(**{"accept-language": "en"})
    answers = [await federated.initiate(client, word) for word in ("grannkommunen", "finns-inte", "x@finns-inte.se")]
    assert {(answer.status_code, answer.json()["message"]) for answer in answers} == {
        (404, "No organisation that signs in this way has that name or address. Check the spelling.")
    }
    assert (await client.get("/api/v1/auth/tenants")).json() == {"tenants": []}
    for _ in range(50):
        last = await federated.initiate(client, "gissning")
    assert last.status_code == 429
    assert (await federated.initiate(client, SLUG)).status_code == 429
