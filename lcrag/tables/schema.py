"""What a model is told of tables, in words, and its program as one whose rows can be cited."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lcrag.tables.fill import TYPES
from lcrag.tables.loaded import Loaded
from lcrag.tables.names import literal
from lcrag.tables.selects import Program

LISTED: Final = 20
"""A column with no more different texts than this has them listed."""
MOST_TABLES: Final = 12
LONGEST_VALUE: Final = 60
KINDS: Final = {"number": "", "year": "year", "date": "YYYY-MM-DD", "text": ""}
_TEXTS: Final = re.compile(r"'(?:[^']|'')*'")
_PLAIN: Final = re.compile(r"\s*SELECT\s+(?P<columns>.+?)\s+FROM\s+(?P<rest>.+?)\s*", re.IGNORECASE | re.DOTALL)
_NOT_PLAIN: Final = re.compile(r"\b(?:GROUP|HAVING|DISTINCT|UNION|INTERSECT|EXCEPT|WITH|OVER)\b", re.IGNORECASE)
_ADDS: Final = re.compile(r"\b(?:count|sum|avg|total|min|max|group_concat)\s*\(", re.IGNORECASE)
_ENDS: Final = re.compile(r"\b(?:GROUP\s+BY|HAVING|ORDER\s+BY|LIMIT)\b.*", re.IGNORECASE | re.DOTALL)


def schema(tables: Sequence[Loaded], *, values: bool) -> str:
    """Names and kinds of columns as SQL creates them, the form that models know best, and where there are few texts
    these; no value at all without ``values``."""
    lines = []
    for table in tables[:MOST_TABLES]:
        lines.append(f"CREATE TABLE {table.sql} ( -- {table.rows:,} rows")
        for column in table.columns:
            said = [KINDS[column.kind]] if KINDS[column.kind] else []
            said += [f"in {column.reader.unit}"] if column.reader.unit else []
            if values and column.values and len(column.values) <= LISTED:
                said.append(", ".join(literal(" ".join(value.split())[:LONGEST_VALUE]) for value in column.values))
            lines.append(f"  {column.sql} {TYPES.get(column.kind, 'TEXT')},{' -- ' if said else ''}{'; '.join(said)}")
        lines.append(");")
    return "\n".join(lines)


def program_of(sql: str, tables: Sequence[Loaded]) -> Program:
    """A model's program, with the rows that it uses where these can be told: those that its FROM and WHERE name."""
    masked = _TEXTS.sub(lambda match: "'" + "x" * (len(match[0]) - 2) + "'", sql)
    named = [
        table for table in tables if re.search(rf"(?<![\w\"]){re.escape(table.sql)}(?![\w\"])", masked, re.IGNORECASE)
    ]
    loaded = min(named, key=lambda table: masked.lower().index(table.sql.lower())) if named else tables[0]
    match = _PLAIN.fullmatch(masked)
    used = ""
    is_plain = False
    if match is not None and not re.search(r"\bSELECT\b", match["rest"], re.IGNORECASE):
        is_plain = not _NOT_PLAIN.search(masked) and not _ADDS.search(match["columns"])
        start, end = match.span("rest")
        rest = sql[start:end] if is_plain else sql[start : start + len(_ENDS.sub("", masked[start:end]))]
        alias = re.match(
            rf"{re.escape(loaded.sql)}\s+(?:AS\s+)?(?!WHERE\b|JOIN\b|ORDER\b|LIMIT\b|GROUP\b|ON\b|INNER\b|LEFT\b)(\w+)",
            rest,
            re.IGNORECASE,
        )
        used = f"SELECT {alias[1] if alias else loaded.sql}.rowid FROM {rest}"
    return Program(sql, "rows" if is_plain else "groups", used, loaded)
