"""From an offset in a document to the line, page or part where a reader finds it."""

from __future__ import annotations

import re
from bisect import bisect_right
from pathlib import PurePath
from typing import Final

from lcrag.types import Document

HEADING: Final = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
QUOTED: Final = re.compile(r'"[^"]*(?:"|$)')
LONGEST_PART: Final = 80
"""Characters of a heading or a subject that are shown."""


def line_of(document: Document, offset: int) -> int | None:
    """The line of the file, from 1, on which the character at ``offset`` stands; None where the file has no lines."""
    at = bisect_right(document.lines, offset, key=lambda pair: pair[0]) - 1
    if at < 0:
        return None
    begin, line = document.lines[at]
    return line + document.text.count("\n", begin, offset)


def page_of(document: Document, offset: int) -> int | None:
    """The page, from 1, on which the character at ``offset`` stands; None where the document has no pages."""
    return max(1, bisect_right(document.pages, offset)) if document.pages else None


def part_of(document: Document, offset: int) -> str | None:
    """What a reader looks for in this kind of file: the row of a table, the cell of a notebook, both from 1, a mail's
    subject, the section of a document that has neither lines nor pages. None where line or page say enough.
    """
    if document.cells:
        return f"cell {max(1, bisect_right(document.cells, offset))}"
    suffix = PurePath(document.source).suffix.lower()
    if suffix in (".csv", ".tsv"):
        return f"row {_rows(document.text[: offset + 1])}"
    if suffix == ".eml" and document.title:
        return _named("message", document.title)
    if not document.lines and not document.pages:
        ends = offset + len(document.text[offset:].partition("\n")[0])
        headings = HEADING.findall(document.text, 0, ends)
        return _named("section", headings[-1]) if headings else None
    return None


def _rows(text: str) -> int:
    """Rows of a table up to here, the header being the first; a quoted cell may hold line ends."""
    return sum(1 for row in QUOTED.sub('""', text).split("\n") if row.strip())


def _named(kind: str, name: str) -> str:
    line = " ".join(name.split())
    return f"{kind} {line if len(line) <= LONGEST_PART else line[: LONGEST_PART - 1] + '…'}"
