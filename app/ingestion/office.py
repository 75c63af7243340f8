"""Old office formats: through LibreOffice where the machine has it, which keeps headings and tables; else their text."""

import os
from pathlib import Path

from app.ingestion.readers import Builder, markdown_into, read_docx, read_pptx, text_into
from app.ingestion.tools import LIBREOFFICE, find, run
from domain.kernel.errors import CorruptFile, EncryptedFile
from domain.knowledge.parsing import ParsedDocument

CONVERT_SECONDS = 120
NEW_FORMAT = {"doc": "docx", "rtf": "docx", "ppt": "pptx"}
_ITEM = (
    '<item oor:path="/org.openoffice.{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
)
_RULES = (
    # A document may name pictures and templates elsewhere: nothing is fetched, and no macro runs.
    ("Office.Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("Office.Common/Security/Scripting", "MacroSecurityLevel", "3"),
    ("Office.Common/Security/Scripting", "DisableMacrosExecution", "true"),
    ("Inet/Settings", "ooInetProxyType", "2"),
    ("Inet/Settings", "ooInetHTTPProxyName", "127.0.0.1"),
    ("Inet/Settings", "ooInetHTTPProxyPort", "9"),
    ("Inet/Settings", "ooInetHTTPSProxyName", "127.0.0.1"),
    ("Inet/Settings", "ooInetHTTPSProxyPort", "9"),
)


def read_old_office(path: Path, media_type: str) -> ParsedDocument:
    """Word, PowerPoint and RTF of old."""
    head = path.read_bytes()[:8]
    kind = "rtf" if head.startswith(b"{\\rtf") else "ppt" if "powerpoint" in media_type else "doc"
    if find(LIBREOFFICE) is None:
        return _plain(path, kind, media_type)
    try:
        converted = _converted(path, kind)
    except CorruptFile:
        # LibreOffice says no more than that it failed; the other reader knows why, or can read it after all.
        return _plain(path, kind, media_type)
    document = read_pptx(converted, media_type) if kind == "ppt" else read_docx(converted, media_type)
    document.media_type = media_type
    return document


def _converted(path: Path, kind: str) -> Path:
    folder = Path(os.environ["TMPDIR"])
    profile, source = folder / "profile" / "user", folder / f"source.{kind}"
    profile.mkdir(parents=True)
    items = "".join(_ITEM.format(path=place, name=name, value=value) for place, name, value in _RULES)
    (profile / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><oor:items xmlns:oor="http://openoffice.org/2001/registry" '
        f'xmlns:xs="http://www.w3.org/2001/XMLSchema">{items}</oor:items>'
    )
    source.symlink_to(path)
    command = [
        find(LIBREOFFICE) or LIBREOFFICE, "--headless", "--norestore", f"-env:UserInstallation=file://{profile.parent}",
        "--convert-to", NEW_FORMAT[kind], "--outdir", str(folder), str(source),
    ]  # fmt: skip
    run(command, CONVERT_SECONDS)
    target = folder / f"source.{NEW_FORMAT[kind]}"
    if not target.exists():
        raise CorruptFile
    return target


def _plain(path: Path, kind: str, media_type: str) -> ParsedDocument:
    import kreuzberg

    mime = {"doc": "application/msword", "ppt": "application/vnd.ms-powerpoint", "rtf": "application/rtf"}[kind]
    shape = "plain" if kind == "doc" else "markdown"
    try:
        found = kreuzberg.extract_file_sync(path, mime, config=kreuzberg.ExtractionConfig(output_format=shape))
    except kreuzberg.KreuzbergError as error:
        if "encrypt" in str(error).lower() or "password" in str(error).lower():
            raise EncryptedFile from error
        raise CorruptFile from error
    builder = Builder()
    if kind == "doc":
        text_into(builder, found.content)
    else:
        markdown_into(builder, found.content)
    return builder.document(media_type)
