"""No one reaches what is not theirs: every operation, with foreign ids in every place, by everybody who should not.

Two organisations have one of everything, made through the interface itself. The walk is generated from the OpenAPI document:
a new route is walked the day it appears, and fails the walk until its ids are known (`tests/support/walk.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import pytest

from domain.identity.service import ACCOUNT_THRESHOLD
from domain.kernel.actor import Actor, Origin
from domain.tenants.operator import Operator
from domain.users.entities import PredefinedRole
from tests.conftest import Counted, Place
from tests.security.test_routes import OPEN
from tests.support.api import Api, make_assistant, make_collection, make_space, publish, upload
from tests.support.pictures import picture
from tests.support.postgres import Postgres
from tests.support.rows import snapshot
from tests.support.walk import Case, cases, operations

REFUSED = (401, 403, 404)
EVERYBODYS = frozenset(
    {
        "completion_model",
        "embedding_model",
        "transcription_model",
        "rerank_model",
        "user",
        "user_group",
        "role",
        "tenant",
        "username",
        "classification",
    }
)
"""What all colleagues may name: it belongs to the organisation, not to a space or a person."""
FILTERS = {
    # A filter that matches nothing is answered with an empty list.
    "GET /api/v1/audit/logs", "GET /api/v1/audit/logs/export", "POST /api/v1/audit/logs/export/async",
    "GET /api/v1/audit/logs/user/{user_id}", "GET /api/v1/admin/users/", "GET /api/v1/api-keys/",
    "GET /api/v1/usage/", "GET /api/v1/usage/calls/", "GET /api/v1/usage/export/", "GET /api/v1/usage/mine/",
}  # fmt: skip
LOOKED_PAST = {
    # Many at once: each is refused for itself, with a sentence.
    ("POST /api/v1/admin/users/bulk", "body:ids[]"),
    ("POST /api/v1/websites/bulk/run/", "body:website_ids[]"),
    # The path says which conversation it is; the body's id is not read.
    ("POST /api/v1/assistants/{id}/sessions/", "body:session_id"),
    ("POST /api/v1/assistants/{id}/sessions/{session_id}/", "body:session_id"),
}  # fmt: skip
MOVES_BY_ITSELF = {"audit_entries", "audit_trails", "audit_accesses", "sign_ins", "jobs"}
"""Refusals are recorded, sessions note their use."""


@dataclass(slots=True)
class World:
    """One of everything of somebody, by kind."""

    client: httpx.AsyncClient
    ids: dict[str, str]
    secret: str = ""


async def justify(client: httpx.AsyncClient) -> None:
    """Give a reason, so that the audit log is open to an administrator."""
    reason = {"category": "investigation", "description": "Granskning av ärende 4711"}
    answer = await client.post("/api/v1/audit/access-session", json=reason)
    assert answer.status_code == 200, answer.text
    client.headers["cookie"] = answer.headers["set-cookie"].split(";")[0]


async def work_of(client: httpx.AsyncClient, api: Api, secret: str) -> dict[str, str]:
    """What anybody can make: a space, a collection, a document, an assistant, a conversation, a file, a key."""
    space = await make_space(client)
    collection = await make_collection(client, space)
    job = (await upload(client, collection, "a.txt", f"{secret}. {space}".encode())).json()["id"]
    await api.work()
    document = (await client.get(f"/api/v1/groups/{collection}/info-blobs/")).json()["items"][0]["id"]
    assistant = await make_assistant(client, space, collection)
    asked = {"assistant_id": assistant, "question": f"Vad är hemligheten? {secret}"}
    answer = (await client.post("/api/v1/conversations/", json=asked)).json()
    file = (await client.post("/api/v1/files/", files={"upload_file": ("b.txt", secret.encode())})).json()["id"]
    prompt = (await client.get(f"/api/v1/assistants/{assistant}/")).json()["prompt"]["id"]
    entry = (await client.get(f"/api/v1/assistants/{assistant}/history/")).json()["items"][0]["id"]
    key = (await client.post("/api/v1/api-keys/", json={"name": "Nyckel"})).json()["id"]
    # Nothing answers there: the crawl ends with a reason.
    added = {"url": f"http://127.0.0.1:9/{secret.replace(' ', '-')}", "name": secret}
    website = (await client.post(f"/api/v1/spaces/{space}/knowledge/websites/", json=added)).json()
    chunk = (await client.get(f"/api/v1/info-blobs/{document}/chunks/")).json()["items"][0]["id"]
    unanswered = await unanswered_of(client, space, secret)
    icon = (await client.post("/api/v1/icons/", files={"file": ("c.png", picture(32))})).json()["id"]
    worn = await client.post(f"/api/v1/assistants/{assistant}/", json={"icon_id": icon})
    assert worn.status_code == 200, worn.text
    return {
        "space": space, "collection": collection, "job": job, "document": document, "assistant": assistant, "number": "1",
        "conversation": answer["session_id"], "message": answer["id"], "file": file, "prompt": prompt, "history": entry,
        "api_key": key, "website": website["id"], "crawl_run": website["latest_crawl"]["id"],
        "chunk": chunk, "unanswered": unanswered, "icon": icon,
    }  # fmt: skip


async def unanswered_of(client: httpx.AsyncClient, space: str, secret: str) -> str:
    """A question that found nothing, kept where that is switched on."""
    empty = await make_assistant(client, space, await make_collection(client, space, "Tom"))
    await client.post(f"/api/v1/assistants/{empty}/", json={"insight_enabled": True})
    await client.post("/api/v1/conversations/", json={"assistant_id": empty, "question": f"Var står {secret}?"})
    return str((await client.get(f"/api/v1/spaces/{space}/unanswered-questions/")).json()["items"][0]["id"])


async def administration_of(client: httpx.AsyncClient, api: Api, actor: Actor, tag: str) -> dict[str, str]:
    """What an administrator can make: people, roles, groups, providers, models, exports, web sites, alerts."""
    email = f"kollega-{tag}@example.se"
    user = str((await api.runtime.services.users.add(actor, email, role=PredefinedRole.USER)).user.id)
    for _ in range(ACCOUNT_THRESHOLD):
        await api.browser().post("/api/v1/users/login/token/", data={"username": email, "password": "wrong password"})
    made: dict[str, str] = {"user": user, "username": email, "tenant": str(actor.tenant_id), "module": str(uuid4())}
    made["credential"] = "openai"
    provider = {"name": "Server", "provider_type": "openai_compatible", "config": {"endpoint": "http://127.0.0.1:9/v1"}}
    for kind, path, body in (
        ("role", "/api/v1/roles/", {"name": "Roll", "permissions": ["assistants"]}),
        ("user_group", "/api/v1/user-groups/", {"name": "Grupp"}),
        ("provider", "/api/v1/admin/model-providers/", provider),
        ("service_account", "/api/v1/admin/service-accounts/", {"name": "Robot"}),
        ("origin", "/api/v1/allowed-origins/", {"url": f"https://{tag}.example.se"}),
    ):
        answer = await client.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        made[kind] = answer.json()["id"]
    await justify(client)
    export = await client.post("/api/v1/audit/logs/export/async", json={"format": "csv"})
    made["export"] = export.json()["job_id"]
    await api.work()
    made["alert"] = (await client.get("/api/v1/admin/sign-in-alerts/")).json()["items"][0]["id"]
    heard = {"provider_id": made["provider"], "name": "whisper", "display_name": "Whisper"}
    added = await client.post("/api/v1/admin/tenant-models/transcription/", json=heard)
    assert added.status_code == 200, added.text
    orders = {"provider_id": made["provider"], "name": "orders", "display_name": "Ordnaren"}
    # Switched off: nothing answers there, and each search would wait for it.
    added = await client.post("/api/v1/admin/tenant-models/rerank/", json={**orders, "is_active": False})
    assert added.status_code == 200, added.text
    for kind in ("completion", "embedding", "transcription", "rerank"):
        models = (await client.get(f"/api/v1/{kind}-models/")).json()["items"]
        made[f"{kind}_model"] = models[0]["id"]
    price = {"valid_from": "2020-01-01", "input": 5}
    answer = await client.post(f"/api/v1/admin/models/{made['completion_model']}/prices/", json=price)
    made["price"] = answer.json()["id"]
    other = {"provider_id": made["provider"], "name": "other", "display_name": "Other"}
    added = (await client.post("/api/v1/admin/tenant-models/completion/", json=other)).json()["id"]
    spare = {**other, "name": "spare", "display_name": "Spare"}
    moved = (await client.post("/api/v1/admin/tenant-models/completion/", json=spare)).json()["id"]
    move = {"to_model_id": added, "confirm_migration": True}
    migrated = await client.post(f"/api/v1/completion-models/{moved}/migrate", json=move)
    made["migration"] = migrated.json()["migration_id"]
    budget = {"scope": "tenant", "tokens": 10**9}
    classes = "/api/v1/security-classifications/"
    made["classification"] = (await client.post(classes, json={"name": "Öppen"})).json()["id"]
    assert (await client.post(f"{classes}enable/", json={"enabled": True})).status_code == 200
    made["budget"] = (await client.post("/api/v1/admin/budgets/", json=budget)).json()["id"]
    return made


async def everything_of(api: Api, actor: Actor, tag: str) -> World:
    """An organisation with one of everything, through its owner."""
    client = await api.client(actor.email)
    secret = f"Hemligheten är {uuid4()}"
    ids = {**await work_of(client, api, secret), **await administration_of(client, api, actor, tag)}
    members = f"/api/v1/spaces/{ids['space']}"
    joined = await client.post(f"{members}/group-members/", json={"id": ids["user_group"], "role": "viewer"})
    assert joined.status_code in (200, 201), joined.text
    return World(client, ids, secret)


@pytest.fixture
async def ours(api: Api) -> World:
    return await everything_of(api, api.owner, "ours")


@dataclass(slots=True)
class Guarded:
    """The victim's rows, before and after."""

    api: Api
    url: str | None
    tenant_id: UUID
    before: dict[str, list[str]]

    async def unchanged(self) -> None:
        """Nothing was changed, added or removed."""
        after = await snapshot(self.api.runtime.database, self.url, self.tenant_id, MOVES_BY_ITSELF)
        for table, rows in after.items():
            assert rows == self.before[table], table


async def guard(api: Api, place: Place, request: pytest.FixtureRequest) -> Guarded:
    """Remember the first organisation's rows."""
    url = None
    if place.url is not None:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.url(place.url.rsplit("/", 1)[1], user="postgres")
    tenant_id = api.owner.tenant_id
    return Guarded(api, url, tenant_id, await snapshot(api.runtime.database, url, tenant_id, MOVES_BY_ITSELF))


async def walk(
    api: Api, attacker: World, victim: World, skip: frozenset[str] = frozenset(), leave: Iterable[str] = ()
) -> int:
    """Every case by an attacker: refused, and nothing of the victim's in the answer. The number of cases."""
    document = api.application.openapi()
    count, faults = 0, []
    for operation in operations(document):
        if (operation.method, operation.path) in OPEN or operation.name in leave:
            continue
        for case in cases(operation, attacker.ids, victim.ids, skip):
            if str(case) in leave:
                continue
            count += 1
            answer = await case.send(attacker.client, document)
            fault = judged(case, answer, victim, skip)
            if fault:
                faults.append(fault)
    assert not faults, "\n".join(faults)
    return count


def judged(case: Case, answer: httpx.Response, victim: World, skip: frozenset[str]) -> str:
    """What is wrong with an answer, or nothing."""
    harmless = case.operation.name in FILTERS or any((case.operation.name, p) in LOOKED_PAST for p in case.foreign)
    allowed = (*REFUSED, 200, 202) if harmless else REFUSED
    if answer.status_code not in allowed:
        return f"{case}: {answer.status_code} {answer.text[:160]}"
    shown = answer.text.replace(str(case.values), "")
    if victim.secret in shown:
        return f"{case}: shows the secret"
    hidden = {kind: value for kind, value in victim.ids.items() if kind not in skip and len(value) > 8}
    leaked = [kind for kind, value in hidden.items() if value in shown and value not in sent(case)]
    return f"{case}: shows {leaked}" if leaked else ""


def sent(case: Case) -> set[str]:
    """The ids that the caller sent: an answer may repeat them."""
    return set(case.values.values())


async def test_another_organisation_is_refused_everywhere(
    api: Api, ours: World, other: Actor, place: Place, request: pytest.FixtureRequest, counted: Counted
) -> None:
    theirs = await everything_of(api, other, "theirs")
    guarded = await guard(api, place, request)
    count = await walk(api, theirs, ours)
    await guarded.unchanged()
    counted(cases=count)
    assert count > 150, count


async def test_a_colleague_with_a_space_of_their_own_is_refused_everywhere(
    api: Api, ours: World, place: Place, request: pytest.FixtureRequest, counted: Counted
) -> None:
    role = await ours.client.post(
        "/api/v1/roles/", json={"name": "Allt", "permissions": ["assistants", "collections", "insights", "AI"]}
    )
    await api.user("anna@example.se")
    changed = {"roles": [{"id": role.json()["id"]}]}
    assert (await ours.client.post("/api/v1/admin/users/anna@example.se/", json=changed)).status_code == 200
    anna = await api.client("anna@example.se")
    guarded = await guard(api, place, request)
    own = World(anna, {**{k: ours.ids[k] for k in EVERYBODYS}, **await work_of(anna, api, "Annas eget")})
    count = await walk(api, own, ours, skip=EVERYBODYS)
    counted(cases=count)
    assert count > 100, count
    # What she made herself is hers; everything that was there is as it was.
    await _others_rows_unchanged(guarded)


async def _others_rows_unchanged(guarded: Guarded) -> None:
    after = await snapshot(guarded.api.runtime.database, guarded.url, guarded.tenant_id, MOVES_BY_ITSELF)
    for table, rows in guarded.before.items():
        missing = set(rows) - set(after[table])
        assert not missing, f"{table}: {missing}"


async def test_a_colleague_without_rights_is_refused_everywhere(
    api: Api, ours: World, place: Place, request: pytest.FixtureRequest, counted: Counted
) -> None:
    await api.user("anna@example.se")
    anna = World(await api.client("anna@example.se"), dict(ours.ids))
    guarded = await guard(api, place, request)
    count = await walk(api, anna, ours, skip=EVERYBODYS)
    await _others_rows_unchanged(guarded)
    counted(cases=count)
    assert count > 100, count


VIEWERS_MAY = {
    "GET /api/v1/spaces/{id}/", "GET /api/v1/spaces/{id}/applications/", "GET /api/v1/assistants/{id}/",
    "GET /api/v1/ai-models/", "GET /api/v1/conversations/", "POST /api/v1/conversations/",
    "GET /api/v1/assistants/{id}/sessions/", "POST /api/v1/assistants/{id}/sessions/",
    "POST /api/v1/assistants/{id}/token-estimate", "POST /api/v1/search/", "GET /api/v1/spaces/{id}/group-members/",
    "GET /api/v1/spaces/{id}/knowledge/",
    "GET /api/v1/info-blobs/spaces/{space_id}/info-blobs/", "GET /api/v1/usage/budgets/",
    "GET /api/v1/assistants/{id}/history/", "GET /api/v1/spaces/{id}/history/",
    "GET /api/v1/assistants/{id}/transparency/", "GET /api/v1/icons/{id}/",
    # A file of one's own, for questions in the space.
    "POST /api/v1/files/ with foreign query:space_id", "PUT /api/v1/files/ with foreign query:space_id",
    # A published assistant is mentioned in a conversation of one's own.
    "POST /api/v1/assistants/{id}/sessions/{session_id}/ with foreign body:tools.assistants[].id",
}  # fmt: skip
"""What somebody who may only look and ask does with a space and its assistants."""


async def test_a_viewer_looks_and_asks_and_nothing_more(
    api: Api, ours: World, place: Place, request: pytest.FixtureRequest, counted: Counted
) -> None:
    await api.user("anna@example.se")
    members = f"/api/v1/spaces/{ours.ids['space']}/members/"
    anna_id = (await (await api.client("anna@example.se")).get("/api/v1/users/me/")).json()["id"]
    assert (await ours.client.post(members, json={"id": anna_id, "role": "viewer"})).status_code == 200
    await publish(ours.client, ours.ids["assistant"])
    client = await api.client("anna@example.se")
    guarded = await guard(api, place, request)
    anna = World(client, {**{k: ours.ids[k] for k in EVERYBODYS}, **await work_of(client, api, "Annas eget")})
    count = await walk(api, anna, ours, skip=EVERYBODYS, leave=VIEWERS_MAY)
    await _others_rows_unchanged(guarded)
    counted(cases=count)
    asked = {"assistant_id": ours.ids["assistant"], "question": "Vad är hemligheten?"}
    assert ours.secret in (await client.post("/api/v1/conversations/", json=asked)).json()["answer"]
    assert (await client.get(f"/api/v1/assistants/{ours.ids['assistant']}/")).json()["permissions"] == ["read"]


async def test_who_is_revoked_is_refused_everywhere(api: Api, ours: World, counted: Counted) -> None:
    for number, how in enumerate(("signed out", "deactivated", "deleted", "suspended")):
        email = f"anna{number}@example.se"
        user_id = await api.user(email, PredefinedRole.OWNER)
        client = await api.client(email)
        await justify(client)
        await revoke(api, user_id, client, how)
        expected = (401, 403) if how == "suspended" else (401,)
        count = await refused_everywhere(api, client, ours, expected)
        counted(**{how.replace(" ", "_"): count})
        assert count > 150


async def revoke(api: Api, user_id: UUID, client: httpx.AsyncClient, how: str) -> None:
    users, identity = api.runtime.services.users, api.runtime.services.identity
    match how:
        case "signed out":
            token = client.headers["Authorization"].removeprefix("Bearer ")
            actor = await api.application.state.callers.by_jwt(token, Origin())
            await identity.revoke_everywhere(actor)
        case "deactivated":
            await users.deactivate(api.owner, user_id)
        case "deleted":
            await users.delete(api.owner, user_id)
        case "suspended":
            await api.runtime.services.tenants.suspend(Operator(), api.owner.tenant_id)


async def refused_everywhere(api: Api, client: httpx.AsyncClient, ours: World, expected: tuple[int, ...]) -> int:
    """Every operation that is not open to all answers with one of these; how many there are."""
    document = api.application.openapi()
    count = 0
    for operation in operations(document):
        if (operation.method, operation.path) in OPEN:
            continue
        case = Case(operation, tuple(operation.places), {p: ours.ids[k] for p, k in operation.places.items()})
        answer = await case.send(client, document)
        assert answer.status_code in expected, f"{case}: {answer.status_code} {answer.text[:200]}"
        count += 1
    return count
