"""Being shown under a path of a host (`https://www.example.se/ai`), by a proxy that takes the path away or leaves it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


def path_in(scope: Scope) -> str:
    """The path of a request inside the product."""
    path: str = scope["path"]
    prefix: str = scope.get("app_prefix", "")
    return path.removeprefix(prefix) or "/"


class UnderPrefix:
    """For everything, outermost: each request has the whole path, and redirects stay under the prefix."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on with the path as routing wants it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path, prefix = scope["path"], self._prefix
        if path != prefix and not path.startswith(prefix + "/"):
            path = prefix + path
        inner = {**scope, "path": path, "raw_path": path.encode(), "root_path": prefix, "app_prefix": prefix}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(name, self._kept(name, value)) for name, value in message["headers"]]
            await send(message)

        await self._app(inner, receive, sending)

    def _kept(self, name: bytes, value: bytes) -> bytes:
        """A redirect to a path of the product, with the prefix."""
        prefix = self._prefix.encode()
        inside = name.lower() == b"location" and value.startswith(b"/") and not value.startswith(prefix + b"/")
        return prefix + value if inside else value
