"""Sentences as a reader reads them: a few in a row, of one passage, as much as a chunk holds.

A sentence alone loses what "it" and "she" mean, and a whole passage may be longer than the reader's window.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from lcrag.text.passages import groups
from lcrag.types import Relevance, Reranker

STRETCH: Final = 560
"""Characters of a stretch: those of a chunk, which the reader was trained on."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """``places`` of the sentences that were read together, where each of them ``starts`` in ``text``, and the reading
    of that.
    """

    places: tuple[int, ...]
    starts: tuple[int, ...]
    text: str
    reading: Relevance

    def sentence_at(self, offset: int) -> tuple[int, int]:
        """The place of the sentence in which the character at ``offset`` of ``text`` is, and where that one ends."""
        at = bisect_right(self.starts, offset) - 1
        return self.places[at], self._ends[at]

    def sentences(self) -> Iterator[tuple[int, int, int, float]]:
        """Of each sentence its place, its start and end in ``text``, and the mean of P(evidence) over its pieces."""
        for place, start, end in zip(self.places, self.starts, self._ends, strict=True):
            yield place, start, end, self.reading.evidence_in(start, end)

    @property
    def _ends(self) -> tuple[int, ...]:
        return (*(start - 1 for start in self.starts[1:]), len(self.text))


def evidence(stretches: Iterable[Stretch]) -> dict[int, float]:
    """The mean of P(evidence) of each sentence that was read, by its place."""
    return {place: p for stretch in stretches for place, _, _, p in stretch.sentences()}


def read(
    question: str, owners: Sequence[object], texts: Sequence[str], scores: Sequence[float], reader: Reranker, most: int
) -> list[Stretch]:
    """The stretches of these sentences, at most ``most`` of them: those that hold the sentences of the highest scores.

    ``owners``: what tells the passage that each sentence is of; neighbours of different ones are not read together.
    """
    made: list[tuple[int, ...]] = []
    for _, same in groupby(range(len(texts)), key=lambda place: owners[place]):
        listed = list(same)
        made += map(tuple, groups(listed, [len(texts[place]) for place in listed], STRETCH))
    made.sort(key=lambda places: (-max(scores[place] for place in places), places))
    joined = [" ".join(texts[place] for place in places) for places in made[:most]]
    found = []
    for places, text, reading in zip(made, joined, reader.read(question, joined), strict=False):
        starts = [0]
        for place in places[:-1]:
            starts.append(starts[-1] + len(texts[place]) + 1)
        found.append(Stretch(places, tuple(starts), text, reading))
    return found
