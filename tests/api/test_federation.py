"""Signing in through an organisation's identity provider, and setting it up."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from domain.federation.entities import Federation, PendingSignIn
from domain.federation.sign_in import challenge_of
from domain.kernel.actor import Permission
from domain.kernel.clock import now
from domain.kernel.errors import BadRequest, Forbidden, Invalid
from domain.users.entities import PredefinedRole, User
from storage.tables.federation import federations, pending_sign_ins
from tests.conftest import PASSWORD
from tests.support.federation import SLUG, Federated
from tests.support.identity_provider import CLIENT, SECRET


def bearer(federated: Federated, answer: httpx.Response) -> httpx.AsyncClient:
    """A client with the token of a sign-in."""
    assert answer.status_code == 200, answer.text
    return federated.browser(authorization=f"Bearer {answer.json()['access_token']}")


async def me(federated: Federated, answer: httpx.Response) -> dict[str, Any]:
    """Who somebody is after signing in."""
    found: dict[str, Any] = (await bearer(federated, answer).get("/api/v1/users/me/")).json()
    return found


async def test_the_first_sign_in_makes_an_account_and_the_next_finds_it(federated: Federated) -> None:
    federated.provider.person["email"] = "Anna.Ek@Sundsvall.SE"
    first = await me(federated, await federated.sign_in())
    assert (first["email"], first["username"]) == ("anna.ek@sundsvall.se", "Anna Ek")
    assert [role["name"] for role in first["predefined_roles"]] == [PredefinedRole.USER]
    before = await federated.counts()
    federated.provider.person["email"] = "anna.ny@sundsvall.se"
    again = await me(federated, await federated.sign_in())
    assert again["id"] == first["id"], "the link is the provider's subject, not the address"
    users, sessions, links = await federated.counts()
    assert (users, sessions, links) == (before[0], before[1] + 1, before[2])
    assert [entry.outcome for entry in await federated.audit("sign_in")] == ["success", "success"]


async def test_without_provisioning_only_existing_accounts_come_in(federated: Federated) -> None:
    await federated.provisioning(False)
    assert (await federated.sign_in()).status_code == 403
    user_id = await federated.user("anna@sundsvall.se")
    assert (await me(federated, await federated.sign_in()))["id"] == str(user_id)


async def test_a_linked_person_comes_in_without_an_address(federated: Federated) -> None:
    assert (await federated.sign_in()).status_code == 200
    del federated.provider.person["email"]
    assert (await federated.sign_in()).status_code == 200


async def test_the_address_may_come_from_userinfo(federated: Federated) -> None:
    federated.provider.evil = "userinfo"
    assert (await me(federated, await federated.sign_in()))["email"] == "anna@sundsvall.se"
    assert "/userinfo" in federated.provider.asked


async def test_an_organisation_may_trust_addresses_that_nobody_verified(federated: Federated) -> None:
    del federated.provider.person["email_verified"]
    assert (await federated.sign_in()).status_code == 403
    assert (await federated.configure(trust_email=True)).status_code == 200
    assert (await federated.sign_in()).status_code == 200
    federated.provider.person.update(sub="another", email="bo@sundsvall.se", email_verified=False)
    assert (await federated.sign_in()).status_code == 403


async def test_international_domains_are_compared_in_one_form(federated: Federated) -> None:
    assert (await federated.configure(allowed_domains=["Åre.SE"])).status_code == 200
    federated.provider.person["email"] = "anna@åre.se"
    assert (await federated.sign_in()).status_code == 200


@pytest.mark.parametrize("seconds", [90, -400])
async def test_clocks_may_differ_a_little(federated: Federated, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    from tests.support import identity_provider

    lie = {"iat": lambda moment: moment + seconds, "exp": lambda moment: moment + seconds + 300}
    monkeypatch.setitem(identity_provider.CLAIM_LIES, "skewed", lie)
    federated.provider.evil = "skewed"
    assert (await federated.sign_in()).status_code == 200


async def test_new_keys_are_fetched_once_when_a_signature_names_one(federated: Federated) -> None:
    assert (await federated.sign_in()).status_code == 200
    asked = federated.provider.asked.count("/jwks")
    assert (await federated.sign_in()).status_code == 200
    assert federated.provider.asked.count("/jwks") == asked, "the keys are remembered"
    federated.provider.rotate("second")
    assert (await federated.sign_in()).status_code == 200
    assert federated.provider.asked.count("/jwks") == asked + 1
    federated.provider.evil = "unknown_kid"
    assert (await federated.sign_in()).status_code == 401
    assert federated.provider.asked.count("/jwks") == asked + 1, "made-up keys do not make us ask again and again"


async def test_groups_give_roles_and_an_owner_remains(federated: Federated) -> None:
    mapping = [{"group": "it", "role": "AI Configurator"}, {"group": "chefer", "role": "Owner"}]
    assert (await federated.configure(group_roles=mapping)).status_code == 200
    for groups, roles in (
        (["it", "annat"], ["AI Configurator"]), (["chefer", "it"], ["AI Configurator", "Owner"]), ([], ["User"]),
    ):  # fmt: skip
        federated.provider.person["groups"] = groups
        found = await me(federated, await federated.sign_in())
        assert sorted(role["name"] for role in found["predefined_roles"]) == sorted(roles)
    federated.provider.person.update(sub="owner-1", email="owner@example.se", groups=[])
    found = await me(federated, await federated.sign_in())
    assert PredefinedRole.OWNER in [role["name"] for role in found["predefined_roles"]], "the last owner stays one"


async def test_groups_give_own_roles_and_user_groups(federated: Federated) -> None:
    owner = await federated.client()
    role = (await owner.post("/api/v1/roles/", json={"name": "Insyn", "permissions": ["insights"]})).json()["id"]
    groups = [(await owner.post("/api/v1/user-groups/", json={"name": name})).json()["id"] for name in ("Bygg", "Egen")]
    mapping = [{"group": "it", "role": role}, {"group": "bygg", "role": f"group:{groups[0]}"}]
    assert (await federated.configure(group_roles=mapping)).status_code == 200
    for claimed, roles, joined in (
        (["it", "bygg"], ["Insyn"], ["Bygg"]), (["bygg"], ["User"], ["Bygg", "Egen"]), ([], ["User"], ["Egen"]),
    ):  # fmt: skip
        federated.provider.person["groups"] = claimed
        found = await me(federated, await federated.sign_in())
        assert [each["name"] for each in (*found["predefined_roles"], *found["roles"])] == roles
        # Membership that was given by hand, in a group that nothing is mapped to, stays.
        await owner.post(f"/api/v1/user-groups/{groups[1]}/users/{found['id']}/")
        assert sorted({*(g["name"] for g in found["user_groups"]), "Egen"}) == sorted({*joined, "Egen"})
    first, *_ = await federated.audit("user_group_member_added")
    assert first.changes["new"]["email"] == found["email"]
    assert (await federated.configure(group_roles=mapping[1:])).status_code == 200
    federated.provider.person["groups"] = ["it", "bygg"]
    await federated.runtime.services.users.set_roles(federated.owner, UUID(found["id"]), [role])
    kept = await me(federated, await federated.sign_in())
    assert [each["name"] for each in kept["roles"]] == ["Insyn"], "without a mapped role, roles stay as they are"


async def test_nobody_maps_groups_to_what_they_do_not_have(federated: Federated) -> None:
    service, neighbour = federated.runtime.services.federation, federated.admin_of(await federated.neighbour())
    theirs = await federated.runtime.services.user_groups.create(neighbour, "Deras")
    with pytest.raises(Invalid):
        await service.preview(federated.owner, [{"group": "a", "role": f"group:{theirs.group.id}"}], ["a"])
    keeper = replace(federated.owner, permissions=frozenset({Permission.ADMIN}))
    with pytest.raises(Forbidden):
        await service.preview(keeper, [{"group": "a", "role": "Owner"}], ["a"])
    roles, groups = await service.preview(federated.owner, [{"group": "a", "role": "Owner"}], [" a "])
    assert ([each.name for each in roles], groups) == (["Owner"], [])


async def test_a_client_without_cookies_brings_a_verifier_of_its_own(federated: Federated) -> None:
    verifier = "v" * 64
    client = federated.browser()
    begun = await client.get(
        "/api/v1/auth/initiate",
        params={"tenant": SLUG, "state": "deep link", "code_challenge": challenge_of(verifier)},
    )
    assert "set-cookie" not in begun.headers
    returned = await federated.at_provider(begun.json()["authorization_url"])
    answer = await federated.browser().post("/api/v1/auth/callback", json={**returned, "code_verifier": verifier})
    assert answer.json()["state"] == "deep link"
    assert (await me(federated, answer))["email"] == "anna@sundsvall.se"


async def test_organisations_are_found_by_slug_and_by_the_domain_of_an_address(federated: Federated) -> None:
    await federated.neighbour()
    await federated.provisioning(domain="Sundsvall.se")
    for word in (SLUG, "SUNDSVALL.se", "vem.som.helst@sundsvall.se"):
        assert (await federated.initiate(federated.browser(), word)).status_code == 200, word
    answer = await federated.initiate(federated.browser(), None)
    assert answer.status_code == 400
    status = (await federated.browser().get("/api/v1/auth/federation-status")).json()
    assert status == {
        "has_single_tenant_federation": False, "has_multi_tenant_federation": True, "has_global_oidc_config": False,
        "tenant_count": 2,
    }  # fmt: skip


async def test_a_suspended_organisation_signs_nobody_in(federated: Federated) -> None:
    client = federated.browser()
    begun = await federated.initiate(client)
    returned = await federated.at_provider(begun.json()["authorization_url"])
    await federated.provisioning(state="suspended")
    assert (await federated.initiate(federated.browser())).status_code == 403
    assert (await client.post("/api/v1/auth/callback", json=returned)).status_code == 403


async def test_a_deactivated_user_is_refused_and_a_deleted_one_is_a_stranger(federated: Federated) -> None:
    user_id = UUID((await me(federated, await federated.sign_in()))["id"])
    await federated.runtime.services.users.deactivate(federated.owner, user_id)
    refusal = await federated.sign_in()
    assert (refusal.status_code, refusal.json()["code"]) == (403, 9019)
    await federated.runtime.services.users.delete(federated.owner, user_id)
    assert (await me(federated, await federated.sign_in()))["id"] != str(user_id)


async def drift(federated: Federated, *, changed: timedelta, begun: timedelta = timedelta(0)) -> int:
    """The status of a sign-in during which the address changed; `changed` and `begun` lie in the past."""
    client = federated.browser()
    answer = await federated.initiate(client)
    returned = await federated.at_provider(answer.json()["authorization_url"])
    assert (await federated.configure(redirect_path="/login/elsewhere")).status_code == 200
    async with federated.runtime.database.session(federated.owner.tenant_id) as session:
        values = {"created_at": now() - begun - timedelta(seconds=1)}
        await session.execute(update(PendingSignIn).where(pending_sign_ins.c.id.is_not(None)).values(**values))
        moved = update(Federation).where(federations.c.id.is_not(None))
        await session.execute(moved.values(configured_at=now() - changed))
        await session.commit()
    return (await client.post("/api/v1/auth/callback", json=returned)).status_code


async def test_a_sign_in_under_way_survives_a_change_of_address(federated: Federated) -> None:
    assert await drift(federated, changed=timedelta(0)) == 200


async def test_but_not_one_that_was_begun_after_the_change(federated: Federated) -> None:
    assert await drift(federated, changed=timedelta(seconds=30)) == 400


async def test_nor_one_that_is_older_than_the_time_to_sign_in(federated: Federated) -> None:
    assert await drift(federated, changed=timedelta(0), begun=timedelta(seconds=700)) == 400


async def test_setting_up_shows_no_secret(federated: Federated) -> None:
    operator = federated.operator()
    answer = (await operator.get(federated.path())).json()
    assert answer["masked_secret"] == f"***{SECRET[-4:]}"
    assert (answer["encryption_status"], answer["issuer"]) == ("encrypted", federated.provider.issuer)
    for entry in await federated.audit("federation_updated"):
        assert SECRET not in str(entry.changes)
        assert entry.actor_kind == "system"
    async with federated.runtime.database.session(federated.owner.tenant_id, write=False) as session:
        from sqlalchemy import select

        [stored] = await session.scalars(select(Federation))
    assert SECRET not in stored.secret
    # Another address demands the secret again, so that it cannot be sent to a server of somebody's choice.
    moved = await federated.configure(discovery_endpoint=f"{federated.provider.issuer}/x", client_secret="")
    assert (moved.status_code, moved.json()["field"]) == (422, "client_secret")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("canonical_public_origin", "http://ai.example.se"), ("canonical_public_origin", "https://ai.example.se/x"),
        ("canonical_public_origin", ""), ("canonical_public_origin", "https://a@b.se"), ("redirect_path", "login"),
        ("redirect_path", "//evil.example"), ("client_secret", "short"), ("client_id", " "),
        ("allowed_domains", ["inte en domän"]), ("discovery_endpoint", "https://[::x"), ("provider", ""),
        ("group_roles", [{"group": "a", "role": "King"}]), ("scopes", "a\u0000b"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(federated: Federated, field: str, value: Any) -> None:
    answer = await federated.configure(**{field: value})
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text


async def test_the_operators_interface_wants_the_operators_key(federated: Federated) -> None:
    user = await federated.client()
    for client in (federated.browser(), federated.browser(**{"x-api-key": "guess"}), user):
        for method, path in (
            ("GET", federated.path()), ("DELETE", federated.path()), ("POST", federated.path() + "/test"),
            ("GET", "/api/v1/sysadmin/observability/oidc-debug/"),
        ):  # fmt: skip
            assert (await client.request(method, path)).status_code == 401
    unknown = federated.path(UUID(int=7))
    assert (await federated.operator().get(unknown)).status_code == 404
    assert (await federated.configure(UUID(int=7))).status_code == 404


async def test_the_last_way_in_stays_open(federated: Federated) -> None:
    use, owner = federated.runtime.services.federation, federated.owner
    with pytest.raises(BadRequest, match="First let an owner"):
        await use.set_passwords(owner, False)
    federated.provider.person.update(sub="owner-1", email="owner@example.se")
    assert (await federated.sign_in()).status_code == 200
    await use.set_passwords(owner, False)
    form = {"username": "owner@example.se", "password": PASSWORD}
    login = await federated.browser().post("/api/v1/users/login/token/", data=form)
    assert (login.status_code, "Inloggning" in login.json()["message"]) == (403, True)
    for attempt in (use.delete(owner), use.set_active(owner, False)):
        with pytest.raises(BadRequest, match="only way to sign in"):
            await attempt
    assert (await federated.configure(client_secret="another-secret-altogether")).status_code == 400
    assert (await federated.operator().delete(federated.path())).status_code == 400
    assert (await federated.sign_in()).status_code == 200
    assert (await federated.configure(password_sign_in=True)).status_code == 200
    async with federated.runtime.database.session(owner.tenant_id) as session:
        user = await session.get(User, owner.user_id)
        assert user is not None
        kept, user.password_hash = user.password_hash, None
        await session.commit()
    with pytest.raises(BadRequest, match="No owner of the organisation has a password"):
        await use.delete(owner)
    async with federated.runtime.database.session(owner.tenant_id) as session:
        user = await session.get(User, owner.user_id)
        assert user is not None
        user.password_hash = kept
        await session.commit()
    assert (await federated.operator().delete(federated.path())).status_code == 200
    assert (await federated.operator().get(federated.path())).status_code == 404


async def messages(federated: Federated) -> list[str]:
    """What the doctor complains about."""
    answer = (await federated.operator().post(federated.path() + "/test")).json()
    return [step["message"] for step in answer["steps"] if not step["passed"]]


async def test_the_doctor_names_every_mistake(federated: Federated) -> None:
    assert await messages(federated) == []
    provider = federated.provider
    provider.redirect_uris = {"https://somewhere.else/callback"}
    provider.clients[CLIENT] = "changed at the provider"
    provider.document = {"issuer": "https://evil.example", "claims_supported": ["sub"]}
    found = await messages(federated)
    assert len(found) == 4
    for sentence, part in zip(
        found, ("is for the issuer https://evil.example", "http://localhost/login/callback", "secret", "“email”"),
        strict=True,
    ):  # fmt: skip
        assert part in sentence
    provider.clients.clear()
    assert any(f"client id {CLIENT}" in sentence for sentence in await messages(federated))
    provider.evil = "discovery_broken"
    assert len(await messages(federated)) == 1


async def test_a_test_sign_in_tells_what_a_real_one_would_meet(federated: Federated) -> None:
    mapping = [{"group": "it", "role": "AI Configurator"}]
    assert (await federated.configure(group_roles=mapping)).status_code == 200
    before = await federated.counts()
    owner = await federated.client()
    for claims, passed, roles in (({}, False, []), ({"groups": ["it"]}, True, ["AI Configurator"])):
        federated.provider.person.update(claims)
        begun = await owner.post("/auth/oidc/test")
        assert begun.status_code == 200
        cookie = begun.headers["set-cookie"].split(";")[0]
        returned = await federated.at_provider(begun.json()["url"])
        answer = await federated.browser(cookie=cookie).get("/login/callback", params=returned)
        assert (answer.status_code, answer.headers["location"]) == (303, "/admin/sign-in")
        report = (await federated.operator().post(federated.path() + "/test")).json()["last_test_sign_in"]
        assert (report["ok"], report["roles"]) == (passed, roles)
    users, _, links = await federated.counts()
    assert (users, links) == (before[0], before[2]), "a test makes no account, link or session"


async def test_browsers_come_back_to_where_they_wanted_and_failures_are_told(federated: Federated) -> None:
    client = federated.browser(origin="http://localhost")
    for evil, status in (("", 303), ("expired", 401)):
        federated.provider.evil = evil
        start = {"organisation": SLUG, "next": "/account"}
        begun = await client.post("/auth/oidc/start", json=start)
        assert begun.status_code == 200, begun.text
        returned = await federated.at_provider(begun.json()["url"])
        cookie = begun.headers["set-cookie"]
        assert cookie.startswith("__Host-samrad-oidc-")
        assert "HttpOnly" in cookie
        visitor = federated.browser(cookie=cookie.split(";")[0], **{"accept-language": "en"})
        answer = await visitor.get("/login/callback", params=returned)
        assert answer.status_code == status
        names = [header.split("=")[0] for header in answer.headers.get_list("set-cookie")]
        assert ("__Host-samrad" in names) == (status == 303)
        if evil:
            assert "has expired" in answer.text
            assert answer.headers["x-correlation-id"] in answer.text
        else:
            assert answer.headers["location"] == "/account"
    stranger = federated.browser(origin="https://evil.example")
    assert (await stranger.post("/auth/oidc/start", json={"organisation": SLUG})).status_code == 403


async def browser_session(federated: Federated) -> httpx.AsyncClient:
    """A browser that came in through the provider."""
    client = federated.browser(origin="http://localhost")
    begun = await client.post("/auth/oidc/start", json={"organisation": SLUG})
    returned = await federated.at_provider(begun.json()["url"])
    client.headers["cookie"] = begun.headers["set-cookie"].split(";")[0]
    answer = await client.get("/login/callback", params=returned)
    [session] = [h for h in answer.headers.get_list("set-cookie") if h.startswith("__Host-samrad=")]
    client.headers["cookie"] = session.split(";")[0]
    callers = federated.application.state.callers
    client.headers["x-csrf-token"] = callers.csrf(UUID(hex=session.split("=", 1)[1].split(".")[1]))
    return client


async def test_signing_out_ends_the_providers_session_too(federated: Federated) -> None:
    client = await browser_session(federated)
    answer = await client.post("/auth/sign-out")
    url = httpx.URL(answer.json()["url"])
    assert str(url).startswith(f"{federated.provider.issuer}/logout?")
    assert url.params["post_logout_redirect_uri"] == "http://localhost/sign-in"
    assert url.params["id_token_hint"].count(".") == 2
    assert (await client.get("/api/v1/users/me/")).status_code == 401


@pytest.mark.parametrize("left", ["sub", "sid"])
async def test_the_provider_ends_sessions(federated: Federated, left: str) -> None:
    client = await browser_session(federated)
    address = f"/auth/oidc/logout/{federated.owner.tenant_id}"
    token = federated.provider.logout_token(**{"sid" if left == "sub" else "sub": None})
    answer = await federated.browser().post(address, data={"logout_token": token})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert (await client.get("/api/v1/users/me/")).status_code == 401
    assert (await (await federated.client()).get("/api/v1/users/me/")).status_code == 200, "others stay"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"}, {"aud": "somebody-else"}, {"nonce": "x"}, {"events": None}, {"events": {}},
        {"sub": None, "sid": None}, {"exp": 1}, {"iat": None}, {"sub": 7},
    ],
)  # fmt: skip
async def test_what_is_no_logout_token_ends_nothing(federated: Federated, changes: dict[str, Any]) -> None:
    client = await browser_session(federated)
    address = f"/auth/oidc/logout/{federated.owner.tenant_id}"
    for token in (federated.provider.logout_token(**changes), "", "a.b.c"):
        answer = await federated.browser().post(address, data={"logout_token": token})
        assert answer.status_code == 400
    assert (await client.get("/api/v1/users/me/")).status_code == 200


async def test_an_old_logout_token_does_not_end_a_newer_session(federated: Federated) -> None:
    moment = int(now().timestamp())
    token = federated.provider.logout_token(iat=moment - 600, exp=moment + 600, sid=None)
    client = await browser_session(federated)
    address = f"/auth/oidc/logout/{federated.owner.tenant_id}"
    assert (await federated.browser().post(address, data={"logout_token": token})).status_code == 200
    assert (await client.get("/api/v1/users/me/")).status_code == 200


async def test_one_provider_for_the_whole_installation(shared_federation: Federated) -> None:
    assert (await me(shared_federation, await shared_federation.sign_in(tenant=None)))["email"] == "anna@sundsvall.se"
    status = (await shared_federation.browser().get("/api/v1/auth/federation-status")).json()
    assert status["has_single_tenant_federation"]
    assert not status["has_multi_tenant_federation"]
    assert (await shared_federation.configure()).status_code == 404


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, 200), ({"nonce": "another"}, 401), ({"code_verifier": "w" * 64}, 401), ({"client_id": "x"}, 400),
     ({"redirect_uri": "https://evil.example/"}, 400), ({"code": "x"}, 401)],
)  # fmt: skip
async def test_clients_that_begin_by_themselves(
    shared_federation: Federated, changes: dict[str, str], status: int
) -> None:
    verifier, target = "v" * 64, "http://localhost/login/callback"
    request = httpx.URL(
        f"{shared_federation.provider.issuer}/authorize",
        params={
            "client_id": CLIENT, "redirect_uri": target, "state": "s", "nonce": "n", "scope": "openid",
            "code_challenge": challenge_of(verifier), "code_challenge_method": "S256",
        },
    )  # fmt: skip
    returned = await shared_federation.at_provider(str(request))
    body = {
        "code": returned["code"], "code_verifier": verifier, "redirect_uri": target, "client_id": CLIENT, "nonce": "n"
    }  # fmt: skip
    answer = await shared_federation.browser().post(
        "/api/v1/users/login/openid-connect/mobilityguard/", json={**body, **changes}
    )
    assert answer.status_code == status, answer.text


async def test_the_operator_watches_for_a_while(federated: Federated, caplog: pytest.LogCaptureFixture) -> None:
    address, operator = "/api/v1/sysadmin/observability/oidc-debug/", federated.operator()
    assert (await operator.get(address)).json()["enabled"] is False
    assert (await operator.post(address, json={"enabled": True, "duration_minutes": 121})).status_code == 422
    on = (await operator.post(address, json={"enabled": True, "duration_minutes": 5, "reason": "felsökning"})).json()
    assert (on["enabled"], on["reason"], on["backend"]) == (True, "felsökning", "database")
    assert (await operator.get(address)).json() == on
    caplog.set_level("INFO")
    answer = await federated.sign_in()
    written = "\n".join(record.getMessage() for record in caplog.records if "OIDC DEBUG" in record.getMessage())
    assert answer.headers["x-correlation-id"]
    assert "initiate.sent" in written
    assert "callback.signed_in" in written
    assert "anna@sundsvall.se" not in written
    assert (await operator.post(address, json={"enabled": False})).json()["enabled"] is False
