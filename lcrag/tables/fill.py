"""The rows of a document's table into SQLite, each cell read as the kind of its column."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from typing import Final

from lcrag.errors import InputError
from lcrag.tables.loaded import Column, Loaded
from lcrag.tables.names import column_names, plain_name, quoted, unique
from lcrag.tables.read import TOTALS, Table
from lcrag.tables.values import EMPTY, Value, decimal_of, reader_for

MOST_CELLS: Final = 30_000_000
"""Cells of a table. Measured: 100 MB of CSV have 10 to 15 million."""
MOST_VALUES: Final = 20_000
"""Different texts of a column that are known by heart; a column with more is searched for none."""
REMEMBERED: Final = 10_000
"""Cells of a column whose values are remembered: most columns repeat them, and load in three quarters of the time."""
SAMPLE: Final = 5000
"""Rows by which the kinds of columns are found, spread over the table."""
BLOCK: Final = 10_000
"""Rows whose places are stored together."""
PLACES: Final = "lcrag_places"
TYPES: Final = {"number": "NUMERIC", "year": "INTEGER"}


def described(table: Table, text: str, document: str) -> Loaded:
    """The table with the kinds of its columns, found by a sample of its rows. Raises InputError for one too large."""
    width, step = len(table.columns), 1
    sample: list[list[str]] = []
    for number, (_, _, cells) in enumerate(table.rows(text)):
        if number % step == 0 and len(cells) <= width:
            sample.append(cells)
        if len(sample) > 2 * SAMPLE:
            sample, step = sample[::2], step * 2
        if (number + 1) * width > MOST_CELLS:
            raise InputError(
                f"it has more than {MOST_CELLS:,} cells, the most that are read as a table: "
                "split it, or leave out columns"
            )
    decimal = decimal_of(cell for row in sample for cell in row)
    columns = [
        Column(name, quoted(sql), reader_for(name, [row[place] if place < len(row) else "" for row in sample], decimal))
        for place, (name, sql) in enumerate(zip(table.columns, column_names(table.columns), strict=True))
    ]
    return Loaded(document, table, quoted(plain_name(table.name)), columns)


def fill(db: sqlite3.Connection, loaded: Loaded, text: str) -> None:
    """Create the table under a name of its own and read its rows in; part of a transaction. Raises csv.Error."""
    taken = {name.lower() for (name,) in db.execute("SELECT name FROM sqlite_master")}
    loaded.sql = quoted(unique(plain_name(loaded.table.name), taken))
    shape = ", ".join(f"{column.sql} {TYPES.get(column.kind, 'TEXT')}" for column in loaded.columns)
    db.execute(f"CREATE TABLE {loaded.sql} ({shape})")
    filling = _Filling(loaded, text)
    marks = ", ".join("?" * len(loaded.columns))
    db.executemany(f"INSERT INTO {loaded.sql} VALUES ({marks})", filling.rows())
    loaded.rows = len(filling.starts)
    for column, known in zip(loaded.columns, filling.texts, strict=True):
        if known is not None and len(known) <= MOST_VALUES:
            column.values, column.different = known, len(known)
        elif column.kind != "text" and loaded.rows <= MOST_VALUES:
            [column.different] = db.execute(f"SELECT count(DISTINCT {column.sql}) FROM {loaded.sql}").fetchone()
    for first in range(0, loaded.rows, BLOCK):
        starts, ends = (places[first : first + BLOCK].tobytes() for places in (filling.starts, filling.ends))
        db.execute(f"INSERT INTO {PLACES} VALUES (?, ?, ?, ?)", (loaded.sql, first // BLOCK, starts, ends))


class _Filling:
    """Rows as values. ``texts``: by column its different texts; ``starts``, ``ends``: characters of each row."""

    def __init__(self, loaded: Loaded, text: str) -> None:
        self.starts, self.ends = array("q"), array("q")
        self.texts: list[dict[str, int] | None] = [{} if one.kind == "text" else None for one in loaded.columns]
        self._loaded, self._text = loaded, text
        self._remembered: list[dict[str, Value]] = [{} for _ in loaded.columns]

    def rows(self) -> Iterator[list[Value]]:
        held: tuple[int, int, list[str]] | None = None
        for row in self._loaded.table.rows(self._text):
            if held is not None:
                yield from self._accepted(held)
            held = row
        if held is not None and not self._is_total(held[2]):  # the last line may add up those above
            yield from self._accepted(held)

    def _is_total(self, cells: Sequence[str]) -> bool:
        first = next((cell.strip() for cell in cells if cell.strip()), "")
        return any(one.kind == "number" for one in self._loaded.columns) and TOTALS.fullmatch(first) is not None

    def _accepted(self, row: tuple[int, int, list[str]]) -> Iterator[list[Value]]:
        start, end, cells = row
        width = len(self._loaded.columns)
        if len(cells) > width and any(cell.strip() for cell in cells[width:]):
            self._loaded.left_out += 1
            return
        cells = cells[:width] + [""] * (width - len(cells))
        values: list[Value] = []
        for column, cell, known, before in zip(self._loaded.columns, cells, self.texts, self._remembered, strict=True):
            value = before.get(cell, cell)
            if value is cell:
                value = column.reader.read(cell)
                if len(before) < REMEMBERED:
                    before[cell] = value
            values.append(value)
            column.zeros += value == 0
            if value is None:
                column.empty += 1
                if column.kind != "text" and cell.strip().lower() not in EMPTY:
                    column.unread += 1
                    column.example = column.example or cell.strip()
            elif known is not None and isinstance(value, str) and len(known) <= MOST_VALUES:
                known[value] = known.get(value, 0) + 1
        self.starts.append(start)
        self.ends.append(end)
        yield values
