"""The file of an index: opened, repaired, brought up to date in one transaction, and read as one snapshot."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lcrag.errors import Busy, Damaged, IndexUnavailable
from lcrag.index import store
from lcrag.index.engine import Engine
from lcrag.index.refresh import ParseFiles, Refreshed, refresh, up_to_date
from lcrag.index.selection import Selection
from lcrag.index.split import TARGET_TOKENS
from lcrag.paths import private_folder, replacing
from lcrag.text.tokens import tokenizer_name
from lcrag.types import CorpusSize, Document, Emit, Event

if TYPE_CHECKING:
    from lcrag.ingest import Scan


class IndexFile:
    """From ``open`` or ``refresh`` on it reads one snapshot, whatever other processes write. A context manager."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        """Prefer ``open``."""
        self._engine = engine
        self.folder = folder
        self.tokenizer = tokenizer_name()
        self._path = folder / store.FILE
        self._form = f"{store.FORMAT}, {TARGET_TOKENS}-token chunks, {self.tokenizer}{engine.form}"
        self._notices: list[str] = []
        self._selection = Selection()
        self._open = ExitStack()

    @classmethod
    def open(cls, folder: Path, engine: Engine | None = None) -> Self:
        """Open the index in ``folder``; creates both if need be, and rebuilds a damaged or outdated index.

        ``engine``: what finds chunks, SQLite unless given.

        One that cannot be written is opened for reading. Raises IndexUnavailable also for a file there that is not an
        index of lcrag.
        """
        corpus = cls(folder, engine or Engine())
        try:
            private_folder(folder)
        except OSError as error:
            raise IndexUnavailable(
                f"cannot make the index folder {folder}: {error.strerror}", hint="use another folder with --index DIR"
            ) from error
        store.check_owner(corpus._path)
        try:
            corpus._connect()
        except Damaged:
            corpus._replace()
        except Busy:
            raise
        except IndexUnavailable:
            if not corpus._path.exists():
                raise
            corpus._connect(read_only=True)
        return corpus

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def refresh(
        self, scan: Scan, emit: Emit, extra: Sequence[Document] = (), parse: ParseFiles | None = None
    ) -> Refreshed:
        """Bring the index up to date with the scanned files and ``extra``, documents without a file (standard input).

        All or nothing: a kill at any moment leaves the index as it was. With ``parse``, which reads the files on other
        machines, what was read is kept every few seconds instead, and the next call goes on from there.

        Waits for another process that is indexing; does not wait, and writes nothing, if nothing has changed.
        ``emit`` gets ``index`` events: ``{done, total, source}``, ``{failed, reason}`` and ``{message}``.
        """
        try:
            return self._refresh(scan, emit, extra, parse)
        except Damaged:
            if self._read_only:
                raise
            self._replace()
            return self._refresh(scan, emit, extra, parse)

    def settle(self) -> None:
        """Let the engine order what it has been given; ``refresh`` does it too. For when many vectors were stored."""
        with store.translate_errors(self._path):
            store.retry_while_locked(lambda: self._engine.settle(self._live), self._path)

    def select(self, selection: Selection) -> None:
        """Read only the documents that are chosen, from now on and after each refresh; all of them by default."""
        self._selection = selection
        with self._reading():
            self._apply()

    def copy_to(self, folder: Path) -> None:
        """Copy this snapshot into another folder, whole or not at all, unless an index is there."""
        path = folder / store.FILE
        if path.exists():
            return
        with store.translate_errors(path):
            private_folder(folder)
            with replacing(path) as temporary, closing(sqlite3.connect(temporary)) as copy:
                self._snapshot.backup(copy)

    @property
    def size(self) -> CorpusSize:
        return self._size

    @property
    def whole_size(self) -> CorpusSize:
        """That of the index, whatever is chosen of it."""
        return self._whole

    def _connect(self, read_only: bool = False) -> None:
        self._inode = store.inode(self._path)
        self._read_only = read_only
        with ExitStack() as opened, store.translate_errors(self._path):
            self._live = opened.enter_context(store.connected(self._path, read_only=read_only))
            self._snapshot = opened.enter_context(store.connected(self._path, read_only=read_only))
            opened.callback(self._engine.close)
            store.retry_while_locked(
                lambda: store.prepare(self._live, self._path, self._form, self._engine), self._path
            )
            self._begin()
            self._inode = store.inode(self._path)
            self._open = opened.pop_all()

    def _replace(self) -> None:
        self.close()
        self._notices.append(store.set_aside(self._path, self._inode))
        self._connect()

    def _begin(self) -> None:
        """Take a snapshot; the first statement that reads fixes it."""
        self._snapshot.execute("BEGIN")
        read = "SELECT name, value FROM meta WHERE name != 'form'"
        size = dict(store.retry_while_locked(lambda: self._snapshot.execute(read).fetchall(), self._path))
        self._generation = str(size.get("generation", ""))
        names = ("documents", "chunks", "tokens", "longest_document")
        self._whole = CorpusSize(*(int(size.get(name, 0)) for name in names))
        self._apply()

    def _apply(self) -> None:
        self._selection.apply(self._snapshot)
        self._size = self._whole
        if self._selection:
            counted = "count(*), ifnull(sum(chunks), 0), ifnull(sum(tokens), 0), ifnull(max(tokens), 0)"
            [row] = self._snapshot.execute(f"SELECT {counted} FROM documents")
            self._size = CorpusSize(*row)

    def _refresh(self, scan: Scan, emit: Emit, extra: Sequence[Document], parse: ParseFiles | None) -> Refreshed:
        for notice in self._notices:
            emit(Event("index", {"message": notice}))
        self._notices.clear()
        with store.translate_errors(self._path):
            self._snapshot.execute("COMMIT")
            try:
                result = store.retry_while_locked(lambda: up_to_date(self._live, scan, extra), self._path)
                if result is None and self._read_only:
                    raise IndexUnavailable(
                        f"the index at {self.folder} is not up to date and cannot be written",
                        hint="use another folder with --index DIR",
                    )
                if result is None:
                    waiting = Event("index", {"message": "waiting for another process that is indexing"})
                    with store.writing(self._live, self._path, waiting=lambda: emit(waiting)):
                        keep = None if parse is None else self._keep
                        result = refresh(self._live, self._engine, scan, extra, emit, parse, keep)
                    self.settle()
            finally:
                self._begin()
        return result

    def _keep(self) -> None:
        """Commit, and begin another transaction; what another process writes in between is as good."""
        self._live.execute("COMMIT")
        store.retry_while_locked(lambda: self._live.execute("BEGIN IMMEDIATE"), self._path)

    def _rows(self, sql: str, *values: object) -> list[Any]:
        with self._reading():
            return self._snapshot.execute(sql, values).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Move a damaged index out of the way, so that the next call rebuilds it: the ids of this one are worthless."""
        try:
            with store.translate_errors(self._path):
                yield
        except Damaged as error:
            if self._read_only:
                raise
            store.set_aside(self._path, self._inode)
            raise Damaged(f"the index at {self.folder} is damaged", hint="try again: it will be rebuilt") from error
