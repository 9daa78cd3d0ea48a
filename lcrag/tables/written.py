"""A program that lcrag's own small model writes.

It reads the tables in short, is held to a grammar of what can run, and is believed where programs of one result are
likely enough among all that it might write. What overlooks a "not" is never believed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from lcrag.tables.database import Database, Refused
from lcrag.tables.field import stemmed
from lcrag.tables.grammar import Grammar
from lcrag.tables.keys import likely_keys
from lcrag.tables.loaded import Column, Loaded
from lcrag.tables.prompt import LISTED, NO_PROGRAM, Shown, described, found, prompt
from lcrag.tables.values import Value

Replies = Sequence[tuple[str, float]]
"""Programs that run, with their probabilities, best first."""
Allows = Callable[[str, bool], bool]
"""Whether a text may begin a program, or (True) be one."""

MOST_TABLES: Final = 6
"""Tables that the model reads: it has learned from no more."""
LIKELY: Final = 0.85
"""Probability of a result from which it is believed: the least of those tried from which, with the rules, under .03 of
296 unseen questions are answered wrong (``examples/evaluation/README.md``)."""
_NOT: Final = re.compile(
    r"\b(?:not|never|none|nobody|without|except|exclud\w+|other than|apart from|leav\w+ out|lack\w*"
    r"|no(?!\.?\s*\d|\.\w| (?:more|less|fewer|later|earlier)\b))\b|n['’]t\b",
    re.IGNORECASE,
)
_LEAVES_OUT: Final = re.compile(r"\bNOT\b|!=|<|>|\bIS NULL|\bEXCEPT\b|\bLEFT JOIN\b|'(?:no|un)|= 0\b", re.IGNORECASE)


def asked(question: str, tables: Sequence[Loaded], database: Database) -> tuple[tuple[str, ...], Allows]:
    """What the model reads, with the tables in one order and in the other, and what it may write. What it writes for
    both is likelier right: of 122 questions held out 55 right and 6 wrong from .7, for one order 54 and 14."""
    tables = _nearest(question, tables)

    @lru_cache(None)
    def values(table: Loaded, column: str) -> tuple[Value, ...]:
        """The different ones, as far as they are listed."""
        return values_of(next(one for one in table.columns if one.sql == column), table, database)

    parts = [
        described(
            table.sql,
            table.rows,
            [
                Shown(one.sql, one.kind, values(table, one.sql), is_listed(one), one.reader.unit)
                for one in table.columns
            ],
        )
        for table in tables
    ]
    keys = likely_keys(tables, lambda table, column: frozenset(values(table, column.sql)))
    texts = [(f"{table.sql}.{one.sql}", one.values) for table in tables for one in table.columns if one.values]
    grammar = Grammar({table.sql: {one.sql: _texts(one) for one in table.columns} for table in tables}, keys)

    def allows(text: str, is_whole: bool) -> bool:
        return grammar.allows(text) and (not is_whole or text == NO_PROGRAM or _runs(text, database))

    values_asked = found(question, texts)
    orders = [parts, parts[::-1]] if len(parts) > 1 else [parts]
    return tuple(prompt(question, order, keys, values_asked) for order in orders), allows


def chosen(question: str, replies: Sequence[Replies], database: Database) -> str | None:
    """The program of ``likeliest`` where its result is likely enough."""
    program, share = likeliest(question, replies, database)
    return program if share >= LIKELY else None


def likeliest(question: str, replies: Sequence[Replies], database: Database) -> tuple[str | None, float]:
    """The likeliest program of the likeliest result, and the probability of that, the mean over the prompts; None where
    it is that there is no answer. ``replies``: to each prompt."""
    shares: dict[object, float] = defaultdict(float)
    first: dict[object, str] = {}
    for sql, share in (reply for of_one in replies for reply in of_one if not overlooks_not(question, reply[0])):
        rows = () if sql == NO_PROGRAM else database.run(sql).rows
        result = frozenset(rows) if any(cell is not None for row in rows for cell in row) else NO_PROGRAM
        shares[result] += share / len(replies)
        first.setdefault(result, sql)
    best = max(shares, key=lambda result: shares[result], default=NO_PROGRAM)
    return first[best] if best != NO_PROGRAM else None, shares[best]


def overlooks_not(question: str, sql: str) -> bool:
    """Whether the question leaves something out ("who hasn't paid", "without the cancelled ones") and the program does
    not. Of the 657 such questions in ``examples/writer/domains`` it is so for 41 of the right programs."""
    return sql != NO_PROGRAM and _NOT.search(question) is not None and _LEAVES_OUT.search(sql) is None


def values_of(column: Column, table: Loaded, database: Database) -> tuple[Value, ...]:
    """The different values of a column, as many as are known or a result may hold."""
    if column.values is not None:
        return tuple(column.values)
    sql = f"SELECT DISTINCT {column.sql} FROM {table.sql} WHERE {column.sql} IS NOT NULL"
    return tuple(value for (value,) in database.run(sql).rows)


def _texts(column: Column) -> frozenset[str] | None:
    return frozenset(column.values) if column.values else None


def is_listed(column: Column) -> bool:
    """Whether the model sees all different values."""
    return column.values is not None and len(column.values) <= LISTED


def _nearest(question: str, tables: Sequence[Loaded]) -> Sequence[Loaded]:
    """Where there are too many, those that share most words with the question, in their order."""
    if len(tables) <= MOST_TABLES:
        return tables
    words = set(stemmed(question))

    def shared(table: Loaded) -> int:
        texts = [table.table.name, *(one.name for one in table.columns)]
        texts += [text for one in table.columns for text in one.values or ()]
        return len(words & {word for text in texts for word in stemmed(text)})

    best = sorted(tables, key=shared, reverse=True)[:MOST_TABLES]
    return [table for table in tables if table in best]


def _runs(program: str, database: Database) -> bool:
    try:
        database.run(program)
    except Refused:
        return False
    return True
