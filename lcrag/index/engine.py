"""What finds chunks, by words and by vectors. The catalogue (files, documents, chunks, their texts) is SQLite's always.

An engine that keeps words and vectors elsewhere (``external``) keeps the catalogue, because only that has transactions:
whatever it holds besides, what the catalogue does not have is not there.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lcrag.index import fulltext, vectors

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lcrag.index.vectors import Floats, Ids

Row = tuple[int, str, str, str]
"""Chunk id, source, context, text."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question's vector, and the chunks it is compared with: all, in reading order.

    ``index`` and ``generation``: the catalogue's file and its state. ``candidates``: ids of chunks whose products must
    be exact, whatever an engine may say of chunks that are far away.
    """

    index: Path
    generation: str
    query: Floats
    embedder: str
    ids: Ids
    candidates: Ids


class Engine:
    """In the catalogue's own file and transactions, by ``fulltext`` and ``vectors``.

    Every method gets a connection to the catalogue, whose chunks are meant. That of another engine may raise
    IndexUnavailable, and NotRunning where it is a server that does not answer.

    ``schema``: its own tables in the catalogue; ``form``: what the format of the index says of it.
    """

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

    def cosines(self, db: sqlite3.Connection, asked: Asked) -> npt.NDArray[np.float64]:
        """Each chunk's product with the question's vector, NaN where it has none."""
        return vectors.cosines(db, asked.index, asked.generation, asked.query, asked.embedder, asked.ids)

    def begin(self, db: sqlite3.Connection, *, is_new: bool) -> None:
        """Called when the catalogue is opened; ``is_new``: it has just been made and is empty.

        Raises Damaged when the engine has lost what the catalogue says is there.
        """

    def clear(self) -> None:
        """Remove everything that belongs to this index and is not in the catalogue's file."""

    def close(self) -> None:
        """End its own connections. It may be used again."""

    def settle(self, db: sqlite3.Connection) -> None:
        """Called outside of a transaction when one has been committed: drop what that removed, order what it added."""
