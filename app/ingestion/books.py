"""Electronic books: the chapters in reading order."""

import posixpath
import zipfile
from pathlib import Path
from urllib.parse import unquote

from app.ingestion.readers import Builder, check_zip, decode, html_into
from domain.kernel.errors import CorruptFile, EncryptedFile
from domain.knowledge.parsing import ParsedDocument

CONTAINER, RIGHTS = "META-INF/container.xml", "META-INF/rights.xml"


def read_epub(path: Path, media_type: str) -> ParsedDocument:
    """An EPUB: what its package lists as the spine, chapter by chapter."""
    from lxml import etree

    check_zip(path)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    builder = Builder()
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if RIGHTS in names:
            raise EncryptedFile
        try:
            container = etree.fromstring(archive.read(CONTAINER), parser)
            place = str(container.find(".//{*}rootfile").get("full-path"))
            package = etree.fromstring(archive.read(place), parser)
        except (KeyError, AttributeError) as error:
            raise CorruptFile from error
        files = {item.get("id"): unquote(item.get("href") or "") for item in package.iterfind(".//{*}manifest/{*}item")}
        for reference in package.iterfind(".//{*}spine/{*}itemref"):
            name = posixpath.normpath(posixpath.join(posixpath.dirname(place), files.get(reference.get("idref"), "")))
            if name in names:
                builder.path = []
                html_into(builder, decode(archive.read(name)))
    title = package.findtext(".//{http://purl.org/dc/elements/1.1/}title")
    return builder.document(media_type, (title or "").strip() or None)
