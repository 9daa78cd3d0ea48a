"""Two columns of numbers as one: "gross minus budget", "the difference between budget and cost", "profit"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lcrag.tables.field import Field, stem_of
from lcrag.tables.loaded import Column
from lcrag.tables.tokens import Kind, Token
from lcrag.tables.view import View

SIGNS: Final = {"minus": "-", "less": "-", "plus": "+", "times": "*"}
INCOME: Final = frozenset(map(stem_of, "revenue gross income sales turnover takings proceeds".split()))
EXPENSE: Final = frozenset(map(stem_of, "cost costs budget expenses expenditure spending".split()))
PROFIT: Final = ("profit", "profits")


def computed(tokens: Sequence[Token], view: View) -> list[Token]:
    """The tokens, each two columns that are added or subtracted as one."""
    made: dict[str, Field] = {}
    found: list[Token] = []
    for token in tokens:
        found.append(token)
        said = [one for one in found if one.kind != Kind.IGNORED]
        if token.kind == Kind.UNKNOWN and token.text.lower() in PROFIT:
            gains, costs = (_called(view, words) for words in (INCOME, EXPENSE))
            if len(gains) == len(costs) == 1:
                one = _made(made, f"({gains[0].sql} - {costs[0].sql})", gains[0], costs[0])
                found[-1] = replace(token, kind=Kind.COLUMN, fields=(one,))
        elif len(said) > 2 and _is_number(said[-3]) and _is_number(token):
            left, sign = said[-3], SIGNS.get(said[-2].text.lower().split()[0], "")
            is_between = [one.kind for one in said[-4:-1]] == [Kind.DIFFERENCE, Kind.COLUMN, Kind.AND]
            if not sign and not is_between:
                continue
            first, second = left.fields[0], token.fields[0]
            sql = f"({first.sql} {sign} {second.sql})" if sign else f"abs({first.sql} - {second.sql})"
            start = left if sign else said[-4]
            del found[found.index(start) :]
            one = _made(made, sql, first, second)
            found.append(Token(Kind.COLUMN, token.text, start.start, token.end, fields=(one,)))
    return found


def _made(made: dict[str, Field], sql: str, first: Field, second: Field) -> Field:
    """The field of this expression, the same one for the same expression."""
    if sql not in made:
        column = Column(f"{first.column.name}, {second.column.name}", sql, first.column.reader)
        made[sql] = Field(column, first.loaded, sql, (first.names[0] + second.names[0],))
    return made[sql]


def _is_number(token: Token) -> bool:
    return token.kind == Kind.COLUMN and len(token.fields) == 1 and token.fields[0].kind == "number"


def _called(view: View, words: frozenset[str]) -> list[Field]:
    return [one for one in view.fields if one.kind == "number" and words & set(one.names[0])]
