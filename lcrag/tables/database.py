"""Tables in an SQLite database, and programs that read them within limits: one SELECT, a fixed list of functions, so
many seconds, rows and bytes. Nothing in it reaches another file or the network.

Rows are read in once and kept in a file next to the index, by the hash of their document; what is known of each table
(``lcrag.tables.loaded``) is kept with them, so that most questions need no row at all.
"""

from __future__ import annotations

import csv
import os
import sqlite3
import time
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final

from lcrag.errors import Busy, InputError
from lcrag.tables.fill import BLOCK, PLACES, described, fill
from lcrag.tables.loaded import Loaded, loaded_of
from lcrag.tables.read import tables_of
from lcrag.tables.values import Value
from lcrag.types import Document

FORMAT: Final = 1
"""Of what is kept; a file of another format is made again."""
SECONDS: Final = 10.0
"""Of computing that a program may take. Measured: a sum for each of 336 texts over a million rows (100 MB), 4.5 s."""
MOST_ROWS: Final = 1000
"""Rows of a result."""
MOST_BYTES: Final = 512 << 20
"""Memory that a program may take in addition."""
WAIT: Final = 60.0
"""Seconds to wait for another process that reads tables in: 100 MB take 13."""
LONGEST_PROGRAM: Final = 4000
LONGEST_TEXT: Final = 1_000_000
FUNCTIONS: Final = frozenset(
    "abs avg coalesce count date dense_rank first_value glob group_concat ifnull iif instr julianday last_value length"
    " like lower ltrim max median min nullif rank replace round row_number rtrim strftime substr substring sum total"
    " trim typeof upper".split()
)
ALLOWED: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ})
OPERATIONS: Final = 20_000
"""Steps of SQLite's machine between two looks at the clock: about 1 ms."""


_SCHEMA: Final = (
    "CREATE TABLE lcrag_documents (id TEXT PRIMARY KEY, problem TEXT)",
    "CREATE TABLE lcrag_tables (document TEXT, name TEXT, record TEXT)",
    f"CREATE TABLE {PLACES} (name TEXT, block INTEGER, starts BLOB, ends BLOB, PRIMARY KEY (name, block))",
)


class Refused(InputError):
    """A program that may not run, or that does not; the message says why."""


@dataclass(frozen=True, slots=True)
class Result:
    """``more``: whether there are rows beyond MOST_ROWS."""

    rows: tuple[tuple[Value, ...], ...]
    more: bool = False


class _Median:
    """The median of numbers, which SQLite lacks."""

    def __init__(self) -> None:
        self._numbers: list[float] = []

    def step(self, value: Value) -> None:
        if isinstance(value, (int, float)):
            self._numbers.append(value)

    def finalize(self) -> Any:
        return median(self._numbers) if self._numbers else None


class Database:
    """The tables of some documents. For one thread at a time. ``tables``: those that are known; ``skipped``: documents
    whose tables could not be loaded, with the reason."""

    def __init__(self, path: Path | None = None) -> None:
        """``path``: where it is kept; without one it is gone when closed. Raises InputError where it cannot be used."""
        self.tables: list[Loaded] = []
        self.skipped: list[str] = []
        self._denied = ""
        self._known: dict[str, Result] = {}
        try:
            self._db = self._open(path)
        except sqlite3.OperationalError as error:
            raise InputError(f"the tables cannot be kept in {path}: {error}") from error
        except sqlite3.DatabaseError:  # damaged: all that it holds can be read from the documents again
            assert path is not None
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            self._db = self._open(path)

    def _open(self, path: Path | None) -> sqlite3.Connection:
        if path is not None:
            with suppress(OSError):  # it is there; else SQLite says what is wrong
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        db = sqlite3.connect(path or "", isolation_level=None, check_same_thread=False, timeout=WAIT)
        try:
            db.execute("PRAGMA temp_store = MEMORY")
            [form] = db.execute("PRAGMA user_version").fetchone()
            if form != FORMAT:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("BEGIN IMMEDIATE")
                for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                    db.execute(f'DROP TABLE "{name.replace(chr(34), chr(34) * 2)}"')
                for statement in _SCHEMA:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {FORMAT}")
                db.execute("COMMIT")
            db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            db.create_aggregate("median", 1, _Median)
        except BaseException:
            db.close()
            raise
        return db

    def close(self) -> None:
        self._db.close()

    def has(self, document: str) -> bool:
        """Whether the tables of the document with this id have been read, even if it has none."""
        return self._db.execute("SELECT 1 FROM lcrag_documents WHERE id = ?", (document,)).fetchone() is not None

    def load(self, document: Document) -> None:
        """Read the document's tables in, unless that has been done. One that is damaged or too large is no table."""
        with self._writing():
            if self.has(document.id):
                return
            problems = []
            for table in tables_of(document):
                self._db.execute("SAVEPOINT filling")
                try:
                    loaded = described(table, document.text, document.id)
                    fill(self._db, loaded, document.text)
                except (csv.Error, InputError) as error:
                    problems.append(f"{document.source}: {error}")
                    loaded = None
                if loaded is not None and loaded.rows and loaded.left_out * 20 <= loaded.rows:
                    record = (document.id, loaded.sql, loaded.as_text())
                    self._db.execute("INSERT INTO lcrag_tables VALUES (?, ?, ?)", record)
                else:  # its rows do not fit: it is no table
                    self._db.execute("ROLLBACK TO filling")
                self._db.execute("RELEASE filling")
            self._db.execute("INSERT INTO lcrag_documents VALUES (?, ?)", (document.id, "; ".join(problems)))

    def keep_only(self, documents: Collection[str]) -> None:
        """Drop the tables of all other documents."""
        with self._writing():
            gone = {row[0] for row in self._db.execute("SELECT id FROM lcrag_documents")} - set(documents)
            for document in gone:
                named = self._db.execute("SELECT name FROM lcrag_tables WHERE document = ?", (document,)).fetchall()
                for (name,) in named:
                    self._db.execute(f"DROP TABLE {name}")
                    self._db.execute(f"DELETE FROM {PLACES} WHERE name = ?", (name,))
                self._db.execute("DELETE FROM lcrag_tables WHERE document = ?", (document,))
                self._db.execute("DELETE FROM lcrag_documents WHERE id = ?", (document,))

    def open(self, documents: Iterable[str]) -> list[Loaded]:
        """The tables of these documents, which stay as they are until this is closed."""
        self._db.execute("BEGIN")
        self.tables, self.skipped = [], []
        for document in documents:
            for (problem,) in self._db.execute("SELECT problem FROM lcrag_documents WHERE id = ?", (document,)):
                self.skipped += [problem] if problem else []
            rows = self._db.execute("SELECT record FROM lcrag_tables WHERE document = ? ORDER BY rowid", (document,))
            self.tables += [loaded_of(record) for (record,) in rows]
        return self.tables

    def places(self, loaded: Loaded, rows: Sequence[int]) -> list[tuple[int, int]]:
        """The characters of the document at which these rows are; the first is row 1."""
        found = []
        for row in rows:
            block, place = divmod(row - 1, BLOCK)
            sql = f"SELECT starts, ends FROM {PLACES} WHERE name = ? AND block = ?"
            starts, ends = self._db.execute(sql, (loaded.sql, block)).fetchone()
            found.append((array("q", starts)[place], array("q", ends)[place]))
        return found

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction that writes all of the block or nothing."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise Busy(f"the tables cannot be read in: {error}", hint="ask again when no other process does") from error
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def remember(self, program: str, rows: Sequence[tuple[Value, ...]]) -> None:
        """Keep the result of a SELECT that follows from another one's."""
        self._known[program] = Result(tuple(rows))

    def run(self, program: str) -> Result:
        """The result of one SELECT. Raises Refused for anything else, for a mistake, or beyond a limit."""
        if program not in self._known:
            self._known[program] = self._run(program)
        return self._known[program]

    def _run(self, program: str) -> Result:
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
        self._db.set_authorizer(self._authorise)
        length = self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_TEXT)
        self._db.set_progress_handler(look, OPERATIONS)
        try:
            cursor = self._db.execute(program)
            rows = list(islice(cursor, MOST_ROWS + 1))
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, MemoryError) as error:
            denied = f"the program may only read the tables, not {self._denied}" if self._denied else ""
            raise Refused(reason or denied or f"the program does not run: {error}") from error
        finally:
            self._db.set_progress_handler(None, 0)
            self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, length)
            self._db.set_authorizer(None)
        return Result(tuple(rows[:MOST_ROWS]), len(rows) > MOST_ROWS)

    def _authorise(self, action: int, first: str | None, second: str | None, *_: object) -> int:
        """SELECT and READ of our tables, and functions of the list; everything else is denied."""
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS:
            return sqlite3.SQLITE_OK
        if action in ALLOWED and not (first or "").lower().startswith(("sqlite_", "lcrag_")):
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
