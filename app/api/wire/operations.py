"""Public shapes of the state of the installation and of notices."""

from datetime import datetime
from typing import Any

from app.api.wire.base import Wire


class NoticePublic(Wire):
    level: str
    text: str
    until: datetime


class NoticeBody(Wire):
    level: str
    text_sv: str = ""
    text_en: str = ""
    until: datetime


class NoticeInDB(NoticeBody):
    pass


class FaultPublic(Wire):
    key: str
    message: str


class StatusPublic(Wire):
    version: str
    moment: datetime
    dialect: str
    database: bool
    redis: bool
    workers: int | None
    lanes: list[dict[str, Any]]
    ended: list[dict[str, Any]]
    providers: list[dict[str, Any]]
    streams: int
    pages: int
    disk_free: int
    disk_size: int
    memory: int
    last_backup: datetime | None
    faults: list[FaultPublic]
