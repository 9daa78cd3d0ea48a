"""What an answer is worth, by the measure that suits its gold answers. Pure: texts and spans in, numbers out.

The gold answers of a question decide how its answers are scored, the same way for every route:

    abstention   unanswerable            1 if the route said so
    choice       options                 1 if it names the right option
    number       the gold is a number    1 if a number in the answer equals it at the gold's precision
    rouge_l      a summary               ROUGE-L (Lin 2004)
    contains     a short answer          the share of its items that the answer has, word for word (RULER, HELMET)
    f1           any other               F1 of the words in common (SQuAD)

Exact match, F1 and ROUGE-L are reported as well. Of several gold answers the best one counts. ``contains`` and
``number`` look at the short answer if the backend gives one, else at the whole text, so that a sentence which contains
the answer is right. That favours routes with long answers, which is why the length of answers is reported too.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from lcrag.comparison.dataset import Question
from lcrag.comparison.measures import (
    MOST_OPTIONS,
    SHORT_WORDS,
    contained,
    gold_number,
    is_right_choice,
    list_items,
    rouge_l,
    same_number,
    token_f1,
    without_labels,
    without_markers,
    words,
)
from lcrag.types import Status

Metric = Literal["abstention", "choice", "number", "rouge_l", "contains", "f1"]

METRICS: Final[Mapping[Metric, str]] = {
    "abstention": "says that there is no answer (unanswerable questions)",
    "choice": "picks the right option",
    "number": "holds the number, at the gold's precision",
    "rouge_l": "ROUGE-L against the gold summary",
    "contains": "holds the gold answer word for word (of a list: the share of its items)",
    "f1": "token F1 against the gold answer (SQuAD)",
}
"""Each measure in words, for reports."""
ABSTAINED: Final[frozenset[Status]] = frozenset({"not_found", "not_retrieved"})
REFUSED: Final[Status] = "refused_by_budget"
SUMMARY_WORDS: Final = 60
"""A longer gold answer is a summary, whatever its task is called."""
SUMMARY: Final = re.compile(r"summar|overview|aggregation", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Score:
    """``value`` in [0, 1] by ``metric``. ``exact``, ``f1`` and ``rouge_l`` are None if there is no gold text."""

    metric: Metric
    value: float
    exact: float | None = None
    f1: float | None = None
    rouge_l: float | None = None


@dataclass(frozen=True, slots=True)
class EvidenceScore:
    """Against gold evidence, each in [0, 1]. ``read``: the share of its characters that reached a model.

    ``recall``: the share of its spans that some citation overlaps; ``precision``: the share of citations that overlap
    some span, None without a citation. (L-CiteEval and LongBench-Cite ask a model whether a citation entails the
    statement; here gold spans decide.)
    """

    read: float
    recall: float
    precision: float | None


Place = tuple[str, int, int]
"""A document's id, and characters ``start`` to ``end`` (half-open) of it."""

DocumentKey = TypeVar("DocumentKey", str, Path)


def metric_of(question: Question) -> Metric | None:
    """How this question's answers are scored; None if it has no gold answer."""
    if question.unanswerable:
        return "abstention"
    if not question.answers:
        return None
    if _has_options(question):
        return "choice"
    if all(gold_number(answer) is not None for answer in question.answers):
        return "number"
    shortest = min(len(words(answer)) for answer in question.answers)
    if shortest > SUMMARY_WORDS or (question.task_type and SUMMARY.search(question.task_type)):
        return "rouge_l"
    return "contains" if shortest <= SHORT_WORDS or all(map(list_items, question.answers)) else "f1"


def score(question: Question, text: str, short: str | None, status: Status) -> Score | None:
    """The score of an answer; None if the question has no gold answer.

    Abstaining and refusing score 0 on a question that has an answer.
    """
    metric = metric_of(question)
    if metric is None:
        return None
    if metric == "abstention":
        return Score(metric, float(status in ABSTAINED))
    whole = without_markers(text)
    answer = without_markers(short) if short else whole
    if status in ABSTAINED or not whole:
        return Score(metric, 0.0, 0.0, 0.0, 0.0)
    golds = question.answers
    exact = max(float(words(gold) == words(answer)) for gold in golds)
    f1 = max(token_f1(answer, gold) for gold in golds)
    rouge = max(rouge_l(whole, gold) for gold in golds)
    match metric:
        case "choice":
            value = float(is_right_choice(question.options, answer, golds))
        case "number":
            value = float(any(same_number(answer, gold) for gold in golds))
        case "contains":
            value = max(contained(answer, gold) for gold in golds)
        case "rouge_l":
            value = rouge
        case _:
            value = f1
    return Score(metric, value, exact, f1, rouge)


def asked(question: Question) -> str:
    """The question as a route is asked it: followed by its options with their letters, if it has any."""
    if not _has_options(question):
        return question.question
    options = zip(string.ascii_uppercase, without_labels(question.options), strict=False)
    return "\n".join((question.question, *(f"{letter}. {option}" for letter, option in options)))


def _has_options(question: Question) -> bool:
    return 2 <= len(question.options) <= MOST_OPTIONS


def evidence_score(gold: Sequence[Place], read: Iterable[Place], cited: Sequence[Place]) -> EvidenceScore:
    """How much of the gold evidence was read, and how well the citations meet it. ``gold`` is not empty."""
    size = sum(end - start for _, start, end in gold)
    read_spans = merge_spans(read)
    seen = sum(_common_characters(span, read_span) for span in gold for read_span in read_spans)
    recalled = [any(_common_characters(span, place) for place in cited) for span in gold]
    precise = [any(_common_characters(span, place) for span in gold) for place in cited]
    return EvidenceScore(seen / size, sum(recalled) / len(recalled), sum(precise) / len(precise) if precise else None)


def merge_spans(spans: Iterable[tuple[DocumentKey, int, int]]) -> list[tuple[DocumentKey, int, int]]:
    """The same characters in spans that neither overlap nor touch, by document and start.

    A span is a document's id or path, and the characters ``start`` to ``end`` (half-open) of it.
    """
    merged: list[tuple[DocumentKey, int, int]] = []
    for document, start, end in sorted(spans):
        if merged and merged[-1][0] == document and start <= merged[-1][2]:
            merged[-1] = (document, merged[-1][1], max(end, merged[-1][2]))
        else:
            merged.append((document, start, end))
    return merged


def _common_characters(a: Place, b: Place) -> int:
    return max(0, min(a[2], b[2]) - max(a[1], b[1])) if a[0] == b[0] else 0
