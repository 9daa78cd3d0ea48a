"""The text of an HTML page from its elements, with the line of the markup for each piece.

Headings, lists and tables stay; scripts, navigation and what is hidden go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from lcrag.ingest.extracted import EXPONENT, NEAR, squeeze

LEFT_OUT: Final = frozenset(
    {"script", "style", "noscript", "template", "svg", "math", "nav", "iframe", "object", "canvas", "select"}
    | {"head", "audio", "video", "dialog"}
)
BLOCKS: Final = frozenset(
    {"address", "article", "aside", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt", "fieldset"}
    | {"figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main"}
    | {"ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul"}
)
BREAKS: Final = {tag: "\n" if tag in ("li", "tr", "dt", "dd") else "\n\n" for tag in BLOCKS}
LEADS: Final = {"li": "- ", **{f"h{level}": "#" * level + " " for level in range(1, 7)}}
SPECIAL: Final = frozenset(("br", "td", "th", "table", "tr", "sup", "pre", "button"))
HIDING: Final = re.compile("hidden|display", re.IGNORECASE)
"""What is in the markup of every page that hides something."""
NOT_SHOWN: Final = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
MOST_SPANNED: Final = 100
"""Columns or rows that a cell may claim (assumed, not measured: no table that people read has more)."""
LAST_LINE: Final = 65_535
"""The parser counts lines up to here."""


def _is_shown(element: Any) -> bool:
    """Whether a reader sees it. A page that shows its body only once a script has run is read all the same."""
    return element.tag == "body" or not (
        element.get("hidden", "until-found").lower() != "until-found"
        or element.get("aria-hidden", "").lower() == "true"
        or NOT_SHOWN.search(element.get("style", ""))
    )


def _is_flat(cell: Any) -> bool:
    """Whether a cell of a table holds one piece of text, and is no frame for a part of the page."""
    if not len(cell):
        return True
    inside = list(islice(cell.iterdescendants(), 50))
    return len(inside) < 50 and sum(element.tag in BLOCKS for element in inside) <= 1


@dataclass(slots=True)
class _Row:
    """Where the walk is in a row of a table. ``written``: characters written before it.

    ``waiting``: separators that belong before the next cell; ``below``: column → rows that a cell above reaches into.
    """

    column: int = 0
    written: int = 0
    flat: bool = False
    waiting: int = 0
    below: dict[int, int] = field(default_factory=dict)

    def begin(self, written: int) -> None:
        self.column, self.waiting, self.written = 0, 0, written

    def advance(self, columns: int, rows: int) -> int:
        """Take the next free place; returns how many separators belong before it."""
        start = self.column
        while self.below.get(self.column, 0) > 0:
            self.below[self.column] -= 1
            self.column += 1
        separators = self.column - start + self.waiting
        for _ in range(columns):
            if rows > 1:
                self.below[self.column] = rows - 1
            self.column += 1
        self.waiting = columns
        return separators


class Walk:
    """Visits the elements in order and writes their text; keeps track of the line of the markup."""

    def __init__(self, markup: str) -> None:
        self.depth = 0
        self._markup = markup
        self._searched, self._found = -1, 0
        self._out: list[str] = []
        self._length = 0
        self._pairs: list[tuple[int, int]] = []
        self._line = 1
        self._pending = ""
        self._rows: list[_Row] = []
        self._flat = self._exact = 0
        self._marks: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._out).rstrip() + "\n" if self._out else ""

    @property
    def lines(self) -> tuple[tuple[int, int], ...]:
        return tuple(self._pairs)

    def visit(self, body: Any) -> None:
        """Without recursion: old pages nest thousands of elements that were never closed."""
        may_hide = HIDING.search(self._markup) is not None
        above = [(body, iter(body))]
        self._enter(body)
        while above:
            parent, rest = above[-1]
            for element in rest:
                if (
                    element.tag not in LEFT_OUT
                    and isinstance(element.tag, str)
                    and (not may_hide or _is_shown(element))
                ):
                    self._enter(element)
                    if len(element):
                        above.append((element, iter(element)))
                        self.depth = max(self.depth, len(above))
                        break
                    self._leave(element)
                if element.tail:
                    self._words(element.tail)
            else:
                above.pop()
                self._leave(parent)
                if parent.tail and above:
                    self._words(parent.tail)

    def _enter(self, element: Any) -> None:
        tag = element.tag
        line = element.sourceline
        if line:
            self._line = line if line < LAST_LINE else max(line, self._line)
        if tag in BREAKS:
            self._break(BREAKS[tag])
        if tag in SPECIAL:
            self._begin(element, tag)
        if tag in LEADS:
            self._write(LEADS[tag])
        if element.text:
            self._words(element.text)

    def _begin(self, element: Any, tag: str) -> None:
        if tag == "br":
            self._break("\n")
        elif tag == "table":
            self._rows.append(_Row())
        elif tag == "tr" and self._rows:
            self._rows[-1].begin(self._length)
        elif tag in ("td", "th") and self._rows:
            self._cell(element)
        elif tag == "sup":
            self._raise(element)
        elif tag == "pre":
            self._exact += 1
        elif tag == "button" and self._out and not self._pending and not self._out[-1].endswith(" "):
            self._pending = " "

    def _leave(self, element: Any) -> None:
        tag = element.tag
        if tag in SPECIAL:
            self._end(tag)
        if tag in BREAKS:
            self._break(BREAKS[tag])

    def _end(self, tag: str) -> None:
        if tag == "table":
            self._rows.pop()
        elif tag in ("td", "th") and self._rows:
            self._flat -= self._rows[-1].flat
        elif tag == "sup":
            self._write(self._marks.pop())
        elif tag == "pre":
            self._exact -= 1
        elif tag == "button" and not self._pending:
            self._pending = " "

    def _cell(self, cell: Any) -> None:
        """Put a separator before it; one more for each place of its row that is empty."""
        row = self._rows[-1]
        places = row.advance(_span(cell, "colspan"), _span(cell, "rowspan"))
        if places:
            empty = self._length == row.written
            before = self._pending if empty or "|" in self._pending else ""
            self._pending = before + " | " * places
        row.flat = _is_flat(cell)
        self._flat += row.flat

    def _raise(self, element: Any) -> None:
        """Begin a superscript: "10^6", and "end.[3]" for the mark of a note."""
        mark, closing = "", ""
        if EXPONENT.fullmatch(squeeze(element.text_content())) and self._out and self._out[-1][-1:] not in "[(":
            is_note = bool(self._pending) or not (self._out[-1][-1:].isalnum() or self._out[-1][-1:] in ")]")
            mark, closing = ("[", "]") if is_note or element.find(".//a") is not None else ("^", "")
        self._write(mark)
        self._marks.append(closing)

    def _break(self, ends: str) -> None:
        """Put at least these line ends before the next word; in a cell of one piece a space."""
        if self._flat:
            self._pending = self._pending or (" " if self._out else "")
        elif self._out and ("|" in self._pending or self._pending.count("\n") < len(ends)):
            self._pending = max(ends, "\n" * self._pending.count("\n"))

    def _words(self, words: str) -> None:
        exact = self._exact > 0
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
        if self._line >= LAST_LINE:
            self._find_line(piece)
        self._pairs.append((self._length, self._line))
        self._put(piece)

    def _find_line(self, piece: str) -> None:
        """The line of a piece where the parser no longer counts: searched in the markup from the piece before it on."""
        if self._searched < 0:
            self._searched = [0, *islice((end.end() for end in re.finditer("\n", self._markup)), LAST_LINE - 1)][-1]
            self._found = self._markup.count("\n", 0, self._searched) + 1
        words = piece.partition("&")[0][:60]
        place = self._markup.find(words, self._searched, self._searched + NEAR) if words else -1
        if place >= 0:
            self._found += self._markup.count("\n", self._searched, place)
            self._searched, self._line = place, self._found

    def _put(self, piece: str) -> None:
        self._out.append(piece)
        self._length += len(piece)


def _span(cell: Any, name: str) -> int:
    value = (cell.get(name) or "1").strip()
    return min(int(value), MOST_SPANNED) if value.isdecimal() else 1
