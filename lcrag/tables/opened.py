"""The tables of documents, kept next to the index: what they hold is known without reading them again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final

from lcrag.errors import Busy, InputError
from lcrag.tables.database import Database
from lcrag.tables.fill import described
from lcrag.tables.loaded import Loaded
from lcrag.tables.program import names_its_table
from lcrag.tables.read import may_hold_tables, tables_of
from lcrag.types import CorpusView, Document, Hit

FILE: Final = "index.sqlite.tables"
LOOKED_AT: Final = 32
"""Hits whose documents are looked through for tables, beside those that are tables as a whole."""
MOST_DOCUMENTS: Final = 24
"""Assumed, not measured."""
WHOLE: Final = (".csv", ".tsv", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".jsonl", ".ndjson")
"""Formats that hold nothing but tables."""
SMALL_TOKENS: Final = 50_000
"""Tokens up to which a document is read in before anything is known of it: 200 KB of CSV, 50 ms, once."""


@contextmanager
def tables_for(
    question: str, hits: Sequence[Hit], corpus: CorpusView, *, is_named: bool
) -> Iterator[tuple[list[Loaded], Database, list[str]]]:
    """The tables of documents that are tables, and of those among the best hits that hold some; the database that they
    are in; what could not be read as a table, and why.

    A document is read in when it is first needed, and never again: a large one where the question speaks of its
    columns, or where its tables are asked for by name (``is_named``).
    """
    ranks: dict[str, int] = {}
    for rank, hit in enumerate(hits[:LOOKED_AT]):
        ranks.setdefault(hit.chunk.document_id, rank)
    listed = list(corpus.documents())
    chosen = sorted(
        (ranks.get(identity, LOOKED_AT), source, identity, tokens)
        for identity, source, tokens in listed
        if may_hold_tables(source) and (identity in ranks or source.lower().endswith(WHOLE))
    )[:MOST_DOCUMENTS]
    database, problem = _open(corpus) if chosen else (Database(), "")
    with closing(database):
        new = [
            identity
            for rank, source, identity, tokens in chosen
            if not database.has(identity)
            if is_named or tokens <= SMALL_TOKENS or _speaks_of(question, identity, source, corpus, is_best=rank == 0)
        ]
        try:
            if new:
                database.keep_only([identity for identity, *_ in listed])
            for identity in new:
                database.load(corpus.document(identity))
        except Busy as error:
            problem = str(error)
        found = database.open([identity for _, _, identity, _ in chosen])
        yield found, database, [*([problem] if problem else []), *database.skipped]


def _open(corpus: CorpusView) -> tuple[Database, str]:
    """The database next to the index; one for this question alone where that cannot be written."""
    try:
        return Database(corpus.folder / FILE), ""
    except InputError as error:
        return Database(), str(error)


def _speaks_of(question: str, identity: str, source: str, corpus: CorpusView, *, is_best: bool) -> bool:
    """Whether the question names columns or rows of a document of which only the first lines are read."""
    if not source.lower().endswith((".csv", ".tsv")):
        return is_best
    text = corpus.beginning(identity)
    tables = tables_of(Document(identity, source, text[: text.rfind("\n") + 1]))
    return any(names_its_table(question, described(table, text, identity)) for table in tables)
