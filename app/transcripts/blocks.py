"""The Markdown of an answer as a tree of blocks: what a page is set from. A pure function.

HTML is text, pictures are their description, and links lead to the web or to an address, or are text too.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

WEB = ("https://", "http://", "mailto:")
DEEPEST = 6
STYLES = {"strong": "strong", "em": "emph", "s": "strike"}


def blocks(markdown: str) -> list[dict[str, Any]]:
    """The blocks of a text; headings begin at the second level and skip none."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 12}).enable(["table", "strikethrough"])
    return _Reader(parser.parse(markdown)).until("")


def typed(text: str) -> list[dict[str, Any]]:
    """The blocks of a text that is not Markdown: a paragraph for each line."""
    lines = [line for line in text.split("\n") if line.strip()]
    return [{"kind": "paragraph", "parts": [{"kind": "text", "text": line}]} for line in lines]


class _Reader:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens: Iterator[Token] = iter(tokens)
        self._level = 1

    def until(self, end: str) -> list[dict[str, Any]]:
        """The blocks up to the token that closes them."""
        found = []
        for token in self._tokens:
            if token.type == end:
                break
            block = self._block(token)
            if block is not None:
                found.append(block)
        return found

    def _block(self, token: Token) -> dict[str, Any] | None:
        match token.type:
            case "paragraph_open":
                return {"kind": "paragraph", "parts": self._inline()}
            case "heading_open":
                # No level may be skipped where screen readers jump from heading to heading.
                self._level = min(int(token.tag[1]) + 1, self._level + 1, DEEPEST)
                return {"kind": "heading", "level": self._level, "parts": self._inline()}
            case "bullet_list_open":
                return {"kind": "list", "items": self._items("bullet_list_close")}
            case "ordered_list_open":
                start = min(int(token.attrs.get("start", 1)), 10**9)
                return {"kind": "numbers", "start": start, "items": self._items("ordered_list_close")}
            case "blockquote_open":
                return {"kind": "quote", "items": self.until("blockquote_close")}
            case "fence" | "code_block":
                return {"kind": "code", "text": token.content.rstrip("\n")}
            case "table_open":
                return self._table()
            case "hr":
                return {"kind": "rule"}
        return None

    def _items(self, end: str) -> list[list[dict[str, Any]]]:
        found = []
        for token in self._tokens:
            if token.type == end:
                break
            found.append(self.until("list_item_close"))
        return found

    def _table(self) -> dict[str, Any]:
        rows: list[list[dict[str, Any]]] = []
        for token in self._tokens:
            if token.type == "table_close":
                break
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append({"parts": _parts(token)})
        head, *rest = rows
        return {"kind": "table", "columns": len(head), "head": [cell["parts"] for cell in head], "rows": rest}

    def _inline(self) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = []
        for token in self._tokens:
            if token.type == "inline":
                parts = _parts(token)
            elif token.type.endswith("_close"):
                break
        return parts


def _parts(token: Token) -> list[dict[str, Any]]:
    """Pieces of a line, each with its style."""
    parts, style = [], dict[str, Any]()
    for child in token.children or ():
        if child.type == "link_open":
            url = str(child.attrs.get("href", ""))
            style["url"] = url if url.startswith(WEB) else None
        elif child.tag in STYLES:
            style[STYLES[child.tag]] = child.nesting == 1
        elif child.type == "link_close":
            style["url"] = None
        elif child.type == "hardbreak":
            parts.append({"kind": "break"})
        else:
            text = " " if child.type == "softbreak" else child.content
            parts.append({"kind": "code" if child.type == "code_inline" else "text", "text": text, **style})
    return parts
