"""The result of a program as lines of an answer, with the places of the rows that it rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from lcrag.tables.database import Database, Refused, Result
from lcrag.tables.field import Field
from lcrag.tables.loaded import Loaded
from lcrag.tables.selects import Program
from lcrag.tables.values import Value
from lcrag.types import Document

CITED: Final = 5
"""Rows of an aggregate that are cited; the rest is counted."""
MOST_LINES: Final = 200
MONEY: Final = frozenset("£$€¥₹")
NONE: Final = "(empty)"

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Said:
    """``lines``: each with the places, in characters of ``document``, of the rows that it rests on. ``short``: the bare
    answer. ``notes``: what was left out and how many rows were used."""

    document: Document
    lines: tuple[tuple[str, tuple[Place, ...]], ...]
    short: str | None
    notes: tuple[str, ...]
    program: str


def say(program: Program, database: Database, open_document: Callable[[str], Document]) -> Said | None:
    """None where the program finds nothing. ``open_document``: by its id. Raises Refused where it may not run."""
    result = database.run(program.sql)
    if not any(value is not None for row in result.rows for value in row):
        return None
    rows, number = _used(program, database)
    if program.form == "rows" and len(rows) < len(result.rows):
        rows = []
    rows = rows[: MOST_LINES if program.form == "rows" else CITED]
    document = open_document(program.loaded.document)
    spans = database.places(program.loaded, rows)
    cells = [
        _shown_row(row, program, document.text, spans[place] if place < len(spans) else None)
        for place, row in enumerate(result.rows[:MOST_LINES])
    ]
    header = (_header(program.loaded, database, document.text),)
    places = [_stripped(document.text, *span) for span in spans]
    lines: list[tuple[str, tuple[Place, ...]]] = []
    for place, row in enumerate(cells):
        if program.form == "rows":
            lines.append((_line(row), (places[place],) if places else header))
        else:
            lines.append((_line(row), (tuple(places[:CITED]) or header) if place == 0 else ()))
    notes = [*_notes(program), *_counted(program, result, number)]
    short = _short(cells) if len(result.rows) == len(cells) else None
    return Said(document, tuple(lines), short, tuple(notes), program.sql)


def _used(program: Program, database: Database) -> tuple[list[int], int]:
    """The numbers of the rows that the program used, and how many there are: those that can be told."""
    if not program.used:
        return [], 0
    try:
        found = database.run(program.used)
        number = len(found.rows)
        if found.more:
            number = int(database.run(f"SELECT count(*) FROM ({program.used})").rows[0][0] or 0)
    except Refused:
        return [], 0  # the program is right, only its rows cannot be told
    return [int(row[0]) for row in found.rows if isinstance(row[0], int)], number


def _shown_row(row: Sequence[Value], program: Program, text: str, place: Place | None) -> list[str]:
    """The cells as the document writes them, where they are its cells; else as numbers are written."""
    fields: Sequence[Field | None] = program.shown or (None,) * len(row)
    shown = []
    for column, value in enumerate(row):
        field = fields[column] if column < len(fields) else None
        written = str(value) if field is not None and field.kind == "year" and value is not None else None
        is_cell = field is not None and field.column in field.loaded.columns and field.loaded is program.loaded
        if field is not None and place is not None and program.form == "rows" and is_cell:
            written = _cell(field, text, place)
        is_last = column == len(row) - 1
        unit = program.unit if is_last else field.column.reader.unit if field is not None else ""
        shown.append(written if written else number_text(value, unit))
    return shown


def _cell(field: Field, text: str, row: Place) -> str:
    loaded = field.loaded
    cells = loaded.table.cells_at(text, *row)
    place = loaded.columns.index(field.column)
    return cells[place].strip() if place < len(cells) else ""


def number_text(value: Value, unit: str = "") -> str:
    """A value as people write it: 1234.5 of "£" is "£1,234.50"."""
    if value is None:
        return NONE
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) < 1e15 else round(value, 2 if abs(value) >= 1 else 4)
    whole = isinstance(value, int)
    text = f"{value:,}" if whole else f"{value:,.2f}" if unit in MONEY and unit else f"{value:,}"
    if unit in MONEY and unit:
        return f"-{unit}{text[1:]}" if text.startswith("-") else f"{unit}{text}"
    return f"{text}{unit if unit in ('%', '') else f' {unit}'}"


def _line(row: Sequence[str]) -> str:
    first, *others = row
    line = f"{first}: {', '.join(others)}" if others else first
    return " ".join(line.split())


def _short(cells: Sequence[Sequence[str]]) -> str | None:
    """The bare answer: the only cell, the name of the first row, or the items of a list."""
    if len(cells) == 1:
        return ", ".join(cells[0]) if len(cells[0]) > 2 else cells[0][0]
    if len(cells) <= 20 and all(len(row) == 1 for row in cells):
        return ", ".join(row[0] for row in cells)
    return None


def _counted(program: Program, result: Result, number: int) -> list[str]:
    notes = []
    if len(result.rows) > MOST_LINES:
        notes.append(f"and {len(result.rows) - MOST_LINES:,}{' or more' if result.more else ''} more lines")
    if program.form != "rows" and number:
        cited = f", the first {CITED} are cited" if number > CITED else ""
        notes.append(f"from {number:,} row{'' if number == 1 else 's'} of {program.loaded.table.name}{cited}")
    return notes


def _notes(program: Program) -> list[str]:
    """What the table holds and the program does not count."""
    notes = []
    for field in program.read:
        column = field.column
        if column.unread:
            what = "date" if column.kind == "date" else "number"
            cells = f"{column.unread:,} cell{'' if column.unread == 1 else 's'}"
            notes.append(
                f"{cells} of {column.name} hold{'s' if column.unread == 1 else ''} no {what}, as “{column.example}”"
            )
    if program.loaded.left_out:
        notes.append(f"{program.loaded.left_out:,} rows have more cells than there are columns and are left out")
    return notes


def _header(loaded: Loaded, database: Database, text: str) -> Place:
    """The line that names the columns; of JSON objects the first."""
    return _stripped(text, *(loaded.table.header or database.places(loaded, [1])[0]))


def _stripped(text: str, start: int, end: int) -> Place:
    held = text[start:end]
    return start + len(held) - len(held.lstrip()), start + len(held.rstrip())
