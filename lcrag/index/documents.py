"""Documents in the tables of the index: stored, removed, moved to another source. Within the caller's transaction.

Equal texts are stored once, under the first of their sources in sorted order; when that one goes, the next takes over.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

from lcrag.index import blocks, replies, summaries
from lcrag.types import Document

if TYPE_CHECKING:
    from lcrag.index.engine import Engine
    from lcrag.index.prepare import IndexedText
    from lcrag.ingest import SourceFile

_POSTINGS_CHARACTERS = 16_000_000


class Postings:
    """Rows for the full-text index, collected and written many at a time.

    FTS5 writes out what it has collected whenever a statement that may fail half-way (REPLACE) comes in between; with
    one such statement per document, 100 MB took 33 s to write instead of 7.
    """

    def __init__(self, db: sqlite3.Connection, engine: Engine) -> None:
        self._db = db
        self._engine = engine
        self._rows: list[tuple[int, str, str, str]] = []
        self._characters = 0

    def add(self, rows: Iterable[tuple[int, str, str, str]], characters: int) -> None:
        """Collect ``(chunk id, source, context, text)`` rows with so many characters of text."""
        self._rows.extend(rows)
        self._characters += characters
        if self._characters > _POSTINGS_CHARACTERS:
            self.write()

    def write(self) -> None:
        self._engine.add(self._db, self._rows)
        self._rows.clear()
        self._characters = 0


def store_file(
    db: sqlite3.Connection,
    postings: Postings,
    file: SourceFile,
    digest: bytes | None,
    document: Document,
    indexed: IndexedText | None = None,
) -> None:
    """Store a file's row, and its text unless the index has it already."""
    from lcrag.index.prepare import index_text

    known = db.execute("SELECT id FROM documents WHERE hash = ?", (document.id,)).fetchone()
    if known:
        number = known[0]
    else:
        number = db.execute(
            "INSERT INTO documents (hash, source, title, first, chunks, tokens) VALUES (?, ?, ?, 0, 0, 0) RETURNING id",
            (document.id, file.source, document.title),
        ).fetchone()[0]
        _add_chunks(db, postings, number, document, indexed or index_text(document))
    db.execute(
        "REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            file.source,
            *file.stamp,
            digest,
            number,
            document.title,
            json.dumps(document.pages),
            json.dumps(document.lines),
            json.dumps(document.cells),
            document.unread or None,
        ),
    )


def reconcile(db: sqlite3.Connection, engine: Engine) -> None:
    """Remove documents without a file, move the others to their first source, and store the new sizes."""
    for number, source in db.execute(
        "SELECT id, source FROM documents WHERE id NOT IN (SELECT document FROM files WHERE document IS NOT NULL)"
    ).fetchall():
        _remove_chunks(db, engine, number, source)
        db.execute("DELETE FROM documents WHERE id = ?", (number,))
    for number, old_source, old_title, source, title in db.execute(
        "SELECT documents.id, documents.source, documents.title, min(files.source), files.title"
        " FROM documents JOIN files ON document = documents.id GROUP BY documents.id"
        " HAVING documents.source != min(files.source) OR documents.title != files.title"
    ).fetchall():
        _move(db, engine, number, (old_source, old_title), (source, title))
    db.execute("DELETE FROM vectors WHERE content NOT IN (SELECT content FROM chunks)")
    replies.remove_stale(db)
    summaries.remove_stale(db)
    counts = db.execute(
        "SELECT count(*), ifnull(sum(chunks), 0), ifnull(sum(tokens), 0), ifnull(max(tokens), 0) FROM documents"
    ).fetchone()
    names = ("documents", "chunks", "tokens", "longest_document", "updated", "generation")
    values = zip(names, (*counts, int(time.time()), time.time_ns()), strict=True)
    db.executemany("REPLACE INTO meta VALUES (?, ?)", values)


def _add_chunks(
    db: sqlite3.Connection, postings: Postings, number: int, document: Document, indexed: IndexedText
) -> None:
    last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'").fetchone()
    first = 1 + (last[0] if last else 0)
    ids = range(first, first + len(indexed.spans))
    texts = [document.text[start:end] for start, end in indexed.spans]
    db.executemany(
        "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?)",
        [
            (chunk, number, start, end, tokens, content)
            for chunk, (start, end), tokens, content in zip(
                ids, indexed.spans, indexed.tokens, indexed.contents, strict=True
            )
        ],
    )
    db.executemany("INSERT INTO texts VALUES (?, ?)", zip(ids[:: blocks.CHUNKS], indexed.blocks, strict=True))
    db.execute(
        "UPDATE documents SET first = ?, chunks = ?, tokens = ? WHERE id = ?",
        (first, len(ids), sum(indexed.tokens), number),
    )
    postings.add(
        ((chunk, document.source, line, text) for chunk, line, text in zip(ids, indexed.contexts, texts, strict=True)),
        len(document.text),
    )


def _move(db: sqlite3.Connection, engine: Engine, number: int, old: tuple[str, str], new: tuple[str, str]) -> None:
    """Give a document another source and title; its chunks stay unless the source's kind or the title changes them."""
    from lcrag.index.prepare import index_text

    (old_source, old_title), (source, title) = old, new
    if (old_title, PurePath(old_source).suffix) == (title, PurePath(source).suffix):
        rows = list(_fulltext_rows(db, number, old_source))
        engine.remove(db, rows)
        engine.add(db, ((chunk, source, context, text) for chunk, _, context, text in rows))
    else:
        text = "".join(text for *_, text in _fulltext_rows(db, number, old_source))
        _remove_chunks(db, engine, number, old_source)
        document = Document("", source, text, title=title)
        postings = Postings(db, engine)
        _add_chunks(db, postings, number, document, index_text(document))
        postings.write()
    db.execute("UPDATE documents SET source = ?, title = ? WHERE id = ?", (source, title, number))


def _fulltext_rows(db: sqlite3.Connection, number: int, source: str) -> Iterator[tuple[int, str, str, str]]:
    for first, block in db.execute(
        "SELECT chunk, block FROM documents JOIN texts ON chunk >= first AND chunk < first + chunks"
        " WHERE documents.id = ? ORDER BY chunk",
        (number,),
    ):
        for chunk, (context, text) in enumerate(blocks.unpack(block), first):
            yield chunk, source, context, text


def _remove_chunks(db: sqlite3.Connection, engine: Engine, number: int, source: str) -> None:
    engine.remove(db, _fulltext_rows(db, number, source))
    [(first, chunks)] = db.execute("SELECT first, chunks FROM documents WHERE id = ?", (number,))
    db.execute("DELETE FROM texts WHERE chunk >= ? AND chunk < ?", (first, first + chunks))
    db.execute("DELETE FROM chunks WHERE id >= ? AND id < ?", (first, first + chunks))
