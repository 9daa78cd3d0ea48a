"""HTML as readable text with line numbers: headings, lists and tables stay, scripts and navigation go.

lxml parses whatever browsers accept; the walk is our own because a citation needs the line of the file, which libraries
for extracting main content do not give.
"""

from __future__ import annotations

import re
from typing import Any, Final

from lcrag.ingest.extracted import Extracted, squeeze
from lcrag.ingest.text import decode

LEFT_OUT: Final = frozenset(
    {"script", "style", "noscript", "template", "svg", "math", "nav", "iframe", "object", "canvas", "select", "button"}
    | {"head", "audio", "video", "dialog"}
)
BLOCKS: Final = frozenset(
    {"address", "article", "aside", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt", "fieldset"}
    | {"figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main"}
    | {"ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul"}
)
CHARSET: Final = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)""", re.IGNORECASE)


def extract(data: bytes) -> Extracted:
    declared = CHARSET.search(data[:4096])
    return from_markup(decode(data, declared[1].decode("ascii") if declared else None))


def from_markup(markup: str) -> Extracted:
    """The text of a page, with the line of the markup for each piece of it."""
    from lxml import html

    parser = html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    if not markup.strip():
        return Extracted("")
    root = html.document_fromstring(markup.encode("utf-8"), parser=parser, ensure_head_body=True)
    title = root.findtext("head/title") or ""
    walk = _Walk()
    body = root.find("body")
    if body is not None:
        walk.element(body)
    first = root.find(".//h1")
    return Extracted(
        walk.text, squeeze(title) or (squeeze(first.text_content()) if first is not None else ""), (), walk.lines
    )


class _Walk:
    """Visits the elements in order and writes their text; keeps track of the line of the markup."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._length = 0
        self._pairs: list[tuple[int, int]] = []
        self._line = 1
        self._pending = ""
        self._cells = 0

    @property
    def text(self) -> str:
        return "".join(self._out).rstrip() + "\n" if self._out else ""

    @property
    def lines(self) -> tuple[tuple[int, int], ...]:
        return tuple(self._pairs)

    def element(self, element: Any) -> None:
        tag = element.tag if isinstance(element.tag, str) else ""
        if tag in LEFT_OUT:
            return
        self._line = element.sourceline or self._line
        if tag == "br":
            self._break("\n")
        elif tag in BLOCKS:
            self._break("\n" if tag in ("li", "tr", "dt", "dd") else "\n\n")
        if tag in ("td", "th"):
            if self._cells:
                self._pending = " | "
            self._cells += 1
        elif tag == "tr":
            self._cells = 0
        self._write(_lead(tag))
        self._words(element.text or "", exact=tag == "pre")
        for child in element:
            self.element(child)
            self._words(child.tail or "", exact=tag == "pre")
        if tag in BLOCKS:
            self._break("\n" if tag in ("li", "tr", "dt", "dd") else "\n\n")

    def _break(self, ends: str) -> None:
        """Put at least these line ends before the next word."""
        if self._out and self._pending.count("\n") < len(ends):
            self._pending = ends

    def _words(self, words: str, *, exact: bool) -> None:
        for number, line in enumerate(words.split("\n")):
            if number:
                self._line += 1
                if exact:
                    self._pending += "\n"
                elif not self._pending and self._out:
                    self._pending = " "
            piece = line if exact else squeeze(line)
            if not piece:
                if line and not self._pending and self._out:
                    self._pending = " "
                continue
            if line[0].isspace() and not self._pending and self._out and not exact:
                self._pending = " "
            self._write(piece)
            if line[-1].isspace() and not exact:
                self._pending = " "

    def _write(self, piece: str) -> None:
        if not piece:
            return
        if self._pending:
            self._put(self._pending if self._out else "")
            self._pending = ""
        self._pairs.append((self._length, self._line))
        self._put(piece)

    def _put(self, piece: str) -> None:
        self._out.append(piece)
        self._length += len(piece)


def _lead(tag: str) -> str:
    if re.fullmatch("h[1-6]", tag):
        return "#" * int(tag[1]) + " "
    return "- " if tag == "li" else ""
