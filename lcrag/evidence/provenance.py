"""Markers of notes: a note may only name what it was given, and a sentence that lost its marker gets back that of its
origin.

Models drop markers when they merge, and invent some; either way the chain from the answer to the document would break
in the middle, where nobody looks. What is restored here is checked again at the end (``lcrag.evidence.cite``), against
the document itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from lcrag.evidence.cite import Group, find_statements, split_at_markers
from lcrag.evidence.support import find, find_in
from lcrag.types import Passage

Marked = tuple[str, tuple[int, ...]]
"""A sentence and the markers that it came with."""


def restore_markers(text: str, given: Sequence[Passage], notes: Sequence[str], read: Sequence[Passage]) -> str:
    """What was written from the passages ``given`` and from notes, with its markers corrected.

    The text stays the same where nothing is wrong. ``read``: all passages of this answer, so that a number in brackets
    that a source has itself is no marker.
    """
    origins = [sentence for note in notes for sentence in _marked_sentences(note, read)]
    known = {passage.marker for passage in given}.union(*(markers for _, markers in origins))
    out = ""
    for group in split_at_markers(text, read):
        numbers = [number for number in group.numbers if number in known]
        if numbers and len(numbers) == len(group.numbers):
            out += text[group.begin : group.end]
        elif numbers:
            out += text[group.begin : group.start] + _brackets(numbers)
        else:
            out += _restored(text, group, given, origins)
    return out


def _restored(text: str, group: Group, given: Sequence[Passage], origins: Sequence[Marked]) -> str:
    """The words of a group, each sentence under the markers of its origin."""
    out, position = "", group.begin
    for start, end in find_statements(text[group.begin : group.start]):
        start, end = group.begin + start, group.begin + end
        markers = _origin(text[start:end], given, origins)
        out += text[position:end] + (f" {_brackets(markers)}" if markers else "")
        position = end
    rest = text[position : group.start]
    return out + (rest.rstrip(" ") if group.numbers else rest)


def _brackets(numbers: Sequence[int]) -> str:
    return "".join(f"[{number}]" for number in numbers)


def _origin(sentence: str, given: Sequence[Passage], origins: Sequence[Marked]) -> tuple[int, ...]:
    """The markers of the sentence of a note, or else of the passage, that supports this sentence; () if none does."""
    offset, pieces = 0, []
    for text, _ in origins:
        pieces.append((offset, text))
        offset += len(text) + 1
    place = find(sentence, pieces)
    if place is not None and place.holds:
        return origins[bisect_right(pieces, place.start, key=lambda piece: piece[0]) - 1][1]
    for passage in given:
        place = find_in(sentence, passage)
        if place is not None and place.holds:
            return (passage.marker,)
    return ()


def _marked_sentences(note: str, read: Sequence[Passage]) -> Iterator[Marked]:
    for group in split_at_markers(note, read):
        if group.numbers:
            for start, end in find_statements(note[group.begin : group.start]):
                yield note[group.begin + start : group.begin + end], group.numbers
