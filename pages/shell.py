"""The frame of every page: header, navigation, sources panel, and the pages inside."""

import asyncio
import copy
import functools
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from nicegui import ui
from nicegui.page_arguments import RouteMatch
from starlette.requests import Request

from domain.kernel.actor import Actor
from domain.kernel.errors import Failure, Unauthenticated
from domain.operations.entities import NoticeLevel
from domain.operations.service import TOPIC
from pages import keyboard
from pages.components.base import Tone, box, empty_state, heading, icon, icon_button, note, quiet_button
from pages.components.face import initials
from pages.components.focus import KeptFocus
from pages.components.region import Region
from pages.components.shortcuts import Shortcuts
from pages.components.sources import Sources
from pages.i18n import LANGUAGES, _, ngettext
from pages.jobs import JobsButton
from pages.navigation import Navigation
from pages.palette import Palette
from pages.visit import (
    ENDED,
    News,
    Site,
    Visit,
    act,
    guarded,
    leave,
    noted,
    open_visit,
    sentence,
    unexpected,
    visit,
)

QUASAR = {"sv": "sv", "en": "en-US"}
THEMES: dict[str, bool | None] = {"system": None, "light": False, "dark": True}
WIDE_ENOUGH = 1200
TOLD_SECONDS = 5.0
"""So long a press waits until the browser has told what it shows."""
Builder = Callable[..., Awaitable[None]]


def sub_page(builder: Builder) -> Builder:
    """A page inside the shell: authenticated anew, what fails is said, and the title takes the focus."""

    @functools.wraps(builder)
    async def build(*args: Any, **kwargs: Any) -> None:
        here = visit()
        here.leave_page()
        here.space_id = here.assistant_id = None
        first = here.client.sub_pages_router.is_initial_request
        try:
            await here.authenticate()
            await builder(*args, **kwargs)
        except ENDED as failure:
            leave(failure)
            return
        except Failure as failure:
            await noted(failure)
            refused(sentence(failure))
        except Exception:
            refused(unexpected())
        here.shell.page_changed()
        announce_page(focus=not first)

    return build


class Pages(ui.sub_pages):
    """The page that the address asks for. An address that no page has in full is not shown as its beginning."""

    def _show(self) -> None:
        """Show the page of the address, unless the present one holds changes: then whoever leaves it is asked."""
        here = visit()
        router, unsaved = here.client.sub_pages_router, here.unsaved
        wanted = router.current_path
        if unsaved is None or not unsaved.there:
            super()._show()
            return
        router.current_path = unsaved.path
        stay = json.dumps(unsaved.path)
        ui.run_javascript(
            f"const full = (window.path_prefix || '') + {stay};"
            f"if (location.pathname + location.search !== full) history.pushState({{page: {stay}}}, '', full);"
        )
        here.spawn(guarded(unsaved.leave_for)(wanted), "leaving with changes")

    def _find_matching_path(self) -> RouteMatch | None:
        match = super()._find_matching_path()
        return None if match is None or match.remaining_path else match

    def _render_404(self) -> None:
        here = visit()
        here.leave_page()
        here.space_id = here.assistant_id = None
        refused(_("There is nothing at this address."))
        here.shell.page_changed()
        announce_page(focus=not here.client.sub_pages_router.is_initial_request)


def refused(text: str) -> None:
    """A page that cannot be shown, and why."""
    with box("page"):
        heading(_("This page cannot be shown"), 1)
        with box("card"), empty_state("search_off", text, _("It may have been moved or deleted, or you lack access.")):
            quiet_button(_("Go to the start page"), lambda: ui.navigate.to("/"), icon="home")


def announce_page(*, focus: bool) -> None:
    """Name the tab after the page's title; after a change of page the focus goes there (or where one writes)."""
    move = "if (!document.querySelector('.composer')) h.focus({preventScroll: true});" if focus else ""
    ui.run_javascript(
        "requestAnimationFrame(() => { const h = document.querySelector('main h1'); if (!h) return;"
        f"document.title = h.textContent + ' · Samråd'; {move} }})"
    )


class Shell:
    """The frame of one tab."""

    def __init__(self, here: Visit, theme: str) -> None:
        self.visit = here
        self.dark = ui.dark_mode(THEMES.get(theme))
        self._told = asyncio.Event()

    async def build(self, routes: dict[str, Builder]) -> None:
        """Make all parts and the page that the address asks for."""
        ui.colors(primary="#3b4fd8", positive="#11734a", negative="#b3261e", warning="#8a5200")
        Shortcuts(
            {"mod+k": "search", "mod+shift+o": "new", "/": "search", "shift+?": "keys", "?": "keys"}, self._shortcut
        )
        KeptFocus()
        self.palette = Palette()
        with ui.header() as self.header:
            self._header()
        with ui.left_drawer(value=None).props("width=264 breakpoint=1023 bordered") as self.left:
            self.navigation = Navigation()
            await self.navigation.refresh()
        # After the drawer, which asks the browser in the same way whether it is shown.
        ui.context.client.on_connect(self._ask_browser)
        with ui.right_drawer(value=False).props(f"width=350 breakpoint={WIDE_ENOUGH - 1} bordered") as self.right:
            self.side = box("side")
        self.visit.frame = self
        with box("full-width") as main:
            self.banner = Region(self._banner, "full-width")
            await self.banner.refresh()
            Pages({path: sub_page(builder) for path, builder in routes.items()})
        ui.skip_link(_("Skip to main content"), target=main)
        self._name_landmarks()
        for topic in (f"user:{self.visit.actor.user_id}", f"tenant:{self.visit.actor.tenant_id}"):
            self.visit.listen(topic, self._news, tab=True)
        self.visit.listen(TOPIC, self._notice_changed, tab=True)

    async def _banner(self) -> Callable[[], None]:
        """What the operator says to everybody."""
        notice = await self.visit.services.operations.notice()

        def build() -> None:
            if notice is not None:
                tone: Tone = "" if notice.level == NoticeLevel.INFO else "warn"
                note(notice.text(self.visit.language), tone, icon_name="campaign").classes("banner")

        return build

    async def _notice_changed(self, news: News) -> None:
        operations = self.visit.services.operations
        operations.forget()
        notice = await operations.notice()
        if notice is not None and notice.closed:
            ui.navigate.reload()
        else:
            await self.banner.refresh()

    async def _ask_browser(self) -> None:
        """Know when the browser has answered the drawer: answers come in the order of the questions."""
        self._told.clear()
        with suppress(TimeoutError):
            await ui.run_javascript("true", timeout=TOLD_SECONDS)
        self._told.set()

    async def _toggle_navigation(self) -> None:
        """Show or hide it, once the browser has told whether it is shown: the answer would undo a press that overtook it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(TOLD_SECONDS):
                await self._told.wait()
        self.left.toggle()

    def _header(self) -> None:
        actor = self.visit.actor
        icon_button("menu", _("Show or hide the navigation"), self._toggle_navigation)
        with ui.link(target="/").classes("brand", remove="nicegui-link"):
            ui.element("img").props(f'src="{self.visit.site.prefix}/static/favicon.svg" alt=""')
            ui.label("Samråd")
        ui.label(self.visit.tenant_name).classes("chip hide-sm")
        box("grow")
        with ui.element("button").classes("find").props("type=button") as find:
            icon("search")
            ui.label(_("Search")).classes("grow find-text")
            with ui.element("kbd").classes("hide-sm").props("aria-hidden=true"):
                ui.label("Ctrl K")
        find.on("click", self.palette.open)
        self.jobs = JobsButton()
        self._language_button()
        icon_button("dark_mode", _("Light or dark theme"), self._toggle_theme).classes("hide-sm")
        with ui.button(color=None).props("flat round dense"):
            ui.label(initials(actor.name or actor.email)).classes("face").props("aria-hidden=true")
            ui.label(_("Your account")).classes("sr-only")
            self._account_menu(actor)

    def _language_button(self) -> None:
        with icon_button("translate", _("Language")).classes("hide-sm"), ui.menu().props("auto-close"):
            for code, name in LANGUAGES.items():
                ui.menu_item(name, on_click=functools.partial(self.set_language, code))

    def _account_menu(self, actor: Actor) -> None:
        with ui.menu().props("auto-close"), box("stack tight").style("padding:6px;min-width:220px"):
            with box("stack tight").style("padding:8px 12px;gap:0"):
                ui.label(actor.name).classes("strong")
                ui.label(actor.email).classes("muted small")
            ui.separator()
            ui.menu_item(_("Account"), on_click=lambda: ui.navigate.to("/account"))
            ui.menu_item(_("API keys"), on_click=lambda: ui.navigate.to("/account/api-keys"))
            for code, name in LANGUAGES.items():
                if code != self.visit.language:
                    ui.menu_item(name, on_click=functools.partial(self.set_language, code))
            ui.menu_item(_("Light or dark theme"), on_click=self._toggle_theme)
            ui.menu_item(_("Keyboard shortcuts"), on_click=keyboard.show)
            ui.menu_item(_("Sign out"), on_click=self._sign_out)

    async def _shortcut(self, name: str) -> None:
        if name == "search":
            await self.palette.open()
        elif name == "keys":
            keyboard.show()
        else:
            ui.navigate.to("/chat")

    def _sign_out(self) -> None:
        headers = json.dumps({"X-CSRF-Token": self.visit.csrf_token})
        ui.run_javascript(
            f"fetch('{self.visit.site.prefix}/auth/sign-out', {{method: 'POST', headers: {headers}}})"
            ".then(answer => answer.status === 200 ? answer.json() : {}).catch(() => ({}))"
            f".then(({{url}}) => window.location.assign(url || '{self.visit.site.prefix}/sign-in?reason=out'))"
        )

    async def set_language(self, code: str) -> None:
        """Switch all words at once, without loading the page again, and remember it."""

        async def switch() -> None:
            await self.visit.services.users.update_me(self.visit.actor, {"language": code})
            self.visit.language = code
            await self.redraw()

        await act(switch)()

    async def redraw(self) -> None:
        """Draw everything anew in the present language."""
        self.header.clear()
        with self.header:
            self._header()
        self.palette.renew()
        await self.banner.refresh()
        await self.navigation.refresh()
        self._use_quasar_language()
        self._name_landmarks()
        await self.visit.client.sub_pages_router.refresh()

    def _use_quasar_language(self) -> None:
        from nicegui.version import __version__

        name = json.dumps(QUASAR[self.visit.language])
        ui.run_javascript(
            f"document.documentElement.lang = {name};"
            f"import('{self.visit.site.prefix}/_nicegui/{__version__}/static/lang/' + {name} + '.umd.prod.js')"
            f".then(() => Quasar.lang.set(Quasar.lang[{name}.replace('-', '')]))"
        )

    async def _toggle_theme(self) -> None:
        async def switch() -> None:
            shown = await ui.run_javascript("document.body.classList.contains('body--dark')", timeout=3)
            self.use_theme("light" if shown else "dark")
            await self.visit.services.users.update_me(self.visit.actor, {"theme": "light" if shown else "dark"})

        await act(switch)()

    def use_theme(self, theme: str) -> None:
        """Show a theme: system, light or dark."""
        self.dark.set_value(THEMES[theme])

    def _name_landmarks(self) -> None:
        names = json.dumps({"left": _("Navigation"), "right": _("Sources")})
        ui.run_javascript(
            f"for (const [side, name] of Object.entries({names}))"
            "document.querySelector('.q-drawer--' + side)?.setAttribute('aria-label', name)"
        )

    async def search(self) -> None:
        """Open the search for everything."""
        await self.palette.open()

    def page_changed(self) -> None:
        """Another page is shown: mark it in the navigation; the sources belong to conversations only."""
        if self.visit.assistant_id is None:
            self.right.set_value(False)
        ui.run_javascript("if (window.innerWidth < 1024) emitEvent('close_navigation')")
        self.navigation.later()

    def show_sources(self, items: list[dict[str, Any]], selected: int, citation: int = -1) -> None:
        """Fill the sources panel.

        `selected` > 0 opens it at that passage, 0 opens it, below 0 opens it only where there is room. `citation` is the
        marker that was chosen.
        """
        self.side.clear()
        with self.side:
            with box("line"):
                heading(_("Sources")).classes("grow")
                ui.label(ngettext("{n} source", "{n} sources", len(items))).classes("chip acc")
                icon_button("close", _("Close the sources"), lambda: self.right.set_value(False))
            Sources(items, max(selected, 0), citation)
        if selected >= 0:
            self.right.set_value(True)
        else:
            ui.run_javascript(f"if (window.innerWidth >= {WIDE_ENOUGH}) emitEvent('room_for_sources')")

    async def _news(self, news: News) -> None:
        match news.kind:
            case "signed_out" | "suspended" | "deleting":
                await self.visit.authenticate()
            case "permissions_changed":
                await self.visit.authenticate()
                self.navigation.later()
            case "job":
                await self.jobs.changed(news.data)
            case "spaces_changed" | "conversations_changed" | "resync":
                self.navigation.later()


async def show(site: Site, request: Request, routes: dict[str, Builder]) -> None:
    """Build the shell for a signed-in actor; raises `Unauthenticated` when there is none."""
    actor = await site.resolve_actor(request)
    if actor is None:
        raise Unauthenticated
    here = open_visit(site, request, actor)
    user = (await site.services.users.me(actor)).user
    here.language = user.language
    tenant = await site.services.users.tenant(actor)
    here.tenant_name = tenant.display_name or tenant.name
    page = here.client.page = copy.copy(here.client.page)
    page.language, page.dark = QUASAR[here.language], THEMES.get(user.theme)  # type: ignore[assignment]
    shell = Shell(here, user.theme)
    ui.on("room_for_sources", lambda: shell.right.set_value(True))
    ui.on("close_navigation", lambda: shell.left.set_value(False))
    await shell.build(routes)
