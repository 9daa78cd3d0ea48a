"""Numbers in questions with their scale and unit."""

from __future__ import annotations

import pytest

from lcrag.tables.amounts import Amount, amount


@pytest.mark.parametrize(
    ("digits", "words", "wanted"),
    [
        ("$2", "2 million cars", Amount(2_000_000, 2, 1e6, "$")),
        ("2", "2 hours in all", Amount(2, 2, unit="hours")),
        ("500", "500 euros", Amount(500, 2, sign="money")),
        ("", "half an hour", Amount(0.5, 3, unit="hour")),
        ("", "a week", Amount(1, 2, unit="week")),
        ("", "three loans", Amount(3, 1)),
    ],
)
def test_amount_takes_scale_and_unit(digits: str, words: str, wanted: Amount) -> None:
    said = words.split()
    assert amount(digits, said, 1 if digits else 0, [False] * len(said)) == wanted


def test_amount_leaves_the_name_of_a_column() -> None:
    assert amount("30", ["30", "minutes"], 1, [False, True]) == Amount(30, 1)


def test_amount_is_none_without_a_number() -> None:
    assert amount("", ["a", "loan"], 0, [False, False]) is None
