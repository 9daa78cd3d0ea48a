"""From a question to a program by rules, without a model: only where every word of the question is explained.

What is left of a question without its conditions and small words is a short pattern, "how many ROWS", "which
ROWS
highest COLUMN"; the patterns here are the forms that are known. Where two readings give different answers, there is
none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Final

from lcrag.tables.conditions import conditions
from lcrag.tables.database import Database
from lcrag.tables.essential import is_literal
from lcrag.tables.field import stem_of
from lcrag.tables.filters import Unclear
from lcrag.tables.forms import Writer
from lcrag.tables.joins import chained_views, joined_views
from lcrag.tables.keys import noun_of
from lcrag.tables.lexicon import ROW_NOUNS
from lcrag.tables.loaded import Loaded
from lcrag.tables.nouns_and_verbs import is_act
from lcrag.tables.question import read
from lcrag.tables.selects import Program
from lcrag.tables.tokens import SYNONYM, Kind, Token
from lcrag.tables.view import View, is_code, view_of

_REASONING: Final = {
    Kind.COUNT,
    Kind.SUM,
    Kind.MEAN,
    Kind.EXTREME,
    Kind.SUPERLATIVE,
    Kind.MOST,
    Kind.COMMON,
    Kind.TOP,
    Kind.EACH,
    Kind.OVER,
    Kind.UNDER,
    Kind.AT_LEAST,
    Kind.AT_MOST,
}


def write(question: str, tables: Sequence[Loaded], database: Database) -> Program | None:
    """The program over these tables that answers the question; None where no form fits, or more than one reading."""
    views = [view_of(loaded, tables) for loaded in tables]
    words = {one.head for view in views for one in view.fields} | set(map(noun_of, tables))
    alone = _best(question, views, database, words)
    if len(alone) > 1 or (alone and not _shows_code(alone[0])):
        return alone[0] if len(alone) == 1 else None
    views = list(joined_views(tables))  # which may know the name of a code
    found = _best(question, views, database, words)
    if not found and not alone:
        found = _best(question, chained_views(tables), database, words)
    if len(found) == 1 or not alone:
        return found[0] if len(found) == 1 else None
    codes = [one.column for one in alone[0].shown if one is not None and is_code(one)]
    is_named = any(one.column in codes for view in views for one in view.keys)
    return None if is_named else alone[0]


def _shows_code(program: Program) -> bool:
    return any(one is not None and is_code(one) for one in program.shown)


def _best(question: str, views: Iterable[View], database: Database, words: Set[str]) -> list[Program]:
    """The programs over the views that explain the question; where there are several, of the one that is named, or
    whose columns are called as the question has it. ``words``: what all columns are called, none of which stands
    for another."""
    found: list[tuple[tuple[int, int], Program]] = []
    for view in views:
        tokens = read(question, view)
        if not tokens or any(token.kind == Kind.UNKNOWN for token in tokens):
            continue
        if any(token.concept == SYNONYM and stem_of(token.text.lower()) in words for token in tokens):
            continue  # another table has a column of that name
        try:
            program = Writer(view, database, *conditions(tokens, view)).program()
        except Unclear:
            continue
        if program is not None and not _asks_of_others(tokens, program, view):
            named = sum(_names_table(token, view) for token in tokens)
            found.append(((named, sum(map(is_literal, tokens))), program))
    most = max((named for named, _ in found), default=(0, 0))
    return [program for named, program in found if named == most]


def _asks_of_others(tokens: Sequence[Token], program: Program, view: View) -> bool:
    """Whether nothing is said of the rows of a joined view, but all of one table that they are joined with, whose rows
    it may hold more than once, or not at all: "shows with a budget" of performances and productions."""
    if not view.is_joined or any(_names_own(token, view) for token in tokens):
        return False
    fields = {one for token in tokens if token.kind != Kind.ROWS for one in (*token.fields, *dict(token.cells))}
    fields |= {one for one in program.shown if one is not None and one is not view.label}
    of = {noun_of(one.loaded): one.loaded.sql for one in view.fields}
    keys = {one: of.get(noun, noun) for noun, one in view.other.items()}
    joined = next(one.loaded.sql for one in view.fields if one.loaded is not view.loaded)
    said = {keys.get(one, joined if one in view.keys else one.loaded.sql) for one in fields}
    return len(said) == 1 and said != {view.loaded.sql}


def _names_own(token: Token, view: View) -> bool:
    """Whether a word is the rows' own noun, or a verb for them."""
    is_noun = token.kind == Kind.ROWS and token.concept != SYNONYM
    return is_noun or token.kind in (Kind.COMMON, Kind.MOST) or is_act(token.text.lower(), view)


def adds_up(question: str, table: Loaded) -> bool:
    """Whether it counts, adds, compares or groups, and names a column or a value of the table."""
    kinds = {token.kind for token in read(question, view_of(table))}
    return bool(kinds & _REASONING) and bool(kinds & {Kind.COLUMN, Kind.VALUE})


def names_its_table(question: str, table: Loaded) -> bool:
    """Whether the question names a column, a value or the rows of the table, as far as these are known."""
    view = view_of(table)
    own = view.nouns - {stem_of(word) for word in ROW_NOUNS}
    tokens = read(question, view)
    named = any(token.kind in (Kind.COLUMN, Kind.VALUE, Kind.TABLE) or token.fields for token in tokens)
    return named or any(token.kind == Kind.ROWS and stem_of(token.text.lower()) in own for token in tokens)


def _names_table(token: Token, view: View) -> bool:
    """Whether a word is of the table's own name."""
    return token.kind == Kind.TABLE or (token.kind == Kind.ROWS and stem_of(token.text.lower()) in view.about)
