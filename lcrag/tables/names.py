"""Names and values as programs write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lcrag.tables.values import Value


def quoted(name: str) -> str:
    """An identifier as programs write it."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.upper() not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(value: Value) -> str:
    """A value as programs write it."""
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def plain_name(name: str) -> str:
    return "_".join(re.findall(r"[^\W_]+", name.lower()))[:60] or "data"


def column_names(columns: Sequence[str]) -> list[str]:
    """A name for each column, as in the document but different from each other."""
    names: list[str] = []
    for place, column in enumerate(columns, 1):
        taken = {name.lower() for name in names} | {"rowid", "oid", "_rowid_"}
        names.append(unique(column.replace("\0", "") or f"column_{place}", taken))
    return names


def unique(name: str, taken: set[str]) -> str:
    number, found = 1, name
    while found.lower() in taken:
        number += 1
        found = f"{name}_{number}"
    return found


_KEYWORDS: Final = frozenset(
    "ALL AND AS ASC BETWEEN BY CASE CAST CHECK COLLATE COLUMN COMMIT CONSTRAINT CREATE CROSS CURRENT CURRENT_DATE"
    " CURRENT_TIME DATABASE DATE DEFAULT DELETE DESC DISTINCT DO DROP EACH ELSE END ESCAPE EXCEPT EXISTS FAIL FILTER"
    " FIRST FOLLOWING FOR FOREIGN FROM FULL GLOB GROUP GROUPS HAVING IF IN INDEX INNER INSERT INTERSECT INTO IS ISNULL"
    " JOIN KEY LAST LEFT LIKE LIMIT MATCH NATURAL NO NOT NOTHING NOTNULL NULL OF OFFSET ON OR ORDER OTHERS OUTER OVER"
    " PARTITION PLAN PRIMARY QUERY RANGE REFERENCES REPLACE RESTRICT RIGHT ROW ROWS SELECT SET TABLE TEMP THEN TIES TO"
    " TOTAL TRIGGER UNION UNIQUE UPDATE USING VALUES VIEW WHEN WHERE WINDOW WITH WITHOUT".split()
)
