"""What is asked for in a dialog is done to its end."""

import gc
from typing import Any, cast

from nicegui import Client, ui
from nicegui.page import page

from domain.kernel.actor import Actor
from domain.kernel.ids import new_id
from pages.components.base import box
from pages.dialogs import dialog, inline
from pages.visit import Site, Visit, enter

NOTHING = cast("Any", None)
"""What a dialog has no need of."""


async def test_what_a_dialog_began_goes_on_when_the_dialog_is_gone() -> None:
    actor = Actor(tenant_id=new_id(), user_id=new_id())

    async def resolve(_request: Any) -> Actor:
        return actor

    site = Site(NOTHING, resolve, NOTHING, lambda _request: "")
    client = Client(page(""))
    try:
        with client:
            enter(Visit(site, client, NOTHING, actor, "en"))
            made, card = dialog("Renew the key")
            with card:
                place, pressed = box(""), box("").default_slot
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
    finally:
        client.delete()
