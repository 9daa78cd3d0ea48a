"""A comparison in a terminal: statistics with enough gold answers, else the answers side by side."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.hostile import HOSTILE
from support.results import ROUTES, Rows, analysed, many, question, refused, rows, small

from lcrag.comparison.dataset import Question
from lcrag.report.comparison import report
from lcrag.report.side_by_side import CUT, MOST_CHARACTERS, shortened


def shown(questions: list[Question], stored: Rows, width: int = 80, **more: Any) -> str:
    return report(analysed(questions, stored, **more), width=width, colour=False)


def one_question(**texts: str) -> tuple[list[Question], Rows]:
    return [question("1")], rows({"1": texts})


def test_report_of_one_question_shows_answers_and_no_accuracy() -> None:
    questions, stored = one_question(
        chunk_rag="It cost £5. [1]", full_context="It cost £9. [1]", router="It cost £5. [1]"
    )
    stored["1", "chunk_rag"]["verdict"] = stored["1", "router"]["verdict"] = "yes"
    text = shown(questions, stored)
    assert "  *chunk_rag (tokens=1000)\n    It cost £5. [1]\n    [1] a.txt:1\n" in text
    assert "  full_context (tokens=1000)\n    It cost £9. [1]\n    [1] a.txt:1\n" in text
    assert "judge: the embedded backend's own verdict" in text
    assert not re.search(r"accuracy|95%|McNemar|\bright\b.* of ", text.replace("no measure of what is right", ""))
    [row] = [line for line in text.splitlines() if line.startswith("* chunk_rag")]
    assert row.split() == ["*", "chunk_rag", "1,000", "1,000", "1,000", "0.10", "0.50", "~0.75", "yes"]
    assert "right answer" not in text


def test_report_groups_routes_that_agree_under_their_short_answer() -> None:
    questions, stored = one_question(chunk_rag="It cost £5. [1]", full_context="So £5. [1]", router="It cost £5. [1]")
    for one in stored.values():
        one["short"] = "£5"
    text = shown(questions, stored)
    assert "Both routes agree: £5\n" in text
    assert "nobody knows which route is right" in " ".join(text.split())
    stored["1", "full_context"] |= {"short": "£9"}
    assert "1 of 2 routes: £5\n" in shown(questions, stored)


def test_report_of_a_router_that_went_on_lists_it_as_a_route_of_its_own() -> None:
    questions, stored = one_question(chunk_rag="", full_context="Ann", router="Ann")
    stored["1", "router"] |= {"same_as": None, "steps": ["chunk_rag", "full_context"]}
    text = shown(questions, stored, width=160)
    assert "*router: chunk_rag (tokens=1000), then full_context" in text
    assert "2 of 3 routes agree" in text
    assert "1 of 3 routes: no answer\n  chunk_rag (tokens=1000)\n    not in what was read\n" in text


def test_report_of_few_gold_answers_says_who_was_right_without_intervals() -> None:
    text = shown(*small())
    assert "gold answers to 4 questions, too few for statistics" in text
    assert "right answer: Ann\n" in text
    assert "right answer: there is no answer in the documents\n" in text
    assert not re.search(r"accuracy|95%|McNemar|judge", text)
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("* chunk_rag")] == [
        *("right", "wrong", "wrong", "right"),
    ]
    [full] = [line for line in text.splitlines() if line.startswith("  full_context") and " of " in line]
    assert full.split()[:7] == ["full_context", "3", "of", "4", "4", "of", "4"]


def test_report_without_gold_answers_shows_the_answers_to_any_number_of_questions() -> None:
    questions = [question(str(place)) for place in range(30)]
    text = shown(questions, rows({one.id: dict.fromkeys((*ROUTES, "router"), "Ann") for one in questions}))
    assert "30. Question 29?" in text
    assert "accuracy" not in text
    assert "judge: yes" in text


def test_report_with_enough_gold_answers_has_the_table_and_sentences() -> None:
    lines = shown(*many(), width=140).splitlines()
    assert lines[0] == "12 questions, 2 routes and the router, on embedded (m)"
    assert lines[1] == "scored by abstention 3, contains 9"
    assert any("* router" in line and "0.500" in line and "████████········" in line for line in lines)
    assert any("  random" in line for line in lines)
    assert any(
        line.startswith("Use full_context (--pipeline full_context): right on 9 of 12 questions") for line in lines
    )


@pytest.mark.parametrize("value", [small(), many()])
def test_report_fits_eighty_columns(value: tuple[list[Question], Rows]) -> None:
    assert max(map(len, shown(*value).splitlines())) <= 80


def test_report_names_a_route_that_the_budgets_refuse() -> None:
    questions, stored = small()
    stored["1", "full_context"] = refused("1", "full_context", "9,000 tokens are 1,000 more than the limit")
    text = " ".join(shown(questions, stored).split())
    assert "1 of 2 routes: not run full_context 9,000 tokens are 1,000 more than the limit" in text
    for id in "1234":
        stored[id, "full_context"] = refused(id, "full_context")
    assert "Left out, because no question here could use them: full_context." in shown(questions, stored)


def test_shortened_cuts_at_a_space_and_says_so() -> None:
    assert shortened("It was Ann. [1]") == "It was Ann. [1]"
    cut = shortened("word " * 200)
    assert cut.endswith(f"word{CUT}")
    assert len(cut) <= MOST_CHARACTERS + len(CUT)
    assert shortened("a\n" * 9) == "a\n" * 5 + "a" + CUT
    questions, stored = one_question(chunk_rag="word " * 200, full_context="Ann", router="Ann")
    assert "… cut here: --html and --json have the whole answers" in shown(questions, stored)


@pytest.mark.parametrize("name", HOSTILE)
def test_report_is_safe_on_a_terminal(name: str) -> None:
    questions, stored = small()
    for one in stored.values():
        one["answer"] = one["short"] = HOSTILE[name] if one["answer"] else ""
        for citation in one["citations"]:
            citation["source"] = HOSTILE[name]
    text = shown(questions, stored)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
