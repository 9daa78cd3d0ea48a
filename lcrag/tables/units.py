"""Units in questions and in the names of columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MONEY_WORDS: Final = frozenset("euro euros dollar dollars pound pounds usd eur gbp".split())
UNITS: Final = frozenset(
    "gbp usd eur chf jpy pounds dollars euros kg g t tonnes lb km m cm mm mi miles ft feet l ml ha sqm sqkm km2 m2 min"
    " minutes mins hours hrs hr h days seconds sec percent pct kmh mph c f k mn bn"
    " kw mw gw kwh mwh gwh twh kb mb gb tb m3 meur musd minute hour second day nights weeks metres kilometres kilos"
    " kilograms grams litres hectares acre acres megawatts gigawatts kilowatts".split()
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
SIZES: Final[Mapping[str, tuple[str, float]]] = {
    word: (dimension, size)
    for dimension, size, words in (
        ("time", 1 / 60, "s sec secs second seconds"),
        ("time", 1, "min mins minute minutes"),
        ("time", 60, "h hr hrs hour hours"),
        ("time", 24 * 60, "day days night nights"),
        ("time", 7 * 24 * 60, "week weeks"),
        ("weight", 1e-3, "g gram grams grammes"),
        ("weight", 1, "kg kilo kilos kilogram kilograms"),
        ("weight", 1e3, "t tonne tonnes ton tons"),
        ("length", 1e-3, "mm millimetre millimetres millimeter millimeters"),
        ("length", 1e-2, "cm centimetre centimetres centimeter centimeters"),
        ("length", 1, "m metre metres meter meters"),
        ("length", 0.0254, "inch inches"),
        ("length", 0.3048, "ft foot feet"),
        ("length", 1609.344, "mi mile miles"),
        ("length", 1e3, "km kilometre kilometres kilometer kilometers"),
        ("power", 1e-3, "kw kilowatt kilowatts"),
        ("power", 1, "mw megawatt megawatts"),
        ("power", 1e3, "gw gigawatt gigawatts"),
        ("energy", 1e-3, "kwh"),
        ("energy", 1, "mwh"),
        ("energy", 1e3, "gwh"),
        ("energy", 1e6, "twh"),
        ("volume", 1e-3, "ml millilitre millilitres"),
        ("volume", 1, "l litre litres liter liters"),
        ("area", 1e-6, "m2 sqm"),
        ("area", 0.0040468564, "acre acres"),
        ("area", 1e-2, "ha hectare hectares"),
        ("area", 1, "km2 sqkm"),
    )
    for word in words.split()
}
"""What a unit measures, and how many of the dimension's first unit it is."""
NOT_ADDED: Final = frozenset(
    "price rate rating grade mark rank place level age average mean median score percent"
    " temperature ratio per share".split()
)
"""Words of column names whose numbers are not added up."""
OF_A_PIECE: Final = frozenset("per unit each rate average avg mean".split())
"""Words of column names whose money is not of the whole row."""
LENGTHS: Final = frozenset("loa lwl wheelbase".split())
"""Names of columns that are lengths without saying so."""
BARE: Final = frozenset("running time total playing play run duration travel journey flight net gross".split())
"""Words of column names that do not say of what a length or a weight is: "running time (min)"."""
MEASURED: Final[Mapping[str, tuple[str, ...]]] = {
    "length": ("time", "length"),
    "weight": ("weight",),
    "size": ("area",),
}
"""What a concept may be measured in, where no column is called after it."""
