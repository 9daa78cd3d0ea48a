"""The index on disk: one SQLite file with documents, chunks, full-text index and vectors, updated in one transaction.

From ``open`` or ``refresh`` on, a ``Corpus`` reads one snapshot, whatever other processes write. Only vectors, which
belong to texts that never change, are read and written live.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from lcrag.errors import Busy, Damaged, IndexUnavailable
from lcrag.index import blocks, replies, store, summaries
from lcrag.index.engine import Engine, SqliteEngine
from lcrag.index.refresh import ParseFiles, Refreshed, refresh, up_to_date
from lcrag.index.selection import Selection
from lcrag.index.split import TARGET_TOKENS
from lcrag.index.status import IndexStatus, clear, read_status
from lcrag.index.summaries import Section, SectionSummary
from lcrag.paths import private_folder, replacing
from lcrag.text.tokens import tokenizer_name
from lcrag.types import Chunk, CorpusSize, Document, Emit, Event, Term

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lcrag.ingest import Scan

__all__ = ["Corpus", "IndexStatus", "Refreshed", "clear"]

_log = logging.getLogger("lcrag")

FEW: Final = 4000
"""Chosen chunks whose vectors are read one by one: 12 ms from SQLite, 0.3 s from a server. Assumed, not measured."""
_VECTOR_WAIT_SECONDS = 2.0  # vectors are a cache: an answer does not wait for another process to finish indexing


class Corpus:
    """The documents of one index. Created by ``open``; a context manager. One thread at a time.

    Any method may raise IndexUnavailable, and NotRunning where its engine is a server that does not answer.
    """

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
        corpus = cls(folder, engine or SqliteEngine())
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

    def newest(self) -> str:
        """The source that was changed last, whether it is chosen or not, and when: "docs/a.md (2024-01-31)"."""
        newest = "SELECT source, mtime_ns FROM files WHERE document IS NOT NULL ORDER BY mtime_ns DESC, source LIMIT 1"
        [(source, changed)] = self._rows(newest)
        return f"{source} ({date.fromtimestamp(changed / 1e9)})" if changed > 0 else str(source)

    def sample(self, count: int) -> list[Chunk]:
        """At most ``count`` chunks, spread evenly over the index."""
        [(first, last)] = self._rows("SELECT ifnull(min(id), 0), ifnull(max(id), -1) FROM chunks")
        spread = {first + (last - first) * step // max(1, count - 1) for step in range(count)}
        ids = {
            row[0]
            for least in spread
            for row in self._rows("SELECT id FROM chunks WHERE id >= ? ORDER BY id LIMIT 1", least)
        }
        return self.get(sorted(ids))

    def lexical(self, question: str, limit: int) -> list[tuple[int, float]]:
        """At most ``limit`` chunk ids with their BM25 scores (positive), best first, ties by id."""
        with self._reading():
            return self._engine.search(self._snapshot, question, limit)

    def terms(self, question: str) -> tuple[Term, ...]:
        """The question's stemmed terms, each with the number of chunks that contain it and its idf."""
        with self._reading():
            return self._engine.terms(self._snapshot, question, self._size.chunks)

    def get(self, ids: Sequence[int]) -> list[Chunk]:
        """The chunks with these ids, in this order.

        Raises:
            KeyError: an id that this snapshot does not have.
        """
        passages = self._passages(ids)
        rows = self._rows(
            'SELECT chunks.id, hash, source, start, "end", chunks.tokens FROM json_each(?) CROSS JOIN chunks'
            " ON chunks.id = value JOIN documents ON documents.id = document",
            json.dumps(list(ids)),
        )
        chunks = {
            chunk: Chunk(chunk, document, source, start, end, passages[chunk][1], tokens, context=passages[chunk][0])
            for chunk, document, source, start, end, tokens in rows
        }
        return [chunks[chunk] for chunk in ids]

    def _passages(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """The context and text of these chunks and of the others in their blocks."""
        rows = self._rows(
            "SELECT chunk, block FROM texts WHERE chunk IN (SELECT chunks.id - (chunks.id - first) % ?"
            " FROM json_each(?) CROSS JOIN chunks ON chunks.id = value JOIN documents ON documents.id = document)",
            blocks.CHUNKS,
            json.dumps(list(ids)),
        )
        with self._reading():
            return {
                chunk: passage for first, block in rows for chunk, passage in enumerate(blocks.unpack(block), first)
            }

    def chunks(self) -> Iterator[Chunk]:
        """All chunks: documents by source, chunks in reading order. One document is in memory at a time."""
        for document, source, first, count in self._rows(
            "SELECT hash, source, first, chunks FROM documents ORDER BY source"
        ):
            rows = self._rows(
                'SELECT id, start, "end", tokens FROM chunks WHERE id >= ? AND id < ? ORDER BY id', first, first + count
            )
            for (chunk, start, end, tokens), (context, text) in zip(
                rows, self._contexts_and_texts(first, count), strict=True
            ):
                yield Chunk(chunk, document, source, start, end, text, tokens, context=context)

    def _contexts_and_texts(self, first: int, count: int) -> Iterator[tuple[str, str]]:
        """The context and text of each of a document's chunks: ``count`` from ``first`` on."""
        for (block,) in self._rows(
            "SELECT block FROM texts WHERE chunk >= ? AND chunk < ? ORDER BY chunk", first, first + count
        ):
            with self._reading():
                passages = blocks.unpack(block)
            yield from passages

    def chunks_of(self, source: str) -> list[Chunk]:
        """The chunks of one document, in reading order; none without such a document."""
        rows = self._rows(
            "SELECT chunks.id FROM chunks JOIN documents ON documents.id = document WHERE source = ?"
            " ORDER BY chunks.id",
            source,
        )
        return self.get([row[0] for row in rows])

    def layout(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The ids of ``chunks()`` in its order, and how many of them each document has."""
        return self._layout("documents")

    def _layout(self, table: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        import numpy as np

        rows = self._rows(f"SELECT first, chunks FROM {table} ORDER BY source")
        first, counts = np.array(rows, np.int64).reshape(-1, 2).T
        return np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum()), counts

    def chunk_ids(self) -> list[int]:
        """The ids of ``chunks()``, in its order."""
        ids: list[int] = self.layout()[0].tolist()
        return ids

    def document(self, document_id: str) -> Document:
        """The whole document, joined from its chunks.

        Raises:
            KeyError: no document has this id.
        """
        rows = self._rows(
            "SELECT documents.source, pages, lines, cells, documents.title, first, chunks FROM documents JOIN files"
            " ON files.source = documents.source WHERE hash = ?",
            document_id,
        )
        if not rows:
            raise KeyError(document_id)
        source, pages, lines, cells, title, first, count = rows[0]
        return Document(
            id=document_id,
            source=source,
            text="".join(text for _, text in self._contexts_and_texts(first, count)),
            pages=tuple(json.loads(pages)),
            lines=tuple((offset, line) for offset, line in json.loads(lines)),
            title=title,
            cells=tuple(json.loads(cells)),
        )

    def beginning(self, document_id: str) -> str:
        """The first characters of a document: those of its first chunks. "" if no document has this id."""
        rows = self._rows("SELECT block FROM documents JOIN texts ON chunk = first WHERE hash = ?", document_id)
        with self._reading():
            return "".join(text for (block,) in rows for _, text in blocks.unpack(block))

    def documents(self) -> Iterator[tuple[str, str, int]]:
        """``(id, source, tokens)`` of every document, by source. Copies of a text are one document."""
        yield from self._rows("SELECT hash, source, tokens FROM documents ORDER BY source")

    def vectors(self, ids: Sequence[int], embedder_name: str) -> tuple[list[int], npt.NDArray[np.float32]]:
        """The ids that have a vector, in the order of ``ids``, and those vectors, float32, ``(number, dimensions)``."""
        with self._reading():
            return self._engine.read(self._live, ids, embedder_name)

    def cosines(
        self,
        query: npt.NDArray[np.float32],
        embedder_name: str,
        ids: npt.NDArray[np.int64],
        candidates: Sequence[int] | npt.NDArray[np.int64] = (),
    ) -> npt.NDArray[np.float64]:
        """Each chunk's vector times ``query``, in the order of ``layout()``, whose ``ids`` these are; NaN without one.

        A store with very many may give those that are far away their mean, except ``candidates``.

        Many vectors are read from a file next to the index, which is written when it is not up to date.
        """
        import numpy as np

        every = self._layout("main.documents")[0] if self._selection else ids
        with self._reading():
            if len(ids) < len(every) and len(ids) <= FEW:
                products = np.full(len(ids), np.nan)
                known, vectors = self._engine.read(self._live, ids.tolist(), embedder_name)
                if known:
                    products[np.isin(ids, known)] = np.vecdot(vectors, query)
                return products
            asked = np.asarray(candidates, np.int64)
            products = self._engine.cosines(
                self._live, self._path, self._generation, query, embedder_name, every, asked
            )
        return products if len(ids) == len(every) else products[np.isin(every, ids)]

    def missing_vectors(self, ids: Sequence[int], embedder_name: str) -> list[int]:
        """The ids that have no vector yet, in the order of ``ids``."""
        with self._reading():
            return self._engine.missing(self._live, ids, embedder_name)

    def store_vectors(self, ids: Sequence[int], embedder_name: str, array: npt.NDArray[np.float32]) -> bool:
        """Store one vector (row) per id as float16. Chunks that another process has removed meanwhile are skipped.

        Returns False, and stores nothing, when another process is writing: vectors are a cache, not worth a wait.
        """
        try:
            with (
                store.translate_errors(self._path),
                store.writing(self._live, self._path, _VECTOR_WAIT_SECONDS),
            ):
                self._engine.store(self._live, ids, embedder_name, array)
        except Busy:
            return False
        return True

    def keep_vectors(self, ids: Sequence[int], embedder_name: str, array: npt.NDArray[np.float32]) -> None:
        """Store vectors if that can be done now; without them the next question makes them again."""
        try:
            self.store_vectors(ids, embedder_name, array)
        except IndexUnavailable as error:
            _log.warning("vectors are not stored: %s", error)

    def replies(self, keys: Sequence[str]) -> dict[str, str]:
        """What models said before, by key, as far as it is kept."""
        with self._reading():
            return replies.read(self._live, keys)

    def keep_replies(self, said: Sequence[tuple[str, str, str]]) -> None:
        """Keep ``(key, document id, text)`` if that can be done now; else the next question pays again."""
        try:
            with store.translate_errors(self._path), store.writing(self._live, self._path, _VECTOR_WAIT_SECONDS):
                replies.store(self._live, said)
        except IndexUnavailable as error:
            _log.warning("replies are not kept: %s", error)

    def summaries(self, embedder_name: str) -> list[SectionSummary]:
        """What the sections say in short, in the order of their chunks' ids; vectors as far as this embedder made them.

        As stored now, like vectors; [] before ``lcrag index --layers section``.
        """
        with self._reading():
            return summaries.read(self._live, embedder_name)

    @property
    def has_summaries(self) -> bool:
        """Whether there is any summary of a section."""
        with self._reading():
            return self._live.execute("SELECT 1 FROM summaries LIMIT 1").fetchone() is not None

    def missing_summaries(self, sections: Sequence[Section], writer: str, embedder_name: str) -> list[Section]:
        """The sections without a summary by this writer and with a vector of this embedder ("" for none)."""
        with self._reading():
            return summaries.missing(self._live, sections, writer, embedder_name)

    def summary_texts(self, contents: Sequence[str], writer: str) -> dict[str, str]:
        """The summaries that this writer made of sections with these contents before."""
        with self._reading():
            return summaries.texts(self._live, contents, writer)

    def store_summaries(
        self,
        rows: Sequence[tuple[Section, str]],
        writer: str,
        embedder_name: str,
        array: npt.NDArray[np.float32] | None,
    ) -> None:
        """Store the sections' summaries, with one vector (row) each as float16. Waits for another process."""
        with store.translate_errors(self._path), store.writing(self._live, self._path):
            summaries.store(self._live, rows, writer, embedder_name, array)

    def prune_summaries(self, writer: str) -> None:
        """Remove the summaries of texts that are gone, and those of other writers. Waits for another process."""
        with store.translate_errors(self._path), store.writing(self._live, self._path):
            summaries.prune(self._live, writer)

    def status(self) -> IndexStatus:
        """Contents and size of the index."""
        with self._reading():
            stored = self._engine.count(self._live)
            return read_status(self._snapshot, self.folder, self._size, stored, self.tokenizer, self._form)

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
                    store.retry_while_locked(lambda: self._engine.settle(self._live), self._path)
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
