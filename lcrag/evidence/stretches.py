"""Sentences as a reranker reads them: a few in a row, of one passage, as much as a chunk holds.

A sentence alone loses what "it" and "she" mean, and a whole passage may be longer than the reranker's window.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final

from lcrag.text.passages import groups
from lcrag.types import Relevance, Reranker

STRETCH: Final = 560
"""Characters of a stretch: those of a chunk, which the reranker was trained on."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sentences that were read together: their ``places`` in the list of all sentences, where each of them starts in
    ``text`` (``starts``), and the ``relevance`` of that text.
    """

    places: tuple[int, ...]
    starts: tuple[int, ...]
    text: str
    relevance: Relevance

    def sentence_at(self, offset: int) -> tuple[int, int]:
        """The place of the sentence that holds the character at ``offset`` of ``text``, and where it ends."""
        number = bisect_right(self.starts, offset) - 1
        return self.places[number], self._ends[number]

    def sentences(self) -> Iterator[tuple[int, int, int, float]]:
        """Of each sentence its place, its start and end in ``text``, and the mean P(evidence) of its word pieces."""
        for place, start, end in zip(self.places, self.starts, self._ends, strict=True):
            yield place, start, end, self.relevance.evidence_in(start, end)

    @property
    def _ends(self) -> tuple[int, ...]:
        return (*(start - 1 for start in self.starts[1:]), len(self.text))


def sentence_evidence(stretches: Iterable[Stretch]) -> dict[int, float]:
    """The mean P(evidence) of each sentence that was read, by its place."""
    return {place: evidence for stretch in stretches for place, _, _, evidence in stretch.sentences()}


def read_stretches(
    question: str,
    owners: Sequence[object],
    texts: Sequence[str],
    scores: Sequence[float],
    reranker: Reranker,
    most: int,
) -> list[Stretch]:
    """The stretches of these sentences that hold the highest ``scores``, at most ``most`` of them, best first.

    ``owners``: a key of the passage of each sentence; neighbours of different passages are not read together.
    """
    runs: list[tuple[int, ...]] = []
    for _, same in groupby(range(len(texts)), key=lambda place: owners[place]):
        places = list(same)
        runs += map(tuple, groups(places, [len(texts[place]) for place in places], STRETCH))
    runs.sort(key=lambda run: (-max(scores[place] for place in run), run))
    joined = [" ".join(texts[place] for place in run) for run in runs[:most]]
    return [
        Stretch(run, tuple(accumulate((len(texts[place]) + 1 for place in run[:-1]), initial=0)), text, relevance)
        for run, text, relevance in zip(runs, joined, reranker.read(question, joined), strict=False)
    ]
