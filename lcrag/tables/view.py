"""A table as questions see it: its columns under the names that people give them, its rows under a noun."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import Final

from lcrag.tables.field import Field, Words, fold_letters, names_of, plain_words, stem_of
from lcrag.tables.keys import noun_of, shared_keys
from lcrag.tables.lexicon import EMPLOYED, GENDERS, GENERIC, PEOPLE, PLURALS, ROW_NOUNS
from lcrag.tables.loaded import Loaded
from lcrag.tables.units import LENGTHS, MEASURED, OF_A_PIECE
from lcrag.tables.values import NO_NUMBERS, SAYS_WHEN, words_of
from lcrag.text.words import stems

LABEL_SHARE: Final = 0.8
"""Share of rows with a text of their own from which a column names the rows. Assumed, not measured."""
CATEGORY_SHARE: Final = 0.7
"""Share below which the different texts of a column are counted, not its rows. Assumed, not measured."""


@dataclass(frozen=True, eq=False)
class View:
    """``source``: the FROM of its programs; ``loaded``: the table whose rows its rows are. ``other``: fields whose
    different values are what a noun means ("customers" of orders joined with customers); ``keys``: fields of codes
    that the other table names; ``related``: nouns of tables that have its key, with a SELECT of the rows of one."""

    source: str
    loaded: Loaded
    fields: tuple[Field, ...]
    nouns: frozenset[str]
    about: frozenset[str]
    label: Field | None
    other: dict[str, Field] = field(default_factory=dict)
    keys: tuple[Field, ...] = ()
    related: dict[str, str] = field(default_factory=dict)

    @property
    def is_joined(self) -> bool:
        """Whether it has columns of more than one table."""
        return any(one.loaded is not self.loaded for one in self.fields)

    @cached_property
    def rowid(self) -> str:
        return f"{self.loaded.sql}.rowid"

    @cached_property
    def values(self) -> dict[Words, list[tuple[Field, str]]]:
        """Texts of cells as plain words, with the columns that hold them."""
        found: dict[Words, list[tuple[Field, str]]] = {}
        for one in self.fields:
            for value in one.column.values or ():
                if (key := plain_words(value)) and len(key) <= 16:
                    found.setdefault(key, []).append((one, value))
        for one in (one for one in self.fields if one.kind == "text" and one.is_called("gender")):
            for word, codes in GENDERS.items():
                meant = [value for value in one.column.values or () if value.lower() in codes.split()]
                if (word,) not in found and len(meant) == 1:
                    found[word,] = [(one, meant[0])]
        for plural, singular in PLURALS.items():
            if (plural,) not in found and (singular,) in found:
                found[plural,] = found[singular,]
        return found

    @cached_property
    def stems(self) -> dict[str, list[tuple[Field, str]]]:
        """Texts of one word by their stem, so that "ferries" finds "ferry"; not of the label, whose texts are names."""
        found: dict[str, list[tuple[Field, str]]] = {}
        for key, cells in self.values.items():
            if len(key) == 1 and key[0].isalpha() and not key[0].endswith(("ed", "ing")):
                found.setdefault(stem_of(key[0]), []).extend(cell for cell in cells if cell[0] is not self.label)
        return found

    @cached_property
    def beginnings(self) -> dict[Words, list[tuple[Field, str]]]:
        """What the label says before its first comma, bracket or colon: "stove" of "Stove, cast iron"."""
        found: dict[Words, list[tuple[Field, str]]] = {}
        for value in (self.label.column.values or ()) if self.label is not None else ():
            first = re.split(r"[,(:;]", value)[0]
            if first != value and (key := plain_words(first)):
                found.setdefault(key, []).append((self.label, value))  # type: ignore[arg-type]
        return found

    @cached_property
    def flags(self) -> dict[str, Field]:
        """Columns of yes and no by each word of their names."""
        return {stem: one for one in self.fields if one.says_yes is not None for stem in one.names[0]}

    @cached_property
    def dated(self) -> list[Field]:
        """The columns that say when; where there are several, the one called after the rows ("loan_date" of loans)."""
        found = [one for one in self.fields if one.kind == "date" or (one.kind == "year" and _says_when(one))]
        own = [one for one in found if one.loaded is self.loaded]
        beginnings = {noun[:4] for noun in self.nouns}  # "admitted on" of admissions
        named = [one for one in own if one.names[0] in (("date",), ("time",)) or one.names[0][0][:4] in beginnings]
        return named if len(found) > 1 and len(named) == 1 else found

    @property
    def names_people(self) -> bool:
        """Whether the first column of texts, but for codes, holds the names of people."""
        texts = [one for one in self.fields if one.kind == "text" and not is_code(one)]
        return bool(texts) and texts[0].is_of_people

    def meant_by(self, concept: str) -> Field | None:
        """The one column that a concept is about; None where there is none, or more than one."""
        if not concept:
            return None
        if concept == "time":
            found = self.dated
        elif concept == "place":
            found = [one for one in self.fields if one.kind == "text" and one.is_called(concept)]
        else:
            found = [one for one in self.fields if one.is_counted and one.is_called(concept)]
            found = found or [
                one for one in self.fields if concept == "money" and one.kind == "number" and one.is_called("spent")
            ]
            found = found or [
                one for one in self.fields if concept == "money" and one.kind == "number" and one.is_called("income")
            ]
            found = found or [
                one
                for one in self.fields
                if concept == "length" and one.kind == "number" and {*words_of(one.column.name)} & LENGTHS
            ]
            found = found or [one for one in self.fields if one.is_bare and one.dimension in MEASURED.get(concept, ())]
        return found[0] if len(found) == 1 else None

    @property
    def money(self) -> Field | None:
        """The one column of money that adds up; a price only where there is no other, and never one of a piece."""
        meant = self.meant_by("money")
        added = [one for one in self.fields if one.adds_up and (one is meant or one.is_money)]
        if added:
            return added[0] if len(added) == 1 else meant if meant in added else None
        is_whole = meant is not None and meant.kind == "number" and not OF_A_PIECE & set(words_of(meant.column.name))
        return meant if is_whole else None

    def measured_in(self, dimension: str) -> Field | None:
        """The one column of numbers with a unit of this dimension."""
        found = [one for one in self.fields if one.kind == "number" and one.dimension == dimension]
        return found[0] if len(found) == 1 else None


def _says_when(one: Field) -> bool:
    words = words_of(one.column.name)
    return (words[-1:] != [] and words[-1].endswith("ed")) or bool(
        {stem_of(word) for word in SAYS_WHEN} & set(one.names[0])
    )


def view_of(loaded: Loaded, tables: Sequence[Loaded] = (), prefix: str = "") -> View:
    """The table alone; ``tables``: among which the rows of others are known by their keys in it, or its own in them.
    ``prefix``: before the names of its columns in SQL."""
    fields = tuple(Field(column, loaded, prefix + column.sql, names_of(column.name)) for column in loaded.columns)
    foreign = dict(_foreign_keys(fields, loaded, tables))
    own = [one for one in fields if one not in foreign.values()]  # what names another row names none of these
    nouns = _nouns(loaded, own) | set(_names_elsewhere(loaded, tables))
    other = {noun: one for noun, one in foreign.items() if noun not in nouns}
    related = dict(_related(loaded, tables))
    return View(loaded.sql, loaded, fields, nouns, about_of(loaded), label_of(own), other, related=related)


def _foreign_keys(fields: Sequence[Field], loaded: Loaded, tables: Sequence[Loaded]) -> Iterator[tuple[str, Field]]:
    """What the rows of other tables are called, with the field that has their key."""
    for one in tables:
        keys = shared_keys(loaded, one) if one is not loaded else ()
        if len(keys) == 1:
            yield noun_of(one), next(field for field in fields if field.column is keys[0][0])


def _names_elsewhere(loaded: Loaded, tables: Sequence[Loaded]) -> Iterator[str]:
    """What columns of other tables call its rows: "site" of hives, where the apiary stands."""
    for many in tables:
        keys = shared_keys(many, loaded) if many is not loaded else ()
        name = names_of(keys[0][0].name)[0] if len(keys) == 1 else ()
        if (
            len(name) == 1
            and name[0] not in GENERIC
            and name[0] not in {names_of(one.name)[0][-1] for one in loaded.columns}
        ):
            yield name[0]


def _related(loaded: Loaded, tables: Sequence[Loaded]) -> Iterator[tuple[str, str]]:
    """What the rows of tables are called that have a key of this one, with the SELECT of those of one row."""
    for many in tables:
        keys = shared_keys(many, loaded) if many is not loaded else ()
        if len(keys) == 1:
            [(left, right)] = keys
            yield (
                noun_of(many),
                f"SELECT 1 FROM {many.sql} WHERE {many.sql}.{left.sql} = {loaded.sql}.{right.sql}",
            )


def _nouns(loaded: Loaded, fields: Sequence[Field]) -> frozenset[str]:
    """Stems that mean its rows."""
    nouns = {stem_of(word) for word in ROW_NOUNS}
    words = re.findall(r"[^\W\d_]+", fold_letters(loaded.table.name))
    stem = PurePath(loaded.table.source).stem
    if words and (loaded.table.name == stem or loaded.table.is_sheet):
        nouns.add(stem_of(words[-1]))
    label = label_of(fields)
    if label is not None and label.names[-1] not in (("name",), ("id",), ("title",)):
        name = next((name for name in label.names if len(name) == 1 and name[0] not in GENERIC), None)
        nouns |= set(name or ())
    is_named = label is not None and set(label.names[0]) <= {"full", "surnam", "forenam", "first", "last", "name"}
    if is_named and any(one.is_called("pay") or one.is_called("hired") for one in fields):
        nouns |= {stem_of(word) for word in EMPLOYED}
    roles = {stem_of(word) for word in PEOPLE} & {one.names[0][0] for one in fields if len(one.names[0]) > 1}
    nouns |= {role for role in roles if not any(role == one.head for one in fields if one.kind == "text")}
    is_person = label is not None and label.is_of_people
    if is_named or is_person or nouns & {stem_of(word) for word in PEOPLE}:
        nouns |= {"peopl", "person"}
    return frozenset(nouns)


def about_of(loaded: Loaded) -> frozenset[str]:
    """Stems of the names of its file, sheet and heading."""
    stem = PurePath(loaded.table.source).stem
    return frozenset(stems(f"{stem.replace('_', ' ')} {loaded.table.name.replace('_', ' ')}"))


def label_of(fields: Sequence[Field]) -> Field | None:
    """The first column that names the rows; one of numbers or codes only where there is no other."""
    texts = [one for one in fields if one.kind == "text" and one.share >= LABEL_SHARE and one.column.empty == 0]
    named = [one for one in texts if not is_code(one) and one.column.different is not None]
    keys = [one for one in fields if is_code(one) and one.share >= LABEL_SHARE]
    return next(iter([*named[:1], *keys[:1]]), None)


def is_code(one: Field) -> bool:
    return bool((NO_NUMBERS | {"no", "nr", "number"}) & set(words_of(one.column.name)))
