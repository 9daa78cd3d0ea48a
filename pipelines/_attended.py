"""The sentences that the question attends to most, carried from window to window (InfiniRetri, arXiv 2502.12962).

Each window is read behind what was kept of those before it, so that a sentence may be found by what an earlier one
says, and all compete for the same room. So nothing is read at once, or found in a prefix cache.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import Final

from lcrag.pipelines._prune import extract, text_at
from lcrag.pipelines._run import Run
from lcrag.planning.scale import count_sent
from lcrag.text.passages import pieces_of
from lcrag.text.sentences import sentences
from lcrag.types import Event, Passage, Task

ATTEND: Final = 300
"""Words of a window whose sentences may be kept: the paper's."""

Sentence = tuple[int, int, int]
"""The marker of its passage, and its place in the document, half-open."""


def carry(run: Run, windows: Sequence[Sequence[Passage]], marks: Sequence[int], room: int) -> list[Passage]:
    """What is kept after the last window: at most ``room`` tokens with the marks around the passages.

    ``marks``: tokens of those of each passage, by its marker from 1.
    """
    kept: list[Passage] = []
    for number, window in enumerate(windows, 1):
        read = [*kept, *window]
        [completion] = run.ask([Task("answer", run.question, tuple(read), attend=ATTEND)], max_tokens=1)
        kept = _keep(run, read, completion.attended, marks, room)
        run.emit(Event("worker", {"index": number, "of": len(windows), "status": "noted" if kept else "nothing"}))
    return kept


def _keep(
    run: Run, read: Sequence[Passage], attended: Sequence[tuple[int, int]], marks: Sequence[int], room: int
) -> list[Passage]:
    """The sentences of these places of passages, the first of them first, in their order."""
    whole = {passage.marker: passage for passage in read}
    found = list(dict.fromkeys(_sentence(whole[marker], place) for marker, place in attended))
    counts = count_sent([text_at(whole[marker], start, end) for marker, start, end in found], run.backend)
    chosen: list[Sentence] = []
    for sentence, tokens in zip(found, counts, strict=True):
        needed = tokens + (0 if any(other[0] == sentence[0] for other in chosen) else marks[sentence[0] - 1])
        if needed <= room or not chosen:
            chosen.append(sentence)
            room -= needed
    return [
        extract(whole[marker], [(start, end) for _, start, end in same], run.backend)
        for marker, same in groupby(sorted(chosen), key=lambda sentence: sentence[0])
    ]


def _sentence(passage: Passage, place: int) -> Sentence:
    """The sentence around a character of the passage's text."""
    pieces = list(pieces_of(passage))
    begins = [0, *accumulate(len(text) + 1 for _, text in pieces[:-1])]  # a newline joins two pieces
    number = bisect_right(begins, place) - 1
    offset, text = pieces[number]
    spans = sentences(text) or [(0, len(text))]
    start, end = next((span for span in spans if place - begins[number] < span[1]), spans[-1])
    return passage.marker, offset + start, offset + end
