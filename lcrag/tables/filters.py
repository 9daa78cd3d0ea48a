"""Conditions that name no value: columns of yes and no, what was done at all, cells that are empty; and how a condition
takes the place of its words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from lcrag.tables.field import Field, stem_of
from lcrag.tables.names import literal
from lcrag.tables.tokens import NEGATED, NOUN, Kind, Token
from lcrag.tables.verbs import LEFT
from lcrag.tables.view import View

MISSING: Final = ("missing", "blank", "empty")
RECORDED: Final = ("recorded", "given", "known", "listed", "entered", "figure", "figures", "data")
BY_WHOM: Final = ("made", "used", "paid", "visited", "ordered", "placed")
WON: Final = ("won", "win", "wins")
HELPING: Final = ("have", "has", "had", "been", "was", "were", "not", "never", "are", "is", "did", "does", "do")
_COUNTED: Final = {Kind.COUNT, Kind.ASKS, Kind.WHETHER, Kind.SHARE, Kind.SUM, Kind.MEAN, Kind.DIFFERENCE}


class Unclear(Exception):
    """A word could belong to more than one column, or to none."""


@dataclass(frozen=True, eq=False)
class Condition:
    """``sql``: as a program says it; ``field``: the column that it is about; ``start``: where it is in the question;
    ``texts``: the values that the column must have, one of them; ``ends``: conditions of the first and the last day of
    a time."""

    sql: str
    field: Field
    start: int = 0
    texts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()


class Filters:
    """``tokens``: of the question, FILTER in the place of each condition that was found."""

    def __init__(self, tokens: list[Token], view: View) -> None:
        self.tokens = list(tokens)
        self.conditions: list[Condition] = []
        self._view = view

    def flag(self, place: int) -> int:
        """A column of yes and no: "were elected", "not elected", "without a tsunami"."""
        token, left = self.tokens[place], self._left(place)
        if len(token.fields) != 1:
            return place
        if token.text.lower() in WON and token.fields[0].is_counted and token.fields[0].is_called("rank"):
            return self._replace(place, place + 1, Condition(f"{token.fields[0].sql} = 1", token.fields[0]))
        if self._is_with(place):  # "bookings with children"
            return self._replace(place, place + 1, Condition(f"{token.fields[0].sql} > 0", token.fields[0]))
        yes = token.fields[0].says_yes
        before = self.tokens[left].kind if left is not None else ""
        after = [one.kind for one in self.tokens[place + 1 :] if one.kind != Kind.IGNORED][:1]
        is_target = before == Kind.COUNT and after not in (
            [Kind.ROWS],
            [Kind.COLUMN],
        )  # "furnished flats", but not "how many furnished"
        if yes is not None and before == Kind.EACH and left and self.tokens[left - 1].text.lower() in BY_WHOM:
            return self._replace(left, place + 1, Condition(f"{token.fields[0].sql} = {literal(yes)}", token.fields[0]))
        if (
            yes is None
            or before in (Kind.EACH, Kind.DIFFERENT)
            or (is_target and {Kind.ROWS, Kind.COLUMN} & {one.kind for one in self.tokens if one is not token})
        ):
            return place
        one, is_not = token.fields[0], before in (Kind.NOT, Kind.WITHOUT)
        if token.concept == NEGATED:
            left, is_not = (left if is_not else place), not is_not
        says_no = one.says_no
        if is_not and one.column.empty and says_no is None:
            raise Unclear
        end = self._said_again(place, one)
        sql = f"{one.sql} = {literal(yes)}"
        if is_not:
            sql = f"{one.sql} <> {literal(yes)}" if says_no is None else f"{one.sql} = {literal(says_no)}"
        if any(other.field is one and other.sql != sql for other in self.conditions):
            raise Unclear  # yes and no at once
        return self._replace(left if is_not and left is not None else place, end, Condition(sql, one))

    def _said_again(self, place: int, one: Field) -> int:
        """Behind the words that name the column, from here: "paid their subs"."""
        end = place + 1
        while (after := self._right(end - 1)) is not None and self.tokens[after].fields == (one,):
            end = after + 1
        return end

    def _is_with(self, place: int) -> bool:
        """Whether rows with a number above nothing are meant: "with" before a column that has zeros."""
        one = self.tokens[place].fields[0]
        words = [token.text.lower() for token in self.tokens[max(0, place - 2) : place]]
        is_with = words[-1:] == ["with"] or words == ["with", "any"]
        compared = [token.kind for token in self.tokens[place + 1 : place + 2]]
        return is_with and one.kind == "number" and one.column.zeros > 0 and compared in ([], [Kind.IGNORED])

    def done(self) -> None:
        """Whether something was done at all, where a column says when: "were returned", "have not left"."""
        kinds = {token.kind for token in self.tokens} | {
            token.concept for token in self.tokens if token.kind == Kind.ASKS
        }
        if kinds & {Kind.SUPERLATIVE, Kind.EXTREME, "time"} or not kinds & _COUNTED:
            return
        for place in range(len(self.tokens) - 1, -1, -1):
            if place >= len(self.tokens):
                continue  # it went with the one behind it
            token, left = self.tokens[place], self._left(place)
            if token.kind != Kind.COLUMN or len(token.fields) != 1 or not token.fields[0].is_dated:
                continue
            [one] = token.fields
            helped = any(other.text.lower() in HELPING for other in self.tokens[max(0, place - 6) : place])
            helped = helped or (place > 0 and self.tokens[place - 1].kind in (Kind.ROWS, Kind.COLUMN))
            if token.concept != NEGATED and (not helped or not _is_done(token.text.lower(), one)):
                continue
            is_not = left is not None and self.tokens[left].kind == Kind.NOT
            if token.concept == NEGATED:
                left, is_not = (left if is_not else place), not is_not
            if one.column.unread or (is_not and not one.column.empty):
                raise Unclear
            if not one.column.empty:  # it was done in every row
                self.tokens[place] = replace(token, kind=Kind.IGNORED)
                continue
            condition = Condition(f"{one.sql} IS {'' if is_not else 'NOT '}NULL", one)
            self._replace(left if is_not and left is not None else place, place + 1, condition)

    def related(self, place: int) -> int:
        """Rows that none of another table belong to: "apiaries without hives", "have no hives", "never had a loan"."""
        token, left = self.tokens[place], self._left(place)
        label = self._view.label
        if not any(one.kind == Kind.ROWS for one in self.tokens):
            raise Unclear  # it is asked of the rows of this table
        if left is None or label is None or self.tokens[left].kind not in (Kind.WITHOUT, Kind.NOT):
            raise Unclear
        sql = f"NOT EXISTS ({self._view.related[token.concept]})"
        return self._replace(left, place + 1, Condition(sql, label))

    def empty(self, place: int) -> int:
        """Rows whose cell is empty: "without a note"."""
        left, right = self._left(place), self._right(place)
        is_behind = self.tokens[place].text.lower() in MISSING  # "marks are missing"
        named = left if is_behind else right
        if named is None or self.tokens[named].kind != Kind.COLUMN:
            raise Unclear
        is_noun = self.tokens[named].concept == NOUN
        if is_noun and (is_behind or not any(token.kind == Kind.ROWS for token in self.tokens)):
            raise Unclear  # "which flats are empty" of repairs
        [one] = self.tokens[named].fields
        is_known = any(token.text.lower() in RECORDED for token in self.tokens[named + 1 :])
        is_zero = one.kind == "number" and not (is_behind or is_known) and one.column.zeros > 0
        if one.column.unread or (is_zero and one.column.empty):
            raise Unclear
        sql = f"{one.sql} = 0" if is_zero else f"{one.sql} IS NULL"
        return self._replace(min(place, named), max(place, named) + 1, Condition(sql, one))

    def _not(self, first: int, end: int) -> tuple[int, int]:
        if self._negated(first)[1]:
            raise Unclear
        return first, end

    def _negated(self, first: int) -> tuple[int, bool]:
        left = self._left(first)
        is_not = left is not None and self.tokens[left].kind in (Kind.NOT, Kind.WITHOUT)
        return (left if is_not and left is not None else first), is_not

    def _left(self, place: int, also: Sequence[Kind] = ()) -> int | None:
        return next((at for at in range(place - 1, -1, -1) if not self._is_passed(at, also)), None)

    def _right(self, place: int, also: Sequence[Kind] = ()) -> int | None:
        return next((at for at in range(place + 1, len(self.tokens)) if not self._is_passed(at, also)), None)

    def _is_passed(self, at: int, also: Sequence[Kind]) -> bool:
        return self.tokens[at].kind in (Kind.IGNORED, Kind.TABLE) or self.tokens[at].kind in also

    def _replace(self, first: int, end: int, condition: Condition) -> int:
        """Put a FILTER in place of these tokens; returns where it stands."""
        begin, stop = self.tokens[first].start, self.tokens[end - 1].end
        self.tokens[first:end] = [Token(Kind.FILTER, "", begin, stop, fields=(condition.field,))]
        self.conditions.append(replace(condition, start=begin))
        return first


def _is_done(word: str, one: Field) -> bool:
    """Whether a word is the verb that the name of a date has: "issue" and "issued" of "Issued on"."""
    verbs = [name for name in re.findall(r"[a-z]+", one.column.name.lower()) if name.endswith("ed")]
    return word.endswith("ed") or word in LEFT or stem_of(word) in map(stem_of, verbs)
