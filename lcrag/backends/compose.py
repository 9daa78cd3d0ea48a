"""What the writer is asked, and what of its reply is kept: sentences that the documents support.

A small model reads 500 tokens better than 6,000, so it gets the best parts of what a task reads: runs of sentences as
long as a chunk, by the scores of ``lcrag.backends.extract``, in the order of the documents, under their own markers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final, Protocol

from lcrag.backends.extract import DENSE, Unit, by_markers, by_words, columns_of
from lcrag.evidence.cite import find_statements, find_support, split_at_markers
from lcrag.evidence.stretches import STRETCH
from lcrag.text.passages import groups
from lcrag.text.prompts import messages, says_nothing
from lcrag.types import Embedder, Passage, Task

SHORT_READS, READS = 500, 1500
"""Tokens of text that the writer reads for a short answer and for sentences. Of 500, 1,000 and 2,000 retrieved tokens
500 gave most exact answers (nq_pool .37, .35, .30 of 60). For sentences 1,000, 1,500 and 2,000 gave ROUGE-L .14, .15
and .16 on 40 questions of qmsum, in 1.0, 1.3 and 2.1 s."""
EMBEDDED: Final = 32
"""Runs that are embedded for a summary: 0.3 s on two cores."""
SHORT, SENTENCES = 32, 160
"""The most tokens of a short answer and of sentences: 160 are twice a summary of the meetings that it learned from."""
_MARKER: Final = re.compile(r"\s*\[\d+\]")


class Written(Protocol):
    @property
    def text(self) -> str: ...


class Writer(Protocol):
    """What is needed of ``lcrag.writer.writer.Writer``."""

    def count(self, texts: Sequence[str]) -> list[int]: ...
    def generate(self, prompts: Sequence[Sequence[dict[str, str]]], max_tokens: int) -> Sequence[Written]: ...


class Programmer(Protocol):
    """What is needed of it where programs are written."""

    def several(
        self, messages: Sequence[dict[str, str]], allows: Callable[[str, bool], bool], width: int, max_tokens: int
    ) -> list[tuple[str, float]]: ...


def short_answer(task: Task, units: Sequence[Unit], weights: Sequence[float], writer: Writer) -> str | None:
    """The writer's bare answer; None where it says that what it read does not hold one."""
    [written] = writer.generate([short_prompt(task, units, weights, writer)], SHORT)
    bare = _MARKER.sub("", written.text).strip().rstrip(".")
    return None if says_nothing(bare) else bare


def short_prompt(task: Task, units: Sequence[Unit], weights: Sequence[float], writer: Writer) -> list[dict[str, str]]:
    """What the writer is asked for a short answer."""
    read = _best_parts(task, units, weights, SHORT_READS, writer)
    return messages(replace(task, role="answer", passages=tuple(read), notes=()))


def holder_of(bare: str, units: Sequence[Unit], weights: Sequence[float]) -> Unit | None:
    """The best unit that holds an answer word for word, if one does."""
    best_first = sorted(zip(weights, units, strict=True), key=lambda pair: -pair[0])
    return next((unit for _, unit in best_first if bare.lower() in unit.text.lower()), None)


def by_relevance(task: Task, units: Sequence[Unit], embedder: Embedder | None) -> list[float]:
    """How well each unit suits a question for a summary: by its words and those that it stands under, and of the best
    runs by what they mean."""
    above = {markers: f"{passage.source} {passage.context}" for markers, passage in by_markers(task).items()}
    weights = by_words(task, units, above)
    if embedder is None or not any(weights):
        return weights
    runs = sorted(runs_of(units), key=lambda run: -max(weights[place] for place in run))[:EMBEDDED]
    texts = ["\n".join((above.get(units[run[0]].markers, ""), *(units[at].text for at in run))) for run in runs]
    vectors = embedder.embed([task.question, *texts])
    for run, cosine in zip(runs, vectors[1:] @ vectors[0], strict=True):
        for place in run:
            weights[place] += DENSE * float(cosine)
    return weights


def supported_sentences(
    task: Task, units: Sequence[Unit], weights: Sequence[float], writer: Writer, max_tokens: int
) -> tuple[str, ...]:
    """The sentences of the writer's answer that what it read supports, each with the markers of where; () for none."""
    read = _best_parts(task, units, weights, READS, writer)
    asked = replace(task, role="answer", passages=tuple(read), notes=())
    [written] = writer.generate([messages(asked)], min(max_tokens, SENTENCES))
    if says_nothing(_MARKER.sub("", written.text)):
        return ()
    return tuple(_supported(written.text, read))


def _supported(text: str, read: Sequence[Passage]) -> Iterator[str]:
    held = {passage.marker: passage for passage in read}
    for group in split_at_markers(text, read):
        named = [held[number] for number in dict.fromkeys(group.numbers) if number in held]
        for start, end in find_statements(text[group.begin : group.start]):
            sentence = text[group.begin + start : group.begin + end].strip()
            places = find_support(sentence, named) or find_support(sentence, read)
            if places:
                yield sentence + " " + "".join(f"[{marker}]" for marker in dict.fromkeys(p.marker for p, _ in places))


def _best_parts(
    task: Task, units: Sequence[Unit], weights: Sequence[float], tokens: int, writer: Writer
) -> list[Passage]:
    """Passages of the best runs of units within so many of the writer's tokens, in order."""
    sources = by_markers(task)
    chosen = best_places(task, units, weights, tokens, writer.count)
    return [
        _passage("\n".join(units[place].text for place in same), sources.get(markers), markers)
        for markers, same in groupby(chosen, key=lambda place: units[place].markers)
    ]


def best_places(
    task: Task, units: Sequence[Unit], weights: Sequence[float], tokens: int, count: Callable[[list[str]], list[int]]
) -> list[int]:
    """Places of the units of the best runs that together have so many tokens by ``count``, in order; the best run in
    any case.

    Where no unit has a weight, as for "What is this about?", how the sources begin comes first.
    """
    runs = runs_of(units)
    sizes = count(["\n".join(units[place].text for place in run) for run in runs])
    if any(weights):
        order = sorted(range(len(runs)), key=lambda number: -max(weights[place] for place in runs[number]))
    else:
        sources = by_markers(task)
        begun: dict[str, int] = {}
        for number, run in enumerate(runs):
            source = sources.get(units[run[0]].markers)
            begun.setdefault(source.source if source else "", number)
        order = [*_spread(begun.values()), *_spread(range(len(runs)))]
    taken: set[int] = set()
    left = tokens
    for number in order:
        if number not in taken and (not taken or sizes[number] <= left):
            taken.add(number)
            left -= sizes[number]
    return sorted(place for number in taken for place in runs[number])


def runs_of(units: Sequence[Unit]) -> list[tuple[int, ...]]:
    """Places of units that follow each other in one passage, as many as a chunk holds."""
    runs: list[tuple[int, ...]] = []
    for _, same in groupby(range(len(units)), key=lambda place: units[place].markers):
        places = list(same)
        runs += map(tuple, groups(places, [len(units[place].text) for place in places], STRETCH))
    return runs


def _spread(numbers: Iterable[int]) -> list[int]:
    """The same numbers in an order of which any beginning is spread over all of them."""
    placed = enumerate(numbers)
    return [number for _, number in sorted(placed, key=lambda pair: (-_halves(pair[0]), pair[0]))]


def _halves(place: int) -> float:
    """How often a place can be divided by two."""
    return math.log2(place & -place) if place else math.inf


def _passage(text: str, source: Passage | None, markers: str) -> Passage:
    """The text under the marker of its passage, with the names of columns; of notes, under the first of theirs."""
    if source is not None:
        return replace(
            source, text=text, parts=(), start=0, end=len(text), context=source.context or columns_of(source)
        )
    number = re.search(r"\d+", markers)
    return Passage(int(number[0]) if number else 0, "", "notes", 0, len(text), text, 0)
