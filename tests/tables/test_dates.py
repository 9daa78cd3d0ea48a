"""Times of questions from one date to another."""

from __future__ import annotations

import pytest

from lcrag.tables.dates import Dates, dates_in, spanned


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [
        (("2021", "2021"), ("2023-04", "2023-04"), ("2021", "2023-04")),
        (("", "-03"), ("2022-06", "2022-06"), ("2022-03", "2022-06")),
        (("", "-03"), ("", "-05"), ("", "-03 -04 -05")),
        (("", "-03"), ("2022", "2022"), None),
    ],
)
def test_spanned_joins_two_dates(first: Dates, last: Dates, wanted: Dates | None) -> None:
    assert spanned(first, last) == wanted


def test_dates_in_knows_the_last_quarter_and_half() -> None:
    assert [dates for _, dates in dates_in("in the last quarter of 2024").values()] == [("2024-10", "2024-12")]
    assert [dates for _, dates in dates_in("in the last half of 2024").values()] == [("2024-07", "2024-12")]
