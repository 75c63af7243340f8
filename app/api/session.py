"""A browser's session: sign in and out."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.api.base import Caller, Running
from app.auth.caller import COOKIE, PLAIN_COOKIE, cookie_name, is_secure, origin_of, same_origin
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
    response.set_cookie(
        cookie_name(request),
        signed_in.token,
        max_age=running.settings.session_max_hours * 3600,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return response


@router.post("/sign-out", status_code=204, response_class=Response)
async def sign_out(actor: Caller, request: Request, running: Running) -> Response:
    """End the session."""
    await running.services.identity.sign_out(actor)
    response = Response(status_code=204)
    for name in (COOKIE, PLAIN_COOKIE):
        response.delete_cookie(name, path="/", secure=name == COOKIE, httponly=True, samesite="lax")
    return response
