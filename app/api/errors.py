"""One shape for every error: message, codes, request id, and the field it is about."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.security.prefix import path_in
from domain.kernel.errors import N_, BudgetExhausted, Failure, NoRoom
from pages.i18n import LANGUAGES, translate
from storage.blobs import UNWRITABLE

log = logging.getLogger(__name__)
INTERNAL = N_("Something went wrong on our side. Try again; if it happens again, report the id {id}.")
MALFORMED = N_("The request is not well formed.")
NO_SUCH_ADDRESS = N_("There is nothing at this address.")
WRONG_METHOD = N_("This address does not support the method.")


def language_of(request: Request) -> str:
    """The language for messages: the signed-in user's, else what the client prefers, else Swedish."""
    actor = getattr(request.state, "actor", None)
    if actor is not None:
        return str(actor.language)
    for part in request.headers.get("accept-language", "").split(","):
        language = part.split(";")[0].split("-")[0].strip().lower()
        if language in LANGUAGES:
            return language
    return "sv"


def body_of(request: Request, message: str, code: int, **extra: Any) -> dict[str, Any]:
    """The body of an error."""
    return {
        "message": message,
        "intric_error_code": code,
        "code": code,
        "request_id": getattr(request.state, "request_id", None),
        **extra,
    }


OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
OPENAI_CODES = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}


def _speaks_openai(request: Request) -> bool:
    return path_in(request.scope).startswith("/v1/")


def _openai_error(
    request: Request,
    message: str,
    status: int,
    *,
    field: str | None = None,
    code: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """An error in the form that OpenAI's clients know."""
    kind = OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    error = {"message": message, "type": kind, "param": field, "code": code or OPENAI_CODES.get(status)}
    told = {"message": message, "request_id": getattr(request.state, "request_id", None)}
    return JSONResponse({"error": error, **told}, status, headers)


def _openai_failure(request: Request, failure: Failure, message: str) -> JSONResponse:
    headers = {"X-Error-Code": failure.label or str(failure.code)}
    if "retry_after" in failure.params:
        headers["Retry-After"] = str(failure.params["retry_after"])
    if failure.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(failure, BudgetExhausted):
        # Waiting a moment does not help, and clients must not try again by themselves.
        return _openai_error(
            request, message, 429, code="insufficient_quota", headers={**headers, "x-should-retry": "false"}
        )
    code = "model_not_found" if failure.status == 404 and failure.field == "model" else str(failure.code)
    known = OPENAI_CODES.get(failure.status) if code != "model_not_found" else code
    status = 400 if failure.status == 422 else failure.status
    return _openai_error(request, message, status, field=failure.field, code=known or code, headers=headers)


def failure_response(request: Request, failure: Failure) -> JSONResponse:
    """A refusal of the domain as an answer."""
    message = translate(failure.message, language_of(request), **failure.params)
    if _speaks_openai(request):
        return _openai_failure(request, failure, message)
    extra: dict[str, Any] = {**({"field": failure.field} if failure.field else {}), **failure.details}
    if failure.status == 422:
        extra["detail"] = [{"loc": ["body", failure.field or ""], "msg": message, "type": "value_error"}]
    headers = {"X-Error-Code": failure.label or str(failure.code)}
    if "retry_after" in failure.params:
        headers["Retry-After"] = str(failure.params["retry_after"])
    if failure.reference:
        extra["request_id"] = headers["X-Correlation-ID"] = failure.reference
    if failure.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body_of(request, message, failure.code, **extra), failure.status, headers)


async def _record_denial(request: Request, failure: Failure) -> None:
    """Put a refusal of somebody we know into the audit log."""
    actor = getattr(request.state, "actor", None)
    if failure.status == 403 and actor is not None:
        what = f"{request.method} {request.url.path}"
        await request.app.state.runtime.services.audit.denied(actor, what, failure)


def install(api: FastAPI) -> None:
    """Answer every error in our shape."""

    @api.exception_handler(Failure)
    async def failed(request: Request, failure: Failure) -> JSONResponse:
        await _record_denial(request, failure)
        return failure_response(request, failure)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        detail = [{"loc": list(e["loc"]), "msg": e["msg"], "type": e["type"]} for e in error.errors()]
        field = ".".join(str(part) for part in detail[0]["loc"][1:]) if detail else ""
        message = translate(MALFORMED, language_of(request))
        if _speaks_openai(request):
            said = f"{message} {field}: {detail[0]['msg']}" if detail else message
            return _openai_error(request, said, 400, field=field or None)
        return JSONResponse(body_of(request, message, 9012, detail=detail, field=field), 422, {"X-Error-Code": "9012"})

    @api.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        # The framework wraps what happens while a body is read.
        if isinstance(error.__cause__, Failure):
            return failure_response(request, error.__cause__)
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in UNWRITABLE:
            return failure_response(request, NoRoom())
        sentence = {404: NO_SUCH_ADDRESS, 405: WRONG_METHOD}.get(error.status_code, MALFORMED)
        code = 9000 if error.status_code == 404 else 9007
        told = translate(sentence, language_of(request))
        if _speaks_openai(request):
            return _openai_error(request, told, error.status_code, headers=dict(error.headers or {}))
        return JSONResponse(body_of(request, told, code), error.status_code, error.headers)

    @api.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        incident = str(getattr(request.state, "request_id", ""))[:8]
        log.exception("request failed, id %s", incident, exc_info=error)
        message = translate(INTERNAL, language_of(request), id=incident)
        if _speaks_openai(request):
            return _openai_error(request, message, 500)
        extra = {"error": "Internal server error", "error_id": incident}
        return JSONResponse(body_of(request, message, 9024, **extra), 500)
