"""Sentences of a task by how well they answer it: scored and chosen as they are in the documents, never written.

A sentence's score is the share of the question's words that it and its neighbours hold, weighed by how rare each is in
what was read, plus the cosine of its embedding with the question's, plus a share for holding the kind of thing that is
asked for (a number for "how many"). A sentence about another part number, version or date than the one asked for does
not count at all (``lcrag.text.exact``). With a reranker, P(the sentence is evidence) counts too, and it finds the
short answer. Whether the passages hold the answer at all follows from a few numbers of the same kind
(``lcrag.backends.answerable``).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from lcrag.evidence.stretches import Stretch, read_stretches, sentence_evidence
from lcrag.text.dialogue import another_speaks
from lcrag.text.exact import ExactStrings
from lcrag.text.names import introduces, names_in
from lcrag.text.places import is_table
from lcrag.text.questions import asks_for_list, expected_answer, named_in, without_cue
from lcrag.text.sentences import HEADING, sentences
from lcrag.text.words import joins_words, parts_asked, stems
from lcrag.types import Embedder, Passage, Reranker, Task

EMBEDDED, EMBEDDED_READ = 48, 16
"""The best sentences by words are embedded: with all of them, 4,000 tokens would take 0.5 s longer. With a reranker
fewer will do, which pays for its reading: 32 embeddings take as long as 16 stretches."""

DENSE, EXPECTED, NEIGHBOUR = 0.6, 0.15, 0.5
"""Weights of the cosine, of the kind of thing asked for, and of the neighbours' words against the sentence's own. Not
measured one by one; the weights of ``answerable.json`` were fitted to the scores that they make."""

READ: Final = 16
"""Stretches that the reranker reads: those with the best sentences by words; 0.14 s on two cores."""
EVIDENCE: Final = 1.5
"""Weight of P(the sentence is evidence). Of 60 questions of nq_pool, from 2,000 tokens, what is quoted holds the answer
for .77 (.70 at 0, .73 at 0.6)."""
SPAN_RANK, SPAN_WORDS = 0.5, 12.0
"""Weights of the reranker's rank of a stretch, and of the share of the question's words in it, added to the score of
its best span, which is made of logits. From 2,000 tokens the short answer is right for .39 of 59 questions of nq_pool
and .17 of 87 of hotpot_pool; by the span's own score .39 and .13, reading the quoted sentences alone .34 and .09."""

CLOSE, CLOSE_LIST = 0.85, 0.6
"""A further sentence joins the answer when its score is at least this share of the best one's; not measured."""
MOST, MOST_LIST = 2, 12
"""Sentences of an answer, at most: a fact and its context, or as many items as people read. Not measured."""
PROBES: Final = 12
"""Things to search for, at most. Of 100 questions of hotpot_pool .73 have their evidence within 1,000 tokens with 12,
.69 with 8 (``pipelines/iterate.py``)."""
MARKERS: Final = re.compile(r"\s*((?:\[\d+\]\s*)+)$")
_LINE: Final = re.compile(r"[^\n]+")


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence that may be quoted, white space collapsed: its markers, its stems and its place among all units."""

    text: str
    markers: str
    words: frozenset[str]
    order: int


@dataclass(frozen=True, slots=True)
class Scored:
    """The best units of a task with their scores, best first, and the features by which "not here" is recognised.

    ``span``: with a reranker, the short answer and the unit that holds it. ``units``: all that may answer, in order,
    and ``weights``: the score of each without its cosine. ``has_code``: all of them are about a code that the
    question names; ``is_row``: and the best of them is a row of a table, all that is recorded of it.
    """

    ranked: tuple[tuple[float, Unit], ...]
    features: dict[str, float]
    span: tuple[str, Unit] | None = None
    units: tuple[Unit, ...] = ()
    weights: tuple[float, ...] = ()
    has_code: bool = False
    is_row: bool = False


def units_of(task: Task) -> list[Unit]:
    """The sentences of the task's passages, then those of its notes, each with the markers to cite.

    The rows of a table have the words that name its columns, and the line that does is none of its rows.
    """
    texts: list[tuple[str, str, frozenset[str]]] = []
    for passage in task.passages:
        columns = columns_of(passage)  # "c. 1965" ends no row
        spans = [match.span() for match in _LINE.finditer(passage.text)] if columns else sentences(passage.text)
        if columns and passage.start == 0 and len(spans) > 1:
            spans = spans[1:]
        above = frozenset(stems(columns))
        texts += [(passage.text[start:end], f"[{passage.marker}]", above) for start, end in spans]
    for line in (line for note in task.notes for line in note.splitlines()):
        markers = MARKERS.search(line)
        text, marked = (line[: markers.start()], markers[1].strip()) if markers else (line, "")
        texts.append((text, marked, frozenset()))
    collected: list[Unit] = []
    for text, marked, above in texts:
        text = " ".join(text.split())
        words = frozenset(stems(text))
        if words:
            collected.append(Unit(text, marked, words | above, len(collected)))
    return collected


def score(task: Task, embedder: Embedder | None, reranker: Reranker | None) -> Scored:
    """Score every sentence of the task. Without an embedder cosines are 0."""
    exact = ExactStrings.of(task.question)
    everything_read = units_of(task)
    units = _about_what_is_named(exact, task, everything_read)
    if not units:
        return Scored((), {})
    if joins_words(task.question):
        asked = stems(task.question)
        units = [replace(unit, words=unit.words | parts_asked(asked, unit.words)) for unit in units]
    idf = _idf(task, units)
    own = [_share(idf, unit.words) for unit in units]
    around = [_share(idf, _neighbourhood(units, place)) for place in range(len(units))]
    expected = expected_answer(task.question)
    fits = [1.0 if expected is None or expected.search(unit.text) else 0.0 for unit in units]
    rough = [
        (1 - NEIGHBOUR) * mine + NEIGHBOUR * near + EXPECTED * fit
        for mine, near, fit in zip(own, around, fits, strict=True)
    ]
    texts, owners = [unit.text for unit in units], [unit.markers for unit in units]
    stretches = read_stretches(task.question, owners, texts, rough, reranker, READ) if reranker is not None else []
    evidence = sentence_evidence(stretches)
    quotable = [place for place, text in enumerate(texts) if not HEADING.match(text)] or [0]
    best = sorted(quotable, key=lambda place: (-rough[place] - EVIDENCE * evidence.get(place, 0.0), place))
    best = best[: EMBEDDED_READ if stretches else EMBEDDED]
    cosines = dict(zip(best, _cosines(task.question, [texts[place] for place in best], embedder), strict=True))
    plain = {place: rough[place] + DENSE * cosine for place, cosine in cosines.items()}
    final = {place: plain[place] + EVIDENCE * evidence.get(place, 0.0) for place in best}
    # The features know no reranker but for their last three, so that all judgements share them.
    by_plain = sorted(best, key=lambda place: (-plain[place], place))
    top, fifth = by_plain[0], by_plain[min(4, len(by_plain) - 1)]
    names = named_in(task.question)
    everything = frozenset().union(*(unit.words for unit in units))
    features = {
        "best_share": max(own),
        "top_share": own[top],
        "around_top": around[top],
        "best_cosine": max(cosines.values()),
        "top_cosine": cosines[top],
        "missing": 1 - _share(idf, everything),
        "names_missing": _missing(names, everything),
        "names_missing_near": _missing(names, _neighbourhood(units, top)),
        "another_speaks": float(another_speaks(task.question, texts, owners, top)),
        "kind_fits": fits[top],
        "margin": plain[top] - plain[fifth],
        "best_here": max((stretch.relevance.here for stretch in stretches), default=0.0),
        "best_span": max((stretch.relevance.answer_score for stretch in stretches), default=0.0),
        "best_evidence": max(evidence.values(), default=0.0),
    }
    ranked = tuple((final[place], units[place]) for place in sorted(best, key=lambda place: (-final[place], place)))
    weights = tuple(value + EVIDENCE * evidence.get(place, 0.0) for place, value in enumerate(rough))
    has_code = exact.are_codes and len(units) < len(everything_read)
    source = by_markers(task).get(ranked[0][1].markers)
    is_row = has_code and source is not None and bool(columns_of(source))
    return Scored(ranked, features, _best_span(stretches, units, rough), tuple(units), weights, has_code, is_row)


def choose(task: Task, scored: Scored) -> list[Unit]:
    """The units to quote, each text once: for a single fact one or two, the one with the short answer first; for a list
    or a note or a selection more, in their order.
    """
    several = task.role in ("note", "pick", "quote", "point") or asks_for_list(task.question)
    close, most = (CLOSE_LIST, MOST_LIST) if several else (CLOSE, MOST)
    least = close * scored.ranked[0][0]
    chosen: dict[str, Unit] = {}
    if scored.span and not several:
        chosen[scored.span[1].text] = scored.span[1]
    for value, unit in scored.ranked:
        if len(chosen) == most or value < least:
            break
        chosen.setdefault(unit.text, unit)
    return sorted(chosen.values(), key=lambda unit: unit.order) if several else list(chosen.values())


def probe(task: Task) -> list[str]:
    """What to search for next, the most promising first, at most PROBES: names that the passages do not introduce.

    First those of the question, then those that the sentences with the most of its words name and it does not; where
    there are no names, the rarest words of the best sentence.
    """
    asked = set(stems(task.question))
    units = units_of(task)
    idf = _idf(task, units)
    texts = [passage.text for passage in task.passages]
    best = sorted(units, key=lambda unit: (-_share(idf, unit.words), unit.order))
    new = [name for unit in best for name in names_in(unit.text) if not asked.issuperset(stems(name))]
    named = dict.fromkeys([*names_in(task.question), *new])
    found = [name for name in named if not any(introduces(text, name) for text in texts)]
    if not found and best:
        held = Counter(word for unit in units for word in unit.words)
        found = sorted(best[0].words - asked, key=lambda word: (held[word], -len(word), word))
    return found[:PROBES]


def _about_what_is_named(exact: ExactStrings, task: Task, units: Sequence[Unit]) -> list[Unit]:
    """The units without those about another thing of the form of one that the question names exactly."""
    if not exact:
        return list(units)
    contexts = {markers: passage.context for markers, passage in by_markers(task).items()}
    runs = [list(same) for _, same in groupby(units, key=lambda unit: unit.markers)]
    parts = [(contexts.get(run[0].markers, ""), [unit.text for unit in run]) for run in runs]
    return [unit for unit, may in zip(units, exact.allowed(parts), strict=True) if may]


def by_markers(task: Task) -> dict[str, Passage]:
    """The task's passages by the marker of their units."""
    return {f"[{passage.marker}]": passage for passage in task.passages}


def columns_of(passage: Passage) -> str:
    """The line that names the columns of the table that a passage is of; "" for other passages."""
    if not is_table(passage.source):
        return ""
    return passage.text.lstrip().split("\n", 1)[0] if passage.start == 0 else passage.context.rsplit(" > ", 1)[-1]


def _neighbourhood(units: Sequence[Unit], place: int) -> frozenset[str]:
    """The words of a unit and of its neighbours in the same passage."""
    near = units[max(0, place - 1) : place + 2]
    return frozenset().union(*(unit.words for unit in near if unit.markers == units[place].markers))


def by_words(task: Task, units: Sequence[Unit], above: Mapping[str, str]) -> list[float]:
    """The share of the question's words that each unit and its neighbours hold, and of those in the text ``above`` it.

    ``above``: by markers. Words that ask for a summary do not count: all is 0 for "What is this about?".
    """
    idf = _idf(replace(task, question=without_cue(task.question)), units)
    higher = {markers: _share(idf, frozenset(stems(text))) for markers, text in above.items()}
    return [
        _share(idf, _neighbourhood(units, place)) + higher.get(unit.markers, 0.0) for place, unit in enumerate(units)
    ]


def _idf(task: Task, units: Sequence[Unit]) -> dict[str, float]:
    """How rare each word of the question is in what was read; a word that is not there at all weighs most."""
    asked = dict.fromkeys(stems(task.question))
    return {word: math.log(1 + len(units) / (1 + sum(word in unit.words for unit in units))) for word in asked}


def _share(idf: Mapping[str, float], words: frozenset[str]) -> float:
    total = sum(idf.values())
    return sum(weight for word, weight in idf.items() if word in words) / total if total else 0.0


def _missing(names: Sequence[str], words: frozenset[str]) -> float:
    return sum(name not in words for name in names) / len(names) if names else 0.0


def _cosines(question: str, texts: Sequence[str], embedder: Embedder | None) -> list[float]:
    if embedder is None:
        return [0.0] * len(texts)
    vectors = embedder.embed([question, *texts])
    return [float(cosine) for cosine in vectors[1:] @ vectors[0]]


def _best_span(stretches: Sequence[Stretch], units: Sequence[Unit], rough: Sequence[float]) -> tuple[str, Unit] | None:
    """The best span of all stretches, cut at the end of the sentence in which it begins, and that sentence."""
    spans: list[tuple[float, str, Unit]] = []
    for stretch in stretches:
        start, end = stretch.relevance.answer
        place, sentence_end = stretch.sentence_at(start)
        if not HEADING.match(units[place].text):
            value = stretch.relevance.answer_score + SPAN_RANK * stretch.relevance.rank
            value += SPAN_WORDS * max(rough[place] for place in stretch.places)
            spans.append((value, stretch.text[start : min(end, sentence_end)], units[place]))
    return max(spans, key=lambda span: span[0])[1:] if spans else None
