"""Measures by tables of answers, and by properties that hold for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.comparison.measures import (
    chosen_options,
    contained,
    is_right_choice,
    list_items,
    rouge_l,
    same_number,
    token_f1,
    without_labels,
    words,
)

TEXTS = st.text(alphabet="ab c.,[]1é漢", max_size=30)


def test_words_are_those_of_squad() -> None:
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
def test_token_f1_counts_common_words(text: str, gold: str, f1: float) -> None:
    assert token_f1(text, gold) == pytest.approx(f1)


def test_rouge_l_of_the_example_of_lin() -> None:
    assert rouge_l("police kill the gunman", "police killed the gunman") == pytest.approx(3 / 4)
    assert rouge_l("the gunman kill police", "police killed the gunman") == pytest.approx(2 / 4)
    assert rouge_l("", "police") == 0.0


def common_subsequence(a: list[str], b: list[str]) -> int:
    row = [0] * (len(b) + 1)
    for first in a:
        before = 0
        for at, second in enumerate(b, 1):
            before, row[at] = row[at], before + 1 if first == second else max(row[at], row[at - 1])
    return row[-1]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.lists(st.sampled_from("abc"), min_size=1))
def test_rouge_l_equals_the_textbook_recurrence(a: list[str], b: list[str]) -> None:
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
def test_contained_is_the_share_of_items(text: str, gold: str, value: float) -> None:
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
def test_same_number_at_the_precision_of_the_gold(text: str, gold: str, same: bool) -> None:
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
def test_chosen_options_by_letter_words_or_f1(text: str, places: set[int]) -> None:
    assert chosen_options(OPTIONS, text) == places


@given(TEXTS.filter(lambda text: bool(words(text))))
def test_token_f1_and_contained_are_1_for_the_gold_itself(text: str) -> None:
    assert token_f1(text, text) == 1.0
    assert contained(f"so: {text} it is", text) == 1.0


@given(TEXTS, TEXTS)
def test_measures_are_between_0_and_1(text: str, gold: str) -> None:
    for value in (token_f1(text, gold), rouge_l(text, gold), contained(text, gold)):
        assert 0.0 <= value <= 1.0
    assert token_f1(text, gold) == token_f1(gold, text)


@given(st.text(st.characters(categories=["Nd", "Zs", "Sc"], include_characters=".,-−kmbn"), max_size=40))
def test_same_number_reads_any_digits(text: str) -> None:
    assert same_number(text, "7") in (True, False)


def test_list_items_are_short_and_more_than_one() -> None:
    assert list_items("red, green and blue") == [["red"], ["green"], ["blue"]]
    assert list_items("red") == []
    assert list_items("one of them, and the other one that nobody had ever heard of") == []


def test_without_labels_needs_a_label_on_every_option() -> None:
    assert without_labels(["A. x", "(B). y"]) == ["x", "y"]
    assert without_labels(["A. x", "y"]) == ["A. x", "y"]


def test_is_right_choice_accepts_letters_and_texts() -> None:
    assert is_right_choice(OPTIONS, "D", ["Chelsea"])
    assert is_right_choice(OPTIONS, "It was Chelsea.", ["B", "D"])
    assert not is_right_choice(OPTIONS, "Nobody", ["E"])  # neither names an option
