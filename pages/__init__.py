"""What people see.

`register` puts the pages on NiceGUI; nothing here is loaded before it is called, so that other parts of the program can
use `pages.i18n` without NiceGUI.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

    from starlette.requests import Request

    from domain.kernel.actor import Actor
    from domain.services import Services
    from pages.sysadmin import Admit
    from pages.visit import Live


def register(
    services: "Services",
    *,
    resolve_actor: "Callable[[Request], Awaitable[Actor | None]]",
    live: "Live",
    csrf_token: "Callable[[Request], str]",
    admit_operator: "Admit | None" = None,
    admit_module_operator: "Admit | None" = None,
    prefix: str = "",
    zone: "tzinfo | None" = None,
) -> None:
    """Put all pages on NiceGUI's application; call it before `ui.run_with`.

    `resolve_actor` says who sends a request (None: nobody), and is asked again before every change; `live` gives the
    news of a topic; `csrf_token` is what uploads send back in `X-CSRF-Token`; `prefix` is the path under which a proxy
    shows the product; `zone` the time zone in which times are shown; `admit_operator` checks the operator's key, without it
    there is no page for the operator; `admit_module_operator` the second one, without which that page leaves modules alone.
    """
    from datetime import UTC

    from pages.site import register_pages
    from pages.visit import Site

    register_pages(
        Site(services, resolve_actor, live, csrf_token, prefix, zone or UTC), admit_operator, admit_module_operator
    )
