"""Numbers in questions, with what multiplies them and their unit: "$2 million", "half an hour", "three"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lcrag.tables.lexicon import NUMBER_WORDS
from lcrag.tables.units import MONEY_WORDS, SCALES, SIZES, UNITS
from lcrag.tables.values import read_number

NUMBER: Final = re.compile(r"(?<![^\W_])[-−]?[£$€¥]?\s?\d+(?:[,’']\d{3})*(?:\.\d+)?\s?%?(?![^\W_])")
ALONE: Final = (
    "minute",
    "hour",
    "day",
    "week",
    "kilometre",
    "kilometer",
    "kilo",
    "tonne",
    "ton",
    "acre",
    "hectare",
    "mile",
    "metre",
    "meter",
    "litre",
    "liter",
)
"""Units behind "a" that make it one of them."""
_HALVES: Final = (("half", "an"), ("half", "a"))


@dataclass(frozen=True, slots=True)
class Amount:
    """``words`` that it takes; ``scale``: of its "million"; ``sign``: "%", "£", "money" or ""; ``unit``: "hours"."""

    number: float
    words: int
    scale: float = 1.0
    sign: str = ""
    unit: str = ""


def amount(digits: str, words: Sequence[str], taken: int, columns: Sequence[bool]) -> Amount | None:
    """The amount at the beginning of the words. ``digits``: its text where it has digits, which take so many words;
    ``columns``: for each word whether it begins the name of a column, which then is no unit."""
    if digits:
        found = read_number(digits.replace(" ", ""))
        if found is None:
            return None
        number, sign = found
    elif words[:1] and words[0] in NUMBER_WORDS:
        number, sign, taken = NUMBER_WORDS[words[0]], "", 1
    elif tuple(words[:2]) in _HALVES and words[2:3] and words[2] in SIZES:
        return Amount(0.5, 3, unit=words[2])
    elif words[:1] and words[0] in ("an", "a") and words[1:2] and words[1] in ALONE:
        return Amount(1, 2, unit=words[1])
    else:
        return None
    behind = [word if not column else "" for word, column in zip(words[taken:], columns[taken:], strict=True)]
    scale = SCALES.get(behind[0], 1.0) if behind else 1.0
    behind = behind[1:] if scale > 1 else behind
    unit = behind[0] if behind and behind[0] in UNITS else ""
    is_money = unit in MONEY_WORDS or (behind and behind[0] in MONEY_WORDS)
    words_taken = taken + (scale > 1) + bool(unit)
    return Amount(number * int(scale), words_taken, scale, "money" if is_money else sign, unit if unit in SIZES else "")
