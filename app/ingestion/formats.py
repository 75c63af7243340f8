"""Which reader reads what. Runs only in the sandboxed child process (see `app.ingestion.child`)."""

from collections.abc import Callable
from pathlib import Path

from app.ingestion.books import read_epub
from app.ingestion.mail import read_email, read_outlook
from app.ingestion.office import read_old_office
from app.ingestion.pictures import read_picture
from app.ingestion.readers import (
    read_csv,
    read_docx,
    read_html,
    read_markdown,
    read_odt,
    read_pdf,
    read_pptx,
    read_sheets,
    read_text,
)
from domain.knowledge.parsing import PICTURES, ParsedDocument

READERS: dict[str, Callable[[Path, str], ParsedDocument]] = {
    "pdf": read_pdf,
    "docx": read_docx,
    **dict.fromkeys(("doc", "rtf", "ppt"), read_old_office),
    "pptx": read_pptx,
    **dict.fromkeys(("xlsx", "xls", "ods"), read_sheets),
    "odt": read_odt,
    **dict.fromkeys(("html", "htm"), read_html),
    "md": read_markdown,
    "txt": read_text,
    "csv": read_csv,
    "eml": read_email,
    "msg": read_outlook,
    "epub": read_epub,
    **dict.fromkeys(PICTURES, read_picture),
}
