"""A column under the names that people give it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lcrag.tables.lexicon import AMOUNTS, CONCEPTS, GENERIC, NO, PEOPLE, YES
from lcrag.tables.loaded import Column, Loaded
from lcrag.tables.units import BARE, MONEY_WORDS, NOT_ADDED, SCALED, SIZES, UNITS
from lcrag.tables.values import words_of
from lcrag.text.words import fold, stems

Words = tuple[str, ...]
_FULL_NAME: Final = re.compile(r"[^\W\d_][\w.'’-]*(?: [^\W\d_][\w.'’-]*)+")

NAMELESS: Final = "\0"
"""The stem of a column whose head has no word, as that of the rows' names often has none: no question says it."""


@dataclass(frozen=True, eq=False)
class Field:
    """A column of a view. ``sql``: with its table's name where there are two. ``names``: what people call it, as
    stems: in full, then shorter."""

    column: Column
    loaded: Loaded
    sql: str
    names: tuple[Words, ...]

    @property
    def kind(self) -> str:
        return self.column.kind

    @property
    def is_counted(self) -> bool:
        """Whether its values are numbers."""
        return self.kind in ("number", "year")

    @property
    def is_dated(self) -> bool:
        return self.kind in ("date", "year")

    @property
    def says_yes(self) -> str | None:
        """The text that means yes, where the column holds nothing but yes and no."""
        texts = {text.lower(): text for text in self.column.values or ()}
        if len(texts) > 2 or not texts.keys() <= YES | NO:
            return None
        return next((text for plain, text in texts.items() if plain in YES), None)

    @property
    def says_no(self) -> str | None:
        """The text that means no, where the column holds nothing but yes and no."""
        no = [text for text in self.column.values or () if text.lower() in NO]
        return no[0] if self.says_yes is not None and no else None

    @property
    def head(self) -> str:
        """The stem that says what its cells are: "cost" of unit_cost, "distance" of distance_km."""
        says = [name for name in self.names[0] if name not in _SAYS_LITTLE]
        return (says or list(self.names[0]))[-1]

    @property
    def scale(self) -> float:
        """What its numbers are in: 1,000,000 of "cost (million)"."""
        words = re.findall(r"[a-z]+", self.column.name.lower())
        return next((SCALED[word] for word in words if word in SCALED), 1.0)

    @property
    def unit(self) -> str:
        """What its numbers are counted in, where its name or its cells say so: "minutes"."""
        words = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", self.column.name).lower())
        return next((word for word in [*words[::-1], self.column.reader.unit.lower()] if word in SIZES), "")

    @property
    def dimension(self) -> str:
        """What its unit measures."""
        return SIZES[self.unit][0] if self.unit else ""

    @property
    def is_money(self) -> bool:
        """Whether its cells or its name say so."""
        words = {*words_of(self.column.name)}
        return self.column.reader.unit in ("£", "$", "€", "¥", "₹") or bool(words & MONEY_WORDS)

    @property
    def adds_up(self) -> bool:
        """Whether a sum of its numbers says anything: no rates, prices or ages."""
        return (
            self.kind == "number" and self.column.reader.unit != "%" and not NOT_ADDED & set(words_of(self.column.name))
        )

    @property
    def is_bare(self) -> bool:
        """Whether its name says nothing but a unit, and that it is a time or a length."""
        return self.kind == "number" and not set(words_of(self.column.name)) - UNITS - BARE

    @property
    def is_of_people(self) -> bool:
        """Whether it holds the names of people, by its own name: a member, a swimmer."""
        first = self.names[0][0]
        texts = list(self.column.values or ())
        full = sum(_FULL_NAME.fullmatch(text) is not None for text in texts)
        is_role = first in {stem_of(word) for word in PEOPLE} or re.match(r"[a-z]+(?:er|or)\b", self._first_word)
        if first in {stem_of(word) for word in PEOPLE} and all(text.isalpha() and text.istitle() for text in texts):
            return self.kind == "text" and len(self.names[0]) == 1  # called by their first names
        return self.kind == "text" and bool(is_role) and full * 2 > len(texts)

    @property
    def _first_word(self) -> str:
        return re.split(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z]", self.column.name)[0].lower()

    @property
    def share(self) -> float:
        """Different texts of a row; 1 where they are too many to count."""
        different = self.column.different
        return 1.0 if different is None else different / max(1, self.loaded.rows - self.column.empty)

    def is_called(self, concept: str) -> bool:
        """Whether a word of its name is one of the concept's."""
        wanted = {stem for word in CONCEPTS.get(concept, ()) for stem in stems(word) or [word]}
        return bool(wanted & set(self.names[0]))


def plain_words(text: str) -> Words:
    """The words of a text without case, accents and signs."""
    return tuple(re.findall(r"[^\W_]+", fold_letters(text)))


def fold_letters(text: str) -> str:
    """Without case, accents and the difference between apostrophes; numbers and dates stay as they are written."""
    if text.isascii():
        return text.lower()
    return "".join(character if character.isascii() else fold(character).lower() for character in text).lower()


def names_of(column: str) -> tuple[Words, ...]:
    """What a column may be called, as stems: in full, without brackets and units, without what says little, and each
    word that says much."""
    outside = re.sub(r"[(\[].*?[)\]]", " ", column)
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", outside)
    bare = re.findall(r"[^\W_]+", fold_letters(spaced))
    plain = [word for word in bare if word not in UNITS]
    short = [word for word in plain if word not in GENERIC]
    named = [
        stemmed(spaced if outside == column else column),
        *(tuple(map(stem_of, words)) for words in (bare, plain, short)),
    ]
    named += [(stem_of(word),) for word in short if len(short) > 1]
    return tuple(dict.fromkeys(name for name in named if name)) or ((NAMELESS,),)


def stemmed(text: str) -> Words:
    """Stems, also of small words: a column may be called "On station"."""
    return tuple(stem_of(word) for word in re.findall(r"[^\W_]+", fold_letters(text)))


_SAYS_LITTLE: Final = frozenset(stems(" ".join(GENERIC | UNITS))) | GENERIC | UNITS
_PARTS: Final = ("unit", "max", "min", "maximum", "minimum", "total", "averag", "mean")
"""Stems before a name that are none themselves: "unit cost" is not called "unit"."""


def rank_of(name: Words, one: Field) -> int | None:
    """How well a name is the column's: 0 its own, 1 short for it ("guest" of guest_name), 2 a part ("guest" of
    guest_country). None for a part that says what numbers are of, not what they are ("patient" of patient_age)."""
    if name == one.names[0]:
        return 0
    if "(" in one.column.name and name == stemmed(re.sub(r"[(\[].*?[)\]]", " ", one.column.name)):
        return 1  # "CO2" of "CO2 (Mt)"
    generic = {stem_of(word) for word in GENERIC | UNITS}
    longer = [other for other in one.names if len(other) > 1 and not generic & set(other)]
    if len(name) > 1 or not longer:
        return 1
    short = longer[-1]
    if name[0] in _PARTS and short[0] == name[0] and short[-1] != "sold":
        return None
    behind = short[short.index(name[0]) + 1 :] if name[0] in short else ()
    amounts = {stem_of(word) for word in AMOUNTS}
    is_head = all(word in amounts or word.isdigit() or f"{word}ed" in one.column.name.lower() for word in behind)
    return 2 if is_head or one.kind == "text" or one.is_dated else None


def singular(word: str) -> list[str]:
    """What a word may be the plural of."""
    endings = (("ves", "f"), ("ies", "y"), ("es", ""), ("s", ""))
    return [word.removesuffix(plural) + one for plural, one in endings if word.endswith(plural)]


def stem_of(word: str) -> str:
    return (stems(word) or [word])[0]
