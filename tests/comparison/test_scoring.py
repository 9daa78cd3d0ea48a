"""Scores by tables of answers, and by properties that hold for any text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.comparison.dataset import Question
from lcrag.comparison.scoring import (
    EvidenceScore,
    asked,
    chosen,
    contained,
    evidence_score,
    metric_of,
    rouge_l,
    same_number,
    score,
    token_f1,
    words,
)

TEXTS = st.text(alphabet="ab c.,[]1é漢", max_size=30)


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
def test_the_gold_decides_how_it_is_scored(gold: list[str], more: dict[str, Any], metric: str | None) -> None:
    assert metric_of(question(*gold, **more)) == metric


def test_words_are_squads() -> None:
    assert words("The U.S. “Army's” well-known  An apple!") == ["us", "armys", "wellknown", "apple"]
    assert words("漢字") == ["漢", "字", "漢字"]


@pytest.mark.parametrize(
    ("text", "gold", "f1"),
    [
        ("the cat sat", "cat sat", 1.0),
        ("a cat sat on", "cat", 0.5),
        ("dog", "cat", 0.0),
        ("the", "a", 1.0),
        ("", "cat", 0.0),
        ("no no no", "no yes", 2 * 1 / 5),
    ],
)
def test_token_f1(text: str, gold: str, f1: float) -> None:
    assert token_f1(text, gold) == pytest.approx(f1)


def test_rouge_l_is_lins_example() -> None:
    assert rouge_l("police kill the gunman", "police killed the gunman") == pytest.approx(3 / 4)
    assert rouge_l("the gunman kill police", "police killed the gunman") == pytest.approx(2 / 4)
    assert rouge_l("", "police") == 0.0


def common_subsequence(a: list[str], b: list[str]) -> int:
    row = [0] * (len(b) + 1)
    for one in a:
        before = 0
        for at, other in enumerate(b, 1):
            before, row[at] = row[at], before + 1 if one == other else max(row[at], row[at - 1])
    return row[-1]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.lists(st.sampled_from("abc"), min_size=1))
def test_rouge_l_is_the_textbook_recurrence(a: list[str], b: list[str]) -> None:
    assert rouge_l(" ".join(a), " ".join(b)) == pytest.approx(2 * common_subsequence(a, b) / (len(a) + len(b)))


@pytest.mark.parametrize(
    ("text", "gold", "value"),
    [
        ("It was Alan Shearer, of course. [1]", "Alan Shearer", 1.0),
        ("It was Shearer", "Alan Shearer", 0.0),
        ("Starting over", "art", 0.0),
        ("Elias Thorne and Hugh Carrow", "Elias Thorne, William Askew, Hugh Carrow and Leonard Vane", 0.5),
        ("on 20 September, 14 April", "14 April, 31 May, 5 August and 20 September", 0.5),
    ],
)
def test_contained(text: str, gold: str, value: float) -> None:
    assert contained(text, gold) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "gold", "same"),
    [
        ("It cost £1,860 in 1742.", "£1,860", True),
        ("It cost 1860 pounds.", "£1,860", True),
        ("It cost £1,861.", "£1,860", False),
        ("In 1743.", "1742", False),
        ("about 2.13 m", "2.1 metres", True),
        ("about 2.16 m", "2.1 metres", False),
        ("2 m", "2.1 metres", False),
        ("$3.2 million", "3,200,000", True),
        ("3,200,000", "$3.2 million", True),
        ("3,240,000", "$3.2 million", True),
        ("3,260,000", "$3.2 million", False),
        ("a loss of -5%", "-5%", True),
        ("5%", "-5%", False),
        ("no number", "7", False),
        ("version 1.2.3", "2", False),
    ],
)
def test_numbers(text: str, gold: str, same: bool) -> None:
    assert same_number(text, gold) == same


OPTIONS = ("Linda Tripp", "Hillary", "Hillary and Monica", "Chelsea")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("B", {1}),
        ("(B)", {1}),
        ("D. Chelsea", {3}),
        ("The answer is (C).", {2}),
        ("B, D", {1, 3}),
        ("BD", {1, 3}),
        ("It was Chelsea who did.", {3}),
        ("Hillary and Monica did.", {2}),
        ("Hillary did.", {1}),
        ("A woman called Tripp", {0}),
        ("Nobody", set()),
        ("E", set()),
    ],
)
def test_the_option_meant(text: str, places: set[int]) -> None:
    assert chosen(OPTIONS, text) == places


def test_choice_by_letter_or_by_text_whatever_letters_the_options_have() -> None:
    lettered = question("C", options=("A. Upper left", "B. Upper right", "C. Lower left"))
    for said in ("C", "Lower left", "It is in the lower left. [2]"):
        found = score(lettered, said, None, "answered")
        assert found is not None
        assert found.value == 1.0
    wrong = score(lettered, "Upper right", None, "answered")
    assert wrong is not None
    assert wrong.value == 0.0
    assert asked(lettered) == "What?\nA. Upper left\nB. Upper right\nC. Lower left"
    assert asked(question("x")) == "What?"
    both = question("The secret", "C", options=("x", "y", "The secret", "z"))
    named = score(both, "The secret", None, "answered")
    assert named is not None
    assert named.value == 1.0


def test_abstention() -> None:
    for status, value in (("not_found", 1.0), ("not_retrieved", 1.0), ("answered", 0.0), ("refused_by_budget", 0.0)):
        found = score(question(unanswerable=True), "x", None, status)  # type: ignore[arg-type]
        assert found is not None
        assert (found.metric, found.value, found.f1) == ("abstention", value, None)


def test_what_was_not_found_though_it_is_there_is_wrong() -> None:
    found = score(question("Ann"), "", None, "not_retrieved")
    assert found is not None
    assert (found.value, found.exact, found.f1, found.rouge_l) == (0.0, 0.0, 0.0, 0.0)


def test_the_bare_answer_counts_where_there_is_one() -> None:
    found = score(question("Ann", "Ann Lee"), "It was Ann Lee, not Ben. [1]", "Ann Lee", "answered")
    assert found is not None
    assert (found.metric, found.value, found.exact, found.f1) == ("contains", 1.0, 1.0, 1.0)
    wrong = score(question("Ann"), "It was Ben, not Ann. [1]", "Ben", "answered")
    assert wrong is not None
    assert wrong.value == 0.0


def test_without_gold_there_is_no_score() -> None:
    assert score(question(), "anything", None, "answered") is None


@given(TEXTS.filter(lambda text: bool(words(text))))
def test_the_gold_itself_is_right(text: str) -> None:
    assert token_f1(text, text) == 1.0
    assert contained(f"so: {text} it is", text) == 1.0


@given(TEXTS, TEXTS)
def test_every_score_is_between_0_and_1(text: str, gold: str) -> None:
    for value in (token_f1(text, gold), rouge_l(text, gold), contained(text, gold)):
        assert 0.0 <= value <= 1.0
    assert token_f1(text, gold) == token_f1(gold, text)


def test_evidence_read_and_cited() -> None:
    gold = [("d", 10, 20), ("e", 0, 10)]
    found = evidence_score(gold, [("d", 0, 15), ("d", 12, 18), ("x", 0, 99)], [("d", 19, 30), ("d", 30, 40)])
    assert found == EvidenceScore(read=8 / 20, recall=0.5, precision=0.5)
    assert evidence_score(gold, [], []) == EvidenceScore(0.0, 0.0, None)
    assert evidence_score(gold, [("d", 0, 99), ("e", 0, 99)], [("e", 9, 10)]) == EvidenceScore(1.0, 0.5, 1.0)
