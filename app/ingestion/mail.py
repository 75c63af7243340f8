"""E-mail: head and body of a message, and the names of its attached files."""

import email
import email.policy
import re
from collections.abc import Iterable
from pathlib import Path

from app.ingestion.readers import Builder, decode, html_document, text_into
from domain.kernel.errors import CorruptFile
from domain.knowledge.parsing import ParsedDocument


def read_email(path: Path, media_type: str) -> ParsedDocument:
    """A message as mail programs exchange it."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    head = [(name, str(message[name])) for name in ("From", "To", "Cc", "Date") if message[name]]
    body = message.get_body(preferencelist=("plain", "html"))
    content = ""
    if body is not None:
        content = body.get_content()
        if body.get_content_type() == "text/html":
            content = html_document(content, "text/html").text
    names = [name for part in message.iter_attachments() if (name := part.get_filename())]
    return _message(str(message.get("Subject") or ""), head, content, names, media_type)


def _message(
    subject: str, head: Iterable[tuple[str, str]], body: str, attached: Iterable[str], media_type: str
) -> ParsedDocument:
    builder = Builder()
    builder.heading(1, subject)
    builder.add("paragraph", "\n".join(f"{name}: {value}" for name, value in head))
    text_into(builder, body)
    builder.add("list", "\n".join(attached))
    return builder.document(media_type, subject or None)


# Properties of a message as Outlook stores them, by id.
SUBJECT, BODY, HTML, SENDER, SENDER_ADDRESS, TO, CC = "0037", "1000", "1013", "0C1A", "0C1F", "0E04", "0E03"
HEADERS, LONG_NAME, SHORT_NAME = "007D", "3707", "3704"
DATE = re.compile(r"^Date:\s*(.+)$", re.MULTILINE | re.IGNORECASE)


def read_outlook(path: Path, media_type: str) -> ParsedDocument:
    """A message as Outlook saves it (.msg)."""
    import olefile

    if not olefile.isOleFile(str(path)):
        raise CorruptFile
    with olefile.OleFileIO(str(path)) as file:
        entries = [entry for entry in file.listdir() if entry[-1].startswith("__substg1.0_")]

        def text(place: list[str], tag: str) -> str:
            for kind in ("001F", "001E", "0102"):
                name = [*place, f"__substg1.0_{tag}{kind}"]
                if name in entries:
                    data = file.openstream(name).read()
                    return data.decode("utf-16-le", "replace") if kind == "001F" else decode(data)
            return ""

        sent = DATE.search(text([], HEADERS))
        sender = " ".join(filter(None, (text([], SENDER), text([], SENDER_ADDRESS))))
        head = [("From", sender), ("To", text([], TO)), ("Cc", text([], CC)), ("Date", sent[1].strip() if sent else "")]
        body = text([], BODY)
        if not body.strip():
            body = html_document(text([], HTML), "text/html").text
        places = sorted({entry[0] for entry in entries if len(entry) == 2 and entry[0].startswith("__attach")})
        names = [text([place], LONG_NAME) or text([place], SHORT_NAME) for place in places]
        return _message(text([], SUBJECT), [(n, v) for n, v in head if v], body, filter(None, names), media_type)
