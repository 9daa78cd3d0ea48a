"""Quotes that a model says it copied, found in the passages: models invent what they claim to have retrieved.

A line of a reply is searched for in the passages that its markers name, then in all: word for word, else letter by
letter with few slips. What is found counts as the sentences that it touches, so the first words of a sentence suffice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lcrag.evidence.cite import BEGINNING, MARKER
from lcrag.evidence.support import QUOTED, find_words
from lcrag.text.passages import pieces_of
from lcrag.text.prompts import says_nothing
from lcrag.text.sentences import sentences
from lcrag.types import Passage

LEAST: Final = 8
"""Characters of a quote, at least: shorter ones are found anywhere. Not measured."""


@dataclass(frozen=True, slots=True)
class Located:
    """``places``: by marker, the sentences of the document that were quoted, half-open, in order. ``invented``: how
    many quotes are in no passage."""

    places: dict[int, list[tuple[int, int]]]
    invented: int


def located(reply: str, read: Sequence[Passage]) -> Located:
    """The places of the quotes in a reply, one a line, each with the markers of its passages or without."""
    found: dict[int, set[tuple[int, int]]] = {}
    invented = 0
    for line in reply.splitlines():
        quote = MARKER.sub(" ", line[_mark(line) :]).strip().strip("\"'“”‘’«»…").strip()
        if len(quote) < LEAST or says_nothing(quote):
            continue
        numbers = {int(number) for marker in MARKER.findall(line) for number in re.findall(r"\d+", marker)}
        ordered = sorted(read, key=lambda passage: passage.marker not in numbers)
        place = next(_places(quote, ordered), None)
        if place is None:
            invented += 1
        else:
            found.setdefault(place[0].marker, set()).update(place[1])
    return Located({marker: sorted(places) for marker, places in sorted(found.items())}, invented)


def _places(quote: str, read: Sequence[Passage]) -> Iterator[tuple[Passage, list[tuple[int, int]]]]:
    """The passages that hold the quote, with its sentences, exact ones first."""
    from rapidfuzz.fuzz import partial_ratio_alignment

    words = quote.split()
    for passage in read:
        for offset, text in pieces_of(passage):
            if (span := find_words(words, text)) is not None:
                yield passage, _sentences(offset, text, *span)
    for passage in read:
        for offset, text in pieces_of(passage):
            alike = partial_ratio_alignment(quote, text, score_cutoff=100 * QUOTED) if len(quote) <= len(text) else None
            if alike is not None:
                yield passage, _sentences(offset, text, alike.dest_start, alike.dest_end)


def _sentences(offset: int, text: str, start: int, end: int) -> list[tuple[int, int]]:
    return [(offset + begin, offset + finish) for begin, finish in sentences(text) if begin < end and start < finish]


def _mark(line: str) -> int:
    """The length of a list's mark."""
    match = BEGINNING.match(line)
    return match.end() if match else 0
