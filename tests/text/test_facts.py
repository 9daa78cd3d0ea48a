"""Numbers, names and negations of a text, in whatever form they are written."""

from __future__ import annotations

import pytest

from lcrag.text.facts import Facts, facts


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It cost £1,860 in 1742.", {"1860", "1742"}),
        ("Twelve boats, two crates, one lamp.", {"12", "2"}),
        ("At 09:15 it was 3.5 metres.", {"9:15", "3.5"}),
        ("Room 007 and 0.", {"7", "0"}),
        ("None at all.", set()),
    ],
)
def test_facts_have_the_numbers_in_figures(text: str, numbers: set[str]) -> None:
    assert facts(text).numbers == numbers
    assert numbers <= facts(text).words


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("The keeper was Anna Holm.", {"anna", "holm"}),
        ("Holm's lamp. Anna’s log.", set()),  # each begins a sentence
        ("She saw Holm's lamp, as I did.", {"holm"}),
        ("- Bread was baked: Nobody ate.", set()),
    ],
)
def test_facts_have_the_names_within_sentences(text: str, names: set[str]) -> None:
    assert facts(text).names == names


def test_facts_have_what_is_denied() -> None:
    assert (facts("The lamp did not burn oil.").denied, facts("The lamp didn’t burn oil.").denied) == (
        {"burn", "oil"},
        {"burn", "oil"},
    )
    assert facts("The lamp did not burn oil.").negates
    assert facts("The lamp burned oil.") == Facts(frozenset({"lamp", "burn", "oil"}))


def test_facts_of_two_texts_add_up() -> None:
    both = facts("The keeper was Anna.") | facts("Nothing cost 7.")
    assert (both.numbers, both.names, both.negates) == ({"7"}, {"anna"}, True)
    assert both | Facts() == both
