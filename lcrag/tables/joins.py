"""Tables that share a key, as one: the rows of the first with what the others say of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations

from lcrag.tables.field import Field, names_of, stemmed
from lcrag.tables.keys import is_key, noun_of, shared_keys
from lcrag.tables.loaded import Column, Loaded
from lcrag.tables.view import View, about_of, label_of, view_of


def joined_views(tables: Sequence[Loaded]) -> Iterator[View]:
    """Each pair of tables with one column in common that is a key of the second: the rows of the first with what the
    second says of them."""
    for many in tables:
        for one in tables:
            keys = shared_keys(many, one) if many is not one else ()
            if len(keys) == 1:
                yield _joined(view_of(many, tables, f"{many.sql}."), many, one, *keys[0])


def chained_views(tables: Sequence[Loaded]) -> Iterator[View]:
    """As ``joined_views`` with a third table, of which the first or the second has the key."""
    keys = {(many.sql, one.sql): shared_keys(many, one) for many, one in permutations(tables, 2)}
    for many, one, third in permutations(tables, 3):
        first, by_many, by_one = keys[many.sql, one.sql], keys[many.sql, third.sql], keys[one.sql, third.sql]
        if len(first) != 1 or len(by_many) + len(by_one) != 1:
            continue
        if by_many and tables.index(third) < tables.index(one):
            continue  # both are of the first: in any order
        pair = _joined(view_of(many, tables, f"{many.sql}."), many, one, *first[0])
        yield _joined(pair, many if by_many else one, third, *[*by_many, *by_one][0])


def _joined(base: View, holder: Loaded, one: Loaded, left: Column, right: Column) -> View:
    """The view with what another table says of its rows; ``left`` of the table ``holder`` has the key of its rows."""
    noun = noun_of(one)
    own = {stemmed(field.column.name) for field in base.fields}
    fields = list(base.fields)
    for column in one.columns:
        if column is right:
            continue
        names = names_of(column.name)
        if names[0] in own or names[0] in (("name",), ("id",), ("title",)):  # "customer name"
            names = ((noun, *names[0]), (noun,)) if names[0] == ("name",) else ((noun, *names[0]),)
        fields.append(Field(column, one, f"{one.sql}.{column.sql}", names))
    source = f"{base.source} JOIN {one.sql} ON {holder.sql}.{left.sql} = {one.sql}.{right.sql}"
    before = next(field for field in fields if field.column is left)
    key, other = before, dict(base.other)
    label = label_of([field for field in fields if field.loaded is one])
    codes = base.keys
    if label is not None and is_key(label.column, one):  # its name says more than its number
        names = tuple(name for name in key.names if name != (noun,))
        key = replace(before, names=names) if names else before
        fields = [key if field is before else field for field in fields]
        other = {word: key if field is before else field for word, field in other.items()}
        codes, key = (*codes, key), label
    return View(
        source,
        base.loaded,
        tuple(fields),
        base.nouns - {noun},
        base.about | about_of(one),
        base.label,
        {**other, noun: key},
        codes,
    )
