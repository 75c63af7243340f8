"""What is asked for in a dialog is done to its end."""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any, cast

import pytest
from nicegui import Client, ui
from nicegui.page import page

from domain.kernel.actor import Actor
from domain.kernel.errors import Invalid
from domain.kernel.ids import new_id
from pages import dialogs
from pages.components.base import box
from pages.dialogs import dialog, inline
from pages.visit import Site, Visit, enter

NOTHING = cast("Any", None)
"""What a dialog has no need of."""


@pytest.fixture
def client() -> Iterator[Client]:
    """The page of somebody who is signed in."""
    actor = Actor(tenant_id=new_id(), user_id=new_id())

    async def resolve(_request: Any) -> Actor:
        return actor

    made = Client(page(""))
    with made:
        enter(Visit(Site(NOTHING, resolve, NOTHING, lambda _request: ""), made, NOTHING, actor, "en"))
    yield made
    made.delete()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said beside the page."""
    said: list[str] = []
    monkeypatch.setattr(dialogs, "toast", lambda text, _kind: said.append(text))
    return said


def opened(title: str) -> tuple[ui.dialog, ui.element]:
    """An open dialog, and the place in it where failures are shown."""
    made, card = dialog(title)
    with card:
        place = box("")
    made.open()
    return made, place


async def test_what_a_dialog_began_goes_on_when_the_dialog_is_gone(client: Client) -> None:
    with client:
        made, card = dialog("Renew the key")
        with card:
            place, pressed = box(""), box("").default_slot
        made.open()
    first = made.id
    del made, card

    async def work() -> None:
        client.elements[first].delete()
        gc.collect()
        dialog("Copy the key now")

    with pressed:
        assert await inline(work, place)
    [shown] = [each for each in client.elements.values() if isinstance(each, ui.dialog)]
    assert shown.props["aria-label"] == "Copy the key now"


@pytest.mark.parametrize("gone", [True, False])
async def test_a_refusal_that_comes_when_the_dialog_has_closed_is_said_beside_the_page(
    client: Client, told: list[str], gone: bool
) -> None:
    with client:
        made, place = opened("Rename")

        async def work() -> None:
            (made.delete if gone else made.close)()
            raise Invalid("Give a name.", field="name")

        assert not await inline(work, place)
    assert told == ["Give a name."]


async def test_a_refusal_is_shown_in_the_dialog_while_that_is_open(client: Client, told: list[str]) -> None:
    with client:
        _, place = opened("Rename")

        async def work() -> None:
            raise Invalid("Give a name.", field="name")

        assert not await inline(work, place)
    assert told == []
    [shown] = [each for each in place.descendants() if isinstance(each, ui.label)]
    assert shown.text == "Give a name."


async def test_what_is_asked_for_twice_is_done_once_where_it_closes_the_dialog(client: Client) -> None:
    done = []
    with client:
        made, place = opened("Create space")

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.append(1)
        made.close()

    async def press() -> bool:
        with made:
            return await inline(work, place)

    assert await asyncio.gather(press(), press()) == [True, False]
    assert done == [1]
