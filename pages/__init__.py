"""What people see.

`register` puts the pages on NiceGUI; nothing here is loaded before it is called, so that other parts of the program can
use `pages.i18n` without NiceGUI.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

    from domain.kernel.actor import Actor
    from domain.services import Services
    from domain.tenants.operator import Operator
    from pages.visit import Live


def register(
    services: "Services",
    *,
    resolve_actor: "Callable[[Request], Awaitable[Actor | None]]",
    live: "Live",
    csrf_token: "Callable[[Request], str]",
    prefix: str = "",
    enter: "Callable[[str, Request], Awaitable[Operator]] | None" = None,
) -> None:
    """Put all pages on NiceGUI's application; call it before `ui.run_with`.

    `resolve_actor` says who sends a request (None: nobody), and is asked again before every change; `live` gives the
    news of a topic; `csrf_token` is what uploads send back in `X-CSRF-Token`; `prefix` is the path under
    which a proxy shows the product; `enter` lets the operator in by the key (None: there is none, and no page for it).
    """
    from pages.site import register_pages
    from pages.visit import Site

    register_pages(Site(services, resolve_actor, live, csrf_token, prefix, enter))
