"""What a model once said of a passage, whatever was asked: kept, so that it is paid for once.

A reply is found by a key that its asker makes of the prompt and the model, and goes with its document.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

SCHEMA = "CREATE TABLE replies (key TEXT PRIMARY KEY, document TEXT NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;"


def read(db: sqlite3.Connection, keys: Sequence[str]) -> dict[str, str]:
    """The replies under these keys, as far as there are any."""
    rows = db.execute(
        "SELECT replies.key, text FROM json_each(?) JOIN replies ON replies.key = value", (json.dumps(list(keys)),)
    )
    return dict(rows.fetchall())


def store(db: sqlite3.Connection, replies: Iterable[tuple[str, str, str]]) -> None:
    """Store ``(key, document id, text)``; documents that no longer exist are skipped. Part of a transaction."""
    db.executemany(
        "REPLACE INTO replies SELECT ?, hash, ? FROM documents WHERE hash = ?",
        ((key, text, document) for key, document, text in replies),
    )


def remove_stale(db: sqlite3.Connection) -> None:
    """Remove the replies about documents that are gone. Part of a transaction."""
    db.execute("DELETE FROM replies WHERE document NOT IN (SELECT hash FROM documents)")
