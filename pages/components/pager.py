"""Long lists, one page at a time."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from domain.kernel.paging import Page
from pages.components.base import box, quiet_button
from pages.components.region import Region
from pages.i18n import _, ngettext
from pages.visit import guarded

T = TypeVar("T")
Fetch = Callable[[str, str | None], Awaitable[Page[T]]]


class PagedList(Generic[T]):
    """A list that the server pages.

    `fetch(search, cursor)` gives a page, `row` builds one item, `empty` what is said when there is nothing (it gets the
    search words). `search` is the label of the search field, empty for none.
    """

    def __init__(
        self, fetch: Fetch[T], row: Callable[[T], None], *, empty: Callable[[str], None], search: str = ""
    ) -> None:
        self._fetch, self._row, self._empty = fetch, row, empty
        self._words = ""
        self._cursors: list[str | None] = [None]
        with box("card"):
            if search:
                with box("line").style("padding:12px 16px"):
                    entry = ui.input(placeholder=search).props("outlined dense debounce=250 clearable")
                    entry.props["aria-label"] = search
                    entry.style("max-width:360px").on_value_change(guarded(self._searched))
            self.region = Region(self._draw, "full-width")

    @property
    def words(self) -> str:
        """What is searched for."""
        return self._words

    async def refresh(self) -> None:
        """Fetch and draw the present page."""
        await self.region.refresh()

    async def restart(self) -> None:
        """Go back to the first page, since what is wanted has changed."""
        self._cursors = [None]
        await self.region.refresh()

    async def soon(self) -> None:
        """The same in a moment; several calls are one."""
        await self.region.soon()

    async def _searched(self, event: ValueChangeEventArguments[Any]) -> None:
        self._words = str(event.value or "").strip()
        await self.restart()

    async def _draw(self) -> Callable[[], None]:
        page = await self._fetch(self._words, self._cursors[-1])
        if not page.items and len(self._cursors) > 1:  # the last item of the page is gone
            self._cursors.pop()
            return await self._draw()

        def build() -> None:
            if page.items:
                with box("full-width").props("role=list"):
                    self._rows(page.items)
                self._pager(page)
            else:
                self._empty(self._words)

        return build

    def _rows(self, items: Sequence[T]) -> None:
        for item in items:
            self._row(item)

    def _pager(self, page: Page[T]) -> None:
        if page.total is None and not page.next_cursor and len(self._cursors) == 1:
            return
        with box("pager"):
            if page.total is not None:
                ui.label(ngettext("{n} in all", "{n} in all", page.total)).classes("grow")
            if len(self._cursors) > 1:
                quiet_button(_("Previous"), guarded(self._back), icon="chevron_left").props("dense")
            if page.next_cursor:

                async def forward() -> None:
                    if self._cursors[-1] != page.next_cursor:  # pressed twice
                        self._cursors.append(page.next_cursor)
                    await self.region.refresh()

                quiet_button(_("Next"), guarded(forward), icon="chevron_right").props("dense")

    async def _back(self) -> None:
        if len(self._cursors) > 1:
            self._cursors.pop()
        await self.region.refresh()
