"""Setting a conversation as PDF, in a child process: see `app.transcripts.pdf`."""

from datetime import datetime
from pathlib import Path
from typing import Any


def typeset(source: Path, made_at: str) -> bytes:
    """The PDF of the data in `source`; the template reads nothing outside its folder."""
    import typst

    # Its types want content and folder to be of one kind, which they are not.
    compiled: Any = typst.compile
    template = (Path(__file__).parent / "page.typ").read_bytes()
    stamp = datetime.fromisoformat(made_at).replace(microsecond=0)
    try:
        return bytes(compiled(template, root=source.parent, pdf_standards="ua-1", timestamp=stamp))
    except typst.TypstError:
        # A sign that no font of this machine has: a box stands in its place, and the file does not claim the standard.
        return bytes(compiled(template, root=source.parent, timestamp=stamp))
