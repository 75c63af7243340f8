"""A browser's session: sign in and out."""

from fastapi import APIRouter, Request, Response
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
