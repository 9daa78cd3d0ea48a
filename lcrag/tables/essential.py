"""What a question asks once its conditions and small words are taken away."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from lcrag.tables.field import stem_of
from lcrag.tables.tokens import COLUMN, FILTER, IGNORED, NOUN, ROWS, UNKNOWN, Token


def essential(tokens: Sequence[Token]) -> list[Token]:
    """Without small words, the table's own name and conditions; a column or noun that is said twice in a row once."""
    kept = [token for token in tokens if token.kind not in (IGNORED, "T")]
    found: list[Token] = []
    for place, token in enumerate(kept):
        before = kept[place - 1].kind if place else ""
        after = kept[place + 1].kind if place + 1 < len(kept) else ""
        if token.kind == FILTER or (token.kind == "&" and (FILTER in (before, after) or not before or not after)):
            continue
        behind = [one.kind for one in kept[place + 1 :] if one.kind != "f"][:1]
        if token.concept == NOUN and behind == [FILTER] and before in ("f", ROWS, COLUMN, IGNORED):
            continue  # "orders from customers in Berlin"
        if token.kind in "ft" and (after in (FILTER, ROWS, "") or kept[place + 1].concept == NOUN):
            continue
        if token.kind == COLUMN and len(token.fields) > 1:  # "works" without a value that says where
            token = replace(token, kind=UNKNOWN)
        next_two = [one.kind for one in kept[place + 1 : place + 3]]
        is_verb = token.kind == COLUMN and token.fields[0].is_dated and token.text.lower().endswith("ed")
        if is_verb and next_two == [">", ROWS]:
            continue  # "issued the most fines"
        is_second = token.kind == COLUMN and any(one.kind in (ROWS, COLUMN) for one in found)
        is_before = is_second and next_two == [">", COLUMN]
        if is_before and (not is_literal(token) or token.fields == kept[place + 2].fields):
            continue  # "worked the most hours", "sold the most units"
        is_holder = token.kind == COLUMN and token.fields[0].kind == "text" and not token.sign
        asked = "".join(one.kind for one in found)
        is_holder = is_holder and not asked.endswith("p")
        if is_holder and FILTER in (before, *behind) and re.search(r"[hsm%+^].*[RC]|[sm+]C|w?[RC]", asked):
            continue  # "the average score of Asian restaurants"
        if token.kind == COLUMN and _is_repeated(token, kept[place + 1 :]):
            continue
        follows = kept[place + 1 : place + 2]
        is_rated = token.kind == "^" and token.concept == "rating" and follows and follows[0].kind == COLUMN
        if is_rated and not any(one.is_called("taken") or one.is_called("rank") for one in follows[0].fields):
            token = replace(token, kind="+")  # "the best mark"
        is_number = place + 1 < len(kept) and any(one.kind == "number" for one in kept[place + 1].fields)
        if token.kind == "h" and before in ("m", "+", "s") and is_number:  # "the highest number of launches"
            continue
        last = found[-1] if found else None
        is_again = last is not None and token.kind == last.kind and token.kind in (COLUMN, ROWS, "h", "s", "w")
        if is_again and last is not None and (token.kind != COLUMN or token.fields[:1] == last.fields[:1]):
            continue
        found.append(token)
    return found


def _is_repeated(token: Token, after: Sequence[Token]) -> bool:
    """Whether the column is said again where it is compared: "pays the highest average salary"."""
    compared = [one.kind for one in after[:3]]
    return any(
        compared[place : place + 1] == [COLUMN] and after[place].fields == token.fields and "+" in compared[:place]
        for place in (1, 2)
    )


def is_literal(token: Token) -> bool:
    """Whether a column has the word in its name, and is not just meant by it."""
    stem = stem_of(token.text.lower().split(" ")[0])
    return token.kind == COLUMN and any(stem in one.names[0] for one in token.fields)
