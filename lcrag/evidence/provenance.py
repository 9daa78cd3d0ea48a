"""Markers on their way through notes: a note may only name what it was given, and a sentence that lost its marker gets
back that of what it was made from.

Models drop markers when they merge, and invent some; either way the chain from the answer to the document would break
in the middle, where nobody looks. What is put back here is checked again at the end (``lcrag.evidence.cite``), against
the document itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from lcrag.evidence import support
from lcrag.evidence.cite import Group, groups, statements
from lcrag.types import Passage

Marked = tuple[str, tuple[int, ...]]
"""A sentence and the markers that it came with."""


def carried(text: str, given: Sequence[Passage], notes: Sequence[str], read: Sequence[Passage]) -> str:
    """What was written from passages and notes, its markers put right; the same text where nothing is wrong.

    ``read``: all passages of this answer, so that a number in brackets that a source has itself is no marker.
    """
    found = list(groups(text, read))
    before = [one for note in notes for one in _marked(note, read)]
    known = {passage.marker for passage in given}.union(*(markers for _, markers in before))
    out = ""
    for group in found:
        kept = [number for number in group.numbers if number in known]
        out += text[group.begin : group.end] if _right(group, kept) else _repaired(text, group, kept, given, before)
    return out


def _right(group: Group, kept: Sequence[int]) -> bool:
    return bool(kept) and len(kept) == len(group.numbers)


def _repaired(text: str, group: Group, kept: Sequence[int], given: Sequence[Passage], before: Sequence[Marked]) -> str:
    """The words of a group under the markers that it may have; without any, each sentence under those of its origin."""
    if kept:
        return text[group.begin : group.start] + "".join(f"[{number}]" for number in kept)
    out, position = "", group.begin
    for start, end in statements(text[group.begin : group.start]):
        start, end = group.begin + start, group.begin + end
        origin = _origin(text[start:end], given, before)
        out += text[position:end] + "".join(f" [{number}]" for number in origin[:1])
        out += "".join(f"[{number}]" for number in origin[1:])
        position = end
    rest = text[position : group.start]
    return out + (rest.rstrip(" ") if group.numbers else rest)


def _origin(sentence: str, given: Sequence[Passage], before: Sequence[Marked]) -> tuple[int, ...]:
    """The markers of the earlier sentence, or else of the passage, that supports this one; () when none does."""
    at, pieces = 0, []
    for text, _ in before:
        pieces.append((at, text))
        at += len(text) + 1
    place = support.find(sentence, pieces)
    if place is not None and place.holds:
        return before[bisect_right(pieces, place.start, key=lambda piece: piece[0]) - 1][1]
    for passage in given:
        place = support.find(sentence, [(0, passage.text)], f"{passage.source}\n{passage.text}")
        if place is not None and place.holds:
            return (passage.marker,)
    return ()


def _marked(note: str, read: Sequence[Passage]) -> Iterator[Marked]:
    for group in groups(note, read):
        if group.numbers:
            for start, end in statements(note[group.begin : group.start]):
                yield note[group.begin + start : group.begin + end], group.numbers
