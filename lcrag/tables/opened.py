"""The tables of documents, kept loaded: the next question to the same documents costs no loading."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import Final

from lcrag.tables.database import MOST_CELLS, Database, Loaded
from lcrag.tables.read import may_hold_tables, tables_of
from lcrag.types import CorpusView, Hit

LOOKED_AT: Final = 32
"""Hits whose documents are looked through for tables, beside those that are tables as a whole."""
MOST_DOCUMENTS: Final = 24
"""Assumed, not measured."""
WHOLE: Final = (".csv", ".tsv", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".jsonl", ".ndjson")
"""Formats that hold nothing but tables."""
SMALL_TOKENS: Final = 5_000_000
"""Tokens of a document up to which it is loaded unasked. Measured: 20 MB of CSV, 2.2 s of computing."""


class _Shelf:
    """One database of what was loaded, emptied when half full and something new is asked for."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.database = Database()
        self._loaded: dict[tuple[str, str], list[Loaded]] = {}

    def has(self, identity: str, source: str) -> bool:
        return (identity, source) in self._loaded

    def tables(self, documents: Sequence[tuple[str, str]], corpus: CorpusView) -> list[Loaded]:
        """Those of ``(id, source)`` documents, in their order."""
        if self.database.cells > MOST_CELLS // 2 and not all(self.has(*document) for document in documents):
            self.database.close()
            self.database, self._loaded = Database(), {}
        new = {PurePath(document[1]).stem for document in documents if not self.has(*document)}
        for old in [key for key in self._loaded if key not in documents and PurePath(key[1]).stem in new]:
            self.database.forget(self._loaded.pop(old))  # it would take the name from the new one
        for identity, source in documents:
            if not self.has(identity, source):
                self._loaded[identity, source] = self.database.load(tables_of(corpus.document(identity)))
        return [table for document in documents for table in self._loaded[document]]


_SHELF: Final = _Shelf()


@contextmanager
def tables_for(
    hits: Sequence[Hit], corpus: CorpusView, *, also_large: bool
) -> Iterator[tuple[list[Loaded], Database, list[str]]]:
    """The tables of documents that are tables, and of those among the best hits that hold some; the database that they
    are in; the sources of documents that are too large to load unasked, and what could not be loaded.

    One thread at a time.
    """
    ranks: dict[str, int] = {}
    for rank, hit in enumerate(hits[:LOOKED_AT]):
        ranks.setdefault(hit.chunk.document_id, rank)
    chosen: list[tuple[int, str, str]] = []
    left_out: list[str] = []
    for identity, source, tokens in corpus.documents():
        if not may_hold_tables(source) or not (identity in ranks or source.lower().endswith(WHOLE)):
            continue
        if tokens > SMALL_TOKENS and not also_large and not _SHELF.has(identity, source):
            left_out.append(f"{source} is large: --pipeline table reads it")
        else:
            chosen.append((ranks.get(identity, LOOKED_AT), source, identity))
    with _SHELF.lock:
        documents = [(identity, source) for _, source, identity in sorted(chosen)[:MOST_DOCUMENTS]]
        before = len(_SHELF.database.skipped)
        found = _SHELF.tables(documents, corpus)
        yield found, _SHELF.database, [*left_out, *_SHELF.database.skipped[before:]]
