"""One's own account: language, look, password, sessions."""

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from domain.identity.entities import SignIn
from domain.kernel.errors import N_
from pages.components.base import box, chip, heading, icon, page_head, quiet_button
from pages.components.region import Region
from pages.dialogs import confirm, inline
from pages.i18n import LANGUAGES, _, moment
from pages.names import user_role_name
from pages.spaces import setting
from pages.visit import act, guarded, toast, visit

THEMES = {"system": N_("Like the system"), "light": N_("Light"), "dark": N_("Dark")}
BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


async def account() -> None:
    """Settings that follow the person to every device."""
    here = visit()
    view = await here.services.users.me(here.actor)
    user = view.user

    async def set_language(event: ValueChangeEventArguments[Any]) -> None:
        await here.shell.set_language(str(event.value))

    async def set_theme(event: ValueChangeEventArguments[Any]) -> None:
        await here.services.users.update_me(here.actor, {"theme": str(event.value)})
        here.shell.use_theme(str(event.value))

    async def set_name() -> None:
        await here.services.users.update_me(here.actor, {"username": name.value})
        toast(_("Saved."))

    with box("page narrow"):
        page_head(_("Account"), user.email)
        with box("card"):
            with setting(_("Name"), _("How colleagues see you.")), box("line"):
                name = ui.input(value=user.username or "").props("outlined dense")
                name.props["aria-label"] = _("Name")
                quiet_button(_("Save"), act(set_name))
            with setting(_("Roles"), _("Given by your administrator.")), box("line wrap"):
                for role in view.roles:
                    chip(user_role_name(role))
            with setting(_("Language"), _("Changes at once.")):
                language = ui.select(dict(LANGUAGES), value=here.language).props("outlined dense options-dense")
                language.props["aria-label"] = _("Language")
                language.on_value_change(guarded(set_language))
            with setting(_("Look"), _("Light, dark, or like the system.")):
                theme = ui.select({key: _(text) for key, text in THEMES.items()}, value=user.theme)
                theme.props("outlined dense options-dense").props["aria-label"] = _("Look")
                theme.on_value_change(act(set_theme))
            with setting(_("API keys"), _("Programs that act in your name.")):
                quiet_button(_("Manage API keys"), lambda: ui.navigate.to("/account/api-keys"), icon="key").style(
                    "align-self:flex-start"
                )
            with setting(_("Use of the models"), _("What you have asked of them, and what it cost.")):
                quiet_button(_("Show"), lambda: ui.navigate.to("/account/usage"), icon="query_stats").style(
                    "align-self:flex-start"
                )
        _password()
        await _sessions()


def _password() -> None:
    here = visit()

    async def submit() -> None:
        async def work() -> None:
            await here.services.identity.change_password(here.actor, current.value or "", new.value or "")
            current.set_value("")
            new.set_value("")
            toast(_("The password was changed. Your other sessions have ended."))

        await inline(work, problem)

    with box("card"), setting(_("Password"), _("At least 10 characters. A sentence is easy to remember.")):
        current = ui.input(_("Present password"), password=True).props("outlined dense autocomplete=current-password")
        new = ui.input(_("New password"), password=True).props("outlined dense autocomplete=new-password")
        problem = box("full-width")
        quiet_button(_("Change the password"), submit).style("align-self:flex-start")


async def _sessions() -> None:
    here = visit()

    async def draw() -> Callable[[], None]:
        sessions = await here.services.identity.sessions(here.actor)

        def build() -> None:
            with box("card").props("role=list"):
                for session in sorted(sessions, key=lambda s: s.last_seen_at, reverse=True):
                    _session(session, region)

        return build

    async def everywhere() -> None:
        text = _("All sessions end, this one too. You sign in again with your password.")
        if await confirm(_("Sign out everywhere?"), text, _("Sign out everywhere")):
            await here.services.identity.revoke_everywhere(here.actor)

    with box("line wrap"):
        heading(_("Where you are signed in")).classes("grow")
        quiet_button(_("Sign out everywhere"), act(everywhere))
    region = Region(draw)
    await region.refresh()


def _session(session: SignIn, region: Region) -> None:
    here = visit()

    async def revoke() -> None:
        await here.services.identity.revoke(here.actor, session.id)
        await region.refresh()

    with box("rowline").props("role=listitem"):
        icon("terminal" if session.kind == "api" else "devices")
        with box("grow"):
            ui.label(_device(session)).classes("name")
            parts = [_("Last used {moment}", moment=moment(session.last_seen_at)), session.ip or ""]
            ui.label(" · ".join(part for part in parts if part)).classes("sub")
        if session.id == here.actor.session_id:
            chip(_("This session"), "ok")
        else:
            quiet_button(_("End"), act(revoke)).props("dense").props["aria-label"] = _(
                "End the session {name}", name=_device(session)
            )


def _device(session: SignIn) -> str:
    agent = session.user_agent or ""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if browser or system:
        return " · ".join(part for part in (browser, system) if part)
    return _("API client") if session.kind == "api" else _("Unknown device")
