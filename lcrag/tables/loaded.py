"""What is known of a table whose rows are in a database: enough to understand a question, without any row."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from lcrag.tables.read import Table
from lcrag.tables.values import Kind, Reader


@dataclass(slots=True)
class Column:
    """``name``: as the document has it; ``sql``: as programs call it, quoted where it must be.

    ``values``: its different texts with their number of rows; None for numbers, dates, and where there are too many.
    ``unread``: cells that are not of its kind, ``example`` one of them; they are NULL. ``different``: how many
    different values it has, None where nobody counted. ``empty``, ``zeros``: cells without a value, and with 0.
    """

    name: str
    sql: str
    reader: Reader
    values: dict[str, int] | None = None
    unread: int = 0
    example: str = ""
    different: int | None = None
    empty: int = 0
    zeros: int = 0

    @property
    def kind(self) -> Kind:
        return self.reader.kind


@dataclass(slots=True, eq=False)
class Loaded:
    """A table in the database as ``sql``, of the document with this id. ``left_out``: rows that do not fit."""

    document: str
    table: Table
    sql: str
    columns: list[Column]
    rows: int = 0
    left_out: int = 0

    def as_text(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


def loaded_of(text: str) -> Loaded:
    """The table that ``as_text`` wrote."""
    found: dict[str, Any] = json.loads(text)
    table = found.pop("table")
    header = table.pop("header")
    columns = [Column(reader=Reader(**column.pop("reader")), **column) for column in found.pop("columns")]
    table = Table(**{**table, "columns": tuple(table["columns"])}, header=header and tuple(header))
    return Loaded(table=table, columns=columns, **found)
