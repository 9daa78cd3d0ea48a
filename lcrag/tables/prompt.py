"""What lcrag's own small model reads of tables before it writes a program.

Names, kinds and a few values of columns, which columns share keys, and the values that the question speaks of. Training
shows it the same text (``examples/writer/programs.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lcrag.tables.field import stemmed
from lcrag.tables.names import literal
from lcrag.tables.values import Value

LISTED: Final = 8
"""A column with no more different texts has them all listed, since the question may mean one by other words."""
SAMPLES: Final = 2
"""Values shown of any other column."""
FOUND: Final = 6
"""Values of the tables that the question speaks of, at most."""
LEAST_SHARE: Final = 0.5
"""Of a value's words that the question must have."""
LONGEST: Final = 40
"""Characters shown of a value."""
NO_PROGRAM: Final = "NONE"
"""The reply where the tables do not say."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A column as the model sees it. ``values``: all different ones (``is_whole``) or a few."""

    sql: str
    kind: str
    values: Sequence[Value]
    is_whole: bool = False
    unit: str = ""


def described(table: str, rows: int, columns: Iterable[Shown]) -> str:
    """A table's part of the prompt."""
    lines = [f"{table}, {rows} rows"]
    for column in columns:
        values = [literal(_short(value)) for value in column.values[: LISTED if column.is_whole else SAMPLES]]
        more = [] if column.is_whole else ["..."]
        unit = f" in {column.unit}" if column.unit else ""
        lines.append(f"- {column.sql} {column.kind}{unit}" + (f": {', '.join([*values, *more])}" if values else ""))
    return "\n".join(lines)


def found(question: str, columns: Iterable[tuple[str, Iterable[str]]]) -> list[tuple[str, str]]:
    """Columns, as given, and their texts that the question speaks of, those with most of their words in it first."""
    asked = set(stemmed(question))
    scored = []
    for column, values in columns:
        for value in values:
            words = _words(value)
            same = len(words & asked)
            if same and same >= LEAST_SHARE * len(words):
                scored.append((same / len(words), same, column, value))
    scored.sort(key=lambda one: (-one[0], -one[1]))
    return [(column, value) for _, _, column, value in scored[:FOUND]]


def prompt(
    question: str, tables: Iterable[str], keys: Iterable[tuple[str, str]], values: Iterable[tuple[str, str]]
) -> str:
    """``tables``: their descriptions. ``keys``: pairs of columns, ``visits.pet`` and ``pets.code``. ``values``: what
    ``found`` found."""
    parts = ["\n\n".join(tables)]
    parts += ["\n".join(f"{left} = {right}" for left, right in keys)]
    parts += ["\n".join(f"{column} has {literal(_short(value))}" for column, value in values)]
    return "\n\n".join(filter(None, [*parts, f"Question: {question}"]))


@lru_cache(50_000)
def _words(text: str) -> frozenset[str]:
    return frozenset(stemmed(text))


def _short(value: Value) -> Value:
    return " ".join(value.split())[:LONGEST] if isinstance(value, str) else value
