"""Units in questions and in the names of columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MONEY_WORDS: Final = frozenset("euro euros dollar dollars pound pounds usd eur gbp".split())
UNITS: Final = frozenset(
    "gbp usd eur chf jpy pounds dollars euros kg g t tonnes lb km m cm mm mi miles ft feet l ml ha sqm sqkm km2 m2 min"
    " minutes mins hours hrs hr h days seconds sec percent pct kmh mph c f k mn bn"
    " kw mw gw kwh mwh gwh twh kb mb gb tb m3 meur musd".split()
)
"""Words of column names that say what is counted in; also after a number."""
SCALES: Final[Mapping[str, float]] = {"thousand": 1e3, "million": 1e6, "billion": 1e9}
"""Words behind a number that multiply it."""
SCALED: Final[Mapping[str, float]] = {
    word: scale
    for scale, words in (
        (1e3, "thousand thousands keur kusd"),
        (1e6, "million millions mio mn meur musd mgbp"),
        (1e9, "billion billions bn"),
    )
    for word in words.split()
}
"""Words of column names whose numbers are of so many."""
MEASURED_IN: Final[Mapping[str, str]] = {
    "weight": "kg g t tonnes lb",
    "length": "km m cm mm miles",
    "money": "usd eur gbp",
}
"""Units in the names of columns that tell what is measured."""
