"""Pictures of assistants and spaces: what comes in, who sees it, and that it goes."""

import asyncio
import io
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
from PIL import Image
from sqlalchemy import update

from app.maintenance import work
from domain.icons.entities import Icon
from domain.icons.service import LIMIT, UNUSED
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from storage.tables.icons import icons
from tests.support.api import Api, make_assistant, make_space, publish
from tests.support.pictures import bomb, picture

ICONS = "/api/v1/icons/"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


async def sent(client: httpx.AsyncClient, content: bytes, name: str = "bild.png") -> httpx.Response:
    return await client.post(ICONS, files={"file": (name, content)})


async def make(client: httpx.AsyncClient, content: bytes | None = None) -> str:
    answer = await sent(client, content or picture(300, 200))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def shown(client: httpx.AsyncClient, icon: str) -> Image.Image:
    answer = await client.get(f"{ICONS}{icon}/")
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def stored(api: Api) -> list[Path]:
    folder = api.runtime.settings.data_dir / "files" / api.owner.tenant_id.hex
    return [path for path in folder.rglob("*") if path.is_file()]


async def member(api: Api, owner: httpx.AsyncClient, space: str, role: str) -> httpx.AsyncClient:
    body = {"id": str(await api.user(f"{role}@example.se")), "role": role}
    assert (await owner.post(f"/api/v1/spaces/{space}/members/", json=body)).status_code == 200
    return await api.client(f"{role}@example.se")


async def test_a_picture_is_given_as_a_small_square_and_as_nothing_else(api: Api) -> None:
    client = await api.client()
    answer = await client.get(f"{ICONS}{await make(client)}/")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"].startswith("private")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"] == 'inline; filename="icon.png"'
    found = Image.open(io.BytesIO(answer.content))
    assert (found.format, found.size) == ("PNG", (200, 200))
    again = await client.get(str(answer.url), headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_what_is_no_fit_picture_is_refused_and_leaves_nothing(api: Api) -> None:
    client = await api.client()
    for content, name, status, code in (
        (SVG, "bild.svg", 415, 9014), (SVG, "bild.png", 415, 9014), (b"", "bild.png", 415, 9014),
        (picture(9, form="GIF"), "bild.gif", 415, 9014), (picture(9, form="BMP"), "bild.png", 415, 9014),
        (picture(300)[:120], "bild.png", 400, 9029), (bomb(30_000, 30_000), "bild.png", 400, 9027),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * LIMIT, "bild.png", 413, 9015),
    ):  # fmt: skip
        answer = await sent(client, content, name)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.json()["message"]
        assert stored(api) == []


async def test_a_photograph_is_made_small(api: Api) -> None:
    client = await api.client()
    noise = Image.effect_noise((2_400, 1_800), 90)
    output = io.BytesIO()
    noise.save(output, "JPEG", quality=92)
    assert 1024**2 < len(output.getvalue()) < LIMIT
    icon = await make(client, output.getvalue())
    assert (await shown(client, icon)).size == (256, 256)
    [path] = stored(api)
    assert path.stat().st_size < 256 * 1024


async def test_the_largest_picture_that_may_be_brought(api: Api) -> None:
    client, content = await api.client(), picture(64)
    # What follows the end of a PNG is not read.
    assert (await sent(client, content + b"\0" * (LIMIT - len(content)))).status_code == 200
    assert (await sent(client, content + b"\0" * (LIMIT + 1 - len(content)))).status_code == 413
    plain = await client.put(ICONS, params={"name": "bild.png"}, content=content)
    assert plain.status_code == 201
    assert (await shown(client, plain.json()["id"])).size == (64, 64)


async def test_a_space_and_an_assistant_bear_pictures_wherever_they_are_told_of(api: Api) -> None:
    client = await api.client()
    space = await make_space(client)
    assistant = await make_assistant(client, space)
    first, second = await make(client), await make(client, picture(90))
    changed = await client.patch(f"/api/v1/spaces/{space}/", json={"icon_id": first})
    assert changed.json()["icon_id"] == first
    changed = await client.post(f"/api/v1/assistants/{assistant}/", json={"icon_id": second})
    assert changed.json()["icon_id"] == second
    [listed] = (await client.get("/api/v1/spaces/", params={"include_applications": True})).json()["items"]
    assert listed["icon_id"] == first
    assert listed["applications"]["assistants"]["items"][0]["icon_id"] == second
    named = (await client.get("/api/v1/assistants/", params={"name": "Hjälpen"})).json()["items"]
    assert [each["icon_id"] for each in named] == [second]
    for path in (f"/api/v1/spaces/{space}/", f"/api/v1/assistants/{assistant}/"):
        told = (await client.get(f"{path}history/")).json()["items"][0]
        assert list(told["changes"]) == ["icon_id"]


async def test_what_is_not_named_stays_and_null_removes(api: Api) -> None:
    client = await api.client()
    space = await make_space(client)
    assistant = await make_assistant(client, space)
    for path, change in ((f"/api/v1/spaces/{space}/", client.patch), (f"/api/v1/assistants/{assistant}/", client.post)):
        icon = await make(client)
        await change(path, json={"icon_id": icon})
        assert (await change(path, json={"description": "Ny"})).json()["icon_id"] == icon
        assert (await change(path, json={"icon_id": icon})).json()["icon_id"] == icon
        assert (await change(path, json={"icon_id": None})).json()["icon_id"] is None
        assert (await client.get(f"{ICONS}{icon}/")).status_code == 404
    assert stored(api) == []


async def test_a_picture_that_is_replaced_is_gone(api: Api) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    first, second = await make(client), await make(client, picture(90))
    for icon in (first, second):
        await client.post(f"/api/v1/assistants/{assistant}/", json={"icon_id": icon})
    assert (await client.get(f"{ICONS}{first}/")).status_code == 404
    assert (await client.get(f"{ICONS}{second}/")).status_code == 200
    assert len(stored(api)) == 1


async def test_a_copy_has_the_picture_of_its_original_until_both_are_gone(api: Api) -> None:
    client = await api.client()
    space, other = await make_space(client), await make_space(client, "Miljö")
    assistant, icon = await make_assistant(client, space), await make(client)
    await client.post(f"/api/v1/assistants/{assistant}/", json={"icon_id": icon})
    copy = (await client.post(f"/api/v1/assistants/{assistant}/duplicate/", json={"space_id": other})).json()
    assert copy["icon_id"] == icon
    assert (await client.delete(f"/api/v1/spaces/{space}/")).status_code == 204
    assert (await client.get(f"{ICONS}{icon}/")).status_code == 200
    assert (await client.delete(f"/api/v1/assistants/{copy['id']}/")).status_code == 204
    assert (await client.get(f"{ICONS}{icon}/")).status_code == 404
    assert stored(api) == []


async def test_equal_pictures_are_kept_once_and_each_goes_by_itself(api: Api) -> None:
    client = await api.client()
    first, second = await make(client), await make(client)
    assert first != second
    assert len(stored(api)) == 1
    assert (await client.delete(f"{ICONS}{first}/")).status_code == 204
    assert (await shown(client, second)).size == (200, 200)
    assert (await client.delete(f"{ICONS}{second}/")).status_code == 204
    assert (await client.delete(f"{ICONS}{second}/")).status_code == 404
    assert stored(api) == []


async def test_only_those_who_see_what_bears_a_picture_see_it(api: Api, other: Actor) -> None:
    owner = await api.client()
    space = await make_space(owner)
    assistant, icon, sign = await make_assistant(owner, space), await make(owner), await make(owner, picture(90))
    await api.user("utanfor@example.se")
    viewer, outsider = await member(api, owner, space, "viewer"), await api.client("utanfor@example.se")
    foreigner = await api.client(other.email)
    await owner.post(f"/api/v1/assistants/{assistant}/", json={"icon_id": icon})
    # The viewer does not see drafts.
    for who, status in ((viewer, 404), (outsider, 404), (foreigner, 404), (api.browser(), 401)):
        assert (await who.get(f"{ICONS}{icon}/")).status_code == status
        assert (await who.delete(f"{ICONS}{icon}/")).status_code == status
    await publish(owner, assistant)
    assert (await viewer.get(f"{ICONS}{icon}/")).status_code == 200
    assert (await viewer.delete(f"{ICONS}{icon}/")).status_code == 403
    await owner.patch(f"/api/v1/spaces/{space}/", json={"icon_id": sign})
    assert (await viewer.get(f"{ICONS}{sign}/")).status_code == 200
    assert (await outsider.get(f"{ICONS}{sign}/")).status_code == 404


async def test_nobody_takes_the_picture_of_somebody_else(api: Api, other: Actor) -> None:
    owner = await api.client()
    space = await make_space(owner)
    editor, foreigner = await member(api, owner, space, "editor"), await api.client(other.email)
    assistant, icon = await make_assistant(owner, space), await make(owner)
    elsewhere = await make_assistant(foreigner, await make_space(foreigner))
    for who, path in ((editor, assistant), (foreigner, elsewhere)):
        for wanted in (icon, str(uuid4())):
            answer = await who.post(f"/api/v1/assistants/{path}/", json={"icon_id": wanted})
            assert (answer.status_code, answer.json()["field"]) == (404, "icon_id")
    # What the assistant has already, any of its editors may keep or remove.
    await owner.post(f"/api/v1/assistants/{assistant}/", json={"icon_id": icon})
    kept = await editor.post(f"/api/v1/assistants/{assistant}/", json={"icon_id": icon, "name": "Nytt namn"})
    assert (kept.status_code, kept.json()["icon_id"]) == (200, icon)
    assert (await editor.delete(f"{ICONS}{icon}/")).status_code == 204
    assert (await owner.get(f"/api/v1/assistants/{assistant}/")).json()["icon_id"] is None
    told = [entry for entry in await api.entries(api.owner.tenant_id) if entry.action == "assistant_updated"]
    assert told[-1].changes["new"] == {"icon_id": None}
    answer = await editor.patch(f"/api/v1/spaces/{space}/", json={"icon_id": await make(editor)})
    assert answer.status_code == 403


async def test_a_picture_stays_where_its_maker_may_no_longer_change_what_bears_it(api: Api) -> None:
    owner = await api.client()
    space = await make_space(owner)
    editor = await member(api, owner, space, "editor")
    assistant, icon = await make_assistant(owner, space), await make(editor)
    await editor.post(f"/api/v1/assistants/{assistant}/", json={"icon_id": icon})
    me = (await editor.get("/api/v1/users/me/")).json()["id"]
    assert (await owner.delete(f"/api/v1/spaces/{space}/members/{me}/")).status_code == 204
    assert (await editor.delete(f"{ICONS}{icon}/")).status_code == 403
    assert (await owner.get(f"{ICONS}{icon}/")).status_code == 200


async def test_an_earlier_version_does_not_bring_a_removed_picture_back(api: Api) -> None:
    client = await api.client()
    assistant = await make_assistant(client, await make_space(client))
    path = f"/api/v1/assistants/{assistant}/"
    await client.post(path, json={"icon_id": await make(client), "description": "Första"})
    entry = (await client.get(f"{path}history/")).json()["items"][0]["id"]
    await client.post(path, json={"icon_id": None, "description": "Andra"})
    restored = await client.post(f"{path}history/{entry}/restore/")
    assert (restored.status_code, restored.json()["description"], restored.json()["icon_id"]) == (200, "Första", None)


async def test_a_picture_that_is_removed_while_it_is_chosen(api: Api) -> None:
    client = await api.client()
    space = await make_space(client)
    first, second = await make_assistant(client, space), await make_assistant(client, space)
    icon = await make(client)
    await client.post(f"/api/v1/assistants/{first}/", json={"icon_id": icon})
    removed, chosen = await asyncio.gather(
        client.post(f"/api/v1/assistants/{first}/", json={"icon_id": None}),
        client.post(f"/api/v1/assistants/{second}/", json={"icon_id": icon}),
    )
    assert {removed.status_code, chosen.status_code} <= {200, 404, 409}
    bears = (await client.get(f"/api/v1/assistants/{second}/")).json()["icon_id"] == icon
    assert (await client.get(f"{ICONS}{icon}/")).status_code == (200 if bears or removed.status_code == 409 else 404)


async def test_pictures_that_nothing_bears_go_after_a_day(api: Api) -> None:
    client = await api.client()
    space = await make_space(client)
    borne, fresh, old = await make(client), await make(client, picture(80)), await make(client, picture(90))
    await client.patch(f"/api/v1/spaces/{space}/", json={"icon_id": borne})
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        made = update(Icon).where(icons.c.id.in_([UUID(borne), UUID(old)])).values(created_at=now() - timedelta(days=2))
        await session.execute(made)
        await session.commit()
    assert "pictures: 1 that nothing bears were removed" in await work(api.runtime)
    for icon, status in ((borne, 200), (fresh, 200), (old, 404)):
        assert (await client.get(f"{ICONS}{icon}/")).status_code == status
    assert len(stored(api)) == 2


async def test_whoever_brings_many_that_are_not_used_loses_the_oldest(api: Api) -> None:
    owner = await api.client()
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    space, borne, hers = await make_space(owner), await make(owner), await make(anna)
    await owner.patch(f"/api/v1/spaces/{space}/", json={"icon_id": borne})
    async with api.runtime.database.session(api.owner.tenant_id) as session:
        blob_id = (await session.get_one(Icon, UUID(borne))).blob_id
        brought = [
            Icon(tenant_id=api.owner.tenant_id, user_id=api.owner.user_id, blob_id=blob_id) for _ in range(UNUSED)
        ]
        session.add_all(brought)
        await session.commit()
    last = await make(owner)
    for icon, who, status in (
        (str(brought[0].id), owner, 404), (str(brought[1].id), owner, 200), (last, owner, 200), (borne, owner, 200),
        (hers, anna, 200),
    ):  # fmt: skip
        assert (await who.get(f"{ICONS}{icon}/")).status_code == status
