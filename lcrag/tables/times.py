"""Which rows a question is about: conditions of dates and years."""

from __future__ import annotations

from typing import Final

from lcrag.tables.dates import spanned, when
from lcrag.tables.field import Field
from lcrag.tables.filters import Condition, Filters, Unclear
from lcrag.tables.tokens import Kind

DATED: Final = (Kind.BEFORE, Kind.AFTER, Kind.SINCE, Kind.UNTIL)


class Times(Filters):
    """Reads dates, and numbers that are years."""

    def date(self, place: int) -> int:
        token = self.tokens[place]
        return self._dated(place, token.dates)

    def _is_year(self, place: int) -> bool:
        """Whether a number is a year: of a date, after "in", or between two of them."""
        token, left = self.tokens[place], self._left(place)
        if left is None or not token.text.isdigit():
            return False
        before = self.tokens[left]
        far = self._left(left)
        if before.kind in DATED and far is not None and any(one.kind == "year" for one in self.tokens[far].fields):
            return True
        if not 1000 <= token.number <= 2100:
            return False
        if before.kind in DATED or any(one.text.lower() in ("in", "during") for one in self.tokens[left + 1 : place]):
            return True
        if before.kind in (Kind.BETWEEN, Kind.FROM):
            is_named = far is not None and self.tokens[far].kind == Kind.COLUMN
            return self.tokens[far or 0].fields[0].is_dated if is_named else bool(self._view.dated)
        return before.kind == Kind.COLUMN and before.fields[0].is_dated

    def _dated(self, place: int, dates: tuple[str, str]) -> int:
        low, high = dates
        left = self._left(place)
        before = self.tokens[left].kind if left is not None else ""
        first, last, sign = place, place, before if isinstance(before, Kind) and before in DATED else None
        if before in (Kind.BETWEEN, Kind.FROM):
            other = self._between(place, before)
            if other is not None:
                token = self.tokens[other]
                span = spanned(dates, token.dates if token.kind == Kind.DATE else (token.text, token.text))
                if span is None:
                    raise Unclear
                low, high = span
            elif before == Kind.BETWEEN or (
                place + 1 < len(self.tokens) and self.tokens[place + 1].text.lower() == "on"
            ):
                raise Unclear  # "from 1900 on"
            first, last = left or 0, other or place
        elif before in DATED and left is not None:
            first = left
        named = self._left(first)
        right = last + 1 if last + 1 < len(self.tokens) else None
        one = self._date_column(named, None)
        if one is not None and named is not None:
            first = named
        else:
            one = self._date_column(right, self._view.dated)
            if one is not None and right is not None and one in self.tokens[right].fields:
                last = right
            elif one is not None and self._view.related and one.is_called("began"):
                raise Unclear  # "did Ann bring a pet in 2024": pets have the year of their birth, but visits a day
        if one is None:
            raise Unclear
        sql = when(one.sql, one.kind, sign, (low, high))
        second = self._second_date(last) if sign is None and low == high else None
        if sql is not None and second is not None:  # "in 2020 and 2021"
            said = self.tokens[second]
            dates = said.dates if said.kind == Kind.DATE else (said.text, said.text)
            also, last = when(one.sql, one.kind, None, dates), second
            sql = f"({sql} OR {also})" if also is not None else None
        if sql is None:
            raise Unclear
        ends = [when(one.sql, one.kind, None, (end, end)) for end in (low, high)] if low != high and low else []
        return self._replace(*self._not(first, last + 1), Condition(sql, one, ends=tuple(end for end in ends if end)))

    def _second_date(self, place: int) -> int | None:
        """Where another date or year of the same kind follows "and" or "or"."""
        link = self._right(place)
        if link is None or self.tokens[link].kind not in (Kind.AND, Kind.OR):
            return None
        other = self._right(link)
        if other is None:
            return None
        token = self.tokens[other]
        is_year = token.kind == Kind.NUMBER and token.text.isdigit() and 1000 <= token.number <= 2100
        return other if is_year or token.kind == Kind.DATE else None

    def _date_column(self, place: int | None, otherwise: list[Field] | None) -> Field | None:
        """The date that is named here; else the only one there is, if ``otherwise`` has one."""
        if place is not None and self.tokens[place].kind == Kind.COLUMN:
            dated = [one for one in self.tokens[place].fields if one.is_dated]
            if len(dated) == 1:
                return dated[0]
        return otherwise[0] if otherwise is not None and len(otherwise) == 1 else None

    def _between(self, place: int, before: str) -> int | None:
        """Where the second end of "between 3 and 5", "from 3 to 5" is."""
        link = self._right(place)
        if link is None or self.tokens[link].kind not in (
            (Kind.AND,) if before == Kind.BETWEEN else (Kind.TO, Kind.UNTIL)
        ):
            return None
        other = self._right(link)
        return other if other is not None and self.tokens[other].kind in (Kind.NUMBER, Kind.DATE) else None
