"""Programs that show cells: of the rows that fit, or the different texts of a column."""

from __future__ import annotations

from lcrag.tables.field import Field
from lcrag.tables.ranking import Ranking
from lcrag.tables.selects import Program
from lcrag.tables.tokens import NOUN, Kind, fits
from lcrag.tables.view import CATEGORY_SHARE


class Listing(Ranking):
    """Cells and rows."""

    def _listed(self) -> Program | None:
        """Cells of the rows that fit; of a column alone its different texts."""

        match = fits("different? (rows|column) (and? column)* rows?", self._pattern)
        if match is None:
            return None
        fields = [self._field(token) for token in self._tokens if token.kind == Kind.COLUMN]
        is_rows = Kind.ROWS in self._pattern
        if len(fields) > 4:
            return None
        if len(fields) > 1 and Kind.AND not in self._pattern:
            return None
        if f"{Kind.ROWS}{Kind.COLUMN}" in self._pattern:
            return None  # "objects that have a note", perhaps
        label = self._view.label
        if is_rows and not fields:
            return self._rows([label]) if label is not None else None
        first = self._tokens[0]
        if len(fields) == 1 and first.concept == NOUN and first.fields[0] in self._view.other.values():
            return self._cells(first.fields[0])  # "which artists have works on display"
        plain = [one for one in fields if one is not None]
        if (
            len(plain) == 1
            and plain[0].kind == "number"
            and plain[0].names[0][0] == "total"
            and Kind.ROWS in self._pattern[1:]
        ):
            return self._total(plain[0], "")  # "the total price of all bookings"
        if len(plain) == 1 and not is_rows:
            return self._cells(plain[0])
        return self._rows([label, *plain] if label is not None and not self._names_one_row() else plain)

    def _cells(self, one: Field) -> Program | None:
        """One cell, or the different texts of a column."""
        if self._where and self._names_one_row():
            return self._rows([one])
        if one.kind == "number" and one.names[0][0] == "total":
            return self._total(one, "")
        if one.kind == "number" and self._where:
            found = self._database.run(f"SELECT DISTINCT {one.sql} FROM {self._view.source}{self._clause()} LIMIT 2")
            if len(found.rows) == 1:  # the same in all of its rows
                sql = f"SELECT DISTINCT {one.sql} FROM {self._view.source}{self._clause()}"
                unit = one.column.reader.unit
                return Program(sql, "groups", self._used(), self._view.loaded, read=(one,), unit=unit)
        is_text = one.kind == "text" or (one.kind == "year" and self._view.label is None)
        if is_text and (self._where or one.share < CATEGORY_SHARE or Kind.DIFFERENT in self._pattern):
            where = self._clause([*self._where, f"{one.sql} IS NOT NULL"])
            sql = f"SELECT DISTINCT {one.sql} FROM {self._view.source}{where} ORDER BY {one.sql}"
            return Program(sql, "groups", self._used(), self._view.loaded, (one,))
        label = self._view.label
        is_few = bool(self._where) and label is not None and one is not label and one.kind != "number"
        return self._rows([label, one]) if is_few else None
