"""Each cue notices the questions it is for, and no others."""

from __future__ import annotations

import pytest

from lcrag.text.questions import (
    asks_for_list,
    asks_for_name,
    asks_for_number,
    asks_for_report,
    asks_for_summary,
    expected_answer,
    is_broad,
    named_in,
    without_cue,
    words_asked,
)


@pytest.mark.parametrize(
    ("question", "cues"),
    [
        ("Who kept the light?", {asks_for_name}),
        ("Where is the mill, and what is it called?", {asks_for_name}),
        ("How many boats came in?", {asks_for_number}),
        ("What was the cost of the mill?", {asks_for_number}),
        ("In which year was it lit?", {asks_for_number}),
        ("List the keepers.", {asks_for_list}),
        ("Which mills burned down?", {asks_for_list, asks_for_name}),
        ("Name every boat.", {asks_for_list}),
        ("Summarise the text.", {asks_for_summary, asks_for_list, is_broad}),
        ("Give an overview.", {asks_for_summary, is_broad}),
        ("What is Ann's presentation mainly about?", {asks_for_name, asks_for_summary}),
        ("What was the man worried about?", {asks_for_name}),
        ("What is this document about?", {asks_for_summary, asks_for_name}),
        ("What did Ann say of the ferry?", {asks_for_name, is_broad}),
        ("What are the opinions on the ferry?", {asks_for_list, asks_for_name, is_broad}),
        ("Did Ann bake bread?", set()),
    ],
)
def test_questions_have_the_cues_of_their_words(question: str, cues: set[object]) -> None:
    every = (asks_for_list, asks_for_name, asks_for_number, asks_for_summary, is_broad)
    assert {cue for cue in every if cue(question)} == cues


@pytest.mark.parametrize(
    ("question", "answers", "other"),
    [
        ("How many boats came in?", ["12 boats came in.", "Twelve or eleven boats."], "Boats came in."),
        ("When was it lit?", ["It was lit in 1871.", "On Monday."], "It was lit."),
        ("WHO kept the light?", ["It was Anna.", "Anna Holm did."], "she kept it"),
        ("Where is the mill?", ["It is on the Wend."], "on the river"),
    ],
)
def test_expected_answer_is_in_sentences_of_its_kind(question: str, answers: list[str], other: str) -> None:
    pattern = expected_answer(question)
    assert pattern is not None
    assert all(pattern.search(answer) for answer in answers)
    assert not pattern.search(other)


def test_expected_answer_is_none_without_a_cue() -> None:
    assert expected_answer("Is the ferry open?") is None


def test_named_in_gives_names_and_numbers_but_no_first_word() -> None:
    assert named_in("Was Anna Holm keeper of Mill 7 in 1871, Anna?") == ["anna", "holm", "mill", "7", "1871"]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Summarise the text.", 150),
        ("Summarise it in 100 words.", 100),
        ("Give a 40-word summary.", 40),
        ("Summarise it in 3 sentences.", 60),
        ("Summarise it in 0 words.", 150),
    ],
)
def test_words_asked_is_what_the_question_says(question: str, words: int) -> None:
    assert words_asked(question) == words


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Write a report on the sea wall.", True),
        ("Please draft a short, readable essay about the lifeboat", True),
        ("Give me a 2,000 word survey of the mills.", True),
        ("What does the report say?", False),
        ("Write down what the marsh survey found.", False),
        ("Write a summary of the report.", False),
        ("Who wrote the report on the mill?", False),
    ],
)
def test_asks_for_report_where_one_is_to_be_written(question: str, asked: bool) -> None:
    assert asks_for_report(question) == asked


def test_words_asked_may_be_thousands_or_not_said() -> None:
    assert words_asked("Write a 1,500 word report.") == 1500
    assert words_asked("Write a report in 12000 words.") == 12000
    assert words_asked("Write a report.", 800) == 800


def test_without_cue_leaves_what_a_report_is_about() -> None:
    assert without_cue("Write a 1,500 word report on the sea wall").split() == ["the", "sea", "wall"]
