"""The index on disk: one SQLite file with documents, chunks, full-text index and vectors, updated in one transaction.

Documents and chunks are those of one snapshot. Only vectors, summaries and replies, which belong to texts that never
change, are read and written live.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from lcrag.errors import Busy, IndexUnavailable
from lcrag.index import blocks, replies, store, summaries
from lcrag.index.engine import Asked
from lcrag.index.index_file import IndexFile
from lcrag.index.refresh import Refreshed
from lcrag.index.status import IndexStatus, clear, read_status
from lcrag.index.summaries import Section, SectionSummary
from lcrag.types import Chunk, Document, Term

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Corpus", "IndexStatus", "Refreshed", "clear"]

_log = logging.getLogger("lcrag")

FEW: Final = 4000
"""Chosen chunks whose vectors are read one by one, in 12 ms from SQLite, 0.3 s from a server. The number is assumed."""
_VECTOR_WAIT_SECONDS = 2.0  # vectors are a cache: an answer does not wait for another process to finish indexing


class Corpus(IndexFile):
    """The documents of one index. Created by ``open``; a context manager. One thread at a time.

    Any method may raise IndexUnavailable, and NotRunning where its engine is a server that does not answer.
    """

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
            exact = np.asarray(candidates, np.int64)
            asked = Asked(self._path, self._generation, query, embedder_name, every, exact)
            products = self._engine.cosines(self._live, asked)
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
