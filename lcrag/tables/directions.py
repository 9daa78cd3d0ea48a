"""Two columns for the two ends of a move, "from_club" and "to_club": which one a question means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lcrag.tables.field import Field, stem_of
from lcrag.tables.tokens import Kind, Token
from lcrag.tables.view import View

_ENDS: Final = (
    ("from origin departure source start seller sender", "from leave left sell sold depart out lose lost"),
    ("to destination arrival target end buyer receiver", "to into join buy bought sign arrive go went spend spent"),
)
"""For each end words of the names of its columns, and words of questions that mean it."""
_NAMES: Final = tuple({stem_of(word) for word in names.split()} for names, _ in _ENDS)
_SAID: Final = tuple({stem_of(word) for word in said.split()} for _, said in _ENDS)
NEAR: Final = 2
"""Tokens before a value in which "from" or "to" is looked for: "from the club Rovers"."""


def directed(tokens: Sequence[Token], view: View) -> list[Token]:
    """The tokens, those that may mean either end with the one that the words next to them say, or the verb."""
    ends = [[one for one in view.fields if one.kind == "text" and one.names[0][0] in names] for names in _NAMES]
    if any(len(one) != 1 for one in ends):
        return list(tokens)
    both = {ends[0][0], ends[1][0]}
    found = list(tokens)
    for place, token in enumerate(tokens):
        fields = {one for one, _ in token.cells} or set(token.fields)
        if fields != both:
            continue
        near = _end(tokens[max(0, place - NEAR) : place][::-1], ("from", "to", "into"))
        end = near if near is not None else _end([one for one in tokens if one.kind in (Kind.UNKNOWN, Kind.IGNORED)])
        if end is None:
            continue
        one: Field = ends[end][0]
        if token.cells:
            found[place] = replace(token, cells=tuple(cell for cell in token.cells if cell[0] is one))
        else:
            found[place] = replace(token, kind=Kind.COLUMN, fields=(one,))
    if found == list(tokens):
        return found
    said = _SAID[0] | _SAID[1]
    return [replace(one, kind=Kind.IGNORED) if _is_said(one, said) else one for one in found]


def _end(tokens: Sequence[Token], words: Sequence[str] = ()) -> int | None:
    """0 where a token says the beginning of the move, 1 for its end; ``words``: the only ones that count."""
    for token in tokens:
        stem = stem_of(token.text.lower())
        if words and token.text.lower() not in words:
            continue
        for end, said in enumerate(_SAID):
            if stem in said:
                return end
    return None


def _is_said(token: Token, said: set[str]) -> bool:
    return token.kind == Kind.UNKNOWN and not token.fields and stem_of(token.text.lower()) in said
