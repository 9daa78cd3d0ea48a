"""Scores by tables of answers; spans by properties that hold for any of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.comparison.dataset import Question
from lcrag.comparison.scoring import EvidenceScore, asked, evidence_score, merge_spans, metric_of, score


def question(*answers: str, **more: Any) -> Question:
    given_values: dict[str, Any] = {"unanswerable": False} | more
    return Question("q", "set", "What?", answers, (Path("/a.txt"),), None, **given_values)


@pytest.mark.parametrize(
    ("gold", "more", "metric"),
    [
        (["unanswerable"], {"unanswerable": True}, "abstention"),
        ([], {}, None),
        (["C"], {"options": ("a", "b", "c")}, "choice"),
        (["£1,860"], {}, "number"),
        (["2.1 metres"], {}, "number"),
        (["Alan Shearer"], {}, "contains"),
        (["1884–1903"], {}, "contains"),
        (["14 April, 31 May and 5 August"], {}, "contains"),
        (["word " * 20], {}, "f1"),
        (["word " * 20], {"task_type": "general_summary"}, "rouge_l"),
        (["word " * 80], {}, "rouge_l"),
    ],
)
def test_metric_of_depends_on_the_gold(gold: list[str], more: dict[str, Any], metric: str | None) -> None:
    assert metric_of(question(*gold, **more)) == metric


def test_score_of_a_choice_by_letter_or_text() -> None:
    lettered = question("C", options=("A. Upper left", "B. Upper right", "C. Lower left"))
    for text in ("C", "Lower left", "It is in the lower left. [2]"):
        result = score(lettered, text, None, "answered")
        assert result is not None
        assert result.value == 1.0
    wrong = score(lettered, "Upper right", None, "answered")
    assert wrong is not None
    assert wrong.value == 0.0
    assert asked(lettered) == "What?\nA. Upper left\nB. Upper right\nC. Lower left"
    assert asked(question("x")) == "What?"
    both = question("The secret", "C", options=("x", "y", "The secret", "z"))
    named = score(both, "The secret", None, "answered")
    assert named is not None
    assert named.value == 1.0


def test_score_of_abstention() -> None:
    for status, value in (("not_found", 1.0), ("not_retrieved", 1.0), ("answered", 0.0), ("refused_by_budget", 0.0)):
        result = score(question(unanswerable=True), "x", None, status)  # type: ignore[arg-type]
        assert result is not None
        assert (result.metric, result.value, result.f1) == ("abstention", value, None)


def test_score_is_0_for_abstaining_on_an_answerable_question() -> None:
    result = score(question("Ann"), "", None, "not_retrieved")
    assert result is not None
    assert (result.value, result.exact, result.f1, result.rouge_l) == (0.0, 0.0, 0.0, 0.0)


def test_score_uses_the_short_answer_if_there_is_one() -> None:
    result = score(question("Ann", "Ann Lee"), "It was Ann Lee, not Ben. [1]", "Ann Lee", "answered")
    assert result is not None
    assert (result.metric, result.value, result.exact, result.f1) == ("contains", 1.0, 1.0, 1.0)
    wrong = score(question("Ann"), "It was Ben, not Ann. [1]", "Ben", "answered")
    assert wrong is not None
    assert wrong.value == 0.0


def test_score_without_gold_is_none() -> None:
    assert score(question(), "anything", None, "answered") is None


def test_evidence_score_of_what_was_read_and_cited() -> None:
    gold = [("d", 10, 20), ("e", 0, 10)]
    result = evidence_score(gold, [("d", 0, 15), ("d", 12, 18), ("x", 0, 99)], [("d", 19, 30), ("d", 30, 40)])
    assert result == EvidenceScore(read=8 / 20, recall=0.5, precision=0.5)
    assert evidence_score(gold, [], []) == EvidenceScore(0.0, 0.0, None)
    assert evidence_score(gold, [("d", 0, 99), ("e", 0, 99)], [("e", 9, 10)]) == EvidenceScore(1.0, 0.5, 1.0)


def test_merge_spans_by_document_and_start() -> None:
    a, b = Path("a"), Path("b")
    spans = [(b, 0, 5), (a, 4, 9), (a, 0, 5), (a, 20, 30), (a, 21, 22), (a, 30, 31)]
    assert merge_spans(spans) == [(a, 0, 9), (a, 20, 31), (b, 0, 5)]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(1, 9)), max_size=12))
def test_merge_spans_keeps_the_characters_and_leaves_gaps(points: list[tuple[str, int, int]]) -> None:
    def characters(spans: list[tuple[str, int, int]]) -> list[tuple[str, int]]:
        return [(document, at) for document, start, end in spans for at in range(start, end)]

    spans = [(document, start, start + size) for document, start, size in points]
    merged = merge_spans(spans)
    assert characters(merged) == sorted(set(characters(spans)))
    for (document, _, end), (next_document, start, _) in pairwise(merged):
        assert document < next_document or end < start
