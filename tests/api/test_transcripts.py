"""Conversations as files: whole, readable, harmless, and for their author alone."""

import io
import json
import uuid
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import docx
import httpx
import pypdfium2
import pytest

from app.transcripts.blocks import blocks
from app.transcripts.markdown import harmless, plain
from app.transcripts.typesetting import typeset
from app.transcripts.word import put
from app.transcripts.words import clean
from domain.conversations.transcripts import file_name
from tests.api.test_conversations import PAGES, QUESTION, with_documents
from tests.support.api import Api

HOSTILE = (
    "# Rubrik\n<script>alert(1)</script> ![x](http://spy.example.se/p.png) [y](javascript:alert(1))\x07\u202e\n1. a"
)


async def asked(api: Api, client: httpx.AsyncClient, question: str = QUESTION) -> str:
    assistant = await with_documents(api, client)
    body = {"assistant_id": assistant, "question": question}
    return str((await client.post("/api/v1/conversations/", json=body)).json()["session_id"])


ANSWER = """# Avgifter
#### Under

Det **kostar** `x` #import "/etc/passwd" $a$ <b>, se [här](https://a.se/) [y](javascript:alert(1)) ![bild](http://spy.se/)

- a
  1. b

| Altan | Kr |
|-------|----|
| liten | 4 300 |

```
let x = 1
```
"""


def texts_of(content: bytes) -> list[str]:
    """The text of each page of a PDF."""
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(content)]


async def test_a_conversation_as_four_kinds_of_files(api: Api) -> None:
    client = await api.client()
    client.headers["accept-language"] = "sv"
    url = f"/api/v1/conversations/{await asked(api, client, QUESTION + ' Åäö?')}/export/"
    text = await client.get(url)
    assert text.headers["content-type"].startswith("text/markdown")
    assert "filename*=UTF-8''Vad%20kostar%20bygglov%20f%C3%B6r%20en%20altan%20" in text.headers["content-disposition"]
    assert "> Vad kostar bygglov för en altan? Åäö?" in text.text
    assert "Handbok.pdf" in text.text
    assert f"> {PAGES[1]}" in text.text
    assert "## Svar · " in text.text
    whole = json.loads((await client.get(url, params={"format": "json"})).text)
    [message] = whole["messages"]
    assert (message["question"], whole["complete"]) == (QUESTION + " Åäö?", True)
    cited = next(source for source in message["sources"] if source["cited"])
    assert cited["title"] == "Handbok.pdf"
    assert PAGES[1] in cited["text"]
    assert message["model"]["name"]
    asked_at = datetime.fromisoformat(message["asked_at"]).astimezone(ZoneInfo("Europe/Stockholm"))
    heading = f"Fråga · {asked_at:%Y-%m-%d %H:%M %Z}"
    assert f"## {heading}\n" in text.text
    document = docx.Document(io.BytesIO((await client.get(url, params={"format": "docx"})).content))
    lines = [paragraph.text for paragraph in document.paragraphs]
    assert heading in lines
    assert QUESTION + " Åäö?" in lines
    assert any(line.startswith("[1] Handbok.pdf") for line in lines)
    assert any(PAGES[1] in line for line in lines)
    paper = await client.get(url, params={"format": "pdf"})
    assert paper.headers["content-type"] == "application/pdf", paper.text
    pages = texts_of(paper.content)
    assert QUESTION + " Åäö?" in pages[0]
    assert f"1 / {len(pages)}" in pages[0]
    assert "[1] Handbok.pdf · Sidan 1" in "".join(pages)
    assert PAGES[1] in "".join(pages)
    assert pypdfium2.PdfDocument(paper.content).get_metadata_dict()["Title"].startswith("Vad kostar bygglov för")
    exported = [e for e in await api.entries(api.owner.tenant_id) if e.action == "conversation_exported"]
    assert [e.changes["new"]["format"] for e in exported] == ["markdown", "json", "docx", "pdf"]


async def test_hostile_text_is_only_text_in_every_file(api: Api) -> None:
    client = await api.client()
    url = f"/api/v1/conversations/{await asked(api, client, HOSTILE)}/export/"
    text = (await client.get(url)).text
    assert "<script" not in text.replace("\\<", "")
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "\n# Rubrik" not in text
    word = await client.get(url, params={"format": "docx"})
    lines = [paragraph.text for paragraph in docx.Document(io.BytesIO(word.content)).paragraphs]
    assert "1. a" in lines
    paper = "".join(texts_of((await client.get(url, params={"format": "pdf"})).content))
    assert "<script>alert(1)</script>" in paper
    assert "1. a" in paper
    assert json.loads((await client.get(url, params={"format": "json"})).text)["messages"][0]["question"] == HOSTILE


async def test_only_the_author_takes_a_conversation_along(api: Api) -> None:
    client = await api.client()
    session = await asked(api, client)
    wrong = await client.get(f"/api/v1/conversations/{session}/export/", params={"format": "odt"})
    assert 400 <= wrong.status_code < 500
    missing = await client.get(f"/api/v1/conversations/{uuid.uuid4()}/export/")
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("**Ja** [1], se [här](https://a.se/)", "**Ja** [1], se [här](https://a.se/)"),
        ("<img src=x> 1 < 2", "&lt;img src=x> 1 < 2"),
        ("![x](http://spy.se)", "!\\[x](http://spy.se)"),
        ("[x](JavaScript:a) [y]( data:b)", "[x]\\(JavaScript:a) [y]\\( data:b)"),
        ("[z](&#106;avascript:c)", "[z]\\(&#106;avascript:c)"),
        ("[x]: javascript:a", "[x]\\: javascript:a"),
    ],
)  # fmt: skip
def test_an_answer_keeps_its_markdown_but_nothing_that_loads(answer: str, shown: str) -> None:
    assert harmless(answer) == shown


def test_typed_text_is_shown_as_typed() -> None:
    assert plain("1. a\n- b *c*\n4.5") == "1\\. a\n\\- b \\*c\\*\n4\\.5"
    assert clean("a\x00b\u2028c\ud800\ufffe") == "ab\nc"


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Vad kostar bygglov?", "Vad kostar bygglov.md"),
        ("../../etc/passwd", "etc passwd.md"),
        ("Åäö\r\nX: y", "Åäö X y.md"),
        ("con", "samråd con.md"),
        ("???", "samråd.md"),
        ("a" * 300, f"{'a' * 80}.md"),
    ],
)
def test_names_of_files_are_safe(name: str, made: str) -> None:
    assert file_name(name, "md") == made


def set_as_pdf(folder: Path, answer: str) -> bytes:
    message = {"asked": "Fråga", "question": [], "files": "", "answered": "Svar", "state": "", "sources": []}
    page = {"title": "Åäö <x>", "language": "sv", "about": [], "note": "", "words": {"sources": "Källor"}}
    source = folder / "source.json"
    source.write_text(json.dumps({**page, "messages": [{**message, "answer": blocks(answer)}]}))
    return typeset(source, "2026-01-01T00:00:00.123456+00:00")


def test_an_answer_on_paper_keeps_its_shape_and_claims_to_be_accessible(tmp_path: Path) -> None:
    content = set_as_pdf(tmp_path, ANSWER)
    lines = "".join(texts_of(content)).splitlines()
    assert 'Det kostar x #import "/etc/passwd" $a$ <b>, se här [y](javascript:alert(1)) bild' in lines
    assert {"Avgifter", "Under", "• a", "1. b", "Altan Kr", "liten 4 300", "let x = 1"} <= set(lines)
    assert b"/Lang(sv)" in content.replace(b" ", b"")
    assert b"pdfuaid:part>1<" in content
    assert b"https://a.se/" in content
    assert b"spy.se" not in content


def test_paper_takes_whatever_an_answer_holds(tmp_path: Path) -> None:
    # No font has the first; the others nest deeper, are wider and begin higher than any page.
    for answer in (
        "\U000130b8 中文",
        ">" * 99 + " a",
        "|a" * 60 + "|\n" + "|-" * 60 + "|",
        "999999999. x",
        "y" * 9_000,
    ):
        assert texts_of(set_as_pdf(tmp_path, answer))


def test_the_headings_of_an_answer_skip_no_level() -> None:
    assert [each["level"] for each in blocks("# a\n#### b\n## c\n###### d")] == [2, 3, 3, 4]


def test_a_word_document_has_the_tables_and_lists_of_an_answer() -> None:
    document = docx.Document()
    put(document, ANSWER + "\n3. tre\n4. **fyra**\n\n> sagt\n")
    [table] = document.tables
    assert [[cell.text for cell in row.cells] for row in table.rows] == [["Altan", "Kr"], ["liten", "4 300"]]
    lines = {paragraph.text: paragraph for paragraph in document.paragraphs}
    styles = {
        "Avgifter": "Heading 2",
        "a": "List Bullet",
        "1. b": "List Continue 2",
        "4. fyra": "List Continue",
        "sagt": "Quote",
    }
    assert {text: lines[text].style.name for text in styles} == styles
    assert [run.text for run in lines["4. fyra"].runs if run.bold] == ["fyra"]
    [code] = lines["let x = 1"].runs
    assert code.font.name == "Consolas"
    assert "se här (https://a.se/) [y](javascript:alert(1)) bild" in "\n".join(lines)
    assert not any("|" in text or "```" in text for text in lines)
