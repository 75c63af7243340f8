"""A browser's session: sign in and out."""

from fastapi import APIRouter, BackgroundTasks, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from app.api.base import Caller, Running
from app.auth.caller import COOKIE, PLAIN_COOKIE, origin_of, same_origin, set_session
from domain.kernel.errors import Forbidden

router = APIRouter(prefix="/auth", include_in_schema=False)


class Credentials(BaseModel):
    """Address and password."""

    email: str = Field(max_length=400)
    password: str = Field(max_length=400)


@router.post("/sign-in", status_code=204, response_class=Response)
async def sign_in(body: Credentials, request: Request, running: Running) -> Response:
    """Open a session and hand its token to the browser in a cookie that scripts cannot read."""
    if not same_origin(request, running.settings.public_origin):
        raise Forbidden
    signed_in = await running.services.identity.sign_in(body.email, body.password, origin_of(request))
    response = Response(status_code=204)
    set_session(response, request, signed_in.token, running.settings.session_max_hours * 3600)
    return response


class ChosenPassword(BaseModel):
    """What the holder of a one-time link enters."""

    token: str = Field(max_length=400)
    password: str = Field(max_length=400)
    username: str | None = Field(None, max_length=400)
    language: str | None = Field(None, max_length=20)


class Forgotten(BaseModel):
    """Whose password was forgotten."""

    email: str = Field(max_length=400)


@router.post("/account-link", status_code=204, response_class=Response)
async def use_link(body: ChosenPassword, request: Request, running: Running) -> None:
    """Accept an invitation, or set a new password, with a one-time link."""
    await running.services.links.use(
        body.token, body.password, origin_of(request), username=body.username, language=body.language
    )


@router.post("/forgotten-password", status_code=204, response_class=Response)
async def forgotten_password(body: Forgotten, request: Request, running: Running, after: BackgroundTasks) -> None:
    """Mail a link for a new password. The answer is the same whether the address is known or not."""
    origin = origin_of(request)
    await running.services.links.may_ask(origin)
    after.add_task(running.services.links.ask, body.email, origin)


@router.post("/sign-out", response_class=Response)
async def sign_out(actor: Caller, request: Request, running: Running) -> Response:
    """End the session; where a provider opened it, the answer says where the browser ends the provider's own."""
    base = f"{request.url.scheme}://{request.url.netloc}"
    url = await running.services.provider_sign_in.sign_out_url(actor, base=base)
    await running.services.identity.sign_out(actor)
    response = JSONResponse({"url": url}) if url else Response(status_code=204)
    for name in (COOKIE, PLAIN_COOKIE):
        response.delete_cookie(name, path="/", secure=name == COOKIE, httponly=True, samesite="lax")
    return response
