"""What a question asks once its conditions and small words are taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lcrag.tables.field import Field, stem_of
from lcrag.tables.tokens import NOUN, Kind, Token
from lcrag.tables.verbs import LEFT

_SAID_TWICE: Final = (Kind.COLUMN, Kind.ROWS, Kind.COUNT, Kind.SUM, Kind.ASKS)


def essential(tokens: Sequence[Token]) -> list[Token]:
    """Without small words, the table's own name and conditions; a column or noun that is said twice in a row once."""
    kept = [token for token in tokens if token.kind not in (Kind.IGNORED, Kind.TABLE)]
    found: list[Token] = []
    for place, token in enumerate(kept):
        before = kept[place - 1].kind if place else ""
        after = kept[place + 1].kind if place + 1 < len(kept) else ""
        if token.kind == Kind.FILTER or (token.kind == Kind.AND and {Kind.FILTER, ""} & {before, after}):
            continue
        behind = [one.kind for one in kept[place + 1 :] if one.kind != Kind.FROM][:1]
        if token.concept == NOUN and behind == [Kind.FILTER] and before in (Kind.FROM, Kind.ROWS, Kind.COLUMN):
            continue  # "orders from customers in Berlin"
        if token.kind == Kind.ASKS and found and after == Kind.FILTER and found[-1].kind != Kind.ASKS:
            continue  # "people who live in Truro"
        if token.kind in (Kind.FROM, Kind.TO) and (
            after in (Kind.ASKS, Kind.FILTER, Kind.ROWS, "") or kept[place + 1].concept == NOUN
        ):
            continue
        if token.kind == Kind.COLUMN and len(token.fields) > 1:  # "works" without a value that says where
            token = replace(token, kind=Kind.UNKNOWN)
        next_two = [one.kind for one in kept[place + 1 : place + 3]]
        is_verb = token.kind == Kind.COLUMN and token.fields[0].is_dated and token.text.lower().endswith("ed")
        if is_verb and next_two == [Kind.MOST, Kind.ROWS]:
            continue  # "issued the most fines"
        is_sold = is_done(token) and bool(found) and found[-1].kind == Kind.COLUMN and bool(_numbers(found[-1:]))
        if is_sold and after in (Kind.EACH, ""):  # "jars sold per shop"
            found.insert(-1, replace(token, kind=Kind.SUM))
            continue
        is_second = token.kind == Kind.COLUMN and any(one.kind in (Kind.ROWS, Kind.COLUMN) for one in found)
        is_before = is_second and next_two == [Kind.MOST, Kind.COLUMN]
        is_part = token.kind == Kind.COLUMN and len(token.fields[0].names[0]) > len(token.text.split())
        if is_before and (is_part or not is_literal(token) or token.fields == kept[place + 2].fields):
            continue  # "worked the most hours", "sold the most units"
        is_holder = token.kind == Kind.COLUMN and token.fields[0].kind == "text" and not token.sign
        is_holder = is_holder and is_second and found[-1].kind != Kind.EACH
        if is_holder and Kind.FILTER in (before, *behind):
            continue  # "the average score of Asian restaurants"
        is_part = (
            is_second
            and token.fields[0].column in token.fields[0].loaded.columns
            and (token.fields[0].is_dated or len(token.fields[0].names[0]) > 1)
        )
        if (
            is_part
            and before != Kind.EACH
            and place == len(kept) - 1
            and " " not in token.text
            and _asks_what_was_done(tokens)
        ):
            continue  # "did each studio release", "what place did Ann finish in"
        if is_holder and token.text.lower().endswith("s") and _follows_all(token, tokens):
            continue  # "the total income of all farms"
        if token.kind == Kind.COLUMN and _is_repeated(token, kept[place + 1 :]):
            continue
        follows = kept[place + 1 : place + 3]
        follows = follows[1:] if [one.kind for one in follows[:1]] == [Kind.MEAN] else follows[:1]
        is_rated = (
            token.kind == Kind.SUPERLATIVE and token.concept == "rating" and follows and follows[0].kind == Kind.COLUMN
        )
        if is_rated and not any(one.is_called("taken") or one.is_called("rank") for one in follows[0].fields):
            token = replace(token, kind=Kind.EXTREME)  # "the best mark"
        if token.kind == Kind.SUPERLATIVE and any(one.is_called(token.concept) for one in _numbers(follows)):
            token = replace(token, kind=Kind.EXTREME)  # "the longest distance"
        is_number = place + 1 < len(kept) and any(one.kind == "number" for one in kept[place + 1].fields)
        if token.kind == Kind.COUNT and before in (Kind.MEAN, Kind.EXTREME, Kind.SUM) and is_number:
            continue  # "the highest number of launches"
        last = found[-1] if found else None
        is_again = last is not None and token.kind == last.kind and token.kind in _SAID_TWICE
        if is_again and last is not None and (token.kind != Kind.COLUMN or token.fields[:1] == last.fields[:1]):
            continue
        found.append(token)
    return found


def _follows_all(token: Token, tokens: Sequence[Token]) -> bool:
    words = [one.text.lower() for one in tokens[: list(tokens).index(token)]]
    return words[-2:] == ["of", "all"] or words[-3:] == ["of", "all", "the"]


def _numbers(tokens: Sequence[Token]) -> list[Field]:
    return [one for token in tokens for one in token.fields if token.kind == Kind.COLUMN and one.kind == "number"]


def _asks_what_was_done(tokens: Sequence[Token]) -> bool:
    """Whether the verb is at the end: "how many ... did ...", and the time is not asked for."""
    words = [token.text.lower() for token in tokens]
    return "when" not in words and any(word in ("do", "does", "did") for word in words[1:-1])


def _is_repeated(token: Token, after: Sequence[Token]) -> bool:
    """Whether the column is said again where it is compared: "pays the highest average salary"."""
    compared = [one.kind for one in after[:3]]
    return any(
        compared[place : place + 1] == [Kind.COLUMN]
        and after[place].fields == token.fields
        and Kind.EXTREME in compared[:place]
        for place in (1, 2)
    )


def is_done(token: Token) -> bool:
    """Whether it is a verb that names a date: "sold" of "sold on"."""
    word = token.text.lower()
    return token.kind == Kind.COLUMN and token.fields[0].is_dated and (word.endswith("ed") or word in LEFT)


def is_literal(token: Token) -> bool:
    """Whether a column has the word in its name, and is not just meant by it."""
    stem = stem_of(token.text.lower().split(" ")[0])
    return token.kind == Kind.COLUMN and any(stem in one.names[0] for one in token.fields)
