"""Columns of one table that say which row of another is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import lru_cache
from itertools import permutations
from typing import Final

from lcrag.tables.field import NAMELESS, stemmed
from lcrag.tables.loaded import Column, Loaded
from lcrag.tables.values import Value

PAIRS: Final = 1024
"""Of tables whose keys are remembered: each is asked for by several views of a question, which took 0.6 s of 20 tables.
The 24 documents of a question make some 600."""
LEAST_KEYS: Final = 3
"""Different texts from which columns of other names are the same thing if the keys have all. Assumed, not measured."""
LIKELY: Final = 0.8
"""Of a column's values, the share that must be among the keys of another table for a model to join by them. A club or a
person that the other table lacks breaks no key. Assumed, not measured."""
LEAST_LIKELY: Final = 2


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


def likely_keys(tables: Sequence[Loaded], values: Callable[[Loaded, Column], Set[Value]]) -> list[tuple[str, str]]:
    """Pairs of columns by which a model may join tables, ``visits.pet`` and ``pets.code``: nearly all values of the
    first are among the different ones of the second. Of numbers only where the names speak of it, since small numbers
    are among any others. ``values``: the different ones of a column."""
    pairs = []
    for many, one in permutations(tables, 2):
        for right in one.columns:
            if right.kind == "date" or right.different != one.rows - right.empty:
                continue
            keys = values(one, right)
            for left in many.columns:
                if left.kind != right.kind or (left.kind != "text" and not _speaks_of(left, right, one)):
                    continue
                own = values(many, left)
                if len(own) >= LEAST_LIKELY and len(own & keys) >= LIKELY * len(own):
                    pairs.append((f"{many.sql}.{left.sql}", f"{one.sql}.{right.sql}"))
    return [pair for pair in pairs if pair[::-1] not in pairs or pair < pair[::-1]]


def _speaks_of(left: Column, right: Column, one: Loaded) -> bool:
    """Whether a column has the name of the other, or of its table."""
    name = stemmed(left.name)
    return name == stemmed(right.name) or noun_of(one) in name
