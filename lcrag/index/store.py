"""The index's SQLite file: made, opened, checked for its format, locked for writing, and replaced when it is damaged.

WAL lets any number of processes read a snapshot while one writes. What SQLite reports as an error leaves here as an
error with a line to type.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from lcrag.errors import NotAvailable
from lcrag.index import fulltext as lexical

FILE = "index.sqlite"
FORMAT = "5"
"""Of the tables below and of what chunks and contexts look like; another number in the file means: build it anew."""

WAIT_SECONDS = 600.0
"""How long a process waits for another one to finish indexing."""

_STEP_SECONDS = 0.5  # SQLite's own wait; short, so that Ctrl-C is heard between two of them
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

# files: one row per source, whether read, a copy of another one, or failed (document NULL, error says why). documents:
# one row per text. chunks never change once written and their ids are never given again, so that an id means the same
# text in every process; those of a document follow each other from its first on. texts holds their blocks
# (lcrag.index.blocks) by the first chunk of each. vectors belong to contents; they are kept in the order in which they
# come, since their keys are random and each would have a page of its own rewritten.
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE files (source TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, digest BLOB,
    document INTEGER REFERENCES documents, title TEXT, pages TEXT, lines TEXT, cells TEXT, error TEXT);
CREATE INDEX files_by_document ON files (document);
CREATE INDEX files_by_digest ON files (digest);
CREATE TABLE documents (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, source TEXT NOT NULL, title TEXT NOT NULL,
    first INTEGER NOT NULL, chunks INTEGER NOT NULL, tokens INTEGER NOT NULL);
CREATE TABLE chunks (id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, tokens INTEGER NOT NULL, content BLOB NOT NULL);
CREATE INDEX chunks_by_content ON chunks (content);
CREATE TABLE texts (chunk INTEGER PRIMARY KEY REFERENCES chunks, block BLOB NOT NULL);
CREATE TABLE embedders (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE vectors (embedder INTEGER NOT NULL REFERENCES embedders, content BLOB NOT NULL, vector BLOB NOT NULL,
    PRIMARY KEY (embedder, content));
"""

T = TypeVar("T")


class IndexUnavailable(NotAvailable):
    """The index cannot be opened, read or written: locked for too long, damaged, no space, no permission."""


class Busy(IndexUnavailable):
    """Another process has been writing for longer than one waits."""


class Damaged(IndexUnavailable):
    """The file is not a database, or its pages contradict each other. It only holds what can be read again."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit to the file at ``path``, which need not exist yet."""
    with translated(path):
        db = sqlite3.connect(path, timeout=_STEP_SECONDS, isolation_level=None)
        try:
            db.execute("PRAGMA page_size = 8192")  # float16 vectors of 1,000 dimensions stay within their page
            patiently(lambda: db.execute("PRAGMA journal_mode = WAL").fetchone(), path)
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA cache_size = -65536")
            db.execute("PRAGMA journal_size_limit = 67108864")
        except BaseException:
            db.close()
            raise
    return db


def prepare(db: sqlite3.Connection, path: Path, form: str) -> str:
    """Make the tables unless they are there with format ``form``; returns why they were made anew, "" if they were not.

    Another format's tables are dropped; nothing is lost with them that the documents do not hold.
    """
    if _form(db) == form:
        return ""
    with writing(db, path):
        found = _form(db)  # another process may have been faster
        if found == form:
            return ""
        for pattern in ("CREATE VIRTUAL %", "CREATE TABLE %"):
            rows = db.execute(
                "SELECT name FROM sqlite_master WHERE sql LIKE ? AND name != 'sqlite_sequence'", (pattern,)
            )
            for (name,) in rows.fetchall():
                quoted = name.replace('"', '""')
                db.execute(f'DROP TABLE "{quoted}"')
        for statement in (_SCHEMA + lexical.SCHEMA).split(";"):
            db.execute(statement)
        db.execute("INSERT INTO meta VALUES ('form', ?)", (form,))
    return f"index is of another format ({found}, not {form}): built anew" if found else ""


def _form(db: sqlite3.Connection) -> str:
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        return "unknown" if db.execute("SELECT 1 FROM sqlite_master").fetchone() else ""
    row = db.execute("SELECT value FROM meta WHERE name = 'form'").fetchone()
    return str(row[0]) if row else "unknown"


def inode(path: Path) -> int:
    """Tells one file at ``path`` from the next; 0 when there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def set_aside(path: Path, damaged: int) -> str:
    """Move the damaged file (the one whose ``inode`` is given) out of the way; returns a message for the user.

    Does nothing when another process has replaced it meanwhile.
    """
    aside = path.with_name(path.name + ".damaged")
    if inode(path) == damaged:
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        path.replace(aside)
    return f"index was damaged: moved to {aside.name} and built anew"


@contextmanager
def writing(
    db: sqlite3.Connection, path: Path, wait: float = WAIT_SECONDS, waiting: Callable[[], None] | None = None
) -> Iterator[None]:
    """One transaction that writes: all of the block or nothing of it. ``waiting`` is called once if another one writes.

    Raises:
        Busy: another process has been writing for ``wait`` seconds.
    """
    patiently(lambda: db.execute("BEGIN IMMEDIATE"), path, wait, waiting)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def patiently(
    action: Callable[[], T], path: Path, wait: float = WAIT_SECONDS, waiting: Callable[[], None] | None = None
) -> T:
    """The action's result, tried again while another process holds the lock, for at most ``wait`` seconds."""
    until = time.monotonic() + wait
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY:
                raise
            if time.monotonic() >= until:
                raise Busy(
                    f"another process has been writing the index at {path.parent} for {wait:.0f} seconds",
                    hint="wait for it to end, or use another index with --index DIR",
                ) from error
        if waiting:
            waiting()
            waiting = None


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as ``Damaged`` or ``IndexUnavailable``."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED:
            raise Damaged(
                f"the index at {path.parent} is damaged: {error}", hint="lcrag index PATH... --clear"
            ) from error
        if isinstance(error, sqlite3.OperationalError):
            raise IndexUnavailable(
                f"cannot use the index at {path.parent}: {error}", hint="use another folder with --index DIR"
            ) from error
        raise
