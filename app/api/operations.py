"""How the installation is doing, and notices to everybody."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response

from app.api import wire
from app.api.base import Caller, Running, Use
from app.api.errors import language_of
from app.auth.sysadmin import Operator
from domain.operations.entities import Fault, Notice, Status
from pages.i18n import translate

notices = APIRouter(prefix="/api/v1/notice", tags=["operations"])
administration = APIRouter(prefix="/api/v1/admin", tags=["admin"])
operator_only = APIRouter(prefix="/api/v1/sysadmin", tags=["sysadmin"])


@notices.get("/", response_model=wire.NoticePublic | None)
async def notice(request: Request, running: Running) -> Any:
    """What the operator says to everybody now, in the caller's language; null for nothing."""
    found = await running.services.operations.notice()
    return found and {"level": found.level, "text": found.text(language_of(request)), "until": found.until}


@administration.get("/status/", response_model=wire.StatusPublic)
async def own_status(request: Request, actor: Caller, use: Use) -> Any:
    """How the installation is doing, for administrators."""
    return _status(request, *await use.operations.own_status(actor))


@operator_only.get("/status/", response_model=wire.StatusPublic)
async def status(request: Request, running: Running, operator: Operator) -> Any:
    """The same for the operator."""
    return _status(request, *await running.services.operations.status(operator))


@operator_only.get("/notice/", response_model=wire.NoticeInDB | None)
async def notice_in_full(running: Running, _: Operator) -> Any:
    """What is said to everybody now, in both languages; null for nothing."""
    return _notice(await running.services.operations.notice())


@operator_only.put("/notice/", response_model=wire.NoticeInDB)
async def announce(body: wire.NoticeBody, running: Running, operator: Operator) -> Any:
    """Say something to everybody until then; with the level `maintenance` the product is closed meanwhile."""
    made = await running.services.operations.announce(operator, body.level, body.text_sv, body.text_en, body.until)
    return _notice(made)


@operator_only.delete("/notice/", status_code=204)
async def withdraw(running: Running, operator: Operator) -> Response:
    """Say it no longer; the product is open again."""
    await running.services.operations.withdraw(operator)
    return Response(status_code=204)


def _notice(found: Notice | None) -> dict[str, Any] | None:
    return asdict(found) if found else None


def _status(request: Request, found: Status, wrong: list[Fault]) -> dict[str, Any]:
    language = language_of(request)
    sentences = [{"key": each.key, "message": translate(each.message, language, **each.params)} for each in wrong]
    return {**asdict(found), "faults": sentences}
