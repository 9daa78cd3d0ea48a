"""From an offset in a document to the line, page or part that a reader looks for."""

from __future__ import annotations

import re
from bisect import bisect_right
from pathlib import PurePath
from typing import Final

from lcrag.types import Document

HEADING: Final = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
SUBJECT: Final = re.compile(r"^Subject: (.+)$", re.MULTILINE | re.IGNORECASE)
SHEETS: Final = (".xlsx", ".xlsm", ".xlsb", ".xls", ".xltx", ".ods", ".ots")
"""Suffixes of spreadsheets: their lines are rows, which count within a sheet."""
TABLES: Final = (".csv", ".tsv")
QUOTED: Final = re.compile(r'"[^"]*(?:"|$)')
LONGEST_PART: Final = 80
"""Characters of a heading or a subject that are shown."""


def line_of(document: Document, offset: int) -> int | None:
    """The line of the file, from 1, of the character at ``offset``; None if the file has no lines."""
    return None if is_spreadsheet(document) else _line(document, offset)


def _line(document: Document, offset: int) -> int | None:
    at = bisect_right(document.lines, offset, key=lambda pair: pair[0]) - 1
    if at < 0:
        return None
    start, line = document.lines[at]
    return line + document.text.count("\n", start, offset)


def is_table(source: str) -> bool:
    """Whether each line of the file is a row, and the first names the columns."""
    return source.lower().endswith(TABLES)


def is_spreadsheet(document: Document) -> bool:
    """Whether its ``lines`` are rows and its ``cells`` sheets."""
    return document.source.lower().endswith(SHEETS)


def page_of(document: Document, offset: int) -> int | None:
    """The page, from 1, of the character at ``offset``; None if the document has no pages."""
    return max(1, bisect_right(document.pages, offset)) if document.pages else None


def part_of(document: Document, offset: int) -> str | None:
    """The part of the file at ``offset``: "row 3" of a table, "sheet Budget, row 3", "cell 2" of a notebook,
    "message SUBJECT" of a mail, "section HEADING" of a document without lines and pages. None where line or page are
    enough.
    """
    if document.cells and not document.source.lower().endswith(".ipynb"):
        return _named_part(document, document.cells[max(0, bisect_right(document.cells, offset) - 1)], offset)
    if document.cells:
        return f"cell {max(1, bisect_right(document.cells, offset))}"
    suffix = PurePath(document.source).suffix.lower()
    if suffix in TABLES:
        return f"row {_count_rows(document.text[: offset + 1])}"
    if suffix == ".eml" and document.title:
        return _label("message", document.title)
    if not document.lines and not document.pages:
        ends = offset + len(document.text[offset:].partition("\n")[0])
        headings = HEADING.findall(document.text, 0, ends)
        return _label("section", headings[-1]) if headings else None
    return None


def _named_part(document: Document, start: int, offset: int) -> str | None:
    """The sheet and its row, or the message of a mailbox, that begins at ``start``."""
    first, _, _ = document.text[start : start + 1000].partition("\n")
    if is_spreadsheet(document):
        sheet = _label("sheet", first.removeprefix("# "))
        return sheet if offset <= start + len(first) else f"{sheet}, row {_line(document, offset)}"
    end = next((cell for cell in document.cells if cell > start), len(document.text))
    subject = SUBJECT.search(document.text, start, min(end, start + 20_000))
    return _label("message", subject[1]) if subject else None


def _count_rows(text: str) -> int:
    """Rows of a table up to here, the header included; a quoted cell may contain line ends."""
    return sum(1 for row in QUOTED.sub('""', text).split("\n") if row.strip())


def _label(kind: str, name: str) -> str:
    line = " ".join(name.split())
    return f"{kind} {line if len(line) <= LONGEST_PART else line[: LONGEST_PART - 1] + '…'}"
