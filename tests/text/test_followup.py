"""Follow-up questions are told from questions that stand alone, and made to stand alone by rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.text.followup import depends_on_the_last, is_about_the_user, names, standing_alone, without_markers

BUILT = ("Who built the tide mill on the Wend?", "It was built by Josiah Fenn, a dealer from Tolland. [1]")
SHIPS = ("How many ships called in 1957?", "Forty ships called in 1957. [1]")
PEAK = ("What is the highest mountain?", "Ben More. [2]")


@pytest.mark.parametrize(
    "question",
    [
        "Who built it?",
        "And in 1958?",
        "In 1958?",
        "Where did he come from?",
        "Why?",
        "When exactly?",
        "What about Tolland?",
        "How many ships called there?",
        "What else?",
        "What happened then?",
        "Who owns this?",
        "What was its price?",
        "And why was it sold?",
        "How much did the keeper pay for it?",
    ],
)
def test_depends_on_the_last_finds_pronouns_and_ellipses(question: str) -> None:
    assert depends_on_the_last(question)
    assert standing_alone(question, *BUILT) != question


@pytest.mark.parametrize(
    "question",
    [
        "How much did it cost to build the tide mill?",
        "Is it true that the mill burned?",
        "What did the keeper say when he retired?",
        "Did Anna Holm keep the light when she was young?",
        "What is the cost of the mill that burned?",
        "Is there a mill?",
        "How many ships called in 1957?",
        "And who was the second keeper?",
        "List the mills.",
        "",
        "Wie viele Schiffe kamen?",
    ],
)
def test_depends_on_the_last_leaves_questions_that_stand_alone(question: str) -> None:
    assert not depends_on_the_last(question)
    assert standing_alone(question, *BUILT) == question


@pytest.mark.parametrize(
    ("question", "last", "alone"),
    [
        ("And in 1958?", SHIPS, "How many ships called in 1958?"),
        ("What about Tolland?", ("Who kept the light at Oban?", "Ann."), "Who kept the light at Tolland?"),
        ("Who built it?", SHIPS, "How many ships called in 1957? Who built it?"),
        ("How much did it cost?", BUILT, "How much did it (the tide mill, the Wend) cost?"),
        ("And why was it sold?", BUILT, "Why was it (the tide mill, the Wend) sold?"),
        ("Where did he come from?", BUILT, "Where did he (Josiah Fenn, Wend) come from?"),
        ("Who met him?", ("When did Ann see the sea in May?", "Oban."), "Who met him (Oban, Ann)?"),
        ("How high is it?", PEAK, "How high is it (Ben More, the highest mountain)?"),
        ("Why?", BUILT, "Who built the tide mill on the Wend? Why?"),
        ("How?", ("Who built the mill? Why?", "It is not known."), "Who built the mill? How?"),
    ],
)
def test_standing_alone_takes_what_is_missing_from_the_last_turn(
    question: str, last: tuple[str, str], alone: str
) -> None:
    assert standing_alone(question, *last) == alone


@given(st.text(), st.text(), st.text())
def test_standing_alone_takes_any_text(question: str, last: str, answer: str) -> None:
    alone = standing_alone(question, last, answer)
    assert alone == question or depends_on_the_last(question)


def test_names_are_words_in_capitals_without_those_that_begin_a_sentence() -> None:
    assert names("Who built the mill of Ben More? The keeper, Anna Holm, did. Where?") == ["Ben More", "Anna Holm"]
    assert names("Anna Holm kept it for Anna Holm.") == ["Anna Holm"]
    assert names("Who built it (Wend)?") == ["Wend"]
    assert names("") == []


def test_is_about_the_user_takes_the_first_person() -> None:
    assert is_about_the_user("Which boats can I afford?")
    assert is_about_the_user("what is my budget")
    assert not is_about_the_user("Who was King George I. of England?")
    assert not is_about_the_user("Who mined it?")


def test_without_markers_leaves_the_words() -> None:
    assert without_markers("Anna [1]. Berta. [unsupported] [2]") == "Anna. Berta."
