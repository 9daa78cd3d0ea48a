"""The tables of a document, by the structure that its format gives them: CSV, the rows of sheets, of HTML and of Word
tables (which ingest writes one a line, cells between " | "), Markdown tables, JSON objects.

A table has a line that names its columns. Rows that do not fit it are left out and counted, never bent.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePath
from typing import Any, Final, Literal

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
FIRST_LINES: Final = 30
"""Lines by which the delimiter is found. Assumed, not measured."""
_BETWEEN: Final = re.compile(r"[\s,]*")
TOTALS: Final = re.compile(r"(?:grand |sub-?)?(?:totals?|sum|average|mean|all)\b[^\w]*", re.IGNORECASE)

Row = tuple[int, int, list[str]]
"""Characters of the document, half-open, and the cells."""


Form = Literal["csv", "cells", "markdown", "objects"]
"""How rows are written: with a delimiter and quotes; one a line with SEPARATOR; as Markdown; as JSON objects."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the document ``source``. ``columns``: their names as it has them. ``name``: of its sheet, its heading
    or its file; ``is_sheet``: of its sheet. ``start`` and ``end``: characters of its rows; ``header``: of the line that
    names the columns, None where every row does. ``delimiter``: of "csv"."""

    source: str
    name: str
    columns: tuple[str, ...]
    start: int
    end: int
    form: Form
    header: tuple[int, int] | None = None
    delimiter: str = ","
    is_sheet: bool = False

    def cells_at(self, text: str, start: int, end: int) -> list[str]:
        """The cells of the row at these characters of the document's text."""
        return next(replace(self, start=start, end=end).rows(text))[2]

    def rows(self, text: str) -> Iterator[Row]:
        """Every row that is not empty, whatever its number of cells."""
        return (row for row in _rows(self, text) if any(cell.strip() for cell in row[2]))


def may_hold_tables(source: str) -> bool:
    """By the format alone."""
    return source.lower().endswith((*TABLES, *SHEETS, *WITH_ROWS, *MARKDOWN, *JSON_LINES, ".json"))


def tables_of(document: Document) -> list[Table]:
    source = document.source.lower()
    whole = Table(document.source, PurePath(document.source).stem, (), 0, len(document.text), "cells")
    if source.endswith(TABLES):
        return _with_header(replace(whole, form="csv", delimiter=delimiter_of(document.text)), document.text)
    if source.endswith(JSON_LINES):
        return _of_objects(whole, document.text)
    if source.endswith(".json"):
        start = document.text.find("[") + 1
        is_list = document.text.lstrip().startswith("[")
        return _of_objects(replace(whole, start=start), document.text) if is_list else []
    if source.endswith(SHEETS):
        found = []
        for start, end in zip(document.cells, [*document.cells[1:], whole.end], strict=True):
            below = document.text.find("\n", start, end) + 1
            name = document.text[start:below].strip("# \n")
            found += _with_header(replace(whole, name=name, start=below, end=end, is_sheet=True), document.text)
        return found
    if source.endswith(MARKDOWN):
        return _in_text(replace(whole, form="markdown"), document.text)
    return _in_text(whole, document.text) if source.endswith(WITH_ROWS) else []


def delimiter_of(text: str) -> str:
    """The delimiter that cuts most of the first lines into equally many cells; a title above the header has none."""
    lines = [text[a:b] for a, b in islice(_lines(text, 0, len(text)), FIRST_LINES)]
    counts = {sign: Counter(n for line in lines if (n := line.count(sign))) for sign in DELIMITERS}
    return max(DELIMITERS, key=lambda sign: max(((lines, n) for n, lines in counts[sign].items()), default=(0, 0)))


def _with_header(whole: Table, text: str) -> list[Table]:
    """The table whose first full row names columns; lines with a single cell above it are a title."""
    for row_start, row_end, cells in whole.rows(text):
        if sum(bool(cell.strip()) for cell in cells) < 2:
            continue
        if not _names_columns(cells):
            break
        names = tuple(" ".join(cell.split()) for cell in cells)
        return [replace(whole, columns=names, start=row_end, header=(row_start, row_end))]
    return []


def _names_columns(cells: Sequence[str]) -> bool:
    """Whether a row names columns: most of them different, and none a value. A year may be a name."""
    names = [" ".join(cell.split()).lower() for cell in cells]
    filled = [name for name in names if name]
    if len(filled) < 2 or len(filled) < len(names) - 1 or len(names) > MOST_COLUMNS:
        return False
    if len(set(filled)) * 3 < len(filled) * 2:  # a name may stand twice, as "name" of buyer and seller
        return False
    if filled[0] in EMPTY or read_number(filled[0]) is not None:
        return False
    values = [n for n in filled if (number := read_number(n)) is not None and not 1000 <= number[0] <= 2100]
    dates = [name for name in filled if len(name) > 4 and read_date(name) is not None]
    return not values and not dates


def _in_text(whole: Table, text: str) -> list[Table]:
    """Runs of lines that are rows, under the name of the heading above."""
    found: list[Table] = []
    heading = whole.name
    run: list[tuple[int, int, int]] = []  # start, end, cells
    block: list[tuple[int, int, int]] = []  # the rows since the last blank line
    gap = False
    place = 0

    def finish() -> None:
        if len(run) > LEAST_ROWS:
            found.extend(_with_header(replace(whole, name=heading, start=run[0][0], end=run[-1][1]), text))
        run.clear()

    for line in text.splitlines(keepends=True):
        end = place + len(line)
        plain = line.strip()
        is_row = plain.startswith("|") if whole.form == "markdown" else SEPARATOR in line
        if is_row:
            width = len(_split_markdown(plain) if whole.form == "markdown" else plain.split(SEPARATOR))
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
                heading = f"{whole.name} {plain.strip('# ')}"
        place = end
    finish()
    return found


def _rows(table: Table, text: str) -> Iterator[Row]:
    if table.form == "csv":
        yield from _csv_rows(table, text)
        return
    if table.form == "objects":
        for start, end, item in _objects(text, table.start, table.end):
            yield start, end, [_cell(item.get(name)) for name in table.columns]
        return
    for start, end in _lines(text, table.start, table.end):
        line = text[start:end]
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


def _csv_rows(table: Table, text: str) -> Iterator[Row]:
    """Rows with their places. A quote that never ends makes csv.Error, and ends the table."""
    place = table.start

    def lines() -> Iterator[str]:
        nonlocal place
        for a, b in _lines(text, table.start, table.end):
            place = b
            yield text[a:b]

    before = place
    for cells in csv.reader(lines(), delimiter=table.delimiter):
        if cells:
            stop = place - 1 if text[place - 1] == "\n" else place
            yield before, stop, cells
        before = place


def _of_objects(whole: Table, text: str) -> list[Table]:
    """Objects with the same plain fields; a field that holds lists or objects is no column."""
    names: dict[str, None] = {}
    count = 0
    try:
        for _, _, item in _objects(text, whole.start, whole.end):
            count += 1
            names.update((name, None) for name, value in item.items() if not isinstance(value, (list, dict)))
    except InputError:
        return []
    if count < LEAST_ROWS or not 2 <= len(names) <= MOST_COLUMNS:
        return []
    return [replace(whole, columns=tuple(names), form="objects")]


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
