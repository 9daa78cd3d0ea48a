"""The words of a question as tokens: what kinds there are, and the phrases of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from functools import cache
from string import ascii_letters
from typing import Final

from lcrag.tables import lexicon
from lcrag.tables.field import Field


class Kind(StrEnum):
    """What a token is. The values are single characters, so that the kinds of a question are a string in which
    ``fits`` finds a shape; nothing else looks at them."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:
        return ascii_letters[count]

    COLUMN = auto()  # names a column
    VALUE = auto()  # the text of a cell
    NUMBER = auto()
    DATE = auto()
    ROWS = auto()  # what the rows are: "loans"
    PERIOD = auto()  # "year", "month"
    FILTER = auto()  # a condition, in place of its words
    TABLE = auto()  # of the table's own name
    IGNORED = auto()  # says nothing of its own
    UNKNOWN = auto()  # nobody knows what it says
    ASKS = auto()  # "which", "list"
    WHETHER = auto()  # "is", "did"
    COUNT = auto()  # "how many"
    SUM = auto()  # "total"
    MEAN = auto()  # "average", "median"
    DIFFERENT = auto()  # "distinct"
    EACH = auto()  # "per", "by", "each"
    SHARE = auto()  # "percentage of"
    DIFFERENCE = auto()  # "how much more"
    THAN = auto()
    EXTREME = auto()  # "highest", of a column that is named
    SUPERLATIVE = auto()  # "oldest": it says of what
    MOST = auto()  # "most", "fewest"
    TOP = auto()  # "top 3"
    COMMON = auto()  # "most often"
    ORDINAL = auto()  # "second"
    OVER = auto()  # "more than"
    UNDER = auto()  # "less than"
    AT_LEAST = auto()
    AT_MOST = auto()
    OR_MORE = auto()
    OR_LESS = auto()
    BETWEEN = auto()
    FROM = auto()
    TO = auto()
    BEFORE = auto()
    AFTER = auto()
    SINCE = auto()
    UNTIL = auto()
    NOT = auto()
    WITHOUT = auto()
    RELATED = auto()  # rows of another table that have the key of these: "hives" of apiaries
    AND = auto()
    OR = auto()


COMPARED: Final[Mapping[Kind | str, str]] = {
    Kind.OVER: ">",
    Kind.UNDER: "<",
    Kind.AT_LEAST: ">=",
    Kind.AT_MOST: "<=",
    Kind.OR_MORE: ">=",
    Kind.OR_LESS: "<=",
}
"""Kinds that compare with a number, as programs do."""


@cache
def shape(words: str) -> re.Pattern[str]:
    """A regular expression over kinds, written with their names: "rows? (sum|mean) column"."""
    return re.compile(re.sub("[a-z_]+", lambda name: Kind[name[0].upper()], words).replace(" ", ""))


def fits(words: str, kinds: str) -> re.Match[str] | None:
    """The match of all kinds with a shape."""
    return shape(words).fullmatch(kinds)


DONE: Final = ("ed", "ing")
"""Endings of verbs: "ordered" is not "orders"."""
WEAK: Final = "weak"
"""The concept of a verb that needs a number or a condition behind it."""
NOUN: Final = "noun"
"""The concept of a column that is named by what its rows are: "customers" of orders."""
SYNONYM: Final = "synonym"
"""The concept of a column or of rows that another word names."""
NEGATED: Final = "negated"
"""The concept of a column of yes and no that is named with a "not": "unpaid"."""


@dataclass(frozen=True, eq=False)
class Token:
    """``fields``: what a column word names, or what holds the value ``text`` of each of ``cells``.
    ``number`` of NUMBER, ``scale`` of its "million", ``unit`` "hours"; ``dates`` of DATE (``lcrag.tables.dates``).
    ``concept`` and ``sign`` of words that compare.
    """

    kind: Kind
    text: str
    start: int
    end: int
    fields: tuple[Field, ...] = ()
    cells: tuple[tuple[Field, str], ...] = ()
    number: float = 0
    scale: float = 1.0
    unit: str = ""
    dates: tuple[str, str] = ("", "")
    concept: str = ""
    sign: int = 0


PHRASES: Final[tuple[tuple[tuple[str, ...], Kind], ...]] = tuple(
    sorted(
        (
            *((phrase, Kind.COUNT) for phrase in lexicon.COUNTING),
            *((phrase, Kind.SUM) for phrase in lexicon.SUMMING),
            *((phrase, Kind.MEAN) for phrase in lexicon.AVERAGING),
            *((phrase, Kind.DIFFERENT) for phrase in lexicon.DIFFERENT),
            *((phrase, Kind.EACH) for phrase in lexicon.GROUPING),
            *((phrase, Kind.SHARE) for phrase in lexicon.SHARING),
            *((phrase, Kind.DIFFERENCE) for phrase in lexicon.DIFFERING),
            (("than",), Kind.THAN),
            (("how", "much"), Kind.ASKS),
            (("how", "much", "money"), Kind.ASKS),
            (("how",), Kind.ASKS),
            (("is", "there"), Kind.IGNORED),
            (("no", "more", "than"), Kind.AT_MOST),
            (("not", "more", "than"), Kind.AT_MOST),
            (("at", "most"), Kind.AT_MOST),
            (("up", "to"), Kind.AT_MOST),
            (("at", "least"), Kind.AT_LEAST),
            (("no", "less", "than"), Kind.AT_LEAST),
            (("no", "fewer", "than"), Kind.AT_LEAST),
            (("or", "more"), Kind.OR_MORE),
            (("or", "over"), Kind.OR_MORE),
            (("or", "above"), Kind.OR_MORE),
            *((("or", word), Kind.OR_MORE) for word in "later older higher longer larger bigger greater".split()),
            (("or", "less"), Kind.OR_LESS),
            (("or", "fewer"), Kind.OR_LESS),
            (("or", "under"), Kind.OR_LESS),
            *((("or", word), Kind.OR_LESS) for word in "earlier younger lower shorter smaller".split()),
            (("between",), Kind.BETWEEN),
            (("from",), Kind.FROM),
            (("before",), Kind.BEFORE),
            (("prior", "to"), Kind.BEFORE),
            (("earlier", "than"), Kind.BEFORE),
            (("after",), Kind.AFTER),
            (("later", "than"), Kind.AFTER),
            (("since",), Kind.SINCE),
            (("until",), Kind.UNTIL),
            (("to",), Kind.TO),
            (("through",), Kind.TO),
            (("not", "have"), Kind.WITHOUT),
            (("not",), Kind.NOT),
            (("isn't",), Kind.NOT),
            (("never",), Kind.NOT),
            (("other", "than"), Kind.NOT),
            (("except",), Kind.NOT),
            (("excluding",), Kind.NOT),
            (("apart", "from"), Kind.NOT),
            (("without",), Kind.WITHOUT),
            (("no",), Kind.WITHOUT),
            *(((word,), Kind.WITHOUT) for word in ("missing", "blank", "empty")),
            *((("a", period), Kind.IGNORED) for period in ("month", "year", "day", "night", "week")),
            (("and",), Kind.AND),
            *((phrase, Kind.AND) for phrase in lexicon.AGAINST),
            (("or",), Kind.OR),
            (("equal", "to"), Kind.IGNORED),
            (("equals",), Kind.IGNORED),
        ),
        key=lambda pair: -len(pair[0]),
    )
)
"""Phrases with the kind of their token, longest first."""
