"""What finds chunks, by words and by vectors. The catalogue (files, documents, chunks, their texts) is SQLite's always.

A second engine keeps the catalogue, because only that has transactions: whatever the engine holds besides, what the
catalogue does not have is not there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lcrag.index import fulltext, vectors
from lcrag.types import Term

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Row = tuple[int, str, str, str]
"""Chunk id, source, context, text."""


class Engine(Protocol):
    """Every method gets a connection to the catalogue, whose chunks are meant. May raise IndexUnavailable, and
    NotRunning where it is a server that does not answer.

    ``schema``: its own tables in the catalogue; ``form``: what the format of the index says of it.
    """

    @property
    def form(self) -> str: ...
    @property
    def schema(self) -> str: ...
    def begin(self, db: sqlite3.Connection, *, is_new: bool) -> None:
        """Called when the catalogue is opened; ``is_new``: it has just been made and is empty.

        Raises Damaged when the engine has lost what the catalogue says is there.
        """
        ...

    def clear(self) -> None:
        """Remove everything that belongs to this index."""
        ...

    def close(self) -> None:
        """End its connections. It may be used again."""
        ...

    def add(self, db: sqlite3.Connection, rows: Iterable[Row]) -> None: ...
    def remove(self, db: sqlite3.Connection, rows: Iterable[Row]) -> None: ...
    def settle(self, db: sqlite3.Connection) -> None:
        """Drop what committed transactions have removed. Called outside of one."""
        ...

    def search(self, db: sqlite3.Connection, question: str, limit: int) -> list[tuple[int, float]]: ...
    def terms(self, db: sqlite3.Connection, question: str, size: int) -> tuple[Term, ...]: ...
    def read(
        self, db: sqlite3.Connection, ids: Sequence[int], embedder: str
    ) -> tuple[list[int], npt.NDArray[np.float32]]: ...
    def missing(self, db: sqlite3.Connection, ids: Sequence[int], embedder: str) -> list[int]: ...
    def count(self, db: sqlite3.Connection) -> dict[str, int]: ...
    def store(
        self, db: sqlite3.Connection, ids: Sequence[int], embedder: str, vectors: npt.NDArray[np.float32]
    ) -> None: ...
    def cosines(
        self,
        db: sqlite3.Connection,
        index: Path,
        generation: str,
        query: npt.NDArray[np.float32],
        embedder: str,
        ids: npt.NDArray[np.int64],
        candidates: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.float64]:
        """Each chunk's product with ``query``, NaN where it has no vector. That of ``candidates`` is exact, whatever
        an engine may say of chunks that are far away."""
        ...


class SqliteEngine:
    """In the catalogue's own file and transactions: ``fulltext`` and ``vectors``."""

    form = ""
    schema = fulltext.SCHEMA
    add = staticmethod(fulltext.add)
    remove = staticmethod(fulltext.remove)
    search = staticmethod(fulltext.search)
    terms = staticmethod(fulltext.terms)
    read = staticmethod(vectors.read)
    missing = staticmethod(vectors.missing)
    count = staticmethod(vectors.count)
    store = staticmethod(vectors.store)

    def cosines(
        self,
        db: sqlite3.Connection,
        index: Path,
        generation: str,
        query: npt.NDArray[np.float32],
        embedder: str,
        ids: npt.NDArray[np.int64],
        candidates: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.float64]:
        return vectors.cosines(db, index, generation, query, embedder, ids)

    def begin(self, db: sqlite3.Connection, *, is_new: bool) -> None:
        """Nothing is left to do."""

    def clear(self) -> None:
        """Nothing is left to do: it is gone with the catalogue's file."""

    def close(self) -> None:
        """Nothing is left to do: the catalogue's connection is its own."""

    def settle(self, db: sqlite3.Connection) -> None:
        """Nothing is left to do: one transaction removes all."""
