"""Columns of one table that say which row of another is meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from lcrag.tables.field import NAMELESS, stemmed
from lcrag.tables.loaded import Column, Loaded

PAIRS: Final = 1024
"""Of tables whose keys are remembered: each is asked for by several views of a question, which took 0.6 s of 20 tables.
The 24 documents of a question make some 600."""
LEAST_KEYS: Final = 3
"""Different texts from which columns of other names are the same thing if the keys have all. Assumed, not measured."""


def noun_of(loaded: Loaded) -> str:
    """The stem that the table's name has for its rows."""
    return (stemmed(loaded.table.name) or (NAMELESS,))[-1]


@lru_cache(PAIRS)
def shared_keys(many: Loaded, one: Loaded) -> tuple[tuple[Column, Column], ...]:
    """Columns of the same name, or ``customer_id`` and the ``id`` of customers, by which one row is found; where there
    is none, those whose texts are all among the keys of the second."""
    return tuple(_same_names(many, one)) or tuple(_same_texts(many, one))


def _same_names(many: Loaded, one: Loaded) -> Iterator[tuple[Column, Column]]:
    noun = stemmed(one.table.name)[-1:]
    for right in one.columns:
        right_name = stemmed(right.name)
        for left in many.columns:
            left_name = stemmed(left.name)
            same = left_name == right_name or (right_name in (("id",), ("code",)) and left_name == noun + right_name)
            is_many = not is_key(left, many) or _is_part(left, right)
            if same and left.kind == right.kind and is_key(right, one) and is_many:
                yield left, right


def _same_texts(many: Loaded, one: Loaded) -> Iterator[tuple[Column, Column]]:
    for right in one.columns:
        for left in many.columns:
            if is_key(right, one) and not is_key(left, many) and _has_all(right.values or {}, left.values or {}):
                yield left, right


def _has_all(keys: Mapping[str, int], texts: Mapping[str, int]) -> bool:
    return len(texts) >= LEAST_KEYS and texts.keys() <= keys.keys()


def _is_part(left: Column, right: Column) -> bool:
    """Whether the second has all texts of the first, and more."""
    return bool(left.values and right.values) and (left.values or {}).keys() < (right.values or {}).keys()


def is_key(column: Column, loaded: Loaded) -> bool:
    return column.different == loaded.rows and not column.empty
