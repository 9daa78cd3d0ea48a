"""Ways of saying things, as the plain words that the rules know: "all told" is "in total"."""

from __future__ import annotations

import re
from typing import Final

from lcrag.tables.field import stem_of
from lcrag.tables.view import View
from lcrag.text.words import MONTHS

_DAYS: Final = {
    "christmas eve": "24 December",
    "christmas day": "25 December",
    "christmas": "25 December",
    "xmas": "25 December",
    "boxing day": "26 December",
    "new year's eve": "31 December",
    "new year's day": "1 January",
    "new year": "1 January",
    "valentine's day": "14 February",
    "halloween": "31 October",
    "bonfire night": "5 November",
}
"""Days of the same date every year."""
_SIDES: Final = "after|before|since|until|by|on"
_WHEN: Final = rf"(?:(?:{'|'.join(MONTHS)})\s+)?(?:1\d|20)\d\d"
_ALWAYS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), plain)
    for pattern, plain in (
        (r"\bcan(?:no|['’])t\b", "can not"),
        (r"\bwon['’]t\b", "will not"),
        (r"n['’]t\b", " not"),
        (r"(?<=\w)['’](?:re|ve|ll|d)\b", " "),
        (r"(?<=\s)%\s", "percent "),
        (r"\ball told\b|\ball together\b|\ball in all\b|\bput together\b|\btaken together\b", "in total"),
        (r"\bover (?:all )?(?:the |of the )?(?:years?|months?|nights?|seasons?|time|period)\b", "in total"),
        (r"\bin (?:the )?(?:sum|aggregate)\b|\bgrand total\b", "in total"),
        (r"\ba thousand\b", "1000"),
        (r"\ba hundred\b", "100"),
        (r"\ba million\b", "1 million"),
        (r"\bhalf a dozen\b", "6"),
        (r"\ba dozen\b", "12"),
        (rf"\b(?:in|from)\s+({_WHEN})\s+or\s+(?:later|after|since)\b", r"since \1"),
        (rf"\b(?:in|from)\s+({_WHEN})\s+onwards?\b", r"since \1"),
        (rf"\b(?:in|from)\s+({_WHEN})\s+or\s+(?:earlier|before)\b", r"until \1"),
        (r"\babove (?:the )?sea level\b", ""),
        (r"\b(low|high)(est|er)?[- ]lying\b", r"\1\2"),
        (r"(?<=est) to (?:sit through|watch|read|listen to|play|make|build|run|get through|cook|climb|walk)\b", ""),
        (r"\blook(?:s|ed|ing)? after\b|\btak(?:e|es|en|ing) care of\b|\b(?:in charge of|responsible for)\b", "manage"),
        (r"\b(?:give|gave|given|giving) (?:away|out)\b", "given"),
        (r"(?<=\w) come to(?= in |\?|$)", " add up to"),
        (r"\b(?:walk|get|come) into\b", "access"),
        (r"\bsign(?:ed|s)? up\b", "joined"),
        (r"\b((?:did|have|has|had) \w+) shift(?:ed)?\b", r"\1 sell"),
        (r"\b(?:got rid of|parted with)\b", "sold"),
        (r"\band so (?:on|forth)\b|\betc\b\.?", ""),
    )
)
_HOLIDAYS: Final = re.compile(
    rf"\b({_SIDES})\s+({'|'.join(_DAYS).replace(chr(39), '[' + chr(39) + '’]?')})(?:\s+of)?,?\s+((?:1\d|20)\d\d)\b",
    re.IGNORECASE,
)
_OF_COLUMNS: Final = tuple(
    (re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), tuple(columns.split()))
    for pattern, columns in (
        (r"free (?:tickets?|seats?|entr(?:y|ies)|places?)|freebies|complimentary (?:tickets?|seats?)", "comps comp"),
        (r"set aside|put aside|earmark(?:ed)?|allocated?", "budget allocation allocated"),
    )
)
"""What stands for a column, where the table has one called so."""


def plain_sayings(question: str, view: View) -> str:
    """The question in plain words."""
    found = _HOLIDAYS.sub(
        lambda match: f"{match[1]} {_DAYS[match[2].lower().replace('’', chr(39))]} {match[3]}", question
    )
    for pattern, plain in _ALWAYS:
        found = pattern.sub(plain, found)
    named = {stem for one in view.fields for stem in one.names[0]}
    for pattern, columns in _OF_COLUMNS:
        column = next((word for word in columns if stem_of(word) in named), None)
        found = pattern.sub(column, found) if column is not None else found
    return found
