"""Which rows a question is about: values, comparisons and dates as conditions of a program."""

from __future__ import annotations

from typing import Final

from lcrag.tables.field import Field
from lcrag.tables.filters import Condition, Unclear
from lcrag.tables.lexicon import AGAINST
from lcrag.tables.names import literal
from lcrag.tables.times import Times
from lcrag.tables.tokens import COMPARED, Kind, Token
from lcrag.tables.units import SIZES
from lcrag.tables.view import View

MONEY: Final = tuple("£$€¥₹")
KEPT: Final = (Kind.TOP, Kind.EXTREME, Kind.SUPERLATIVE)
"""Before or after a number: it says how many rows are asked for."""


def conditions(tokens: list[Token], view: View) -> tuple[list[Condition], list[Token]]:
    """The conditions, and the tokens with FILTER where each stood. Raises Unclear."""
    found = _Conditions(tokens, view)
    for kind, read in (
        (Kind.VALUE, found.value),
        (Kind.DATE, found.date),
        (Kind.NUMBER, found.number),
        (Kind.COLUMN, found.flag),
        (Kind.MEAN, found.average),
        (Kind.RELATED, found.related),
        (Kind.WITHOUT, found.empty),
    ):
        place = 0
        while place < len(found.tokens):
            if found.tokens[place].kind == kind:
                place = read(place)
            place += 1
    found.done()
    return found.conditions, found.tokens


class _Conditions(Times):
    def value(self, place: int) -> int:
        """Values of one column, "good or fair", with the name of the column before or behind them."""
        last, fields = place, {one for one, _ in self.tokens[place].cells}
        while True:
            after = self._right(last, also=(Kind.AND, Kind.OR, Kind.FROM))
            if after is None or self.tokens[after].kind != Kind.VALUE:
                break
            both = fields & {one for one, _ in self.tokens[after].cells}
            joined = any(token.kind in (Kind.AND, Kind.OR) for token in self.tokens[last:after]) or after == last + 1
            if not both or not joined:
                break
            last, fields = after, both
        first, left = place, self._left(place, also=(Kind.FROM,))
        right = last + 1 if last + 1 < len(self.tokens) else None
        if right is not None and self.tokens[right].text.lower() == "as":
            right = self._right(right)  # "Oslo as home port"
        end = last + 1
        named = self._named(left, fields)
        if left is not None and named is not None:
            one, first = named, left
        elif right is not None and (named := self._named(right, fields)) is not None:
            one, end = named, right + 1
        elif len(fields) == 1:
            [one] = fields
        else:
            raise Unclear
        texts = [text for token in self.tokens[place : last + 1] for cell, text in token.cells if cell is one]
        texts = list(dict.fromkeys(texts))
        first, is_not = self._negated(first)
        if is_not and one.column.empty:
            raise Unclear  # whether a row without a value counts
        listed = ", ".join(map(literal, texts))
        if len(texts) == 1:
            sql = f"{one.sql} {'<>' if is_not else '='} {listed}"
        else:
            sql = f"{one.sql} {'NOT IN' if is_not else 'IN'} ({listed})"
        is_against = any(tuple(token.text.lower().split()) in AGAINST for token in self.tokens[place:last])
        found = self._replace(first, end, Condition(sql, one, texts=() if is_not else tuple(texts)))
        if is_against and not is_not and len(texts) > 1:  # "evenings against matinees"
            stop = self.tokens[found].end
            each = [Token(Kind.EACH, "per", stop, stop), Token(Kind.COLUMN, "", stop, stop, fields=(one,))]
            self.tokens[found + 1 : found + 1] = each
        return found

    def number(self, place: int) -> int:
        token = self.tokens[place]
        left, right = self._left(place), self._right(place)
        before = self.tokens[left].kind if left is not None else ""
        after = self.tokens[right].kind if right is not None else ""
        if self._is_year(place):
            return self._dated(place, (str(token.number), str(token.number)))
        if before in (Kind.BETWEEN, Kind.FROM) and (other := self._between(place, before)) is not None:
            assert left is not None
            one, first, end = self._counted(left, other, "")
            low, high = _amount(token, one), _amount(self.tokens[other], one)
            return self._replace(*self._not(first, end), Condition(f"{one.sql} BETWEEN {low} AND {high}", one))
        if before in COMPARED and after == Kind.ROWS:
            return place  # "more than 3 loans"
        if before in COMPARED or after in (Kind.OR_MORE, Kind.OR_LESS):
            sign = COMPARED[before] if before in COMPARED else COMPARED[after]
            start = left if before in COMPARED and left is not None else place
            last = right if after in (Kind.OR_MORE, Kind.OR_LESS) and right is not None else place
            one, first, end = self._counted(start, last, self.tokens[start].concept or token.concept)
            return self._replace(*self._not(first, end), Condition(f"{one.sql} {sign} {_amount(token, one)}", one))
        if before in KEPT or after in KEPT or after == Kind.ROWS:
            return place
        if right is not None and after == Kind.COLUMN and not self.tokens[right].fields[0].is_counted:
            return place
        one, first, end = self._counted(place, place, token.concept)
        return self._replace(*self._not(first, end), Condition(f"{one.sql} = {_amount(token, one)}", one))

    def average(self, place: int) -> int:
        """Above or below the mean of all rows: "earn more than the average"."""
        left = self._left(place)
        if left is None or self.tokens[left].kind not in (Kind.OVER, Kind.UNDER):
            return place
        one, first, end = self._counted(left, place, self.tokens[left].concept)
        sql = f"{one.sql} {COMPARED[self.tokens[left].kind]} (SELECT avg({one.sql}) FROM {self._view.source})"
        return self._replace(*self._not(first, end), Condition(sql, one))

    def _counted(self, first: int, last: int, concept: str) -> tuple[Field, int, int]:
        """The column of numbers that a comparison from ``first`` to ``last`` is about, and where it begins and ends."""
        one, begin, end = self._beside(first, last, concept)
        money = self._view.meant_by("money") if concept in (*MONEY, "money") and not one.is_money else None
        if money is not None and money.is_money:
            if not set(one.names[0]) & set(money.names[0]):
                raise Unclear
            return money, begin, end  # "tickets at £25" of their price, not of their number
        return one, begin, end

    def _beside(self, first: int, last: int, concept: str) -> tuple[Field, int, int]:
        """The column next to a comparison, or the one that its unit or what it says means."""
        right, left = last + 1, self._left(first)
        far = self._left(first, also=(Kind.FILTER,))
        if right < len(self.tokens) and (one := self._number_at(right)) is not None:
            is_again = left is not None and self._number_at(left) is one  # "lasted 45 minutes"
            return one, left if is_again and left is not None else first, right + 1
        if left is not None and (one := self._number_at(left)) is not None:
            return one, left, last + 1
        is_behind = right + 1 < len(self.tokens) and self.tokens[right].text.lower() in ("in", "of", "to")
        if is_behind and (one := self._number_at(right + 1)) is not None:
            return one, first, right + 2
        if far is not None and far != left and (one := self._number_at(far)) is not None:
            return one, far, last + 1  # "was the rate in Denham above 6%"
        money = "money" if concept in MONEY else concept
        is_person = "peopl" in self._view.nouns and left is not None and self._is_of_row(self.tokens[left])
        unit = next((token.unit for token in self.tokens[first : last + 1] if token.unit), "")
        if not money and not unit and is_person:  # "patients over 80"
            money = "age"
        found = self._view.meant_by(money) if money and money.isalpha() else None
        if found is None and unit:  # "over 20 kg"
            found = self._view.measured_in(SIZES[unit][0])
        if found is None or not found.is_counted:
            raise Unclear
        return found, first, last + 1

    @staticmethod
    def _is_of_row(token: Token) -> bool:
        """Whether it says which rows: their noun, a condition, a column of yes and no."""
        is_flag = token.kind == Kind.COLUMN and any(one.says_yes for one in token.fields)
        return is_flag or token.kind in (Kind.ROWS, Kind.FILTER)

    def _number_at(self, place: int) -> Field | None:
        token = self.tokens[place]
        return (
            token.fields[0]
            if token.kind == Kind.COLUMN and len(token.fields) == 1 and token.fields[0].is_counted
            else None
        )

    def _named(self, place: int | None, fields: set[Field]) -> Field | None:
        """The column of these that is named here."""
        if place is None or self.tokens[place].kind not in (Kind.COLUMN, Kind.ROWS):
            return None
        token = self.tokens[place]
        named = token.fields or (
            (self._view.label,) if token.kind == Kind.ROWS and self._view.label is not None else ()
        )
        return next((one for one in named if one in fields), None)


def _amount(token: Token, one: Field) -> float:
    """A number as the column counts: 150 million of a column in millions is 150, 2 hours of minutes 120."""
    if token.unit and one.unit:
        (dimension, size), (of_column, other) = SIZES[token.unit], SIZES[one.unit]
        if dimension != of_column:
            raise Unclear
        return token.number * size / other if size != other else token.number
    return token.number / one.scale if token.scale > 1 and one.scale > 1 else token.number
