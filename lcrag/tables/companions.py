"""Words that are not in the table and add nothing to the column that they go with: "tickets" of a column "sold",
"sort" of "each sort of honey"; compounds and units of columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lcrag.tables.field import Field, stem_of
from lcrag.tables.lexicon import EVERY, GATHERINGS, PEOPLE, SORTS
from lcrag.tables.tokens import COMPARED, Kind, Token
from lcrag.tables.units import SIZES
from lcrag.tables.values import words_of
from lcrag.tables.verbs import LEFT
from lcrag.tables.view import View

_PEOPLE: Final = {stem_of(word) for word in (*PEOPLE, "owner", "keeper", "parent", "people", "holder")}
LEAST_PART: Final = 5
"""Letters of a column's word that ends a compound: "keeper" of "beekeeper". Assumed, not measured."""


def accompanied(tokens: Sequence[Token], view: View) -> list[Token]:
    """The tokens, UNKNOWN ones that only go with a column replaced."""
    found = list(tokens)
    for place, token in enumerate(found):
        if token.kind != Kind.UNKNOWN or token.fields:
            continue
        word = token.text.lower()
        if (
            _is_place(found, place)
            or _is_in_name(word, view)
            or _goes_with_done(found, place)
            or _is_sort(found, place)
            or _is_people(word, view)
        ):
            found[place] = replace(token, kind=Kind.IGNORED)
        elif (one := _of_unit(word, view) or _of_compound(word, view)) is not None:
            found[place] = replace(token, kind=Kind.COLUMN, fields=(one,))
    return found


def _is_place(tokens: Sequence[Token], place: int) -> bool:
    """ "In the marina": where all of the rows are."""
    before = [one.text.lower() for one in tokens[max(0, place - 2) : place]]
    is_ours = len(before) == 2 and before[0] in ("in", "at", "of", "on", "for") and before[1] in ("the", "our", "this")
    return is_ours and tokens[place].text.lower() in GATHERINGS


def _is_in_name(word: str, view: View) -> bool:
    """ "Yearly" of a column "annual fee"."""
    if word not in EVERY:
        return False
    same = {stem_of(other) for other, period in EVERY.items() if period == EVERY[word]}
    return any(one.kind == "number" and same & set(one.names[0]) for one in view.fields)


def _goes_with_done(tokens: Sequence[Token], place: int) -> bool:
    """ "Tickets" before the column "sold", or behind "sold over 90"."""
    behind = next((one for one in tokens[place + 1 :] if one.kind != Kind.IGNORED), None)
    if behind is not None and _says_what_was_done(behind):
        counted = next((one for one in tokens[:place][::-1] if one.kind != Kind.IGNORED), None)
        return counted is not None and counted.kind in (Kind.COUNT, Kind.SUM, Kind.MEAN, Kind.EXTREME, Kind.MOST)
    before = [one for one in tokens[:place] if one.kind != Kind.IGNORED][-3:]
    is_compared = len(before) == 3 and before[1].kind in COMPARED and before[2].kind == Kind.NUMBER
    return is_compared and _says_what_was_done(before[0])


def _says_what_was_done(token: Token) -> bool:
    """Whether it is a column of numbers that is called by a verb alone."""
    if token.kind != Kind.COLUMN or len(token.fields) != 1 or token.fields[0].kind != "number":
        return False
    words = re.findall(r"[a-z]+", token.fields[0].column.name.lower())
    return len(words) == 1 and (words[0].endswith("ed") or words[0] in LEFT)


def _is_sort(tokens: Sequence[Token], place: int) -> bool:
    """ "Sort" of "each sort of honey", where honey is a column that repeats its texts."""
    if tokens[place].text.lower() not in SORTS or not place or tokens[place - 1].kind != Kind.EACH:
        return False
    behind = next((one for one in tokens[place + 1 :] if one.kind != Kind.IGNORED), None)
    is_column = behind is not None and behind.kind == Kind.COLUMN and len(behind.fields) == 1
    return is_column and behind is not None and behind.fields[0].kind == "text" and behind.fields[0].share < 1


def _is_people(word: str, view: View) -> bool:
    """Whether people are those of the other table: "boats of people who live in Truro"."""
    others = [noun for noun in view.other if noun in _PEOPLE]
    return word in ("people", "person", "persons", "somebody", "folk") and len(others) == 1


def _of_unit(word: str, view: View) -> Field | None:
    """The one column whose name says no more than this unit: "kilos" of "kg"."""
    if word not in SIZES:
        return None
    found = [one for one in view.fields if one.is_bare and one.unit and SIZES[one.unit] == SIZES[word]]
    return found[0] if len(found) == 1 else None


def _of_compound(word: str, view: View) -> Field | None:
    """The one column of texts whose word ends this one."""
    found = [
        one
        for one in view.fields
        if one.kind == "text" and (last := (words_of(one.column.name) or [""])[-1]) and len(last) >= LEAST_PART
        if word != last and word.removesuffix("s").endswith(last)
    ]
    return found[0] if len(found) == 1 else None
