"""All addresses of the pages."""

from urllib.parse import quote

from nicegui import app, ui
from nicegui.translations import translations
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from domain.identity.links import PATHS
from domain.kernel.errors import N_, Failure
from pages import (
    account,
    api_keys,
    assistants,
    chat,
    conversations,
    documents,
    history,
    knowledge,
    playground,
    public,
    shell,
    sources,
    space_settings,
    spaces,
    start,
    sysadmin,
    unanswered,
    usage,
    websites,
    welcome,
    why,
)
from pages.admin import api_keys as admin_api_keys
from pages.admin import (
    audit,
    budgets,
    classifications,
    models,
    roles,
    security,
    sign_in,
    status,
    storage,
    user_groups,
    users,
)
from pages.components.base import STATIC
from pages.i18n import translate
from pages.navigation import ADMINISTRATION
from pages.visit import Site, reason_of

ROUTES: dict[str, shell.Builder] = {
    "/": start.start,
    "/welcome": welcome.welcome,
    "/chat": chat.personal,
    "/chat/{assistant_id}": chat.new,
    "/chat/{assistant_id}/temporary": chat.temporary,
    "/conversations": conversations.history,
    "/conversations/{conversation_id}": chat.existing,
    "/conversations/{conversation_id}/at/{message_id}": chat.at,
    "/conversations/{conversation_id}/why/{message_id}": why.why,
    "/conversations/{conversation_id}/sources/{message_id}/{number}": sources.source,
    "/conversations/{conversation_id}/sources/{message_id}/{number}/{citation}": sources.source,
    "/spaces/{space_id}": spaces.overview,
    "/spaces/{space_id}/assistants": assistants.listing,
    "/spaces/{space_id}/knowledge": knowledge.collections,
    "/spaces/{space_id}/playground": playground.playground,
    "/spaces/{space_id}/unanswered": unanswered.questions,
    "/spaces/{space_id}/members": spaces.members,
    "/spaces/{space_id}/settings": space_settings.settings,
    "/assistants/{assistant_id}": assistants.edit,
    "/collections/{collection_id}": knowledge.documents,
    "/documents/{document_id}": documents.document,
    "/websites/{website_id}": websites.website,
    "/crawls/{run_id}": websites.crawl_log,
    "/account": account.account,
    "/account/api-keys": api_keys.mine,
    "/account/usage": usage.mine,
    "/admin/usage": usage.admin,
    "/admin/budgets": budgets.budgets,
    "/spaces/{space_id}/usage": usage.of_space,
    "/admin/models": models.models,
    "/admin/users": users.users,
    "/admin/roles": roles.roles,
    "/admin/user-groups": user_groups.user_groups,
    "/admin/sign-in": sign_in.sign_in,
    "/admin/security": security.security,
    "/admin/security-classes": classifications.classifications,
    "/admin/storage": storage.storage,
    "/admin/api-keys": admin_api_keys.api_keys,
    "/admin/audit": audit.log,
    "/admin/status": status.status,
    "/admin/audit/settings": audit.settings,
    "/assistants/{assistant_id}/api-keys": api_keys.of_assistant,
    "/assistants/{assistant_id}/history": history.of_assistant,
    "/spaces/{space_id}/history": history.of_space,
}
NOT_PAGES = ("static/", "auth/", "login/", "_nicegui")


def register_pages(
    site: Site, admit_operator: sysadmin.Admit | None = None, admit_module_operator: sysadmin.Admit | None = None
) -> None:
    """Register the pages, the static files and the look on NiceGUI."""
    app.add_static_files("/static", STATIC, max_cache_age=31_536_000)
    version = max(int((STATIC / name).stat().st_mtime) for name in ("theme.css", "clipboard.js"))
    ui.add_head_html(
        f'<link rel="icon" href="{site.prefix}/static/favicon.svg">'
        '<link rel="preload" as="font" type="font/woff2" crossorigin'
        f' href="{site.prefix}/static/fonts/inter-latin-wght-normal.woff2">'
        f'<link rel="stylesheet" href="{site.prefix}/static/theme.css?v={version}">'
        f'<script defer src="{site.prefix}/static/clipboard.js?v={version}"></script>',
        shared=True,
    )
    ui.button.default_props("no-caps unelevated")
    ui.menu_item.default_props("role=menuitem")
    # Once the movement of one of these has ended, the focus is put where it was before; who is already typing elsewhere
    # would lose what they type. Nothing moves, so the focus is there at once.
    for moving in (ui.select, ui.menu, ui.dialog):
        moving.default_props("transition-duration=0")
    _teach_swedish()
    _register_public(site)
    if admit_operator is not None:
        sysadmin.register(site, admit_operator, admit_module_operator)

    async def administration() -> Response:
        return RedirectResponse(ADMINISTRATION[0][2], 303)

    async def page(request: Request, path: str = "") -> Response | None:
        if path.startswith(NOT_PAGES):
            return JSONResponse({"message": "Not found.", "code": 9000}, 404)
        try:
            await shell.show(site, request, ROUTES)
        except Failure as failure:
            if await site.services.setup.needed():
                return RedirectResponse("/set-up", 303)
            target = quote("/" + path, safe="/")
            reason = f"&reason={reason_of(failure)}" if failure.status == 403 else ""
            return RedirectResponse(f"/sign-in?next={target}{reason}", 303)
        return None

    app.get("/admin", include_in_schema=False)(administration)
    ui.page("/")(page)
    ui.page("/{path:path}")(page)


def _register_public(site: Site) -> None:
    async def sign_in(request: Request) -> Response:
        return await public.sign_in_page(site.services, request)

    async def link_page(request: Request) -> Response:
        return await public.link_page(site.services, request)

    async def set_up_page(request: Request) -> Response:
        return await public.set_up_page(site.services, request)

    async def set_up(request: Request) -> Response:
        return await public.set_up(site.services, request)

    app.add_api_route("/sign-in", sign_in, methods=["GET"], include_in_schema=False)
    for path in PATHS.values():
        app.add_api_route(path, link_page, methods=["GET"], include_in_schema=False)
    app.add_api_route("/set-up", set_up_page, methods=["GET"], include_in_schema=False)
    app.add_api_route("/set-up", set_up, methods=["POST"], include_in_schema=False)


def _teach_swedish() -> None:
    """NiceGUI's own sentences (a lost connection) have no Swedish."""
    sentences = {
        "connection_lost": N_("The connection was lost."),
        "trying_to_reconnect": N_("Trying to connect again…"),
        "message_too_long": N_("The message is too long"),
        "message_too_long_body": N_("The text is too large to be sent."),
    }
    translations["sv"] = {key: translate(text, "sv") for key, text in sentences.items()}
