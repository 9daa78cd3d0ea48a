"""Tasks done by extraction, offline: sentences are quoted, never written.

A sentence's score is the share of the question's words that it and its neighbours hold, weighed by how rare each is in
what was read, plus the cosine of its embedding with the question's, plus a share for holding the kind of thing that is
asked for (a number for "how many"). With a reader, P(the sentence is evidence) counts too, and the answer in it is told
apart. Whether the passages hold the answer at all is a logistic regression over a few numbers of the same kind; see
``answerable.json`` for its weights, what they were fitted on and how well they do.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from threading import Thread
from typing import Any, Final

from lcrag.evidence.stretches import Stretch, evidence, read
from lcrag.text import tokens
from lcrag.text.dialogue import another_speaks
from lcrag.text.prompts import NOT_FOUND
from lcrag.text.sentences import sentences
from lcrag.text.words import stems
from lcrag.types import Backend, Completion, Embedder, OnToken, Reranker, Task, Usage

WINDOW: Final = 4_000_000
"""Tokens read at once: 16 MB of text, whose sentences take about 1 GB of memory and 20 s."""

EMBEDDED, EMBEDDED_READ = 48, 16
"""The best sentences by words are embedded: with all of them, 4,000 tokens would take 0.5 s longer. Of those that were
read fewer will do, which pays for the reading: 32 embeddings take as long as 16 stretches."""

DENSE, KIND, NEIGHBOUR = 0.6, 0.15, 0.5
"""Weights of the cosine, of the kind of thing asked for, and of what neighbours hold of the question's words."""

READ: Final = 16
"""Of the sentences, the stretches that are read: those with the best by words; 0.14 s on two cores."""
EVIDENCE: Final = 1.5
"""Weight of P(the sentence is evidence). Of 60 questions of nq_pool, from 2,000 tokens, what is quoted holds the answer
for .77 (.70 at 0, .73 at 0.6)."""
SPAN_RANK, SPAN_WORDS = 0.5, 12.0
"""What the reader's rank of a stretch, and the share of the question's words in it, count beside the score of its best
span, which is made of logits. From 2,000 tokens the short answer is right for .39 of 59 questions of nq_pool and .17 of
87 of hotpot_pool; by the span's own score .39 and .13, reading the quoted sentences alone .34 and .09."""

CLOSE: Final = 0.85
"""A second sentence joins the answer when its score is at least this share of the best one's."""
CLOSE_LIST: Final = 0.6
MOST, MOST_LIST = 2, 12

LIST: Final = re.compile(
    r"\b(?:list|all|every|each|which \w+s|name (?:the|all|every|\w+s)"
    r"|what are|who are|were there|summari[sz]e)\b",
    re.IGNORECASE,
)
SUMMARY: Final = re.compile(
    r"\b(?:summari[sz]e|summary|overview|outline|main (?:points?|ideas?|themes?)|what (?:is|are) (?:it|this|these|they)"
    r" about|what is (?:this|the) \w+ about)\b",
    re.IGNORECASE,
)
NUMBER: Final = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|hundred|dozen)\b"
)
DATE: Final = re.compile(
    r"\b(?:1\d{3}|20\d{2}|\d{1,2}:\d\d|jan\w*|feb\w*|march|april|may|june|july|aug\w*|sept\w*|oct\w*|nov\w*|dec\w*|\w+day"
    r"|yesterday|tomorrow|(?:last|next) (?:week|month|year)|spring|summer|autumn|winter|century)\b",
    re.IGNORECASE,
)
NAME: Final = re.compile(r"(?<=[\w,;'’\"] )[A-Z][\w'’-]+|^[A-Z]\w+ [A-Z]\w+")
KINDS: Final = (
    (
        re.compile(
            r"\bhow (?:many|much|old|long|far|tall|big|large|high|often|deep|wide)\b|\bwhat (?:number|percentage)\b"
        ),
        NUMBER,
    ),
    (re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|time|century)\b"), DATE),
    (re.compile(r"\bwho(?:se|m)?\b"), NAME),
    (re.compile(r"\bwhere\b"), NAME),
)
HEADING: Final = re.compile(r"#{1,6}\s|```|[A-Z][^.!?:|\d]{0,60}$|\*\*[^*]+\*\*$")
"""A unit that names what follows and says nothing itself: it lends its words to its neighbours and is not quoted."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence that may be quoted: its markers, its words, and how it scores."""

    text: str
    markers: str
    words: frozenset[str]
    order: int


@dataclass(frozen=True, slots=True)
class Scored:
    """What was made of one task: units with their scores, best first, and the numbers that tell "not here".

    ``span``: with a reader, the short answer and the unit that it stands in.
    """

    ranked: tuple[tuple[float, Unit], ...]
    features: dict[str, float]
    span: tuple[str, Unit] | None = None


class EmbeddedBackend(Backend):
    """The backend without a language model. ``embedder`` None: by words alone; ``reader`` None: no short answers."""

    name = "embedded"
    window = WINDOW

    def __init__(self, embedder: Embedder | None, reader: Reranker | None = None) -> None:
        self._embedder = embedder
        self._reader = reader
        self.model = embedder.name if embedder is not None else "lexical"

    @property
    def tokenizer(self) -> str:
        return tokens.tokenizer_name()

    @property
    def template_tokens(self) -> int | None:
        return None

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return tokens.count_many(texts)

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        """One completion a task, made of sentences of its passages or notes, within ``max_tokens``."""
        loading = Thread(target=tokens.count, args=("",))  # the vocabulary, 0.1 s, while the models compute
        loading.start()
        return [self._completion(task, max_tokens, loading) for task in tasks]

    def _completion(self, task: Task, max_tokens: int, loading: Thread) -> Completion:
        begun = time.perf_counter()
        text, short = self._said(task, max_tokens)
        loading.join()
        tokens_read = sum(passage.tokens for passage in task.passages) + sum(
            self.count_many([*task.notes, task.question])
        )
        seconds = time.perf_counter() - begun
        return Completion(text, Usage(tokens_read, 0, tokens.count(text), 1, seconds), short=short)

    def _said(self, task: Task, max_tokens: int) -> tuple[str, str | None]:
        """The text, and for an answer the short one."""
        if task.role == "summarise" or (SUMMARY.search(task.question) and task.role in ("answer", "synthesise")):
            return self._joined(self._central(units(task)), max_tokens), None
        reading = self.read(task)
        here = answerable(reading.features, self.judgement) >= threshold(self.judgement)
        if task.role == "judge":
            return "yes" if here else "no", None
        if not reading.ranked or not here:
            return NOT_FOUND, None
        chosen = _chosen(task, reading)
        return self._joined(chosen, max_tokens), self._short(task, reading, chosen)

    def _short(self, task: Task, reading: Scored, chosen: Sequence[Unit]) -> str | None:
        """The best span, for a list those of all sentences quoted that have one; None without a reader."""
        if self._reader is None or task.role == "note":
            return None
        if not LIST.search(task.question):
            return reading.span[0] if reading.span else None
        readings = self._reader.read(task.question, [unit.text for unit in chosen])
        told = (
            unit.text[slice(*one.answer)] for unit, one in zip(chosen, readings, strict=True) if one.answer_score > 0
        )
        return ", ".join(dict.fromkeys(told)) or None

    @property
    def judgement(self) -> str:
        """Which weights tell "not here": with a reader, if there are such, with cosines, or by words alone."""
        if self._embedder is None:
            return "lexical"
        return "reader" if self._reader is not None and "reader" in _weights() else "dense"

    def read(self, task: Task) -> Scored:
        """Score every sentence of the task. Public for the script that fits ``answerable.json``."""
        listed = units(task)
        if not listed:
            return Scored((), {})
        asked = list(dict.fromkeys(stems(task.question)))
        idf = _idf(asked, listed)
        own = [_share(asked, idf, unit.words) for unit in listed]
        around = [_share(asked, idf, _near(listed, place)) for place in range(len(listed))]
        lexical = [(1 - NEIGHBOUR) * mine + NEIGHBOUR * near for mine, near in zip(own, around, strict=True)]
        kind = _kind(task.question)
        fits = [1.0 if kind is None or kind.search(unit.text) else 0.0 for unit in listed]
        rough = [score + KIND * fit for score, fit in zip(lexical, fits, strict=True)]
        quotable = [place for place, unit in enumerate(listed) if not HEADING.match(unit.text)] or [0]
        texts, owners = [unit.text for unit in listed], [unit.markers for unit in listed]
        stretches = read(task.question, owners, texts, rough, self._reader, READ) if self._reader is not None else []
        proof = evidence(stretches)
        best = sorted(quotable, key=lambda place: (-rough[place] - EVIDENCE * proof.get(place, 0.0), place))
        best = best[: EMBEDDED_READ if stretches else EMBEDDED]
        cosines = dict(zip(best, self._cosines(task.question, [listed[place].text for place in best]), strict=True))
        plain = {place: rough[place] + DENSE * cosine for place, cosine in cosines.items()}
        scored = sorted(
            ((plain[place] + EVIDENCE * proof.get(place, 0.0), listed[place], place) for place in best),
            key=lambda entry: (-entry[0], entry[2]),
        )
        falling = sorted(best, key=lambda place: (-plain[place], place))  # what tells "not here" knows no reader
        top, fifth = falling[0], falling[min(4, len(falling) - 1)]
        names = _names(task.question)
        everything = frozenset().union(*(unit.words for unit in listed))
        features = {
            "best_share": max(own),
            "top_share": own[top],
            "around_top": around[top],
            "best_cosine": max(cosines.values()),
            "top_cosine": cosines[top],
            "missing": 1 - _share(asked, idf, everything),
            "names_missing": _lacking(names, everything),
            "names_missing_near": _lacking(names, _near(listed, top)),
            "another_speaks": float(another_speaks(task.question, texts, owners, top)),
            "kind_fits": fits[top],
            "margin": plain[top] - plain[fifth],
            "best_here": max((stretch.reading.here for stretch in stretches), default=0.0),
            "best_span": max((stretch.reading.answer_score for stretch in stretches), default=0.0),
            "best_evidence": max(proof.values(), default=0.0),
        }
        return Scored(tuple((score, unit) for score, unit, _ in scored), features, _span(stretches, listed, rough))

    def _cosines(self, question: str, texts: Sequence[str]) -> list[float]:
        if self._embedder is None:
            return [0.0] * len(texts)
        vectors = self._embedder.embed([question, *texts])
        return [float(cosine) for cosine in vectors[1:] @ vectors[0]]

    def _central(self, listed: Sequence[Unit]) -> list[Unit]:
        """Sentences by how much of what is said often they say (SumBasic; Nenkova and Vanderwende 2005), in order.

        A word that was said counts less the next time, so that the summary does not repeat itself.
        """
        share: dict[str, float] = {}
        for unit in listed:
            for word in unit.words:
                share[word] = share.get(word, 0.0) + 1 / len(listed)
        left = [unit for unit in listed if len(unit.words) >= 5] or list(listed)
        taken: list[Unit] = []
        while left and len(taken) < MOST_LIST:
            best = max(left, key=lambda unit: (sum(share[word] for word in unit.words) / len(unit.words), -unit.order))
            left.remove(best)
            taken.append(best)
            for word in best.words:
                share[word] **= 2
        return sorted(taken, key=lambda unit: unit.order)

    def _joined(self, chosen: Sequence[Unit], max_tokens: int) -> str:
        """The sentences with their markers, as many as ``max_tokens`` allow; the first in any case."""
        lines = [f"{unit.text} {unit.markers}".strip() for unit in chosen]
        if lines and len("\n".join(lines).encode()) <= max_tokens:  # a token is at least one byte
            return "\n".join(lines)
        out: list[str] = []
        left = max_tokens
        for line, count in zip(lines, self.count_many(lines), strict=True):
            if out and count > left:
                break
            out.append(line)
            left -= count
        return "\n".join(out) if out else NOT_FOUND


MARKED: Final = re.compile(r"\s*((?:\[\d+\]\s*)+)$")


def units(task: Task) -> list[Unit]:
    """The sentences of the task's passages, then those of its notes, each with the markers to cite."""
    found: list[Unit] = []
    for passage in task.passages:
        for start, end in sentences(passage.text):
            _add(found, passage.text[start:end], f"[{passage.marker}]")
    for note in task.notes:
        for line in note.splitlines():
            marked = MARKED.search(line)
            _add(found, line[: marked.start()] if marked else line, marked[1].strip() if marked else "")
    return found


def _add(found: list[Unit], text: str, markers: str) -> None:
    text = " ".join(text.split())
    words = frozenset(stems(text))
    if words:
        found.append(Unit(text, markers, words, len(found)))


def _near(listed: Sequence[Unit], place: int) -> frozenset[str]:
    """The words of a unit and of those beside it in the same passage."""
    beside = listed[max(0, place - 1) : place + 2]
    return frozenset().union(*(unit.words for unit in beside if unit.markers == listed[place].markers))


def _idf(asked: Sequence[str], listed: Sequence[Unit]) -> dict[str, float]:
    """How rare each word of the question is in what was read; a word that is not there at all weighs most."""
    return {word: math.log(1 + len(listed) / (1 + sum(word in unit.words for unit in listed))) for word in asked}


def _share(asked: Sequence[str], idf: dict[str, float], words: frozenset[str]) -> float:
    total = sum(idf[word] for word in asked)
    return sum(idf[word] for word in asked if word in words) / total if total else 0.0


def _kind(question: str) -> re.Pattern[str] | None:
    lowered = question.lower()
    return next((kind for cue, kind in KINDS if cue.search(lowered)), None)


def _names(question: str) -> list[str]:
    """Stems of the question's names and numbers: what a wrong premise is most often wrong about."""
    words = question.split()
    marked = [
        word
        for before, word in pairwise(["", *words])
        if before and (word[:1].isupper() or any(map(str.isdigit, word)))
    ]
    return list(dict.fromkeys(stem for word in marked for stem in stems(word)))


def _lacking(names: Sequence[str], words: frozenset[str]) -> float:
    return sum(name not in words for name in names) / len(names) if names else 0.0


def _span(stretches: Sequence[Stretch], listed: Sequence[Unit], rough: Sequence[float]) -> tuple[str, Unit] | None:
    """The best span of all stretches, as far as the sentence in which it begins goes, and that sentence."""
    found: list[tuple[float, str, Unit]] = []
    for stretch in stretches:
        reading = stretch.reading
        place, end = stretch.sentence_at(reading.answer[0])
        if not HEADING.match(listed[place].text):
            score = reading.answer_score + SPAN_RANK * reading.rank
            score += SPAN_WORDS * max(rough[one] for one in stretch.places)
            text = stretch.text[reading.answer[0] : min(reading.answer[1], end)]
            found.append((score, text, listed[place]))
    return max(found, key=lambda one: one[0])[1:] if found else None


def _chosen(task: Task, reading: Scored) -> list[Unit]:
    """The best sentences: one or two for a single fact, of which the first holds the short answer, if there is one;
    more for a list and for a note; each text once.
    """
    several = task.role == "note" or LIST.search(task.question) is not None
    close, most = (CLOSE_LIST, MOST_LIST) if several else (CLOSE, MOST)
    best = reading.ranked[0][0]
    taken: dict[str, Unit] = {}
    if reading.span and not several:
        taken[reading.span[1].text] = reading.span[1]
    for score, unit in reading.ranked:
        if len(taken) == most or score < close * best:
            break
        taken.setdefault(unit.text, unit)
    chosen = list(taken.values())
    return sorted(chosen, key=lambda unit: unit.order) if several else chosen


@cache
def _weights() -> Any:
    return json.loads((files("lcrag.backends") / "answerable.json").read_text(encoding="utf-8"))


def threshold(judgement: str) -> float:
    """The P(the passages hold the answer) below which the backend abstains."""
    return float(_weights()[judgement]["threshold"])


def answerable(features: dict[str, float], judgement: str) -> float:
    """P(the passages hold the answer), by logistic regression; ``judgement``: "dense" or "lexical"."""
    if not features:
        return 0.0
    weights = _weights()[judgement]
    score = float(weights["bias"]) + sum(
        float(weights["weights"][name]) * features[name] for name in weights["weights"]
    )
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))
