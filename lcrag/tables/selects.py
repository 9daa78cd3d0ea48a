"""Programs as SQL, put together of a view, its conditions, and what is asked of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from lcrag.tables.database import Database
from lcrag.tables.field import Field
from lcrag.tables.filters import Condition
from lcrag.tables.loaded import Loaded
from lcrag.tables.names import literal
from lcrag.tables.tokens import Kind, Token
from lcrag.tables.view import View

Form = Literal["value", "rows", "groups"]
SEVERAL: Final = 20
"""The most rows or groups that may share the first place."""


@dataclass(frozen=True, eq=False)
class Program:
    """``sql``: one SELECT. ``form``: a value, rows of the table, or a value for each group. ``used``: a SELECT of the
    numbers of the rows that it rests on, in the order of its own where ``form`` is "rows". ``loaded``: their table.
    ``shown``: for each column of the result the column of the table whose cell it shows, or None. ``read``: columns
    whose numbers or dates count.
    """

    sql: str
    form: Form
    used: str
    loaded: Loaded
    shown: tuple[Field | None, ...] = ()
    read: tuple[Field, ...] = ()
    unit: str = ""


class Selects:
    """The programs over the rows of one view that fit the conditions."""

    _said: Sequence[Token] = ()

    def __init__(self, view: View, database: Database, where: Sequence[Condition]) -> None:
        self._view, self._database = view, database
        self._conditions = where
        self._where = [condition.sql for condition in where]
        self._skipped = 0

    def _names_one_row(self) -> bool:
        result = self._database.run(f"SELECT count(*) FROM {self._view.source}{self._clause()}")
        return result.rows[0][0] == 1

    def _aggregate(self, expression: str, group: str, numbers: tuple[Field, ...]) -> Program | None:
        source, where = self._view.source, self._clause()
        unit = numbers[0].column.reader.unit if numbers else ""
        if group:
            filled = [f"{group} IS NOT NULL"]
            where = self._clause([*self._where, *filled])
            sql = f"SELECT {group}, {expression} FROM {source}{where} GROUP BY {group} ORDER BY {group}"
            return Program(sql, "groups", self._used(filled), self._view.loaded, self._shown(group), numbers, unit)
        filled = [f"{one.sql} IS NOT NULL" for one in numbers]
        if self._repeats(numbers) and not expression.startswith(("max", "min")):
            return None
        sql = f"SELECT {expression} FROM {source}{where}"
        return Program(sql, "value", self._used(filled), self._view.loaded, read=self._read(numbers), unit=unit)

    def _repeats(self, numbers: tuple[Field, ...]) -> bool:
        """Whether numbers of another table would count more than once: the values of works by their loans."""
        others = [one for one in numbers if one.loaded is not self._view.loaded]
        if not others:
            return False
        source = f"{self._view.source}{self._clause()}"
        rows = f"SELECT count(*), count(DISTINCT {others[0].loaded.sql}.rowid) FROM {source}"
        [(every, different)] = self._database.run(rows).rows
        return every != different

    def _extreme(
        self, what: Token, by: Field, sign: int, most: int, shown: Field | None = None, is_named: bool = True
    ) -> Program | None:
        """The rows with the highest or lowest cell. Of a column whose texts repeat, only where adding up agrees.
        ``is_named``: whether the question names the column ``by``: "the longest boats" are not those with the longest
        jobs."""
        if not (by.is_counted or by.is_dated):
            return None
        one = self._field(what)
        is_own = one is not None and one.kind == "text" and one.share == 1 and one.loaded is self._view.loaded
        is_row = what.kind == Kind.ROWS or one is self._view.label
        if is_row and not is_named and by.loaded is not self._view.loaded:
            return None  # "the heaviest visit" of patients
        if is_row or is_own:
            return self._top_rows(by, sign, most, shown or one)
        if one is None or by.kind != "number":
            return None
        if one.kind == "date":  # "in which month", where every month has one row
            return self._top_rows(by, sign, most, one) if self._are_different(one) else None
        if not is_named and by.loaded is self._view.loaded and (most > 1 or one in self._view.other.values()):
            return None
        if one.kind == "text" and self._is_of(one, by):
            return self._top_groups(what, f"max({by.sql})", (by,), sign, most)
        if most > 1:  # "the top 3 customers by revenue"
            return self._top_groups(what, f"sum({by.sql})", (by,), sign, most) if by.adds_up else None
        row = self._top_rows(by, sign, 1, one)
        added = self._top_groups(what, f"sum({by.sql})", (by,), sign, 1)
        if row is None or added is None:
            return None
        first, second = (self._database.run(program.sql).rows for program in (row, added))
        return row if len(first) == len(second) == 1 and first[0][0] == second[0][0] else None

    def _are_different(self, one: Field) -> bool:
        """Whether no two rows have the same cell of a column."""
        source = f"{self._view.source}{self._clause()}"
        [(rows, cells)] = self._database.run(f"SELECT count(*), count(DISTINCT {one.sql}) FROM {source}").rows
        return rows == cells

    def _is_of(self, one: Field, by: Field) -> bool:
        """Whether a number belongs to each text of a column: the price of a product."""
        source = f"{self._view.source}{self._clause([*self._where, f'{by.sql} IS NOT NULL', f'{one.sql} IS NOT NULL'])}"
        pairs = f"SELECT count(*) FROM (SELECT DISTINCT {one.sql}, {by.sql} FROM {source})"
        texts = f"SELECT count(DISTINCT {one.sql}) FROM {source}"
        return self._database.run(pairs).rows == self._database.run(texts).rows

    def _top_rows(self, by: Field, sign: int, most: int, one: Field | None = None) -> Program | None:
        label = one or self._view.label
        if label is None:
            return None
        order = f"ORDER BY {by.sql} {'DESC' if sign > 0 else 'ASC'}"
        where = self._clause([*self._where, f"{by.sql} IS NOT NULL"])
        ranked = f"FROM {self._view.source}{where} {order}"
        number = self._shared(f"SELECT {by.sql} {ranked}", 0, most)
        if number is None:
            return None
        fields = (label, by) if by is not label else (label,)
        sql = f"SELECT {', '.join(one.sql for one in fields)} {ranked} LIMIT {number}"
        used = f"SELECT {self._view.rowid} {ranked} LIMIT {number}"
        return Program(sql, "rows", used, self._view.loaded, fields, self._read((by,)))

    def _top_groups(
        self, what: Token, expression: str, numbers: tuple[Field, ...], sign: int, most: int
    ) -> Program | None:
        group = self._group(what)
        if group is None:
            return None
        filled = [f"{group} IS NOT NULL", *(f"{one.sql} IS NOT NULL" for one in numbers)]
        ranked = (
            f"SELECT {group}, {expression} FROM {self._view.source}{self._clause([*self._where, *filled])} "
            f"GROUP BY {group} ORDER BY {expression} {'DESC' if sign > 0 else 'ASC'}"
        )
        number = self._shared(ranked, 1, most)
        if number is None:
            return None
        unit = numbers[0].column.reader.unit if numbers else ""
        sql = f"{ranked} LIMIT {number}"
        firsts = [literal(row[0]) for row in self._database.run(sql).rows]
        filled.append(f"{group} IN ({', '.join(firsts)})")
        shown = self._shown(group)
        return Program(sql, "groups", self._used(filled), self._view.loaded, shown, self._read(numbers), unit)

    @staticmethod
    def _adding(what: Token) -> str:
        """The function that a word for a sum, a mean or an extreme asks for."""
        if what.kind == Kind.MEAN:
            return "median" if what.text.lower() == "median" else "avg"
        return "sum" if what.kind == Kind.SUM else "max" if what.sign > 0 else "min"

    @staticmethod
    def _either(column: Field, texts: Sequence[str]) -> str:
        """The column has one of these texts."""
        listed = [literal(text) for text in texts]
        return f"{column.sql} = {listed[0]}" if len(listed) == 1 else f"{column.sql} IN ({', '.join(listed)})"

    def _shared(self, sql: str, column: int, most: int) -> str | None:
        """Which rows to take so that none is left out that is equal to the last; None for none, or far more. The second
        or third is one that no other is equal to."""
        end = self._skipped + most + SEVERAL
        rows = self._database.run(f"{sql} LIMIT {end}").rows
        values = [row[column] for row in rows]
        if self._skipped:
            around = values[self._skipped - 1 : self._skipped + 2]
            is_one = len(around) > 1 and around.count(around[1]) == 1
            limit, rows = f"1 OFFSET {self._skipped}", rows[self._skipped :][:1]
            self._database.remember(f"{sql} LIMIT {limit}", rows)
            return limit if is_one else None
        number = min(most, len(values))
        while 0 < number < len(values) and values[number] == values[number - 1]:
            number += 1
        self._database.remember(f"{sql} LIMIT {number}", rows[:number])
        return str(number) if 0 < number < most + SEVERAL else None

    def _rows(self, fields: Sequence[Field | None]) -> Program | None:
        shown = [one for one in fields if one is not None]
        if not shown:
            return None
        where = self._clause()
        sql = f"SELECT {', '.join(one.sql for one in shown)} FROM {self._view.source}{where}"
        return Program(sql, "rows", self._used(), self._view.loaded, tuple(shown), self._read(()))

    def _field(self, token: Token) -> Field | None:
        return self._view.label if token.kind == Kind.ROWS else token.fields[0] if token.fields else None

    def _group(self, token: Token) -> str | None:
        """What rows are grouped by: a column whose texts repeat, the year or the month of the only date."""
        if token.kind == Kind.PERIOD:
            named = [
                one for said in self._said for one in said.fields if said.kind != Kind.FILTER and one.kind == "date"
            ]
            is_clear = not any(one.kind == "year" for one in self._view.dated)
            others = [one for one in self._view.dated if one.kind == "date" and is_clear]
            dated = list(dict.fromkeys(named)) or others
            return (
                f"substr({dated[0].sql}, 1, {4 if token.text.lower().startswith('year') else 7})"
                if len(dated) == 1
                else None
            )
        one = self._field(token)
        if one is None or one.kind not in ("text", "year"):
            return None
        return one.sql

    def _shown(self, group: str) -> tuple[Field | None, ...]:
        return (next((one for one in self._view.fields if one.sql == group), None), None)

    def _by_age(self, word: str) -> tuple[Field | None, int]:
        """The oldest has the highest age, or the earliest date."""
        age = self._view.meant_by("age")
        born = [one for one in self._view.fields if one.is_dated and one.is_called("born")]
        if age is None and len(born) == 1 and "peopl" in self._view.nouns:
            return born[0], 1 if word in ("youngest", "newest") else -1
        began = [one for one in self._view.fields if one.is_dated and one.is_called("began")]
        when = began[0] if len(began) == 1 else self._view.meant_by("time")
        sign = -1 if word in ("youngest", "newest") else 1
        if age is not None and when is not None:
            return None, sign
        return (age, sign) if age is not None else (when, -sign)

    def _read(self, numbers: Sequence[Field]) -> tuple[Field, ...]:
        """Columns whose numbers and dates count: those of conditions too."""
        found = [*numbers, *(one.field for one in self._conditions if one.field.kind != "text")]
        return tuple(dict.fromkeys(found))

    def _clause(self, where: Sequence[str] | None = None) -> str:
        listed = " AND ".join(self._where if where is None else where)
        return f" WHERE {listed}" if listed else ""

    def _used(self, filled: Sequence[str] = ()) -> str:
        where = self._clause([*self._where, *filled])
        return f"SELECT {self._view.rowid} FROM {self._view.source}{where}"
