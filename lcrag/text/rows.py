"""Rows of a table whose columns have names: which cell a question asks for."""

from __future__ import annotations

import csv
from typing import Final

from lcrag.text.words import fold, stems

DELIMITERS: Final = ";\t|,"


def cell_asked(question: str, header: str, row: str) -> str | None:
    """The cell of the column that the question names, leaving out those whose content it names; None if that is not
    one column, or the row has not as many cells as the header.
    """
    delimiter = max(DELIMITERS, key=header.count)
    [names], [cells] = (list(csv.reader([line], delimiter=delimiter)) or [[]] for line in (header, row))
    if not header.count(delimiter) or len(names) != len(cells):
        return None
    asked, plain = frozenset(stems(question)), fold(question).lower()
    shares = []
    for name, cell in zip(names, cells, strict=True):
        words = frozenset(stems(name))
        is_given = cell.strip() and fold(cell).strip().lower() in plain
        shares.append(0.0 if is_given or not words else len(words & asked) / len(words))
    best = max(shares)
    if not best or shares.count(best) > 1:
        return None
    return cells[shares.index(best)].strip() or None
