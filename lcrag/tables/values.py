"""Cells as values: numbers with signs of money, groups and units; dates in several forms as ISO text; the rest as text.

What cannot be read for sure (03/05/2024 in a column that never says which is the day) stays text: a wrong sum is worse
than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from lcrag.text.words import MONTHS

Kind = Literal["number", "year", "date", "text"]
Value = str | int | float | None

EMPTY: Final = frozenset({"", "-", "–", "—", "?", "n/a", "na", "nan", "null", "none", "unknown", "nil", "…", "..."})
READABLE: Final = 0.9
"""The share of a column's cells that must be readable as numbers or dates for it to be one. Assumed, not measured."""
ONE_OFF: Final = 5
"""Filled cells from which one may be unreadable whatever the share: "see below". Assumed, not measured."""
NO_NUMBERS: Final = frozenset("id code accession isbn issn zip postcode phone telephone fax sku ref reference".split())
"""Words in the names of columns whose digits name something and are not counted."""

SAYS_WHEN: Final = frozenset(
    "year date born built made founded planted opened launched published released since hired joined"
    " established".split()
)
"""Words in the names of columns that hold a year or a date."""

_NUMBER: Final = re.compile(
    r"(?P<sign>[-+−–]?)\s*(?P<money>[£$€¥₹]?)\s*(?P<sign2>[-−–]?)(?P<digits>\d[\d.,'’ \xa0\u202f]*)\s*"
    r"(?P<unit>%|[£$€¥₹]|[^\W\d_]{1,8}[²³]?(?:/[^\W\d_]{1,4})?|°[CF]?)?"
)
_GROUPED: Final = {
    ".": re.compile(r"(?:\d{1,3}(?:([,'’ \xa0\u202f])\d{3})(?:\1\d{3})*|\d+)(?:\.\d+)?"),
    ",": re.compile(r"(?:\d{1,3}(?:([.'’ \xa0\u202f])\d{3})(?:\1\d{3})*|\d+)(?:,\d+)?"),
}
_DECIMAL_COMMA: Final = re.compile(r"\d,(?:\d{1,2}|\d{4,})(?!\d)|\.\d{3},")
_DECIMAL_POINT: Final = re.compile(r"\d\.(?:\d{1,2}|\d{4,})(?!\d)|,\d{3}\.")

_YEAR: Final = r"(?P<year>1\d{3}|20\d{2})"
_MONTH: Final = rf"(?P<month>{'|'.join(f'{name[:3]}(?:{name[3:]})?' for name in MONTHS)}|sept)\.?"
_DATES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:c\.|ca\.?|circa|about|approx\.?)?\s*{_YEAR}\s*\??",
        rf"{_YEAR}\s*[-–/]\s*(?:\d{{2}}|1\d{{3}}|20\d{{2}})",  # years that something took: its first
        rf"{_YEAR}-(?P<m>\d{{1,2}})-(?P<d>\d{{1,2}})(?:[T ]\d{{1,2}}:\d{{2}}.*)?",
        rf"{_YEAR}[/.](?P<m>\d{{1,2}})[/.](?P<d>\d{{1,2}})",
        rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\.?[\s-]+(?:of\s+)?{_MONTH},?[\s-]+{_YEAR}",
        rf"{_MONTH}\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s+{_YEAR}",
        rf"{_MONTH},?[\s-]+{_YEAR}",
        rf"(?P<d>\d{{1,2}})\.(?P<m>\d{{1,2}})\.{_YEAR}",
    )
)
_ISO: Final = re.compile(r"(?:1\d|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])")
_SLASHED: Final = re.compile(rf"(?P<a>\d{{1,2}})[/-](?P<b>\d{{1,2}})[/-]{_YEAR}")
_RANGE_OF_MONTHS: Final = re.compile(rf"{_YEAR}-(?P<m>0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Reader:
    """How the cells of one column are read. ``decimal``: its decimal sign. ``day_first``: whether 3/5 is in May.

    ``unit``: what stands with every number, "£" or "kg", or "".
    """

    kind: Kind
    decimal: str = "."
    day_first: bool = True
    unit: str = ""

    def read(self, cell: str) -> Value:
        """The value of a cell; None where it is empty, or not of the column's kind."""
        cell = cell.strip()
        if cell.lower() in EMPTY:
            return None
        if self.kind == "text":
            return cell
        if self.kind == "date":
            return cell if _ISO.fullmatch(cell) else read_date(cell, self.day_first)
        if cell.isascii() and cell.isdigit() and len(cell) < 16:  # most cells of large tables
            return int(cell)
        number = read_number(cell, self.decimal)
        return None if number is None else number[0]


def read_number(cell: str, decimal: str = ".") -> tuple[int | float, str] | None:
    """The number of a cell and its unit: "£1,860" is (1860, "£"), "(12.5%)" is (-12.5, "%"). None for another text."""
    cell = cell.strip()
    in_brackets = cell.startswith("(") and cell.endswith(")")
    match = _NUMBER.fullmatch(cell[1:-1] if in_brackets else cell)
    if match is None:
        return None
    digits = match["digits"].strip()
    if not _GROUPED[decimal].fullmatch(digits):
        return None
    plain = re.sub(r"[,'’ \xa0\u202f]" if decimal == "." else r"[.'’ \xa0\u202f]", "", digits).replace(",", ".")
    number = float(plain) if "." in plain or len(plain) > 15 else int(plain)
    is_negative = in_brackets or match["sign"] in ("-", "−", "–") or bool(match["sign2"])
    return -number if is_negative else number, match["money"] or match["unit"] or ""


def read_date(cell: str, day_first: bool = True) -> str | None:
    """A date as ISO text: YYYY, YYYY-MM or YYYY-MM-DD, whatever is known. "c. 1480" is 1480, "1931-38" is 1931."""
    cell = cell.strip()
    if (match := _RANGE_OF_MONTHS.fullmatch(cell)) is not None:
        return cell
    if (match := _SLASHED.fullmatch(cell)) is not None:
        day, month = (match["a"], match["b"]) if day_first else (match["b"], match["a"])
        return _iso(match["year"], month, day)
    for pattern in _DATES:
        if (match := pattern.fullmatch(cell)) is not None:
            found = match.groupdict()
            month = found.get("m") or (_number_of(found["month"]) if found.get("month") else None)
            return _iso(found["year"], month, found.get("d"))
    return None


def _iso(year: str, month: str | None, day: str | None) -> str | None:
    if month is not None and not 1 <= int(month) <= 12:
        return None
    if day is not None and not 1 <= int(day) <= 31:
        return None
    return "-".join([year, *(f"{int(part):02}" for part in (month, day) if part is not None)])


def _number_of(month: str) -> str:
    return str(next(place for place, name in enumerate(MONTHS, 1) if name.startswith(month[:3].lower())))


def decimal_of(cells: Iterable[str]) -> str:
    """The decimal sign that numbers among the cells of a table show for sure: "," or "."; "" for neither or both."""
    numbers = [cell for cell in cells if any(read_number(cell, sign) is not None for sign in ".,")]
    comma, point = (any(sign.search(cell) for cell in numbers) for sign in (_DECIMAL_COMMA, _DECIMAL_POINT))
    return "," if comma and not point else "." if point and not comma else ""


def words_of(name: str) -> list[str]:
    """The words of a column's name in lower case: "staffId" has two."""
    return [word.lower() for word in re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name))]


def reader_for(name: str, cells: Sequence[str], decimal: str = "") -> Reader:
    """How a column of this name is read, by (some of) its cells. ``decimal``: the sign of the other columns."""
    filled = [cell for cell in (cell.strip() for cell in cells) if cell.lower() not in EMPTY]
    words = set(words_of(name))
    if not filled or words & NO_NUMBERS or ("season" in words and not all(map(str.isdigit, filled))):  # 2023/24
        return Reader("text")
    comma, point = (sum(bool(sign.search(cell)) for cell in filled) for sign in (_DECIMAL_COMMA, _DECIMAL_POINT))
    if not (comma or point) and not decimal and _has_groups(filled):
        decimal = ","
    decimal = "," if comma and not point else "." if point else decimal or "."
    numbers = [number for cell in filled if (number := read_number(cell, decimal)) is not None]
    if _nearly_all(len(numbers), len(filled)) and not (comma and point) and not _names_things(filled, decimal):
        units = {unit for _, unit in numbers if unit}
        if len(units) <= 1:
            least = 1 if words & SAYS_WHEN else 1000
            is_year = not units and all(isinstance(n, int) and least <= n <= 2100 for n, _ in numbers)
            return Reader("year" if is_year else "number", decimal, unit=next(iter(units), ""))
    slashed = [match for cell in filled if (match := _SLASHED.fullmatch(cell)) is not None]
    day_first = any(int(match["a"]) > 12 for match in slashed)
    month_first = any(int(match["b"]) > 12 for match in slashed)
    if slashed and day_first == month_first:
        return Reader("text")
    dates = sum(read_date(cell, day_first or not slashed) is not None for cell in filled)
    if _nearly_all(dates, len(filled)):
        return Reader("date", day_first=day_first or not slashed)
    return Reader("text")


def _has_groups(filled: Sequence[str]) -> bool:
    """Whether the points are of thousands: 1.648 next to 968, but no 0.250 and no 1648."""
    digits = [re.sub(r"[^\d.]", "", cell) for cell in filled]
    dotted = [number for number in digits if "." in number]
    plain = [number for number in digits if "." not in number]
    in_threes = all(re.fullmatch(r"[1-9]\d{0,2}(?:\.\d{3})+", number) for number in dotted)
    return bool(dotted) and bool(plain) and in_threes and all(len(number) <= 3 for number in plain)


def _nearly_all(readable: int, filled: int) -> bool:
    return readable >= READABLE * filled or (filled >= ONE_OFF and readable == filled - 1)


def _names_things(filled: Sequence[str], decimal: str) -> bool:
    """Whether the digits are names: 007, or 1931.1 next to 1931.10."""
    if any(len(cell) > 1 and cell.startswith("0") and cell.isdigit() for cell in filled):
        return True
    numbers = {cell: number[0] for cell in filled if (number := read_number(cell, decimal)) is not None}
    return len(set(filled)) == len(filled) and len(set(numbers.values())) < len(numbers)
