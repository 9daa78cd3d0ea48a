"""The index's SQLite file: creates it, opens it, checks its format, locks it for writing, replaces it when damaged.

WAL lets any number of processes read a snapshot while one writes. SQLite's errors become lcrag's, with a line to type.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from lcrag.errors import Busy, Damaged, IndexUnavailable
from lcrag.index import replies, summaries
from lcrag.paths import cache_folder

if TYPE_CHECKING:
    from lcrag.index.engine import Engine

FILE = "index.sqlite"
APPLICATION = 0x6C637261
"""SQLite's application_id of an index ("lcra"). lcrag changes no other file, but for indexes made before FORMAT 6."""
FORMAT = "10"
"""Of the tables below, of chunks, of contexts, and of the words in the full-text index (``lcrag.text.words.fold``).

An index with another number is rebuilt."""

WAIT_SECONDS = 600.0
"""How long a process waits for another one to finish indexing."""

_STEP_SECONDS = 0.5  # SQLite's own wait; short, so that Ctrl-C works between two of them
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

# files: one row per source, whether read, a copy of another one, or failed (document NULL; a digest if its content is
# the reason); error says why it, or a part of it, was not read. documents: one row per text. chunks never change once
# written and their ids are never reused, so that an id means the same text in every process; those of a document are
# consecutive from its first. texts holds their blocks (lcrag.index.blocks) under the first chunk of each. vectors
# belong to contents; they are stored in the order in which they arrive, since their keys are random and each would
# rewrite another page.
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE files (source TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, digest BLOB,
    document INTEGER REFERENCES documents, title TEXT, pages TEXT, lines TEXT, cells TEXT, error TEXT);
CREATE INDEX files_by_document ON files (document);
CREATE INDEX files_by_digest ON files (digest);
CREATE TABLE documents (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, source TEXT NOT NULL, title TEXT NOT NULL,
    first INTEGER NOT NULL, chunks INTEGER NOT NULL, tokens INTEGER NOT NULL);
CREATE TABLE chunks (id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, tokens INTEGER NOT NULL, content BLOB NOT NULL);
CREATE INDEX chunks_by_content ON chunks (content);
CREATE TABLE texts (chunk INTEGER PRIMARY KEY REFERENCES chunks, block BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS embedders (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS vectors (embedder INTEGER NOT NULL REFERENCES embedders, content BLOB NOT NULL,
    vector BLOB NOT NULL, PRIMARY KEY (embedder, content));
"""

_SETTINGS = (
    "page_size = 8192",  # float16 vectors of 1,000 dimensions stay within their page
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "cache_size = -65536",
    "journal_size_limit = 67108864",
    "temp_store = MEMORY",
)

_connected: Counter[tuple[int, int]] = Counter()
"""Connections of this process to each file. None but SQLite may open and close the file: any close drops the locks that
this process has on it, and another process would take it for unused and delete its log."""

T = TypeVar("T")


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit to the file at ``path``, which need not exist yet and is then this user's alone."""
    with translate_errors(path):
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        db = sqlite3.connect(path, timeout=_STEP_SECONDS, isolation_level=None)
        try:
            for setting in _SETTINGS:
                retry_while_locked(partial(db.execute, f"PRAGMA {setting}"), path)
        except BaseException:
            db.close()
            raise
    return db


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection to a file that cannot be written: on a read-only or full disk, or another user's."""
    address = f"file:{quote(os.path.abspath(path))}?mode=ro"
    log = path.with_name(f"{path.name}-wal")
    with translate_errors(path):
        # SQLite wants to make files next to it unless it is promised that nobody writes.
        immutable = "" if log.exists() and log.stat().st_size else "&immutable=1"
        db = sqlite3.connect(address + immutable, uri=True, timeout=_STEP_SECONDS, isolation_level=None)
        db.execute("PRAGMA temp_store = MEMORY")
    return db


@contextmanager
def connected(path: Path, *, read_only: bool) -> Iterator[sqlite3.Connection]:
    """A connection that is closed when the block ends (see ``connect`` and ``connect_read_only``)."""
    with closing(connect_read_only(path) if read_only else connect(path)) as db:
        file = _identity(path)
        _connected[file] += 1
        try:
            yield db
        finally:
            db.close()
            _connected[file] -= 1


def check_owner(path: Path) -> None:
    """Raise IndexUnavailable if the file at ``path`` is there and not lcrag's, damaged or not."""
    with translate_errors(path):
        try:
            if _connected[_identity(path)]:
                return
            with path.open("rb") as file:
                head = file.read(100)
        except FileNotFoundError:
            return
    is_ours = not head or head[68:72] == APPLICATION.to_bytes(4) or path.parent.parent == cache_folder() / "index"
    if not is_ours and head.startswith(b"SQLite format 3\0"):
        try:
            with closing(connect_read_only(path)) as db:
                is_ours = _form(db) != "unknown"
        except (sqlite3.DatabaseError, IndexUnavailable):
            is_ours = False
    if not is_ours:
        raise IndexUnavailable(f"{path} is not an index of lcrag", hint="use another folder with --index DIR")


def prepare(db: sqlite3.Connection, path: Path, form: str, engine: Engine) -> None:
    """Create the tables, those of ``engine`` too, unless they have the format ``form``.

    Tables of another format are dropped: everything in them can be read from the documents again. Vectors belong to
    contents and stay.
    """
    if _form(db) == form:
        engine.begin(db, is_new=False)
        return
    with writing(db, path):
        old = _form(db)  # another process may have been faster
        if old == form:
            engine.begin(db, is_new=False)
            return
        keep = {"embedders", "vectors"} if old.startswith(("5,", "6,", "7,", "8,", "9,")) else set()
        for pattern in ("CREATE VIRTUAL %", "CREATE TABLE %"):
            rows = db.execute(
                "SELECT name FROM sqlite_master WHERE sql LIKE ? AND name != 'sqlite_sequence'", (pattern,)
            )
            for name in {name for (name,) in rows} - keep:
                quoted = name.replace('"', '""')
                db.execute(f'DROP TABLE "{quoted}"')
        for statement in (_SCHEMA + replies.SCHEMA + summaries.SCHEMA + engine.schema).split(";"):
            db.execute(statement)
        engine.begin(db, is_new=True)
        db.execute("INSERT INTO meta VALUES ('form', ?)", (form,))
        db.execute(f"PRAGMA application_id = {APPLICATION}")
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).chmod(0o600)


def _form(db: sqlite3.Connection) -> str:
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        return "unknown" if db.execute("SELECT 1 FROM sqlite_master").fetchone() else ""
    row = db.execute("SELECT value FROM meta WHERE name = 'form'").fetchone()
    return str(row[0]) if row else "unknown"


def _identity(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_dev, state.st_ino


def inode(path: Path) -> int:
    """The identity of the file at ``path``, which changes when it is replaced; 0 if there is none."""
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
    return f"index was damaged: moved to {aside.name} and rebuilt"


@contextmanager
def writing(
    db: sqlite3.Connection, path: Path, wait: float = WAIT_SECONDS, waiting: Callable[[], None] | None = None
) -> Iterator[None]:
    """One transaction that writes all of the block or nothing. ``waiting`` is called once if another process writes.

    Raises:
        Busy: another process has been writing for ``wait`` seconds.
    """
    retry_while_locked(lambda: db.execute("BEGIN IMMEDIATE"), path, wait, waiting)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def retry_while_locked(
    action: Callable[[], T], path: Path, wait: float = WAIT_SECONDS, waiting: Callable[[], None] | None = None
) -> T:
    """The action's result; retries while another process holds the lock, for at most ``wait`` seconds."""
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
def translate_errors(path: Path) -> Iterator[None]:
    """Raise SQLite's and the system's errors as Damaged, Busy or IndexUnavailable."""
    try:
        yield
    except OSError as error:
        raise IndexUnavailable(
            f"cannot use the index at {path.parent}: {error.strerror}", hint="use another folder with --index DIR"
        ) from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED:
            raise Damaged(
                f"the index at {path.parent} is damaged: {error}", hint="lcrag index PATH... --clear"
            ) from error
        if code in _BUSY:
            raise Busy(
                f"another process is using the index at {path.parent}", hint="try again, or use --index DIR"
            ) from error
        if isinstance(error, sqlite3.OperationalError):
            raise IndexUnavailable(
                f"cannot use the index at {path.parent}: {error}", hint="use another folder with --index DIR"
            ) from error
        raise
