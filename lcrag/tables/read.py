"""The tables of a document, by the structure that its format gives them: CSV, the rows of sheets, of HTML and of Word
tables (which ingest writes one a line, cells between " | "), Markdown tables, JSON objects.

A table has a line that names its columns. Rows that do not fit it are left out and counted, never bent.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Final

from lcrag.errors import InputError
from lcrag.tables.values import EMPTY, read_date, read_number
from lcrag.text.places import SHEETS, TABLES
from lcrag.text.rows import DELIMITERS
from lcrag.types import Document

SEPARATOR: Final = " | "
"""What ingest writes between the cells of a row."""
WITH_ROWS: Final = (".html", ".htm", ".xhtml", ".docx", ".docm", ".odt", ".rtf", ".pptx", ".epub")
MARKDOWN: Final = (".md", ".markdown", ".mdx")
JSON_LINES: Final = (".jsonl", ".ndjson")
LEAST_ROWS: Final = 2
"""Rows below the names of the columns: a single line with a separator may be no table."""
MOST_COLUMNS: Final = 200
_BETWEEN: Final = re.compile(r"[\s,]*")
TOTALS: Final = re.compile(r"(?:grand |sub-?)?(?:totals?|sum|average|mean|all)\b[^\w]*", re.IGNORECASE)

Row = tuple[int, int, list[str]]
"""Characters of the document, half-open, and the cells."""


@dataclass(frozen=True, slots=True)
class Table:
    """``columns``: their names as the document has them. ``name``: of its sheet, its heading or its file. ``start`` and
    ``end``: characters of its rows; ``header``: of the line that names the columns, None where every row does."""

    document: Document
    name: str
    columns: tuple[str, ...]
    start: int
    end: int
    form: str
    header: tuple[int, int] | None = None

    def cells_at(self, start: int, end: int) -> list[str]:
        """The cells of the row at these characters."""
        return next(replace(self, start=start, end=end).rows())[2]

    def rows(self) -> Iterator[Row]:
        """Every row that is not empty, whatever its number of cells."""
        return (row for row in _rows(self) if any(cell.strip() for cell in row[2]))


def may_hold_tables(source: str) -> bool:
    """By the format alone."""
    return source.lower().endswith((*TABLES, *SHEETS, *WITH_ROWS, *MARKDOWN, *JSON_LINES, ".json"))


def tables_of(document: Document) -> list[Table]:
    source = document.source.lower()
    stem = PurePath(document.source).stem
    length = len(document.text)
    if source.endswith(TABLES):
        return _with_header(document, stem, [(0, length)], "csv")
    if source.endswith(JSON_LINES):
        return _of_objects(document, stem, "lines")
    if source.endswith(".json"):
        return _of_objects(document, stem, "json") if document.text.lstrip().startswith("[") else []
    if source.endswith(SHEETS):
        ends = [*document.cells[1:], length]
        found = []
        for start, end in zip(document.cells, ends, strict=True):
            below = document.text.find("\n", start, end) + 1
            name = document.text[start:below].strip("# \n")
            found += _with_header(document, name, [(below, end)], "lines of cells")
        return found
    if source.endswith(MARKDOWN):
        return _in_text(document, stem, "markdown")
    return _in_text(document, stem, "lines of cells") if source.endswith(WITH_ROWS) else []


def _with_header(document: Document, name: str, spans: Sequence[tuple[int, int]], form: str) -> list[Table]:
    """The table in each span whose first full row names columns."""
    found = []
    for start, end in spans:
        whole = Table(document, name, (), start, end, form)
        for row_start, row_end, cells in whole.rows():
            filled = [cell for cell in cells if cell.strip()]
            if len(filled) < 2:
                continue  # a title above
            if _names_columns(cells):
                names = tuple(" ".join(cell.split()) for cell in cells)
                found.append(Table(document, name, names, row_end, end, form, (row_start, row_end)))
            break
    return found


def _names_columns(cells: Sequence[str]) -> bool:
    """Whether a row names columns: all different, and not all of them values. A year may be a name."""
    names = [" ".join(cell.split()).lower() for cell in cells]
    filled = [name for name in names if name]
    if len(filled) < 2 or len(filled) < len(names) - 1 or len(set(filled)) < len(filled) or len(names) > MOST_COLUMNS:
        return False
    if filled[0] in EMPTY or read_number(filled[0]) is not None:
        return False
    values = [n for n in filled if (number := read_number(n)) is not None and not 1000 <= number[0] <= 2100]
    dates = [name for name in filled if len(name) > 4 and read_date(name) is not None]
    return not values and not dates


def _in_text(document: Document, stem: str, form: str) -> list[Table]:
    """Runs of lines that are rows, under the name of the heading above."""
    found: list[Table] = []
    heading = stem
    run: list[tuple[int, int, int]] = []  # start, end, cells
    block: list[tuple[int, int, int]] = []  # the rows since the last blank line
    gap = False
    place = 0

    def finish() -> None:
        if len(run) > LEAST_ROWS:
            found.extend(_with_header(document, heading, [(run[0][0], run[-1][1])], form))
        run.clear()

    for line in document.text.splitlines(keepends=True):
        end = place + len(line)
        plain = line.strip()
        is_row = plain.startswith("|") if form == "markdown" else SEPARATOR in line
        if is_row:
            width = len(_split_markdown(plain) if form == "markdown" else plain.split(SEPARATOR))
            if gap and len(block) == 1 and block[0][2] == width:
                run[:] = block  # a blank line ends a table, except below its header
            elif gap:
                finish()
            block = [*([] if gap else block), (place, end, width)]
            run.append((place, end, width))
            gap = False
        elif not plain and run and not gap:
            gap = True
        elif plain:
            finish()
            block, gap = [], False
            if plain.startswith("#"):
                heading = f"{stem} {plain.strip('# ')}"
        place = end
    finish()
    return found


def _rows(table: Table) -> Iterator[Row]:
    if table.form == "csv":
        yield from _csv_rows(table.document.text, table.start, table.end)
        return
    if table.form in ("lines", "json"):
        for start, end, item in _objects(table.document.text, table.start, table.end):
            yield start, end, [_cell(item.get(name)) for name in table.columns]
        return
    for start, end in _lines(table.document.text, table.start, table.end):
        line = table.document.text[start:end]
        plain = line.strip()
        if not plain:
            continue
        at = start + line.index(plain[0])
        if table.form == "markdown":
            cells = _split_markdown(plain)
            if all(re.fullmatch(r":?-+:?", cell) for cell in cells):
                continue
        else:
            cells = [cell.strip() for cell in line.rstrip("\n").split(SEPARATOR.rstrip())]
        yield at, at + len(plain), cells


def _split_markdown(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [cell.replace("\\|", "|").strip().strip("*_`") for cell in re.split(r"(?<!\\)\|", inner)]


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = text.find("\n", start, end) + 1 or end
        yield start, stop
        start = stop


def _csv_rows(text: str, start: int, end: int) -> Iterator[Row]:
    """Rows with their places. A quote that never ends makes csv.Error, and ends the table."""
    first = next((text[a:b] for a, b in _lines(text, 0, len(text)) if text[a:b].strip()), "")  # names the columns
    place = start

    def lines() -> Iterator[str]:
        nonlocal place
        for a, b in _lines(text, start, end):
            place = b
            yield text[a:b]

    before = start
    for cells in csv.reader(lines(), delimiter=max(DELIMITERS, key=first.count)):
        if cells:
            stop = place - 1 if text[place - 1] == "\n" else place
            yield before, stop, cells
        before = place


def _of_objects(document: Document, stem: str, form: str) -> list[Table]:
    """Objects with the same plain fields; a field that holds lists or objects is no column."""
    names: dict[str, None] = {}
    count = 0
    start = document.text.index("[") + 1 if form == "json" else 0
    try:
        for _, _, item in _objects(document.text, start, len(document.text)):
            count += 1
            names.update((name, None) for name, value in item.items() if not isinstance(value, (list, dict)))
    except InputError:
        return []
    if count < LEAST_ROWS or not 2 <= len(names) <= MOST_COLUMNS:
        return []
    return [Table(document, stem, tuple(names), start, len(document.text), form)]


def _objects(text: str, start: int, end: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Objects one after another with their places. Raises InputError where something else comes between."""
    decoder, place = json.JSONDecoder(), start
    while True:
        place = _BETWEEN.match(text, place, end).end()  # type: ignore[union-attr]
        if place >= end or text[place] == "]":
            return
        try:
            item, stop = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            raise InputError(f"it is no list of JSON objects: {error}") from error
        if not isinstance(item, dict):
            raise InputError("it is no list of JSON objects")
        yield place, stop, item
        place = stop


def _cell(value: Any) -> str:
    if value is None or isinstance(value, (list, dict)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
