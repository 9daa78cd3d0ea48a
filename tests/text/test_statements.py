"""What users say of themselves is told from what they ask."""

from __future__ import annotations

import pytest

from lcrag.text.statements import is_statement, split_statements, subject_of


@pytest.mark.parametrize(
    "sentence",
    [
        "My budget is 400 pounds.",
        "I live in Leeds",
        "Actually, we have two children.",
        "Remember that our boat is red!",
    ],
)
def test_is_statement_takes_the_first_person(sentence: str) -> None:
    assert is_statement(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "What is my budget?",
        "what is my budget",
        "Tell me about my boat.",
        "I want to know who built my house.",
        "Please list our boats.",
        "The mill burned in 1743.",
        "Can I afford it?",
        "Do we know who built it?",
        "",
    ],
)
def test_is_statement_leaves_questions_requests_and_what_others_did(sentence: str) -> None:
    assert not is_statement(sentence)


def test_split_statements_parts_a_text() -> None:
    assert split_statements("My budget is 400 pounds. Which boats can I afford?") == (
        ["My budget is 400 pounds."],
        "Which boats can I afford?",
    )
    assert split_statements("I live in Leeds.\n\nWe have a boat.") == (["I live in Leeds.", "We have a boat."], "")
    assert split_statements("") == ([], "")


def test_subject_of_is_the_same_for_what_supersedes() -> None:
    assert subject_of("My budget is 400 pounds.") == subject_of("Actually, my budgets are now 500.") == "budget"
    assert subject_of("My budget is 400 pounds.") != subject_of("My boat is red.")
    assert subject_of("I live in Leeds.") is None
