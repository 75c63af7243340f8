"""Addresses of programs at which there is nothing: told as everything else is, instead of by the pages, which come last."""

from collections.abc import Iterator

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.routing import Match

AREAS = ("api", "v1")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def install(api: FastAPI) -> None:
    """Answer what no route before this one does."""
    for area in AREAS:
        api.api_route(f"/{area}/{{rest:path}}", methods=METHODS, include_in_schema=False)(nowhere)


async def nowhere(request: Request) -> Response:
    """Lead to the address that differs in a slash at its end; else say whether it is the address or the method."""
    path: str = request.scope["path"]
    other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    if any(match == Match.FULL for match, _ in _matches(request, other)):
        return RedirectResponse(f"{other}?{request.url.query}" if request.url.query else other, 307)
    methods = {method for _, route in _matches(request, path) for method in route.methods or ()}
    raise HTTPException(405, headers={"Allow": ", ".join(sorted(methods))}) if methods else HTTPException(404)


def _matches(request: Request, path: str) -> Iterator[tuple[Match, APIRoute]]:
    """The routes of a path, and whether they take the request's method too."""
    scope = {**request.scope, "path": path}
    for route in request.app.router.routes:
        if isinstance(route, APIRoute) and route.endpoint is not nowhere:
            match, _ = route.matches(scope)
            if match != Match.NONE:
                yield match, route
