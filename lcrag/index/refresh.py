"""Bringing the index up to date with the documents, within the one transaction that its caller holds.

A file is read only when its size or time differ from the stored ones and no indexed file has its bytes. Equal texts
are indexed once, under the first of their sources in sorted order; when that one leaves, the next takes over.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from lcrag.index import blocks
from lcrag.index import fulltext as lexical
from lcrag.types import Document, Emit, Event

if TYPE_CHECKING:
    from lcrag.index.prepare import IndexedText, ParsedFile
    from lcrag.ingest import Scan, SourceFile


_POSTINGS_CHARACTERS = 16_000_000


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh found. ``duplicates``: sources whose text is indexed under another source.

    ``failed``: ``(source, reason)`` of every file that cannot be read, also of those that failed at an earlier time
    and have not changed since.
    """

    added: int
    changed: int
    removed: int
    renamed: int
    unchanged: int
    duplicates: int
    failed: tuple[tuple[str, str], ...]


class _Known(NamedTuple):
    """A row of ``files``; ``document`` is the text's hash, None for a file that failed."""

    size: int
    mtime_ns: int
    digest: bytes | None
    document: str | None
    title: str | None
    error: str | None


def up_to_date(db: sqlite3.Connection, scan: Scan, extra: Sequence[Document]) -> Refreshed | None:
    """What a refresh would return if it has nothing to do, else None. Only reads."""
    known = _known(db)
    if len(known) != len(scan.files) + len(extra):
        return None
    if not all(_same(known.get(file.source), file) for file in scan.files):
        return None
    for one in extra:
        stored = known.get(one.source)
        if stored is None or (stored.document, stored.title) != (one.id, one.title):
            return None
    return _compared(known, known)


def refresh(db: sqlite3.Connection, scan: Scan, extra: Sequence[Document], emit: Emit) -> Refreshed:
    """Make the index that of ``scan`` and of ``extra``, documents already read; returns what differed.

    Emits ``index`` events: ``done``, ``total`` and ``source`` for each file looked into, ``failed`` and ``reason`` for
    each that cannot be read.
    """
    before = _known(db)
    sources = {file.source for file in scan.files} | {document.source for document in extra}
    stale = sorted((one for one in scan.files if not _same(before.get(one.source), one)), key=lambda one: one.source)
    total = len(scan.files) + len(extra)
    done = total - len(stale) - len(extra)
    postings = _Postings(db)
    for document in extra:
        _store_file(db, postings, document.source, -1, -1, None, document)
        done += 1
    for file, found in _parsed_files(stale, before):
        _take(db, postings, file, before.get(file.source), found, emit)
        done += 1
        emit(Event("index", {"done": done, "total": total, "source": file.source}))
    postings.write()
    db.executemany("DELETE FROM files WHERE source = ?", [(source,) for source in before.keys() - sources])
    _reconcile(db)
    _count(db)
    return _compared(before, _known(db))


def _known(db: sqlite3.Connection) -> dict[str, _Known]:
    rows = db.execute(
        "SELECT source, size, mtime_ns, digest, hash, title, error FROM"
        " (SELECT files.*, hash FROM files LEFT JOIN documents ON documents.id = document)"
    )
    return {source: _Known(*row) for source, *row in rows}


def _same(known: _Known | None, file: SourceFile) -> bool:
    return known is not None and (known.size, known.mtime_ns) == (file.size, file.mtime_ns)


def _compared(before: Mapping[str, _Known], after: Mapping[str, _Known]) -> Refreshed:
    old = {source: row.document for source, row in before.items() if row.document is not None}
    new = {source: row.document for source, row in after.items() if row.document is not None}
    gone = Counter(document for source, document in old.items() if source not in new)
    arrived = Counter(document for source, document in new.items() if source not in old)
    renamed = (gone & arrived).total()
    unchanged = sum(old.get(source) == document for source, document in new.items())
    return Refreshed(
        added=arrived.total() - renamed,
        changed=len(old.keys() & new.keys()) - unchanged,
        removed=gone.total() - renamed,
        renamed=renamed,
        unchanged=unchanged,
        duplicates=len(new) - len(set(new.values())),
        failed=tuple((source, row.error) for source, row in sorted(after.items()) if row.error is not None),
    )


def _parsed_files(stale: Sequence[SourceFile], before: Mapping[str, _Known]) -> Iterator[tuple[SourceFile, ParsedFile]]:
    from lcrag.index.workers import parse_files

    yield from parse_files(stale, {row.digest for row in before.values() if row.digest is not None})


class _Postings:
    """Rows for the lexical index, kept back and written many at a time.

    FTS5 writes out what it has gathered whenever a statement that may fail half-way (REPLACE) runs in between; with one
    such statement a document, 100 MB took 33 s to write instead of 7.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows: list[tuple[int, str, str, str]] = []
        self._characters = 0

    def add(self, rows: Iterable[tuple[int, str, str, str]], characters: int) -> None:
        self._rows.extend(rows)
        self._characters += characters
        if self._characters > _POSTINGS_CHARACTERS:
            self.write()

    def write(self) -> None:
        lexical.add(self._db, self._rows)
        self._rows.clear()
        self._characters = 0


def _take(
    db: sqlite3.Connection, postings: _Postings, file: SourceFile, known: _Known | None, found: ParsedFile, emit: Emit
) -> None:
    """Bring one file's row up to date with what came of reading it."""
    from lcrag.index.prepare import parse

    if not found.failed:
        if known and known.document is not None and known.digest == found.digest:
            db.execute(
                "UPDATE files SET size = ?, mtime_ns = ? WHERE source = ?", (file.size, file.mtime_ns, file.source)
            )
            return
        if _copy_file(db, file, found.digest):
            return
        if found.document is None:  # its bytes are known, but as a file of another kind
            found = parse(file)
    if found.document is None:
        db.execute(
            "REPLACE INTO files (source, size, mtime_ns, error) VALUES (?, ?, ?, ?)",
            (file.source, file.size, file.mtime_ns, found.failed),
        )
        emit(Event("index", {"failed": file.source, "reason": found.failed}))
        return
    _store_file(db, postings, file.source, file.size, file.mtime_ns, found.digest, found.document, found.pieces)


def _copy_file(db: sqlite3.Connection, file: SourceFile, digest: bytes) -> bool:
    """Take over what reading a file of the same bytes and the same kind gave: a renamed or copied file."""
    for source, document, title, pages, lines, cells in db.execute(
        "SELECT source, document, title, pages, lines, cells FROM files WHERE digest = ?", (digest,)
    ).fetchall():
        if PurePath(source).suffix == PurePath(file.source).suffix:
            db.execute(
                "REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                (file.source, file.size, file.mtime_ns, digest, document, title, pages, lines, cells),
            )
            return True
    return False


def _store_file(
    db: sqlite3.Connection,
    postings: _Postings,
    source: str,
    size: int,
    mtime_ns: int,
    digest: bytes | None,
    document: Document,
    made: IndexedText | None = None,
) -> None:
    """Write a file's row, and its text unless it is there already."""
    from lcrag.index.prepare import pieces

    found = db.execute("SELECT id FROM documents WHERE hash = ?", (document.id,)).fetchone()
    if found:
        number = found[0]
    else:
        made = made or pieces(document)
        number = db.execute(
            "INSERT INTO documents (hash, source, title, first, chunks, tokens) VALUES (?, ?, ?, 0, 0, 0) RETURNING id",
            (document.id, source, document.title),
        ).fetchone()[0]
        _add_chunks(db, postings, number, document, made)
    db.execute(
        "REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            source,
            size,
            mtime_ns,
            digest,
            number,
            document.title,
            json.dumps(document.pages),
            json.dumps(document.lines),
            json.dumps(document.cells),
        ),
    )


def _add_chunks(
    db: sqlite3.Connection, postings: _Postings, number: int, document: Document, made: IndexedText
) -> None:
    last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'").fetchone()
    first = 1 + (last[0] if last else 0)
    ids = range(first, first + len(made.spans))
    texts = [document.text[start:end] for start, end in made.spans]
    db.executemany(
        "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?)",
        [
            (chunk, number, start, end, tokens, content)
            for chunk, (start, end), tokens, content in zip(ids, made.spans, made.tokens, made.contents, strict=True)
        ],
    )
    db.executemany("INSERT INTO texts VALUES (?, ?)", zip(ids[:: blocks.CHUNKS], made.blocks, strict=True))
    db.execute(
        "UPDATE documents SET first = ?, chunks = ?, tokens = ? WHERE id = ?",
        (first, len(ids), sum(made.tokens), number),
    )
    postings.add(
        ((chunk, document.source, line, text) for chunk, line, text in zip(ids, made.contexts, texts, strict=True)),
        len(document.text),
    )


def _reconcile(db: sqlite3.Connection) -> None:
    """Let documents without a file go, and give each of the others its first source."""
    for number, source in db.execute(
        "SELECT id, source FROM documents WHERE id NOT IN (SELECT document FROM files WHERE document IS NOT NULL)"
    ).fetchall():
        _remove_chunks(db, number, source)
        db.execute("DELETE FROM documents WHERE id = ?", (number,))
    for number, old_source, old_title, source, title in db.execute(
        "SELECT documents.id, documents.source, documents.title, min(files.source), files.title"
        " FROM documents JOIN files ON document = documents.id GROUP BY documents.id"
        " HAVING documents.source != min(files.source) OR documents.title != files.title"
    ).fetchall():
        _hand_over(db, number, old_source, source, old_title, title)
    db.execute("DELETE FROM vectors WHERE content NOT IN (SELECT content FROM chunks)")


def _hand_over(db: sqlite3.Connection, number: int, old_source: str, source: str, old_title: str, title: str) -> None:
    """Give a document another source; its chunks stay unless the new one's kind or title makes other ones."""
    from lcrag.index.prepare import pieces

    if (old_title, PurePath(old_source).suffix) == (title, PurePath(source).suffix):
        rows = list(_lexical_rows(db, number, old_source))
        lexical.remove(db, rows)
        lexical.add(db, ((chunk, source, context, text) for chunk, _, context, text in rows))
    else:
        text = "".join(text for *_, text in _lexical_rows(db, number, old_source))
        _remove_chunks(db, number, old_source)
        document = Document("", source, text, title=title)
        postings = _Postings(db)
        _add_chunks(db, postings, number, document, pieces(document))
        postings.write()
    db.execute("UPDATE documents SET source = ?, title = ? WHERE id = ?", (source, title, number))


def _lexical_rows(db: sqlite3.Connection, number: int, source: str) -> Iterator[tuple[int, str, str, str]]:
    for first, block in db.execute(
        "SELECT chunk, block FROM documents JOIN texts ON chunk >= first AND chunk < first + chunks"
        " WHERE documents.id = ? ORDER BY chunk",
        (number,),
    ):
        for chunk, (context, text) in enumerate(blocks.unpack(block), first):
            yield chunk, source, context, text


def _remove_chunks(db: sqlite3.Connection, number: int, source: str) -> None:
    lexical.remove(db, _lexical_rows(db, number, source))
    [(first, chunks)] = db.execute("SELECT first, chunks FROM documents WHERE id = ?", (number,))
    db.execute("DELETE FROM texts WHERE chunk >= ? AND chunk < ?", (first, first + chunks))
    db.execute("DELETE FROM chunks WHERE id >= ? AND id < ?", (first, first + chunks))


def _count(db: sqlite3.Connection) -> None:
    """The sizes, so that nobody has to count again."""
    counts = db.execute(
        "SELECT count(*), ifnull(sum(chunks), 0), ifnull(sum(tokens), 0), ifnull(max(tokens), 0) FROM documents"
    ).fetchone()
    names = ("documents", "chunks", "tokens", "longest_document", "updated", "generation")
    values = zip(names, (*counts, int(time.time()), time.time_ns()), strict=True)
    db.executemany("REPLACE INTO meta VALUES (?, ?)", values)
