"""Replies that repeat themselves to the limit, as small models do: where the loop begins, and the text without it."""

from __future__ import annotations

import re
from typing import Final

TAIL: Final = 1200
"""Characters of the end of a text in which a loop is looked for."""
LONGEST_UNIT: Final = 300
"""Characters of the longest unit: two or three sentences."""
LEAST_REPEATED: Final = 90
"""Characters that the repetitions must fill together: "no, no, no" is no loop, and a row of a table is no unit."""
LEAST_COPIES: Final = 3
SENTENCE_END: Final = re.compile(r"[.!?…][\"'”’)\]]*(?=\s|$)|\n")


def loop_start(text: str) -> int | None:
    """Where a first copy ends of what the text's end repeats at least three times, if possible at the end of a
    sentence; None without a loop. The last copy may be incomplete.
    """
    tail = text[-TAIL:]
    offset = len(text) - len(tail)
    for unit in range(1, min(LONGEST_UNIT, len(tail) // LEAST_COPIES) + 1):
        run = _period_run(tail, unit)
        if run >= max(LEAST_REPEATED, LEAST_COPIES * unit) and any(map(str.isalnum, tail[-unit:])):
            start = len(tail) - run + unit
            end = SENTENCE_END.search(tail, start, start + unit)
            return offset + (end.end() if end else start)
    return None


def without_loop(text: str) -> str:
    """The text with one copy of what its end repeats."""
    start = loop_start(text)
    while start is not None:
        text = text[:start].rstrip()
        start = loop_start(text)
    return text


def _period_run(text: str, unit: int) -> int:
    """Characters at the end of the text that repeat with this period."""
    place = len(text) - 1
    while place >= unit and text[place] == text[place - unit]:
        place -= 1
    return len(text) - 1 - place + unit if place < len(text) - 1 else 0
