"""People administered: invited, given roles, stopped, deleted, restored; and what nobody may do."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update

from app.bootstrap import Runtime, build
from app.server import create_api
from domain.audit.entities import AuditEntry
from domain.identity.entities import AccountLink
from domain.kernel.actor import Actor, Origin
from domain.kernel.clock import now
from domain.kernel.errors import BadRequest, Failure, NotFound
from domain.spaces.entities import Space
from domain.tenants.service import Setup
from domain.users.entities import PredefinedRole, User, UserState
from storage.tables.audit import audit_entries
from storage.tables.identity import account_links
from storage.tables.spaces import spaces
from storage.tables.users import users
from tests.conftest import PASSWORD, Place
from tests.support.api import Api, make_collection, make_space, upload
from tests.support.mail import MailServer
from tests.support.valkey import Valkey

NEW_PASSWORD = "en helt ny mening"
OPTIONS = {"synchronize_session": False}


async def invite(client: httpx.AsyncClient, email: str = "anna@example.se", **more: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/users/admin/invite/", json={"email": email, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def token_of(invited: dict[str, Any]) -> str:
    url: str = invited["invitation"]["url"]
    return url.split("token=")[1]


async def entries(api: Api, action: str) -> list[AuditEntry]:
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        return list(await session.scalars(select(AuditEntry).where(audit_entries.c.action == action)))


async def admin(api: Api, email: str, permissions: list[str]) -> httpx.AsyncClient:
    """A colleague with a role of the organisation's own."""
    owner = await api.client()
    role = await owner.post("/api/v1/roles/", json={"name": f"Roll {email}", "permissions": permissions})
    assert role.status_code == 200, role.text
    user_id = await api.user(email)
    answer = await owner.post(f"/api/v1/admin/users/{user_id}/", json={"roles": [{"id": role.json()["id"]}]})
    assert answer.status_code == 200, answer.text
    return await api.client(email)


async def test_an_invited_person_sets_name_password_and_language(api: Api) -> None:
    owner = await api.client()
    invited = await invite(owner)
    assert (invited["state"], invited["is_active"]) == ("invited", False)
    assert invited["invitation"]["url"].startswith("http://localhost/invitation?token=")
    links, token = api.runtime.services.links, token_of(invited)
    opened = await links.look(token)
    assert (opened.email, opened.organisation) == ("anna@example.se", "Sundsvalls kommun")
    await links.use(token, PASSWORD, Origin(), username="Anna Berg", language="en")
    anna = await api.client("anna@example.se")
    assert (await anna.get("/api/v1/users/me/")).json()["username"] == "Anna Berg"
    assert (await owner.get("/api/v1/admin/users/anna@example.se/")).json()["state"] == "active"
    with pytest.raises(NotFound):
        await links.use(token, NEW_PASSWORD, Origin())
    assert [entry.changes["new"]["state"] for entry in await entries(api, "invitation_accepted")] == ["active"]


async def test_a_link_works_once_however_many_come_at_the_same_time(api: Api) -> None:
    token = token_of(await invite(await api.client()))
    done = await asyncio.gather(
        *(api.runtime.services.links.use(token, f"{NEW_PASSWORD} {n}", Origin()) for n in range(4)),
        return_exceptions=True,
    )
    assert sum(not isinstance(each, BaseException) for each in done) == 1
    assert all(isinstance(each, NotFound) for each in done if isinstance(each, BaseException))


async def test_only_a_hash_of_the_link_is_stored_and_it_expires(api: Api) -> None:
    token = token_of(await invite(await api.client()))
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        [link] = await session.scalars(select(AccountLink))
        assert token.split(".")[2] not in str(vars(link))
        assert timedelta(days=6) < link.expires_at - now() <= timedelta(days=7)
        past = update(AccountLink).where(account_links.c.id == link.id).values(expires_at=now())
        await session.execute(past, execution_options=OPTIONS)
        await session.commit()
    for wrong in (token, token[:-1] + ("a" if token[-1] != "a" else "b"), "x", "", "a.b.c"):
        with pytest.raises(NotFound):
            await api.runtime.services.links.look(wrong)


async def test_a_new_link_ends_the_one_before_and_resets_a_password(api: Api) -> None:
    owner = await api.client()
    first = token_of(await invite(owner))
    second = token_of((await owner.post("/api/v1/admin/users/anna@example.se/link")).json())
    with pytest.raises(NotFound):
        await api.runtime.services.links.look(first)
    await api.runtime.services.links.use(second, PASSWORD, Origin())
    anna = await api.client("anna@example.se")
    reset = (await owner.post("/api/v1/admin/users/anna@example.se/link")).json()
    assert reset["invitation"]["purpose"] == "password_reset"
    await api.runtime.services.links.use(token_of(reset), NEW_PASSWORD, Origin())
    assert (await anna.get("/api/v1/users/me/")).status_code == 401
    form = {"username": "anna@example.se", "password": NEW_PASSWORD}
    assert (await api.browser().post("/api/v1/users/login/token/", data=form)).status_code == 200


async def test_a_weak_password_is_refused_and_the_link_still_works(api: Api) -> None:
    token = token_of(await invite(await api.client()))
    for weak in ("kort", "anna@example.se", "Sommar2026!"):
        with pytest.raises(Failure) as refused:
            await api.runtime.services.links.use(token, weak, Origin())
        assert refused.value.field == "password"
    await api.runtime.services.links.use(token, PASSWORD, Origin())


async def test_the_states_follow_each_other_as_they_should(api: Api) -> None:
    owner = await api.client()
    await invite(owner)
    url = "/api/v1/admin/users/anna@example.se"
    assert (await owner.post(f"{url}/reactivate")).status_code == 400
    assert (await owner.post(f"{url}/deactivate")).json()["state"] == "inactive"
    assert (await owner.post(f"{url}/deactivate")).status_code == 400
    assert (await owner.post(f"{url}/link")).status_code == 400
    assert (await owner.post(f"{url}/reactivate")).json()["state"] == "invited"
    assert (await owner.delete(url)).json() == {"success": True}
    for path in (f"{url}/", f"{url}/reactivate"):
        answer = await (owner.get(path) if path.endswith("/") else owner.post(path))
        assert answer.status_code == 404
    changes = [e.changes for action in ("user_deactivated", "user_deleted") for e in await entries(api, action)]
    assert [(c["old"]["state"], c["new"]["state"]) for c in changes] == [
        ("invited", "inactive"),
        ("invited", "deleted"),
    ]


async def test_deleting_takes_what_was_ones_own_and_frees_the_address(api: Api) -> None:
    owner = await api.client()
    user_id = await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    personal = (await anna.get("/api/v1/spaces/type/personal/")).json()["id"]
    collection = await make_collection(anna, personal)
    assert (await upload(anna, collection, "a.txt", b"Privat")).status_code == 202
    link = token_of((await owner.post(f"/api/v1/admin/users/{user_id}/link")).json())
    assert (await owner.delete(f"/api/v1/users/admin/{user_id}/")).status_code == 204
    assert (await anna.get("/api/v1/users/me/")).status_code == 401
    with pytest.raises(NotFound):
        await api.runtime.services.links.look(link)
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        assert (await session.scalars(select(Space).where(spaces.c.user_id == user_id))).all() == []
    assert [p for p in (api.runtime.settings.data_dir / "files").rglob("*") if p.is_file()] == []
    [gone] = (await owner.get("/api/v1/admin/users/deleted")).json()
    assert gone["email"] == "anna@example.se"
    again = await api.user("anna@example.se")
    assert again != user_id
    taken = await owner.post(f"/api/v1/admin/users/{user_id}/restore")
    assert (taken.status_code, taken.json()["code"]) == (400, 9004)


async def test_a_deleted_account_can_be_restored_for_thirty_days(api: Api) -> None:
    owner = await api.client()
    user_id = await api.user("anna@example.se", PredefinedRole.AI_CONFIGURATOR)
    await owner.delete("/api/v1/admin/users/anna@example.se")
    restored = (await owner.post(f"/api/v1/admin/users/{user_id}/restore")).json()
    assert (restored["state"], restored["predefined_roles"][0]["name"]) == ("active", "AI Configurator")
    await api.client("anna@example.se")
    await owner.delete("/api/v1/admin/users/anna@example.se")
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        past = update(User).where(users.c.id == user_id).values(deleted_at=now() - timedelta(days=31))
        await session.execute(past, execution_options=OPTIONS)
        await session.commit()
    assert (await owner.post(f"/api/v1/admin/users/{user_id}/restore")).status_code == 400
    assert await api.runtime.services.users.forget_deleted() == 1
    assert await api.runtime.services.users.forget_deleted() == 0
    [gone] = (await owner.get("/api/v1/admin/users/deleted")).json()
    assert "anna" not in gone["email"]


async def test_somebody_always_administers(api: Api) -> None:
    owner, me = await api.client(), api.owner.user_id
    second = await api.user("bo@example.se", PredefinedRole.OWNER)
    bo = await api.client("bo@example.se")
    for answer in (
        await owner.post(f"/api/v1/admin/users/{me}/deactivate"),
        await owner.delete(f"/api/v1/admin/users/{me}"),
        await owner.patch(f"/api/v1/users/admin/{me}/", json={"state": "inactive"}),
        await owner.post(f"/api/v1/admin/users/{me}/", json={"predefined_roles": []}),
    ):
        assert answer.status_code == 400
    done = await asyncio.gather(
        bo.post(f"/api/v1/admin/users/{me}/deactivate"), owner.post(f"/api/v1/admin/users/{second}/deactivate")
    )
    assert sorted(answer.status_code for answer in done)[0] == 200
    assert sorted(answer.status_code for answer in done)[1] in (400, 401, 403)
    async with api.runtime.database.session(api.owner.tenant_id, write=False) as session:
        assert len((await session.scalars(select(User).where(users.c.state == UserState.ACTIVE))).all()) == 1


async def test_nobody_reaches_beyond_their_own_permissions(api: Api) -> None:
    helpdesk = await admin(api, "help@example.se", ["admin", "assistants"])
    owner_role, beyond = PredefinedRole.OWNER.id, PredefinedRole.AI_CONFIGURATOR.id
    me = (await helpdesk.get("/api/v1/users/me/")).json()["id"]
    boss, anna = api.owner.user_id, await api.user("anna@example.se")
    role = {"predefined_role": {"id": str(owner_role)}}
    refused = [
        await helpdesk.patch(f"/api/v1/users/admin/{me}/", json=role),
        await helpdesk.patch(f"/api/v1/users/admin/{anna}/", json=role),
        await helpdesk.post("/api/v1/users/admin/invite/", json={"email": "x@example.se", **role}),
        await helpdesk.post(f"/api/v1/admin/users/{boss}/link"),
        await helpdesk.post(f"/api/v1/admin/users/{boss}/", json={"password": NEW_PASSWORD}),
        await helpdesk.post(f"/api/v1/admin/users/{boss}/", json={"email": "mine@example.se"}),
        await helpdesk.post(f"/api/v1/admin/users/{boss}/deactivate"),
        await helpdesk.delete(f"/api/v1/admin/users/{boss}"),
        await helpdesk.post("/api/v1/roles/", json={"name": "Mer", "permissions": ["AI"]}),
        await helpdesk.post(
            "/api/v1/admin/users/", json={"email": "y@example.se", "predefined_roles": [{"id": str(beyond)}]}
        ),
    ]
    assert [answer.status_code for answer in refused] == [400] + [403] * 9
    few = await api.runtime.services.roles.create(api.owner, "Få", ["assistants"])
    changed = await helpdesk.post(
        "/api/v1/admin/users/", json={"email": "z@example.se", "roles": [{"id": str(few.held.id)}]}
    )
    assert changed.status_code == 201


async def test_permissions_are_explained_and_act_with_the_next_request(api: Api) -> None:
    anna = await admin(api, "anna@example.se", ["admin", "insights", "assistants"])
    owner = await api.client()
    assert (await anna.get("/api/v1/admin/users/")).status_code == 200
    seen = (await owner.get("/api/v1/admin/users/anna@example.se/")).json()
    why = {p["name"]: p["roles"] for p in seen["permissions"]}
    assert why["insights"] == ["Roll anna@example.se"]
    assert why["assistants"] == ["User", "Roll anna@example.se"]
    assert (await owner.post("/api/v1/admin/users/anna@example.se/", json={"roles": []})).status_code == 200
    assert (await anna.get("/api/v1/admin/users/")).status_code == 403
    change = (await entries(api, "permission_changed"))[-1].changes
    assert change["old"]["roles"] == ["User", "Roll anna@example.se"]
    assert change["new"]["roles"] == ["User"]


async def test_everything_needs_the_permission(api: Api) -> None:
    await api.user("anna@example.se")
    anna, boss = await api.client("anna@example.se"), api.owner.user_id
    for method, path in (
        ("GET", "/api/v1/admin/users/"), ("POST", "/api/v1/admin/users/"), ("GET", "/api/v1/admin/users/inactive"),
        ("GET", "/api/v1/admin/users/deleted"), ("GET", f"/api/v1/admin/users/{boss}/"), ("GET", "/api/v1/roles/"),
        ("POST", f"/api/v1/admin/users/{boss}/link"), ("DELETE", f"/api/v1/users/admin/{boss}/"),
        ("POST", "/api/v1/admin/users/import"), ("GET", "/api/v1/user-groups/"), ("GET", "/api/v1/admin/predefined-roles/"),
        ("POST", "/api/v1/users/admin/invite/"),
    ):  # fmt: skip
        answer = await anna.request(method, path, json={"email": "x@example.se"} if method == "POST" else None)
        assert answer.status_code == 403, path
    assert (await anna.get("/api/v1/roles/permissions/")).status_code == 200


async def test_changing_an_account_keeps_addresses_unique(api: Api) -> None:
    owner = await api.client()
    await api.user("anna@example.se")
    await api.user("bo@example.se")
    url = "/api/v1/admin/users/anna@example.se/"
    same = await owner.post(url, json={"email": "ANNA@example.se", "username": "Anna"})
    assert (same.status_code, same.json()["username"]) == (200, "Anna")
    taken = await owner.post(url, json={"email": "bo@example.se"})
    assert (taken.status_code, taken.json()["code"], taken.json()["field"]) == (400, 9004, "email")
    for body, field in (
        ({"email": "no address"}, "email"), ({"password": "kort"}, "password"), ({"quota_limit": 1}, "quota_limit"),
    ):  # fmt: skip
        refused = await owner.post(url, json=body)
        assert (refused.status_code, refused.json()["field"]) == (422, field)
    moved = await owner.post(url, json={"email": "anna.berg@example.se", "quota_limit": 5000})
    assert (moved.json()["email"], moved.json()["quota_limit"]) == ("anna.berg@example.se", 5000)
    change = (await entries(api, "user_updated"))[-1].changes
    assert change["old"] == {"email": "anna@example.se", "quota_limit": None}
    assert change["new"] == {"email": "anna.berg@example.se", "quota_limit": 5000}
    assert PASSWORD not in str([e.changes for e in await entries(api, "user_updated")])


async def test_two_who_add_the_same_address_at_once(api: Api) -> None:
    owner = await api.client()
    answers = await asyncio.gather(
        *(owner.post("/api/v1/users/admin/invite/", json={"email": "anna@example.se"}) for _ in range(4))
    )
    assert sorted(a.status_code for a in answers) == [201, 400, 400, 400]


async def test_a_name_that_several_have_is_no_address(api: Api) -> None:
    owner = await api.client()
    for email in ("a@example.se", "b@example.se"):
        await owner.post("/api/v1/admin/users/", json={"email": email, "username": "Kim", "password": PASSWORD})
    assert (await owner.get("/api/v1/admin/users/Kim/")).status_code == 400
    assert (await owner.get("/api/v1/admin/users/a@example.se/")).json()["username"] == "Kim"


async def test_the_list_pages_searches_and_filters(api: Api) -> None:
    owner = await api.client()
    for number in range(7):
        body = {"email": f"p{number}@example.se", "username": f"Åsa {number}", "password": None}
        await owner.post("/api/v1/admin/users/", json=body)
    await owner.post("/api/v1/admin/users/", json={"email": "a_b@example.se", "username": "100 %"})
    await owner.post("/api/v1/admin/users/p6@example.se/deactivate")

    async def emails(**query: Any) -> list[str]:
        answer = await owner.get("/api/v1/admin/users/", params=query)
        assert answer.status_code == 200, answer.text
        return [user["email"] for user in answer.json()["items"]]

    everybody = await emails()
    assert everybody == sorted(everybody)
    assert len(everybody) == 9
    assert await emails(sort_order="desc") == everybody[::-1]
    assert await emails(search="åsa 3") == ["p3@example.se"]
    assert await emails(search="_") == await emails(search="%") == ["a_b@example.se"]
    assert await emails(state_filter="inactive") == ["p6@example.se"]
    assert await emails(role=str(PredefinedRole.OWNER.id)) == ["owner@example.se"]
    for sort in ("email", "username", "created_at"):
        for order in ("asc", "desc"):
            whole = await emails(sort_by=sort, sort_order=order)
            walked: list[str] = []
            cursor: str | None = None
            while True:
                query = {"sort_by": sort, "sort_order": order, "page_size": 2, **({"cursor": cursor} if cursor else {})}
                found = (await owner.get("/api/v1/admin/users/", params=query)).json()
                walked += [user["email"] for user in found["items"]]
                cursor = found["metadata"]["next_cursor"]
                if cursor is None:
                    break
            assert walked == whole
    second = (await owner.get("/api/v1/admin/users/", params={"page": 2, "page_size": 4})).json()
    assert [u["email"] for u in second["items"]] == everybody[4:8]
    assert second["metadata"]["total_pages"] == 3
    assert second["metadata"]["counts"] == {"active": 8, "inactive": 1}
    assert (await owner.get("/api/v1/admin/users/", params={"cursor": "x"})).status_code == 422


async def test_an_import_says_what_would_become_of_each_line(api: Api) -> None:
    owner = await api.client()
    await owner.post("/api/v1/user-groups/", json={"name": "Bygg"})
    text = (
        "email;name;role;group;language\nanna@example.se;Anna;User;Bygg;en\nanna@example.se;Twice;;;\n"
        "owner@example.se;;;;\nnot an address;;;;\nbo@example.se;=HYPERLINK(1);;;\nc@example.se;;Nobody;;\n"
        "d@example.se;;;Nowhere;\ne@example.se;Eva;ai configurator;;\n"
    )

    async def run(dry: bool) -> dict[str, Any]:
        params = {"dry_run": dry}
        answer = await owner.post("/api/v1/admin/users/import", params=params, content=text.encode("utf-8-sig"))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    report = await run(dry=True)
    assert [line["outcome"] for line in report["lines"]] == ["new"] + ["wrong"] * 6 + ["new"]
    assert all(line["message"] for line in report["lines"] if line["outcome"] == "wrong")
    assert (await owner.get("/api/v1/admin/users/")).json()["metadata"]["total_count"] == 1
    done = await run(dry=False)
    assert done["good"] == 2
    anna = (await owner.get("/api/v1/admin/users/anna@example.se/")).json()
    assert (anna["state"], anna["user_groups"][0]["name"]) == ("invited", "Bygg")
    eva = (await owner.get("/api/v1/admin/users/e@example.se/")).json()
    assert [role["name"] for role in eva["predefined_roles"]] == ["AI Configurator"]
    token = done["lines"][0]["url"].split("token=")[1]
    assert (await api.runtime.services.links.look(token)).language == "en"
    assert len(await entries(api, "users_imported")) == 1
    assert (await run(dry=True))["good"] == 0


@pytest.fixture
async def mailed(sqlite_place: Place, shared_valkey: Valkey) -> AsyncIterator[tuple[MailServer, Api]]:
    """An installation that was given a mail server."""
    server = MailServer()
    settings = sqlite_place.settings(
        redis_url=shared_valkey.url, smtp_host="127.0.0.1", smtp_port=server.port, smtp_security="none",
        smtp_from="samrad@example.se", public_origin="https://ai.example.se",
    )  # fmt: skip
    runtime: Runtime = await build(settings)
    owner = await runtime.services.setup.run(Setup("Sundsvalls kommun", "owner@example.se", PASSWORD))
    yield server, Api(runtime, create_api(runtime), owner)
    await runtime.close()
    server.close()


async def test_invitations_are_mailed_in_the_persons_language(mailed: tuple[MailServer, Api]) -> None:
    server, api = mailed
    owner = await api.client()
    body = {"email": "anna@example.se", "language": "en"}
    made = (await owner.post("/api/v1/admin/users/", json=body)).json()
    assert made["invitation"]["mailed"] is True
    [letter] = server.letters
    assert (letter["To"], letter["Subject"]) == ("anna@example.se", "You are invited to Sundsvalls kommun")
    text = letter.get_content()
    assert made["invitation"]["url"] in text.replace("\n", "")
    assert made["invitation"]["url"].startswith("https://ai.example.se/invitation?token=")
    refused = (await owner.post("/api/v1/admin/users/", json={"email": "refused@example.se"})).json()
    assert refused["invitation"]["mailed"] is False


async def test_a_forgotten_password_is_mailed_to_those_who_have_one(mailed: tuple[MailServer, Api]) -> None:
    server, api = mailed
    links = api.runtime.services.links
    await api.user("anna@example.se")
    for email in ("nobody@example.se", "Anna@example.se"):
        await links.ask(email, Origin("10.0.0.1"))
    [letter] = server.letters
    assert letter["To"] == "anna@example.se"
    token = letter.get_content().split("token=")[1].split()[0]
    await links.use(token, NEW_PASSWORD, Origin())
    for _ in range(5):
        await links.may_ask(Origin("10.0.0.2"))
    with pytest.raises(Failure) as refused:
        await links.may_ask(Origin("10.0.0.2"))
    assert refused.value.status == 429


async def test_a_mail_server_that_is_away_does_not_keep_people_out(mailed: tuple[MailServer, Api]) -> None:
    server, api = mailed
    server.close()
    made = (await (await api.client()).post("/api/v1/users/admin/invite/", json={"email": "anna@example.se"})).json()
    assert made["invitation"]["mailed"] is False
    assert (await api.runtime.services.links.look(token_of(made))).email == "anna@example.se"


async def test_another_organisations_people_do_not_exist(api: Api, other: Actor) -> None:
    owner, theirs = await api.client(), other.user_id
    services = api.runtime.services
    for call in (services.users.delete, services.users.deactivate, services.users.new_link, services.users.restore):
        with pytest.raises(NotFound):
            await call(api.owner, theirs)  # type: ignore[operator]
    assert (await owner.get(f"/api/v1/admin/users/{theirs}/")).status_code == 404
    assert (await owner.get(f"/api/v1/admin/users/{other.email}/")).status_code == 404
    group = await services.user_groups.create(api.owner, "Bygg")
    with pytest.raises(NotFound):
        await services.user_groups.add_member(api.owner, group.group.id, theirs)
    role = await services.roles.create(other, "Deras", ["assistants"])
    anna = await api.user("anna@example.se")
    with pytest.raises(Failure):
        await services.users.set_roles(api.owner, anna, [role.held.id])
    with pytest.raises(BadRequest):
        await services.users.delete(other, UUID(str(other.user_id)))


async def test_many_are_changed_at_once_each_for_itself(api: Api, other: Actor) -> None:
    owner = await api.client()
    ids = {name: str(await api.user(f"{name}@example.se")) for name in ("anna", "bo", "cecilia")}
    anna = await api.client("anna@example.se")
    body = {"ids": [ids["anna"], ids["bo"], str(api.owner.user_id), str(other.user_id)], "action": "deactivate"}
    done = (await owner.post("/api/v1/admin/users/bulk", json=body)).json()
    assert done["done"] == [ids["anna"], ids["bo"]]
    assert [each["id"] for each in done["refused"]] == [str(api.owner.user_id), str(other.user_id)]
    assert all(each["message"] for each in done["refused"])
    assert "spion" not in str(done)
    assert (await anna.get("/api/v1/users/me/")).status_code == 401
    again = {"ids": [ids["anna"], ids["cecilia"]], "action": "reactivate"}
    done = (await owner.post("/api/v1/admin/users/bulk", json=again)).json()
    assert (done["done"], [each["email"] for each in done["refused"]]) == ([ids["anna"]], ["cecilia@example.se"])


async def test_a_role_is_given_to_many_and_taken(api: Api) -> None:
    owner = await api.client()
    ids = [str(await api.user(f"{name}@example.se")) for name in ("anna", "bo")]
    made = (await owner.post("/api/v1/roles/", json={"name": "Insyn", "permissions": ["insights"]})).json()["id"]

    async def held() -> list[list[str]]:
        found = [(await owner.get(f"/api/v1/admin/users/{user}/")).json() for user in ids]
        return [[role["name"] for role in (*each["predefined_roles"], *each["roles"])] for each in found]

    for action, expected in (
        ("give_role", ["User", "Insyn"]),
        ("give_role", ["User", "Insyn"]),
        ("take_role", ["User"]),
    ):
        body = {"ids": ids, "action": action, "role": made}
        assert len((await owner.post("/api/v1/admin/users/bulk", json=body)).json()["done"]) == 2
        assert await held() == [expected, expected]
    for wrong in ({"action": "give_role"}, {"action": "delete", "role": made}, {"action": "delete", "ids": []}):
        answer = await owner.post("/api/v1/admin/users/bulk", json={"ids": ids, **wrong})
        assert answer.status_code == 422
    assert (await (await api.client("anna@example.se")).post("/api/v1/admin/users/bulk", json=body)).status_code == 403


async def test_a_space_does_not_lose_its_only_administrator(api: Api) -> None:
    owner = await api.client()
    anna_id = await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    alone, shared = await make_space(anna, "Ensam"), await make_space(anna, "Delad")
    bo_id = str(await api.user("bo@example.se"))
    await anna.post(f"/api/v1/spaces/{shared}/members/", json={"id": bo_id, "role": "admin"})
    assert (await owner.get(f"/api/v1/spaces/{alone}/")).status_code == 404
    await api.runtime.services.users.delete(api.owner, anna_id)
    assert (await owner.get(f"/api/v1/spaces/{alone}/")).json()["permissions"] == ["read", "edit", "delete"]
    assert (await owner.get(f"/api/v1/spaces/{shared}/")).status_code == 404
    # The operator is nobody in the organisation: then its first administrator gets the space.
    bo = await api.client("bo@example.se")
    third = await make_space(bo, "Bos")
    assert (await api.operator().delete(f"/api/v1/sysadmin/users/{bo_id}/")).status_code in (200, 204)
    assert (await owner.get(f"/api/v1/spaces/{third}/")).status_code == 200
    assert (await owner.get(f"/api/v1/spaces/{shared}/")).status_code == 200
