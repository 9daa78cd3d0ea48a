"""What an index contains and how much space it takes; deleting its files."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lcrag.index import store
from lcrag.types import CorpusSize

_NAME: Final = re.compile(
    rf"{re.escape(store.FILE)}(?:-wal|-shm|-journal|\.damaged|\.[0-9a-f]{{8}}\.vectors(?:\.[0-9a-z_]+)?|\.tables(?:-wal|-shm|-journal)?)?"
)


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """The report of ``lcrag index --status``. ``vectors`` by embedder; ``updated``: seconds since 1970, None if never.

    ``duplicates``: files whose text is indexed under another source; ``failed``: ``(source, reason)``, and
    ``partly_read`` likewise; ``summaries`` of sections; ``form``: the format of the index.
    """

    documents: int
    chunks: int
    tokens: int
    duplicates: int
    failed: tuple[tuple[str, str], ...]
    partly_read: tuple[tuple[str, str], ...]
    vectors: Mapping[str, int]
    summaries: int
    bytes: int
    tokenizer: str
    form: str
    updated: int | None


def clear(folder: Path) -> bool:
    """Delete the index's files in ``folder``, and nothing else there. False if there were none.

    Raises IndexUnavailable when the file there is not an index of lcrag.
    """
    store.check_owner(folder / store.FILE)
    paths = own_files(folder)
    for path in paths:
        if path.is_dir():  # left when a process was killed while it wrote vectors
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return bool(paths)


def own_files(folder: Path) -> list[Path]:
    """The files that an index is made of, and the temporary ones of processes that were killed."""
    return [path for path in folder.glob(f"{store.FILE}*") if _NAME.fullmatch(path.name)]


def read_status(
    db: sqlite3.Connection, folder: Path, size: CorpusSize, vectors: Mapping[str, int], tokenizer: str, form: str
) -> IndexStatus:
    """The status of the index in ``folder``, whose tables ``db`` reads."""
    errors = db.execute("SELECT document, source, error FROM files WHERE error IS NOT NULL ORDER BY source").fetchall()
    [(summaries,)] = db.execute("SELECT count(*) FROM summaries JOIN documents ON hash = document")
    [(read,)] = db.execute("SELECT count(*) FROM files WHERE document IS NOT NULL")
    updated = db.execute("SELECT value FROM meta WHERE name = 'updated'").fetchone()
    return IndexStatus(
        documents=size.documents,
        chunks=size.chunks,
        tokens=size.tokens,
        duplicates=read - size.documents,
        failed=tuple((source, error) for document, source, error in errors if document is None),
        partly_read=tuple((source, error) for document, source, error in errors if document is not None),
        vectors=vectors,
        summaries=summaries,
        bytes=sum(path.stat().st_size for path in own_files(folder)),
        tokenizer=tokenizer,
        form=form,
        updated=updated[0] if updated else None,
    )
