"""Summaries of the sections of documents: found like chunks, each for the chunks that it is about.

A summary is known by a hash of its section and by who wrote it, so that a section that has not changed is not summed up
again. While its file is there, the row of a text that has changed stays, in case the new text has the same section; the
next ``prune`` removes it. Rows of a file that is gone go with it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SCHEMA = """CREATE TABLE summaries (document TEXT NOT NULL, source TEXT NOT NULL, first INTEGER NOT NULL,
    chunks INTEGER NOT NULL, content TEXT NOT NULL, writer TEXT NOT NULL, text TEXT NOT NULL,
    embedder TEXT NOT NULL, vector BLOB, PRIMARY KEY (document, first)) WITHOUT ROWID;
CREATE INDEX summaries_by_content ON summaries (content);"""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document: ``chunks`` chunks, the ``first`` counted from 0. ``content``: a hash of its text."""

    document_id: str
    source: str
    first: int
    chunks: int
    content: str


@dataclass(frozen=True, slots=True)
class SectionSummary:
    """What a section says in short. ``first``: the id of its first chunk; ``vector``: float32, None without one."""

    first: int
    chunks: int
    text: str
    vector: npt.NDArray[np.float32] | None


def read(db: sqlite3.Connection, embedder: str) -> list[SectionSummary]:
    """The summaries of the documents that are there, with their vectors of this embedder."""
    import numpy as np

    rows = db.execute(
        "SELECT documents.first + summaries.first, summaries.chunks, text, CASE embedder WHEN ? THEN vector END"
        " FROM summaries JOIN documents ON hash = document"
        " WHERE text != '' AND summaries.first + summaries.chunks <= documents.chunks ORDER BY 1",
        (embedder,),
    )
    return [
        SectionSummary(first, chunks, text, None if vector is None else np.frombuffer(vector, "<f2").astype(np.float32))
        for first, chunks, text, vector in rows
    ]


def missing(db: sqlite3.Connection, sections: Sequence[Section], writer: str, embedder: str) -> list[Section]:
    """The sections without a summary by this writer and with a vector of this embedder ("" for none)."""
    rows = db.execute(
        "SELECT document, first, chunks, content FROM summaries WHERE writer = ? AND embedder = ?", (writer, embedder)
    )
    there = set(rows.fetchall())
    return [one for one in sections if (one.document_id, one.first, one.chunks, one.content) not in there]


def texts(db: sqlite3.Connection, contents: Sequence[str], writer: str) -> dict[str, str]:
    """The summaries that this writer made of sections with these contents, of whatever document."""
    rows = db.execute(
        "SELECT content, text FROM json_each(?) JOIN summaries ON content = value WHERE writer = ?",
        (json.dumps(list(contents)), writer),
    )
    return dict(rows.fetchall())


def store(
    db: sqlite3.Connection,
    rows: Iterable[tuple[Section, str]],
    writer: str,
    embedder: str,
    vectors: npt.NDArray[np.float32] | None,
) -> None:
    """Store the sections' summaries; documents that no longer exist are skipped. Part of a transaction."""
    for place, (section, text) in enumerate(rows):
        vector = None if vectors is None else vectors[place].astype("<f2").tobytes()
        row = (section.document_id, section.source, section.first, section.chunks, section.content)
        db.execute(
            "REPLACE INTO summaries SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? FROM documents WHERE hash = ?",
            (*row, writer, text, embedder, vector, section.document_id),
        )


def prune(db: sqlite3.Connection, writer: str) -> None:
    """Remove the rows of texts that have changed, and those of other writers. Part of a transaction."""
    db.execute("DELETE FROM summaries WHERE writer != ? OR document NOT IN (SELECT hash FROM documents)", (writer,))


def remove_stale(db: sqlite3.Connection) -> None:
    """Remove the rows of texts that are gone with their file. Part of a transaction."""
    db.execute(
        "DELETE FROM summaries WHERE document NOT IN (SELECT hash FROM documents)"
        " AND source NOT IN (SELECT source FROM files WHERE document IS NOT NULL)"
    )
