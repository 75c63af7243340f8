"""`support-bundle`: what somebody else needs to help, without anybody's data.

What is told is decided by type: numbers, switches and choices are told, texts only whether they are set. So a setting
that is added later cannot leak.
"""

import json
import os
import platform
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Literal, get_origin

from sqlalchemy import text

from app import __version__
from app.config import Settings
from app.databases import open_database
from app.doctor import findings_of
from storage import migrate
from storage.archive.sealed import ArchiveError
from storage.archive.snapshot import snapshot

TOLD = (bool, int, float)


async def run(settings: Settings, path: Path) -> int:
    """Write the bundle; returns the exit status."""
    parts = {
        "program.json": _program(),
        "settings.json": redacted(settings),
        "doctor.json": await _doctor(settings),
        "database.json": await _database(settings),
    }
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stderr.write(f"{path} exists already. Nothing is overwritten: give another name.\n")
        return 1
    with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in parts.items():
            bundle.writestr(name, json.dumps(content, indent=1, ensure_ascii=False, default=str))
    sys.stdout.write(
        f"{path}: {', '.join(parts)}. No texts, names, addresses or keys are in it; look before you send it.\n"
    )
    return 0


def _program() -> dict[str, Any]:
    packages = {each.metadata["Name"]: each.version for each in distributions()}
    return {
        "version": __version__, "schema": migrate.head(), "python": sys.version, "system": platform.platform(),
        "processors": os.cpu_count(), "packages": dict(sorted(packages.items())),
    }  # fmt: skip


def redacted(settings: Settings) -> dict[str, Any]:
    """The settings: values of types that hold no secret, and of all others whether they are set."""
    found: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        choice = get_origin(field.annotation) is Literal
        shown = value if value is None or choice or isinstance(value, TOLD) else "set" if str(value) else "empty"
        found[name] = {"value": shown, "default": value == field.default}
    return found


async def _doctor(settings: Settings) -> list[dict[str, Any]]:
    """Sentences hold names of folders and hosts: of good findings only how many there are."""
    findings = await findings_of(settings)
    wrong = [{"wrong": _without_places(sentence, settings)} for good, sentence in findings if not good]
    return [{"good": sum(good for good, _ in findings)}, *wrong]


def _without_places(sentence: str, settings: Settings) -> str:
    for name in Settings.model_fields:
        value = str(getattr(settings, name) or "")
        for form in {value, str(Path(value).resolve()) if value else ""}:
            if len(form) > 3:
                sentence = sentence.replace(form, f"<{name.upper()}>")
    return sentence


async def _database(settings: Settings) -> dict[str, Any]:
    """Numbers of rows, and of jobs by their state."""
    database = open_database(settings)
    try:
        async with snapshot(database) as found:
            counts: dict[str, int] = {}
            states: dict[str, int] = {}
            for shape in found.shapes:
                for tenant_id in [each.id for each in found.organisations] if shape.owned else [None]:
                    async for rows in found.rows(shape, tenant_id):
                        counts[shape.name] = counts.get(shape.name, 0) + len(rows)
                        if shape.name == "jobs":
                            for row in rows:
                                values = dict(zip(shape.names, row, strict=True))
                                key = f"{values['task']} {values['lane']} {values['state']}"
                                states[key] = states.get(key, 0) + 1
            revision, organisations = found.revision, len(found.organisations)
            server = (await found.connection.execute(text(_VERSIONS[database.dialect]))).scalar_one()
    except (ArchiveError, OSError) as error:
        return {"error": type(error).__name__}
    finally:
        await database.close()
    return {
        "kind": database.dialect, "server": server, "schema": revision, "organisations": organisations, "rows": counts,
        "jobs": states,
    }  # fmt: skip


_VERSIONS = {"sqlite": "select sqlite_version()", "postgresql": "show server_version"}
