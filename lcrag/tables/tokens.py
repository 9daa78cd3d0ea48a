"""The words of a question as tokens: what kinds there are, and the phrases of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lcrag.tables import lexicon
from lcrag.tables.field import Field

COLUMN: Final = "C"
VALUE: Final = "V"
NUMBER: Final = "N"
DATE: Final = "D"
ROWS: Final = "R"
FILTER: Final = "F"
IGNORED: Final = "i"
UNKNOWN: Final = "?"
DONE: Final = ("ed", "ing")
"""Endings of verbs: "ordered" is not "orders"."""
WEAK: Final = "weak"
"""The concept of a verb that needs a number or a condition behind it."""
NOUN: Final = "noun"
"""The concept of a column that is named by what its rows are: "customers" of orders."""


@dataclass(frozen=True, eq=False)
class Token:
    """``kind``: a letter. ``fields``: what a column word names, or what holds the value ``text`` of each of ``cells``.
    ``number`` of NUMBER, ``scale`` of its "million"; ``dates`` of DATE (``lcrag.tables.dates``).
    ``concept`` and ``sign`` of words that compare.
    """

    kind: str
    text: str
    start: int
    end: int
    fields: tuple[Field, ...] = ()
    cells: tuple[tuple[Field, str], ...] = ()
    number: float = 0
    scale: float = 1.0
    dates: tuple[str, str] = ("", "")
    concept: str = ""
    sign: int = 0


PHRASES: Final[tuple[tuple[tuple[str, ...], str], ...]] = tuple(
    sorted(
        (
            *((phrase, "h") for phrase in lexicon.COUNTING),
            *((phrase, "s") for phrase in lexicon.SUMMING),
            *((phrase, "m") for phrase in lexicon.AVERAGING),
            *((phrase, "u") for phrase in lexicon.DIFFERENT),
            *((phrase, "p") for phrase in lexicon.GROUPING),
            *((phrase, "%") for phrase in lexicon.SHARING),
            *((phrase, "d") for phrase in lexicon.DIFFERING),
            (("than",), "n"),
            (("how", "much"), "w"),
            (("how",), "w"),
            (("is", "there"), IGNORED),
            (("no", "more", "than"), "]"),
            (("not", "more", "than"), "]"),
            (("at", "most"), "]"),
            (("up", "to"), "]"),
            (("at", "least"), "["),
            (("no", "less", "than"), "["),
            (("no", "fewer", "than"), "["),
            (("or", "more"), "a"),
            (("or", "over"), "a"),
            (("or", "above"), "a"),
            (("or", "later"), "a"),
            (("or", "less"), "z"),
            (("or", "fewer"), "z"),
            (("or", "under"), "z"),
            (("or", "earlier"), "z"),
            (("between",), "b"),
            (("from",), "f"),
            (("before",), "("),
            (("prior", "to"), "("),
            (("earlier", "than"), "("),
            (("after",), ")"),
            (("later", "than"), ")"),
            (("since",), "S"),
            (("until",), "U"),
            (("to",), "t"),
            (("through",), "t"),
            (("not",), "!"),
            (("isn't",), "!"),
            (("never",), "!"),
            (("other", "than"), "!"),
            (("except",), "!"),
            (("excluding",), "!"),
            (("apart", "from"), "!"),
            (("without",), "0"),
            (("no",), "0"),
            *(((word,), "0") for word in ("missing", "blank", "empty")),
            *((("a", period), IGNORED) for period in ("month", "year", "day", "night", "week")),
            (("and",), "&"),
            (("or",), "|"),
            (("equal", "to"), IGNORED),
            (("equals",), IGNORED),
        ),
        key=lambda pair: -len(pair[0]),
    )
)
"""Phrases with the letter of their token, longest first."""
