"""Which answers agree: short answers, numbers, lists, what is said beyond the question; never an answer with none."""

from __future__ import annotations

from typing import Any

import pytest

from lcrag.comparison.grouping import agree, group, say_the_same

QUESTION = "Who was the keeper who kept the light of Calf?"
LONG = "She trimmed wicks, counted birds, wrote letters, mended nets and slept through many storms."


def answer(text: str, short: str | None = None, status: str = "answered") -> dict[str, Any]:
    return {"status": status, "answer": text, "short": short}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("£1,860", "1,860 pounds"),
        ("2.13 metres", "2.1"),
        ("three", "3 boats"),
        ("No.", "no"),
        ("Anna Holm", "anna holm"),
        ("Holm", "Anna Holm"),
        ("170 °C", "170 °C for 20 minutes"),
        ("14 July 1921", "July 14, 1921"),
        ("Ann and Ben", "Ben, Ann"),
        ("The mill was built in 1742.", "In 1742 the mill was built by Fenn, a dealer. It stands on the Wend."),
        ("The light of Calf was kept by Anna Holm.", "Anna Holm, who came from Tolland."),
        ("The keeper of the light was Anna Holm.", "Anna Holm"),
    ],
)
def test_say_the_same(a: str, b: str) -> None:
    assert say_the_same(QUESTION, a, b)
    assert say_the_same(QUESTION, b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1742", "1743"),
        ("12 years", "12 months"),
        ("Ann", "Ann and Ben"),
        ("Ann", "not Ann"),
        ("yes", "no"),
        ("The mill was built in 1742.", "The mill was built in 1743."),
        ("Anna Holm kept the light.", "Anna Rusk kept the light."),
        ("Anna Holm kept the light.", "Berta Holm kept the light."),
        ("A brown cow kept the light.", "A brown horse kept the light."),
        ("The lamp was lit.", "The lamp was not lit."),
        ("Yes, it may be lit.", "No, it may be lit."),
        (f"Anna. {LONG}", f"Berta. {LONG}"),
    ],
)
def test_say_the_same_keeps_apart_what_differs(a: str, b: str) -> None:
    assert not say_the_same(QUESTION, a, b)
    assert not say_the_same(QUESTION, b, a)


def test_agree_compares_short_answers_whatever_the_texts_have_in_common() -> None:
    text = "In 1742 it cost £1,860. [1]"
    assert not agree(QUESTION, answer(text, "1742"), answer(text, "£1,860"))
    assert agree(QUESTION, answer(text, "£1,860"), answer("It cost £1,860, all in all. [1][2]", "£1,860"))
    assert agree(QUESTION, answer("[2] 872 [1]"), answer("They said so.", "872"))


def test_group_puts_the_largest_first_and_those_without_an_answer_last() -> None:
    answers = {
        "a": answer("", status="not_found"),
        "b": answer("", status="not_retrieved"),
        "c": answer("It was 1742. [1]", "1742"),
        "d": answer("", status="refused_by_budget"),
        "e": answer("It was 1801. [1]", "1801"),
        "f": answer("1742 it was. [3]", "in 1742"),
        "g": answer("It was 1742. It was 1801.", status="contradictory"),
    }
    assert group(QUESTION, answers) == [
        {"routes": ["c", "f"], "found": True, "short": "1742"},
        {"routes": ["e"], "found": True, "short": "1801"},
        {"routes": ["g"], "found": True, "short": None},
        {"routes": ["a", "b"], "found": False, "short": None},
        {"routes": ["d"], "found": False, "short": None},
    ]


def test_group_has_only_routes_that_all_agree() -> None:
    shorts = {"a": "Holm", "b": "Anna Holm", "c": "Berta Holm"}
    groups = group(QUESTION, {name: answer(short, short) for name, short in shorts.items()})
    assert [one["routes"] for one in groups] == [["a", "b"], ["c"]]
