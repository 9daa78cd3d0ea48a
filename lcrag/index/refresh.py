"""Brings the index up to date with the files, within the one transaction of its caller.

A file is read only when its stamp (size, times and inode) differs from the stored one, and parsed only when no indexed
file has its bytes. One that could not be read is tried again unless its content was the reason.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

from lcrag.index.documents import Postings, reconcile, store_file
from lcrag.types import Document, Emit, Event

if TYPE_CHECKING:
    from lcrag.index.engine import Engine
    from lcrag.index.prepare import ParsedFile
    from lcrag.ingest import Scan, SourceFile


TICK_NS: Final = 20_000_000
"""Within a tick of the system's clock (4 or 10 ms) two writes give a file the same times."""
KEEP_SECONDS: Final = 10.0
"""How much work a kill may lose while other machines read the files (assumed)."""

ParseFiles = Callable[["Sequence[SourceFile]", set[bytes]], Iterator[tuple["SourceFile", "ParsedFile"]]]
"""Reads files in order; those of which a digest is known are not parsed. ``lcrag.index.workers.parse_files`` is one."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh changed, in files. ``duplicates``: files whose text is indexed under another source.

    ``failed``: ``(source, reason)`` of every file that cannot be read, also of those that failed earlier and have not
    changed since; ``partly_read``: the same of those of which parts were not read.
    """

    added: int
    changed: int
    removed: int
    renamed: int
    unchanged: int
    duplicates: int
    failed: tuple[tuple[str, str], ...]
    partly_read: tuple[tuple[str, str], ...] = ()


class _Known(NamedTuple):
    """A row of ``files``; ``document`` is the text's hash, None for a file that failed, for its content if it has a
    ``digest``. ``error``: why it, or a part of it, was not read."""

    stamp: tuple[int, int, int, int]
    digest: bytes | None
    document: str | None
    title: str | None
    error: str | None


def up_to_date(db: sqlite3.Connection, scan: Scan, extra: Sequence[Document]) -> Refreshed | None:
    """What a refresh would return if there is nothing to do, else None. Only reads."""
    known = _read_known(db)
    if len(known) != len(scan.files) + len(extra):
        return None
    if not all(_is_same(known.get(file.source), file) for file in scan.files):
        return None
    for document in extra:
        stored = known.get(document.source)
        if stored is None or (stored.document, stored.title) != (document.id, document.title):
            return None
    return _compare(known, known)


def refresh(
    db: sqlite3.Connection,
    engine: Engine,
    scan: Scan,
    extra: Sequence[Document],
    emit: Emit,
    parse: ParseFiles | None = None,
    keep: Callable[[], None] | None = None,
) -> Refreshed:
    """Make the index that of ``scan`` and of ``extra``, documents already read; returns the difference.

    ``parse``: reads the files instead of processes here. ``keep``: commits what has been written, and begins another
    transaction; it is called every ``KEEP_SECONDS``. Files that are gone go last.

    Emits ``index`` events: ``done``, ``total`` and ``source`` for each file that was looked into, ``failed`` and
    ``reason`` for each that cannot be read.
    """
    from lcrag.index.workers import parse_files
    from lcrag.ingest import SourceFile

    kept = time.monotonic()
    before = _read_known(db)
    sources = {file.source for file in scan.files} | {document.source for document in extra}
    stale = [file for file in scan.files if not _is_same(before.get(file.source), file)]
    digests = {row.digest for row in before.values() if row.digest is not None and row.document is not None}
    total = len(scan.files) + len(extra)
    done = total - len(stale) - len(extra)
    postings = Postings(db, engine)
    for document in extra:
        store_file(db, postings, SourceFile("", document.source, -1, -1), None, document)
        done += 1
    if stale:
        since_written = time.time_ns() - max(file.ctime_ns for file in stale)
        time.sleep(min(max(TICK_NS - since_written, 0), TICK_NS) / 1e9)  # a later write has a later time
    for file, parsed in (parse or parse_files)(stale, digests):
        _update_file(db, postings, file, before.get(file.source), parsed, emit)
        done += 1
        emit(Event("index", {"done": done, "total": total, "source": file.source}))
        if keep is not None and time.monotonic() - kept >= KEEP_SECONDS:
            postings.write()
            reconcile(db, engine)
            keep()
            kept = time.monotonic()
    postings.write()
    db.executemany("DELETE FROM files WHERE source = ?", [(source,) for source in before.keys() - sources])
    reconcile(db, engine)
    return _compare(before, _read_known(db))


def _read_known(db: sqlite3.Connection) -> dict[str, _Known]:
    rows = db.execute(
        "SELECT files.source, size, mtime_ns, ctime_ns, inode, digest, hash, files.title, error"
        " FROM files LEFT JOIN documents ON documents.id = document"
    )
    return {source: _Known((size, mtime, ctime, inode), *row) for source, size, mtime, ctime, inode, *row in rows}


def _is_same(known: _Known | None, file: SourceFile) -> bool:
    if known is None or known.stamp != file.stamp:
        return False
    return known.document is not None or known.digest is not None or not _opens(file)


def _opens(file: SourceFile) -> bool:
    try:
        with open(file.path, "rb"):
            return True
    except OSError:
        return False


def _compare(before: Mapping[str, _Known], after: Mapping[str, _Known]) -> Refreshed:
    old = {source: row.document for source, row in before.items() if row.document is not None}
    new = {source: row.document for source, row in after.items() if row.document is not None}
    gone = Counter(document for source, document in old.items() if source not in new)
    arrived = Counter(document for source, document in new.items() if source not in old)
    renamed = (gone & arrived).total()
    unchanged = sum(old.get(source) == document for source, document in new.items())
    errors = [(source, row.error, row.document) for source, row in sorted(after.items()) if row.error is not None]
    return Refreshed(
        added=arrived.total() - renamed,
        changed=len(old.keys() & new.keys()) - unchanged,
        removed=gone.total() - renamed,
        renamed=renamed,
        unchanged=unchanged,
        duplicates=len(new) - len(set(new.values())),
        failed=tuple((source, error) for source, error, document in errors if document is None),
        partly_read=tuple((source, error) for source, error, document in errors if document is not None),
    )


def _update_file(
    db: sqlite3.Connection, postings: Postings, file: SourceFile, known: _Known | None, parsed: ParsedFile, emit: Emit
) -> None:
    """Bring one file's row up to date with what reading it gave."""
    from lcrag.index.prepare import parse

    if not parsed.failed:
        if known and known.document is not None and known.digest == parsed.digest:
            db.execute(
                "UPDATE files SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ? WHERE source = ?",
                (*file.stamp, file.source),
            )
            return
        if _copy_file(db, file, parsed.digest):
            return
        if parsed.document is None:  # its bytes are known, but as a file of another kind
            parsed = parse(file)
    if parsed.document is None:
        db.execute(
            "REPLACE INTO files (source, size, mtime_ns, ctime_ns, inode, digest, error) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (file.source, *file.stamp, parsed.digest or None, parsed.failed),
        )
        emit(Event("index", {"failed": file.source, "reason": parsed.failed}))
        return
    store_file(db, postings, file, parsed.digest, parsed.document, parsed.indexed)


def _copy_file(db: sqlite3.Connection, file: SourceFile, digest: bytes) -> bool:
    """Reuse what reading a file of the same bytes and the same kind gave: the file was renamed or copied."""
    for source, *read in db.execute(
        "SELECT source, document, title, pages, lines, cells, error FROM files"
        " WHERE digest = ? AND document IS NOT NULL",
        (digest,),
    ).fetchall():
        if PurePath(source).suffix == PurePath(file.source).suffix:
            db.execute(
                "REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (file.source, *file.stamp, digest, *read),
            )
            return True
    return False
