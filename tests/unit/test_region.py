"""A part of a page is drawn anew when it has to be, and not more often."""

import asyncio
from collections.abc import Callable

from nicegui import Client, ui
from nicegui.page import page

from pages.components.region import Region


async def test_news_of_what_was_fetched_meanwhile_draw_nothing() -> None:
    fetched = 0

    async def draw() -> Callable[[], None]:
        nonlocal fetched
        fetched += 1

        def build() -> None:
            ui.label(str(fetched))

        return build

    client = Client(page(""))
    try:
        with client:
            region = Region(draw)
        told = asyncio.create_task(region.soon())
        await asyncio.sleep(0)
        # As after one's own change, whose news come before it is drawn.
        await region.refresh()
        await told
        assert fetched == 1
        # News that come later are not known yet, however often they come.
        await asyncio.gather(region.soon(), region.soon())
        assert fetched == 2
        [label] = region.element.default_slot.children
        assert isinstance(label, ui.label)
        assert label.text == "2"
    finally:
        client.delete()
