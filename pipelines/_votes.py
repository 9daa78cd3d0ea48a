"""Sentences chosen by a model's votes: each piece is read several times, in another order each time.

What is voted for is in the documents word for word, so it needs no checking, and the order of the passages, which
models follow too much, decides less (LaMSUM, Chhikara et al. 2024, arXiv 2406.15809; there posts, here passages).

A small model's votes may name no sentence at all: SmolLM2-135M's did for 36 of 40 questions on meetings (qmsum). Then
the most central sentences are taken (``lcrag.evidence.central``), by words alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from random import Random
from typing import Final, NamedTuple

from lcrag.evidence.central import most_central
from lcrag.evidence.quotes import located
from lcrag.pipelines._prune import extract, text_at
from lcrag.pipelines._run import Run
from lcrag.pipelines._summaries import most_tokens
from lcrag.text.passages import groups, pieces_of
from lcrag.text.prompts import NOT_FOUND, says_nothing
from lcrag.text.questions import asks_for_summary
from lcrag.text.sentences import sentences
from lcrag.text.words import stems
from lcrag.types import Event, Passage, Task

ORDERS: Final = 3
"""How often each piece is read, as in the paper's repository."""
Sentence = tuple[int, int, int]
"""The marker of a passage, and the characters of its document."""


class _Said(NamedTuple):
    """A sentence with its text, white space collapsed, and its stems."""

    place: Sentence
    text: str
    words: frozenset[str]


def elected(run: Run, read: Sequence[Passage], piece: int, words: int) -> str:
    """The sentences with most votes, within so many words, in order, each with its marker.

    Without a vote that can be used the most central ones; NOT_FOUND where every reply says that there is none, unless
    a summary is asked for, which cannot be missing in what is read.
    """
    by_marker = {passage.marker: passage for passage in read}
    given = list(read)
    votes: Counter[Sentence] = Counter()
    says_none = True
    while True:
        latest, says_none = _votes(run, list(groups(given, run.sizes(given), piece)), words)
        if not latest:
            break  # what was voted for before, if anything, stands
        votes = latest
        chosen = _within(votes, by_marker, None)
        if len(chosen) == len(_within(votes, by_marker, words)) or not _is_shorter(chosen, given):
            break
        given = [
            extract(by_marker[marker], [place[1:] for place in same], run.backend)
            for marker, same in groupby(chosen, key=lambda place: place[0])
        ]
    if not votes and says_none and not asks_for_summary(run.question):
        return NOT_FOUND
    kept = _within(votes, by_marker, words) if votes else _central(run, read, piece, words)
    return "\n".join(f"{_text(place, by_marker)} [{place[0]}]" for place in kept) or NOT_FOUND


def _votes(run: Run, pieces: Sequence[Sequence[Passage]], words: int) -> tuple[Counter[Sentence], bool]:
    """The votes, and whether every reply says that there is nothing to vote for."""
    shuffled = [
        [(place, order) for place in Random(order).sample(range(len(piece)), len(piece))]
        for piece in pieces
        for order in range(ORDERS)
    ]
    ballots: list[tuple[Task, dict[int, int]]] = []
    for number, order in enumerate(shuffled):
        piece = pieces[number // ORDERS]
        passages = [replace(piece[place], marker=marker) for marker, (place, _) in enumerate(order, 1)]
        originals = {marker: piece[place].marker for marker, (place, _) in enumerate(order, 1)}
        ballots.append((Task("vote", run.question, tuple(passages), words=words), originals))
    votes: Counter[Sentence] = Counter()
    completions = run.ask([task for task, _ in ballots], most_tokens(words))
    for (task, originals), done in zip(ballots, completions, strict=True):
        for marker, places in located(done.text, task.passages).places.items():
            votes.update((originals[marker], start, end) for start, end in places)
    return votes, all(says_nothing(done.text) for done in completions)


def _central(run: Run, read: Sequence[Passage], piece: int, words: int) -> list[Sentence]:
    """The most central sentences of each piece, and of these those of all, in order."""
    run.emit(Event("usage", {"message": "no vote names a sentence: the most central ones are taken instead"}))
    best = [
        said
        for group in groups(read, run.sizes(read), piece)
        for said in most_central(run.question, _said(group), words, None)
    ]
    return [said.place for said in most_central(run.question, best, words, None)]


def _said(passages: Sequence[Passage]) -> list[_Said]:
    """The sentences of the passages that have words."""
    listed = []
    for passage in passages:
        for offset, text in pieces_of(passage):
            for start, end in sentences(text):
                said = " ".join(text[start:end].split())
                words = frozenset(stems(said))
                if words:
                    listed.append(_Said((passage.marker, offset + start, offset + end), said, words))
    return listed


def _within(votes: Counter[Sentence], by_marker: dict[int, Passage], words: int | None) -> list[Sentence]:
    """The sentences with most votes that together have so many words, in order; all without a limit."""
    kept: list[Sentence] = []
    used = 0
    for place, _ in sorted(votes.items(), key=lambda item: (-item[1], item[0])):
        count = len(_text(place, by_marker).split())
        if words is None or not kept or used + count <= words:
            kept.append(place)
            used += count
    return sorted(kept)


def _is_shorter(chosen: Sequence[Sentence], given: Sequence[Passage]) -> bool:
    """Whether another vote among these would read less than the last one."""
    return 2 * sum(end - start for _, start, end in chosen) <= sum(len(passage.text) for passage in given)


def _text(place: Sentence, by_marker: dict[int, Passage]) -> str:
    marker, start, end = place
    return " ".join(text_at(by_marker[marker], start, end).split())
