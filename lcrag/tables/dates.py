"""Dates in questions as ranges of ISO text, and conditions on a column of dates."""

from __future__ import annotations

import re
from typing import Final

from lcrag.tables.names import literal
from lcrag.tables.tokens import Kind
from lcrag.tables.values import read_date
from lcrag.text.words import MONTHS

FULL_DATE: Final = 10
FULL_MONTH: Final = 7
"""Characters of an ISO date, and of one without its day."""
_MONTHS: Final = "|".join(f"{name[:3]}(?:{name[3:]})?" for name in MONTHS)
_DATE: Final = re.compile(
    rf"\b(?:\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{_MONTHS})\.?,?\s+\d{{4}}"
    rf"|(?:{_MONTHS})\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}|(?:{_MONTHS})\.?,?\s+(?:of\s+)?\d{{4}}"
    r"|\d{4}-\d{2}|\d{1,2}\.\d{1,2}\.\d{4})\b",
    re.IGNORECASE,
)
_DECADE: Final = re.compile(r"\b(\d{3}0)['’]?s\b")
_ORDINALS: Final = ("first", "second", "third", "fourth")
_PART: Final = re.compile(
    rf"\b(?:(?P<which>{'|'.join(_ORDINALS)}|last|[1-4](?:st|nd|rd|th))\s+(?P<part>quarter|half)|Q(?P<quarter>[1-4]))"
    r"(?:,?\s+(?:of\s+)?(?P<year>\d{4}))?\b",
    re.IGNORECASE,
)
_CENTURIES: Final = ("sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth", "twenty-first")
_CENTURY: Final = re.compile(rf"\b(?:(\d{{1,2}})(?:st|nd|rd|th)|({'|'.join(_CENTURIES)}))[\s-]century\b", re.IGNORECASE)

Dates = tuple[str, str]
"""First and last day as ISO text, as long as it is known; ("", "-03 -04") for months of any year."""


def dates_in(question: str) -> dict[int, tuple[int, Dates]]:
    """By where each date of a question begins: where it ends, and the days it means."""
    found: dict[int, tuple[int, Dates]] = {}
    for match in _DATE.finditer(question):
        if (iso := read_date(re.sub(r"\bof\s+", "", match[0]))) is not None:
            found[match.start()] = (match.end(), (iso, iso))
    for match in _DECADE.finditer(question):
        found[match.start()] = (match.end(), (match[1], str(int(match[1]) + 9)))
    for match in _CENTURY.finditer(question):
        number = int(match[1]) if match[1] else 16 + _CENTURIES.index(match[2].lower())
        found[match.start()] = (match.end(), (f"{number * 100 - 99:04}", f"{number * 100:04}"))
    for match in _PART.finditer(question):
        which = match["quarter"] or match["which"]
        length = 6 if (match["part"] or "").lower() == "half" else 3
        ordinals = {"last": 12 // length, **{name: at for at, name in enumerate(_ORDINALS, 1)}}
        number = int(which[0]) if which[0].isdigit() else ordinals[which.lower()]
        months = range(number * length - length + 1, number * length + 1)
        if months[-1] <= len(MONTHS):
            year = match["year"]
            days = (f"{year}-{months[0]:02}", f"{year}-{months[-1]:02}") if year else ("", _of_any_year(months))
            found[match.start()] = (match.end(), days)
    return found


def _of_any_year(months: range) -> str:
    return " ".join(f"-{month:02}" for month in months)


def spanned(first: Dates, last: Dates) -> Dates | None:
    """From the first to the last: "March" to "June 2022" is of that year, "March" to "June" of any. None
    where there is no time between them."""
    (low, months), (end, high) = first, last
    if low:
        return low, high
    if len(end) >= FULL_MONTH:
        return end[:4] + months, high
    if not months or end:
        return None
    return "", _of_any_year(range(int(months[1:3]), int(high[-2:]) + 1))


def when(column: str, kind: str, sign: Kind | None, dates: Dates) -> str | None:
    """A condition on a column of dates or years: BEFORE, AFTER, SINCE, UNTIL, or within them. None where the column
    does not say it."""
    low, high = dates
    if not low:
        months = [literal(month) for month in high.split()]
        if kind != "date" or sign is not None:
            return None
        part = f"substr({column}, 5, 3)"
        return f"{part} = {months[0]}" if len(months) == 1 else f"{part} IN ({', '.join(months)})"
    if kind == "year":
        if len(low) > 4 or len(high) > 4:
            return None
        low, high = str(int(low)), str(int(high))
        within = f"= {low}" if low == high else f"BETWEEN {low} AND {high}"
        compared = {Kind.BEFORE: f"< {low}", Kind.AFTER: f"> {high}", Kind.SINCE: f">= {low}", Kind.UNTIL: f"<= {high}"}
        return f"{column} {within if sign is None else compared[sign]}"
    last = column if len(high) >= FULL_DATE else f"substr({column}, 1, {len(high)})"
    if sign in (Kind.BEFORE, Kind.SINCE):
        return f"{column} {'<' if sign == Kind.BEFORE else '>='} {literal(low)}"
    if sign in (Kind.AFTER, Kind.UNTIL):
        return f"{last} {'>' if sign == Kind.AFTER else '<='} {literal(high)}"
    if low == high:
        return f"{last} = {literal(high)}"
    return f"{column} >= {literal(low)} AND {last} <= {literal(high)}"
