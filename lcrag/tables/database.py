"""Tables in an SQLite database in memory, and programs that read them within limits: one SELECT, a fixed list of
functions, so many seconds, rows and bytes. Nothing in it reaches a file or the network.
"""

from __future__ import annotations

import csv
import sqlite3
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from lcrag.errors import InputError
from lcrag.tables.names import column_names, plain_name, quoted, unique
from lcrag.tables.read import TOTALS, Table
from lcrag.tables.values import Kind, Reader, Value, reader_for
from lcrag.types import Document

SECONDS: Final = 10.0
"""Of computing that a program may take. Measured: a sum for each of 336 texts over a million rows (100 MB), 4.5 s."""
MOST_ROWS: Final = 1000
"""Rows of a result."""
MOST_BYTES: Final = 512 << 20
"""Memory that a program may take in addition."""
MOST_CELLS: Final = 30_000_000
"""Cells of all tables of a question. Measured: 100 MB of CSV have 10 to 15 million."""
MOST_VALUES: Final = 20_000
"""Different texts of a column that are known by heart; a column with more is searched for none."""
REMEMBERED: Final = 10_000
"""Cells of a column whose values are remembered: most columns repeat them, and load in three quarters of the time."""
SAMPLE: Final = 5000
"""Rows by which the kinds of columns are found, spread over the table."""
LONGEST_PROGRAM: Final = 4000
LONGEST_TEXT: Final = 1_000_000
FUNCTIONS: Final = frozenset(
    "abs avg coalesce count date dense_rank first_value glob group_concat ifnull iif instr julianday last_value length"
    " like lower ltrim max min nullif rank replace round row_number rtrim strftime substr substring sum total trim"
    " typeof upper".split()
)
ALLOWED: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ})
OPERATIONS: Final = 20_000
"""Steps of SQLite's machine between two looks at the clock: about 1 ms."""


class Refused(InputError):
    """A program that may not run, or that does not; the message says why."""


@dataclass(slots=True)
class Column:
    """``name``: as the document has it; ``sql``: as programs call it, quoted where it must be.

    ``values``: its different texts with their number of rows; None for numbers, dates, and where there are too many.
    ``unread``: cells that are not of its kind, ``example`` one of them; they are NULL. ``different``: how many
    different values it has, None where nobody counted.
    """

    name: str
    sql: str
    reader: Reader
    values: dict[str, int] | None = None
    unread: int = 0
    example: str = ""
    different: int | None = None
    empty: int = 0

    @property
    def kind(self) -> Kind:
        return self.reader.kind


@dataclass(slots=True, eq=False)
class Loaded:
    """A table in the database: row n is at characters ``starts[n - 1]`` to ``ends[n - 1]`` of the document.

    ``left_out``: rows that do not fit the columns.
    """

    table: Table
    sql: str
    columns: list[Column]
    starts: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    left_out: int = 0

    @property
    def rows(self) -> int:
        return len(self.starts)

    @property
    def document(self) -> Document:
        return self.table.document


@dataclass(frozen=True, slots=True)
class Result:
    """``more``: whether there are rows beyond MOST_ROWS."""

    names: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    more: bool = False


class Database:
    """The tables of some documents. For one thread at a time. ``skipped``: tables that could not be loaded, with the
    reason; ``cells``: how many it holds."""

    def __init__(self) -> None:
        self.tables: list[Loaded] = []
        self.skipped: list[str] = []
        self.cells = 0
        self._denied = ""
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA temp_store = MEMORY")
        self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_TEXT)
        self._db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)

    def close(self) -> None:
        self._db.close()

    def load(self, tables: Sequence[Table]) -> list[Loaded]:
        """Read the tables in. One that is too large, or damaged, is named in ``skipped``."""
        found = []
        for table in tables:
            self._db.set_authorizer(None)
            try:
                loaded = self._loaded(table)
            except (csv.Error, InputError) as error:
                self.skipped.append(f"{table.document.source}: {error}")
                continue
            self.tables.append(loaded)
            if loaded.rows and loaded.left_out * 20 <= loaded.rows:
                found.append(loaded)
            else:  # its rows do not fit: it is no table
                self.forget([loaded])
        self._db.set_authorizer(self._authorise)
        return found

    def forget(self, tables: Sequence[Loaded]) -> None:
        """Drop these tables."""
        self._db.set_authorizer(None)
        for loaded in tables:
            self._db.execute(f"DROP TABLE {loaded.sql}")
            self.cells -= loaded.rows * len(loaded.columns)
            self.tables.remove(loaded)
        self._db.set_authorizer(self._authorise)

    def _loaded(self, table: Table) -> Loaded:
        width = len(table.columns)
        total = 0
        sample: list[list[str]] = []
        step = 1
        for number, (_, _, cells) in enumerate(table.rows()):
            total += 1
            if number % step == 0 and len(cells) <= width:
                sample.append(cells)
            if len(sample) > 2 * SAMPLE:
                sample, step = sample[::2], step * 2
        self.cells += total * width
        if self.cells > MOST_CELLS:
            self.cells -= total * width
            raise InputError(
                f"{total * width:,} cells are more than the {MOST_CELLS:,} that are loaded at once: "
                "split the table, or leave out columns"
            )
        readers = [
            reader_for(name, [row[place] if place < len(row) else "" for row in sample])
            for place, name in enumerate(table.columns)
        ]
        names = column_names(table.columns)
        taken = {name.lower() for (name,) in self._db.execute("SELECT name FROM sqlite_master")}
        loaded = Loaded(
            table,
            quoted(unique(plain_name(table.name), taken)),
            [
                Column(name, quoted(sql), reader)
                for name, sql, reader in zip(table.columns, names, readers, strict=True)
            ],
        )
        self._fill(loaded)
        return loaded

    def _fill(self, loaded: Loaded) -> None:
        columns, width = loaded.columns, len(loaded.columns)
        types = {"number": "NUMERIC", "year": "INTEGER"}
        shape = ", ".join(f"{column.sql} {types.get(column.kind, 'TEXT')}" for column in columns)
        self._db.execute(f"CREATE TABLE {loaded.sql} ({shape})")
        texts: list[dict[str, int] | None] = [{} if column.kind == "text" else None for column in columns]

        remembered: list[dict[str, Value]] = [{} for _ in columns]

        def rows() -> Iterator[list[Value]]:
            held: tuple[int, int, list[str]] | None = None
            for row in loaded.table.rows():
                if held is not None:
                    yield from accept(held)
                held = row
            if held is not None and not is_total(held[2]):  # the last line may add up those above
                yield from accept(held)

        def is_total(cells: list[str]) -> bool:
            first = next((cell.strip() for cell in cells if cell.strip()), "")
            return any(column.kind == "number" for column in columns) and TOTALS.fullmatch(first) is not None

        def accept(row: tuple[int, int, list[str]]) -> Iterator[list[Value]]:
            start, end, cells = row
            if len(cells) > width and any(cell.strip() for cell in cells[width:]):
                loaded.left_out += 1
                return
            cells = cells[:width] + [""] * (width - len(cells))
            values: list[Value] = []
            for column, cell, known, before in zip(columns, cells, texts, remembered, strict=True):
                value = before.get(cell, cell)
                if value is cell:
                    value = column.reader.read(cell)
                    if len(before) < REMEMBERED:
                        before[cell] = value
                values.append(value)
                if value is None:
                    column.empty += 1
                    if cell.strip() and column.kind != "text":
                        column.unread += 1
                        column.example = column.example or cell.strip()
                elif known is not None and isinstance(value, str) and len(known) <= MOST_VALUES:
                    known[value] = known.get(value, 0) + 1
            loaded.starts.append(start)
            loaded.ends.append(end)
            yield values

        marks = ", ".join("?" * width)
        self._db.execute("BEGIN")
        self._db.executemany(f"INSERT INTO {loaded.sql} VALUES ({marks})", rows())
        self._db.execute("COMMIT")
        for column, known in zip(columns, texts, strict=True):
            if known is not None and len(known) <= MOST_VALUES:
                column.values, column.different = known, len(known)

    def run(self, program: str) -> Result:
        """The result of one SELECT. Raises Refused for anything else, for a mistake, or beyond a limit."""
        if len(program) > LONGEST_PROGRAM:
            raise Refused(f"the program is longer than {LONGEST_PROGRAM:,} characters")
        started = time.thread_time()
        import psutil

        process = psutil.Process()
        before = process.memory_info().rss
        reason = ""

        def look() -> int:
            nonlocal reason
            if time.thread_time() - started > SECONDS:
                reason = f"the program took more than {SECONDS:g} s"
            elif process.memory_info().rss - before > MOST_BYTES:
                reason = f"the program took more than {MOST_BYTES >> 20} MB of memory"
            return bool(reason)

        self._denied = ""
        self._db.set_progress_handler(look, OPERATIONS)
        try:
            cursor = self._db.execute(program)
            rows = list(islice(cursor, MOST_ROWS + 1))
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, MemoryError) as error:
            denied = f"the program may only read the tables, not {self._denied}" if self._denied else ""
            raise Refused(reason or denied or f"the program does not run: {error}") from error
        finally:
            self._db.set_progress_handler(None, 0)
        names = tuple(column[0] for column in cursor.description or ())
        return Result(names, tuple(rows[:MOST_ROWS]), len(rows) > MOST_ROWS)

    def _authorise(self, action: int, first: str | None, second: str | None, *_: object) -> int:
        """SELECT and READ of our tables, and functions of the list; everything else is denied."""
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS:
            return sqlite3.SQLITE_OK
        if action in ALLOWED and not (first or "").lower().startswith("sqlite_"):
            return sqlite3.SQLITE_OK
        self._denied = self._denied or _DENIED.get(action, "change anything")
        if action == sqlite3.SQLITE_FUNCTION:
            self._denied = f"call {second}()"
        return sqlite3.SQLITE_DENY


_DENIED: Final = {
    sqlite3.SQLITE_READ: "look at how the database is built",
    sqlite3.SQLITE_ATTACH: "open a file (ATTACH)",
    sqlite3.SQLITE_DETACH: "close a database (DETACH)",
    sqlite3.SQLITE_PRAGMA: "change settings (PRAGMA)",
    sqlite3.SQLITE_DELETE: "delete (DELETE, DROP)",
    sqlite3.SQLITE_DROP_TABLE: "drop a table (DROP)",
    sqlite3.SQLITE_INSERT: "write (INSERT, CREATE)",
    sqlite3.SQLITE_UPDATE: "write (UPDATE, ALTER)",
    sqlite3.SQLITE_RECURSIVE: "call itself (WITH RECURSIVE)",
}
