"""Programs that put rows or groups in order and take the first."""

from __future__ import annotations

from typing import Final

from lcrag.tables.adding import Adding
from lcrag.tables.field import Field
from lcrag.tables.selects import Program
from lcrag.tables.tokens import Kind, Token, fits

TOP: Final = 10
"""Rows of a "top" without a number. Assumed, not measured."""


HIGHEST: Final = {"highest": "height", "lowest": "height"}
"""What is compared where no column is named: "the highest mountain"."""


class Ranking(Adding):
    """The highest, the oldest, the top three."""

    def _first(self) -> Program | None:
        """The rows or groups that come first by a column, a sum, a mean or a number of rows; so many of them."""
        numbers = [token for token in self._tokens if token.kind == Kind.NUMBER]
        tokens = [token for token in self._tokens if token.kind not in (Kind.NUMBER, Kind.ORDINAL)]
        ordinal = next((int(token.number) for token in self._tokens if token.kind == Kind.ORDINAL), 1)
        pattern = "".join(token.kind for token in tokens)
        is_top = pattern.startswith(Kind.TOP)
        if len(numbers) > 1 or (numbers and not 1 <= numbers[0].number <= 1000):
            return None
        if numbers and ordinal > 1:
            return None
        self._skipped = ordinal - 1
        most = int(numbers[0].number) if numbers else TOP if is_top else 1
        found = next((token for token in tokens if token.sign), None)
        if found is None:
            return None
        columns = [token.fields[0] for token in tokens if token.kind == Kind.COLUMN and token.fields]
        is_timed = found.concept == "time" and bool(columns) and columns[-1].is_dated
        if is_timed and fits("rows column superlative|superlative rows column", pattern):  # "launched first"
            return self._extreme(Token(Kind.ROWS, "", 0, 0), columns[-1], found.sign, most)
        what = next((token for token in tokens if token.kind in (Kind.ROWS, Kind.COLUMN, Kind.PERIOD)), None)
        if fits("superlative (rows|column)|(rows|column) superlative|top? (rows|column) superlative", pattern):
            by = self._view.meant_by(found.concept)
            sign = found.sign
            if by is None and found.text.lower() in ("oldest", "youngest", "newest"):
                by, sign = self._by_age(found.text.lower())
            if found.concept == "length" and any(token.text.lower() == "been" for token in self._said):
                by, sign = self._since(), -sign  # "who has been a member the longest"
            if by is None and found.concept == "speed":  # "the fastest runner" took the least time
                by, sign = self._view.meant_by("taken"), -sign
            if by is None or what is None or (found.concept == "money" and by.is_called("earned")):
                return None  # takings make nothing cheap
            return self._extreme(what, by, sign, most, is_named=False)
        if fits("column superlative rows|superlative rows column", pattern) and not numbers:
            by = self._view.meant_by(found.concept)
            return self._top_rows(by, found.sign, 1, columns[0]) if by is not None else None
        if fits("column rows extreme column", pattern) and not numbers:
            return self._extreme(Token(Kind.ROWS, "", 0, 0), columns[1], found.sign, 1, columns[0])
        if fits("(extreme|superlative) rows each column", pattern):
            return self._extreme(tokens[1], columns[0], found.sign, most)
        if fits("extreme rows", pattern):
            by = self._view.meant_by(found.concept or HIGHEST.get(found.text.lower(), ""))
            return self._extreme(tokens[1], by, found.sign, most, is_named=False) if by is not None else None
        if fits("column most column", pattern) and columns[-1].kind == "number" and columns[0] is not self._view.label:
            return self._top_groups(tokens[0], f"sum({columns[-1].sql})", (columns[-1],), found.sign, most)
        by_column = "(rows|column) ((extreme|most) column rows?|column (most|extreme))|top (rows|column) each column"
        if fits(by_column, pattern) and what is not None:
            return self._extreme(what, columns[-1], found.sign, most)
        if fits("extreme column|top column", pattern) and (numbers or ordinal > 1) and columns[0].kind == "number":
            return self._top_rows(columns[0], found.sign, most)
        if fits("(rows|column) extreme", pattern) and what is not None:
            by = self._view.meant_by(found.concept or HIGHEST.get(found.text.lower(), ""))
            return self._extreme(what, by, found.sign, most, is_named=False) if by is not None else None
        if what is None:
            return None
        by_rows = "(column|period) rows? most rows|common column|column common rows?|extreme count rows column"
        if fits(f"{by_rows}|top (column|period) each count rows", pattern):
            return self._top_groups(what, "count(*)", (), found.sign, most)
        by_sum = "(column|period) rows? (extreme (sum|mean)|most sum) column|top (column|period) each (sum|mean) column"
        if fits(by_sum, pattern) and columns[-1].kind == "number":
            name = next((self._adding(token) for token in tokens if token.kind == Kind.MEAN), "sum")
            return self._top_groups(what, f"{name}({columns[-1].sql})", (columns[-1],), found.sign, most)
        return None

    def _since(self) -> Field | None:
        """The one date or year from which somebody has been what they are."""
        dated = [one for one in self._view.fields if one.is_dated and one.loaded is self._view.loaded]
        found = [one for one in dated if one.is_called("joined")]
        return found[0] if len(found) == 1 else None
