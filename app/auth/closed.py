"""During maintenance nobody gets in but the operator, and who looks whether the process lives."""

from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import language_of
from app.security.edge import refuse
from app.security.prefix import path_in
from domain.kernel.errors import UnderMaintenance
from domain.operations.service import OperationsService

OPEN = (
    "/livez", "/readyz", "/metrics", "/api/healthz", "/api/v1/notice/", "/api/v1/sysadmin/", "/api/v1/modules/",
    "/sysadmin", "/static/", "/_nicegui/", "/favicon.ico",
)  # fmt: skip
RETRY_SECONDS = 60
SOCKET = "/_nicegui_ws"


class Closed:
    """Refuses while the operator's notice says that the product is closed."""

    def __init__(self, app: ASGIApp, operations: OperationsService) -> None:
        self._app, self._operations = app, operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what may pass."""
        if scope["type"] in ("http", "websocket") and not path_in(scope).startswith(OPEN):
            notice = await self._operations.notice()
            if notice is not None and notice.closed and not self._operators_page(scope):
                language = language_of(Request({**scope, "type": "http"}))
                failure = UnderMaintenance(retry_after=RETRY_SECONDS, text=notice.text(language))
                await refuse(failure, scope, receive, send)
                return
        await self._app(scope, receive, send)

    @staticmethod
    def _operators_page(scope: Scope) -> bool:
        """Whether this is the socket of the operator's open page."""
        if not path_in(scope).startswith(SOCKET):
            return False
        from app.auth.gate import of_operator

        return of_operator(HTTPConnection(scope))
