"""SQLite files in the state folder that hold a user's own words: readable by that user alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lcrag.errors import NotAvailable
from lcrag.paths import private_folder


@contextmanager
def opened(path: Path, schema: str, *, hint: str) -> Iterator[sqlite3.Connection]:
    """The database, made if need be. Raises NotAvailable where it, or its folder, cannot be read or written."""
    try:
        private_folder(path.parent)
        path.touch(mode=0o600)
        with closing(sqlite3.connect(path, timeout=10.0)) as db:
            db.executescript(schema)
            yield db
    except (sqlite3.Error, OSError) as error:
        raise NotAvailable(f"{path} cannot be used: {error}", hint=hint) from error
