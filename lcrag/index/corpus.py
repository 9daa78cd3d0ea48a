"""The index on disk: one SQLite file with documents, chunks, lexical index and vectors, updated in one transaction.

A ``Corpus`` reads one snapshot from ``open`` or ``refresh`` on, whatever other processes write meanwhile; only vectors,
which belong to texts that never change, are read and written live.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lcrag.index import blocks, store
from lcrag.index import fulltext as lexical
from lcrag.index import vectors as vector_file
from lcrag.index.refresh import Refreshed, refresh, up_to_date
from lcrag.index.split import TARGET_TOKENS
from lcrag.text.tokens import tokenizer_name
from lcrag.types import Chunk, CorpusSize, Document, Emit, Event, Term

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lcrag.ingest import Scan

__all__ = ["Corpus", "IndexStatus", "Refreshed", "clear"]

FILE_FROM = 20_000
"""Vectors from which on reading them one by one takes longer than all the rest of a question: 0.1 s."""

_VECTOR_WAIT_SECONDS = 2.0  # vectors are a cache: an answer does not wait for another process to finish indexing


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What ``lcrag index --status`` tells. ``vectors`` by embedder; ``updated`` in seconds since 1970, None: never."""

    documents: int
    chunks: int
    tokens: int
    duplicates: int
    failed: tuple[tuple[str, str], ...]
    vectors: Mapping[str, int]
    bytes: int
    tokenizer: str
    form: str
    updated: int | None


def clear(folder: Path) -> bool:
    """Delete the index's files in ``folder``, and nothing else there; tells whether there were any."""
    found = [path for path in folder.glob(f"{store.FILE}*") if path.is_file()]
    for path in found:
        path.unlink(missing_ok=True)
    return bool(found)


class Corpus:
    """The documents of one index. Made by ``open``; a context manager. One thread at a time.

    Any method may raise ``lcrag.index.store.IndexUnavailable``.
    """

    def __init__(self, folder: Path) -> None:
        """Prefer ``open``."""
        self.folder = folder
        self.tokenizer = tokenizer_name()
        self._path = folder / store.FILE
        self._form = f"{store.FORMAT}, {TARGET_TOKENS}-token chunks, {self.tokenizer}"
        self._notices: list[str] = []
        self._open = ExitStack()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the index in ``folder``, making both if they are not there. A damaged or outdated one is made anew."""
        corpus = cls(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise store.IndexUnavailable(
                f"cannot make the index folder {folder}: {error.strerror}", hint="use another folder with --index DIR"
            ) from error
        try:
            corpus._connect()
        except store.Damaged:
            corpus._replace()
        return corpus

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def refresh(self, scan: Scan, emit: Emit, extra: Sequence[Document] = ()) -> Refreshed:
        """Make the index that of the scanned files and of ``extra``, documents without a file (standard input).

        All or nothing: killed at any moment, it leaves the index as it was. Waits for another process that is
        indexing; does not wait, and writes nothing, when nothing has changed. ``emit`` gets ``index`` events:
        ``{done, total, source}``, ``{failed, reason}`` and ``{message}``.
        """
        try:
            return self._refresh(scan, emit, extra)
        except store.Damaged:
            self._replace()
            return self._refresh(scan, emit, extra)

    @property
    def size(self) -> CorpusSize:
        return self._size

    def sample(self, count: int) -> list[Chunk]:
        """At most ``count`` chunks, spread evenly over the index."""
        [(first, last)] = self._rows("SELECT ifnull(min(id), 0), ifnull(max(id), -1) FROM chunks")
        wanted = {first + (last - first) * place // max(1, count - 1) for place in range(count)}
        found = {
            row[0]
            for place in wanted
            for row in self._rows("SELECT id FROM chunks WHERE id >= ? ORDER BY id LIMIT 1", place)
        }
        return self.get(sorted(found))

    def lexical(self, question: str, limit: int) -> list[tuple[int, float]]:
        """At most ``limit`` chunk ids with their BM25 scores (positive), best first, ties by id."""
        with store.translated(self._path):
            return lexical.search(self._snapshot, question, limit)

    def terms(self, question: str) -> tuple[Term, ...]:
        """The question's stemmed terms, each with the number of chunks that hold it and its idf."""
        with store.translated(self._path):
            return lexical.terms(self._snapshot, question, self._size.chunks)

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
        found = {
            chunk: Chunk(chunk, document, source, start, end, passages[chunk][1], tokens)
            for chunk, document, source, start, end, tokens in rows
        }
        return [found[chunk] for chunk in ids]

    def context(self, ids: Sequence[int]) -> list[str]:
        """Where each chunk stands: "Title > Section > Part", a table's header line, or ""; in the order of ``ids``."""
        passages = self._passages(ids)
        return [passages[chunk][0] for chunk in ids]

    def _passages(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """The context and text of these chunks and of the others in their blocks."""
        rows = self._rows(
            "SELECT chunk, block FROM texts WHERE chunk IN (SELECT chunks.id - (chunks.id - first) % ?"
            " FROM json_each(?) CROSS JOIN chunks ON chunks.id = value JOIN documents ON documents.id = document)",
            blocks.CHUNKS,
            json.dumps(list(ids)),
        )
        return {chunk: passage for first, block in rows for chunk, passage in enumerate(blocks.unpack(block), first)}

    def chunks(self) -> Iterator[Chunk]:
        """All chunks: documents by source, chunks in reading order. One document is in memory at a time."""
        for document, source, first, count in self._rows(
            "SELECT hash, source, first, chunks FROM documents ORDER BY source"
        ):
            rows = self._rows(
                'SELECT id, start, "end", tokens FROM chunks WHERE id >= ? AND id < ? ORDER BY id', first, first + count
            )
            for (chunk, start, end, tokens), text in zip(rows, self._texts(first, count), strict=True):
                yield Chunk(chunk, document, source, start, end, text, tokens)

    def _texts(self, first: int, count: int) -> Iterator[str]:
        """Those of a document's chunks: of ``count`` from ``first`` on."""
        for (block,) in self._rows(
            "SELECT block FROM texts WHERE chunk >= ? AND chunk < ? ORDER BY chunk", first, first + count
        ):
            yield from (text for _, text in blocks.unpack(block))

    def layout(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The ids of ``chunks()`` in its order, and how many of them each document has."""
        import numpy as np

        rows = self._rows("SELECT first, chunks FROM documents ORDER BY source")
        first, counts = np.array(rows, np.int64).reshape(-1, 2).T
        return np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum()), counts

    def chunk_ids(self) -> list[int]:
        """The ids of ``chunks()``, in its order."""
        ids: list[int] = self.layout()[0].tolist()
        return ids

    def document(self, document_id: str) -> Document:
        """The whole document, put together from its chunks.

        Raises:
            KeyError: there is none with this id.
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
            text="".join(self._texts(first, count)),
            pages=tuple(json.loads(pages)),
            lines=tuple((offset, line) for offset, line in json.loads(lines)),
            title=title,
            cells=tuple(json.loads(cells)),
        )

    def documents(self) -> Iterator[tuple[str, str, int]]:
        """``(id, source, tokens)`` of every document, by source. Copies of a text are one document."""
        yield from self._rows("SELECT hash, source, tokens FROM documents ORDER BY source")

    def vectors(self, ids: Sequence[int], embedder_name: str) -> tuple[list[int], npt.NDArray[np.float32]]:
        """The ids that have a vector, in the order of ``ids``, and those vectors, float32, ``(number, dimensions)``."""
        import numpy as np

        rows = self._live_rows(
            "SELECT value, vector FROM json_each(?) CROSS JOIN chunks ON chunks.id = value CROSS JOIN embedders"
            " CROSS JOIN vectors ON embedder = embedders.id AND vectors.content = chunks.content WHERE name = ?",
            json.dumps(list(ids)),
            embedder_name,
        )
        if not rows:
            return [], np.empty((0, 0), dtype=np.float32)
        array = np.frombuffer(b"".join(vector for _, vector in rows), dtype="<f2").reshape(len(rows), -1)
        return [chunk for chunk, _ in rows], array.astype(np.float32)

    def cosines(
        self, query: npt.NDArray[np.float32], embedder_name: str, ids: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Each chunk's vector times ``query``, in the order of ``layout()``, whose ``ids`` these are; NaN without one.

        From ``FILE_FROM`` vectors on they are read from a file beside the index (``vector_file``), made when it is not
        there or not of this state of the index.
        """
        import numpy as np

        [(stored,)] = self._live_rows(
            "SELECT count(*) FROM (SELECT 1 FROM embedders JOIN vectors ON embedder = id WHERE name = ? LIMIT ?)",
            embedder_name,
            FILE_FROM,
        )
        if stored < FILE_FROM:
            return self._cosines_by_content(query, embedder_name, ids)
        path = self.folder / f"{store.FILE}.{hashlib.sha256(embedder_name.encode()).hexdigest()[:8]}.vectors"
        found = vector_file.cosines(path, self._generation, query)
        if found is None:
            vector_file.write(path, self._generation, len(query), self._blocks(embedder_name, ids, len(query)))
            found = vector_file.cosines(path, self._generation, query)
        cosines = np.full(len(ids), np.nan) if found is None else found.astype(np.float64)
        late = np.flatnonzero(np.isnan(cosines))  # made since
        if len(late):
            place = dict(zip(ids[late].tolist(), late.tolist(), strict=True))
            known, vectors = self.vectors(list(place), embedder_name)
            if known:
                cosines[[place[chunk] for chunk in known]] = np.vecdot(vectors, query)
        return cosines

    def _cosines_by_content(
        self, query: npt.NDArray[np.float32], embedder_name: str, ids: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Those of few vectors: what they belong to is looked up, not the other way round."""
        import numpy as np

        rows = self._live_rows(
            "SELECT chunks.id, vector FROM embedders CROSS JOIN vectors ON embedder = embedders.id"
            " CROSS JOIN chunks ON chunks.content = vectors.content WHERE name = ?",
            embedder_name,
        )
        cosines = np.full(len(ids), np.nan)
        if rows and len(ids):
            array = np.frombuffer(b"".join(vector for _, vector in rows), dtype="<f2").reshape(len(rows), -1)
            wanted = np.array([chunk for chunk, _ in rows])
            by_id = np.argsort(ids, kind="stable")
            place = by_id[np.minimum(np.searchsorted(ids, wanted, sorter=by_id), len(ids) - 1)]
            here = ids[place] == wanted  # another process may have written chunks that this snapshot does not have
            cosines[place[here]] = np.vecdot(array[here].astype(np.float32), query)
        return cosines

    def _blocks(
        self, embedder_name: str, ids: npt.NDArray[np.int64], dimensions: int
    ) -> Iterator[npt.NDArray[np.float32]]:
        """All vectors in reading order, NaN where there is none, some thousand at a time."""
        import numpy as np

        for start in range(0, len(ids), vector_file.BLOCK_ROWS):
            part = ids[start : start + vector_file.BLOCK_ROWS].tolist()
            place = {chunk: index for index, chunk in enumerate(part)}
            block = np.full((len(part), dimensions), np.nan, np.float32)
            known, vectors = self.vectors(part, embedder_name)
            if known:
                block[[place[chunk] for chunk in known]] = vectors
            yield block

    def missing_vectors(self, ids: Sequence[int], embedder_name: str) -> list[int]:
        """The ids that have no vector yet, in the order of ``ids``."""
        rows = self._live_rows(
            "SELECT value FROM json_each(?) CROSS JOIN chunks ON chunks.id = value CROSS JOIN embedders"
            " CROSS JOIN vectors ON embedder = embedders.id AND vectors.content = chunks.content WHERE name = ?",
            json.dumps(list(ids)),
            embedder_name,
        )
        found = {chunk for (chunk,) in rows}
        return [chunk for chunk in ids if chunk not in found]

    def store_vectors(self, ids: Sequence[int], embedder_name: str, vectors: npt.NDArray[np.float32]) -> bool:
        """Keep one vector (row) per id, as float16. Chunks that another process has removed meanwhile are passed over.

        Returns False, and keeps nothing, when another process is writing: vectors are a cache, and nobody waits for it.
        """
        packed = vectors.astype("<f2")
        try:
            with store.translated(self._path), store.writing(self._live, self._path, _VECTOR_WAIT_SECONDS):
                self._live.execute("INSERT OR IGNORE INTO embedders (name) VALUES (?)", (embedder_name,))
                self._live.executemany(
                    "REPLACE INTO vectors SELECT embedders.id, content, ? FROM chunks, embedders"
                    " WHERE chunks.id = ? AND name = ?",
                    ((row.tobytes(), chunk, embedder_name) for chunk, row in zip(ids, packed, strict=True)),
                )
        except store.Busy:
            return False
        return True

    def status(self) -> IndexStatus:
        """What the index holds and takes."""
        vectors = self._live_rows("SELECT name, count(*) FROM embedders JOIN vectors ON embedder = id GROUP BY name")
        failed = self._rows("SELECT source, error FROM files WHERE error IS NOT NULL ORDER BY source")
        read = self._rows("SELECT count(*) FROM files WHERE error IS NULL")[0][0]
        updated = self._rows("SELECT value FROM meta WHERE name = 'updated'")
        return IndexStatus(
            documents=self._size.documents,
            chunks=self._size.chunks,
            tokens=self._size.tokens,
            duplicates=read - self._size.documents,
            failed=tuple((source, error) for source, error in failed),
            vectors=dict(vectors),
            bytes=sum(path.stat().st_size for path in self.folder.glob(f"{store.FILE}*")),
            tokenizer=self.tokenizer,
            form=self._form,
            updated=updated[0][0] if updated else None,
        )

    def _connect(self) -> None:
        self._inode = store.inode(self._path)
        with ExitStack() as opened, store.translated(self._path):
            self._live = store.connect(self._path)
            opened.callback(self._live.close)
            self._snapshot = store.connect(self._path)
            opened.callback(self._snapshot.close)
            if notice := store.prepare(self._live, self._path, self._form):
                self._notices.append(notice)
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
        size = dict(self._rows("SELECT name, value FROM meta WHERE name != 'form'"))
        self._generation = str(size.get("generation", ""))
        names = ("documents", "chunks", "tokens", "longest_document")
        self._size = CorpusSize(*(int(size.get(name, 0)) for name in names))

    def _refresh(self, scan: Scan, emit: Emit, extra: Sequence[Document]) -> Refreshed:
        for notice in self._notices:
            emit(Event("index", {"message": notice}))
        self._notices.clear()
        with store.translated(self._path):
            self._snapshot.execute("COMMIT")
            try:
                result = up_to_date(self._live, scan, extra)
                if result is None:
                    waiting = Event("index", {"message": "waiting for another process that is indexing"})
                    with store.writing(self._live, self._path, waiting=lambda: emit(waiting)):
                        result = refresh(self._live, scan, extra, emit)
            finally:
                self._begin()
        return result

    def _rows(self, sql: str, *values: object) -> list[Any]:
        with store.translated(self._path):
            return self._snapshot.execute(sql, values).fetchall()

    def _live_rows(self, sql: str, *values: object) -> list[Any]:
        with store.translated(self._path):
            return self._live.execute(sql, values).fetchall()
