"""Text about another part number, version or date than the one that is asked for does not answer; other text may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.text.exact import ExactStrings


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("How much does part AB-1234/0 cost?", {"ab-1234/0"}),
        ("What failed on 12 March 2024?", {"d20240312"}),
        ("Which release fixed CVE-2021-44228 and CVE\u20112021\u201145046?", {"cve-2021-44228", "cve-2021-45046"}),
        ("What does 192.168.0.1 run since v2.3.1?", {"192.168.0.1", "v2.3.1"}),
        ("Where is item 48213?", {"48213"}),
        ("Who won the 3rd race in 1958, in the 20th century, at 12:30, over 4.2 km and 5k?", set()),
        ("Who is Ann?", set()),
    ],
)
def test_exact_strings_are_codes_versions_and_dates(question: str, names: set[str]) -> None:
    assert ExactStrings.of(question).names == names


def rows_allowed(question: str, *texts: str, before: str = "") -> list[bool]:
    return ExactStrings.of(question).allowed([(before, texts)])


def test_allowed_rules_out_what_is_about_another_code() -> None:
    rows = ("part,price", "AB-1234/0,5", "AB-1235/1,6", "AC-77/1,7")
    assert rows_allowed("What does AB-1234/0 cost?", *rows) == [False, True, False, False]
    assert rows_allowed("What does AB-9999/9 cost?", *rows) == [False] * 4


def test_allowed_takes_the_lines_under_a_heading_for_what_it_names() -> None:
    lines = ("Part AB-1234/0", "It costs 5 crowns.", "Part AB-1235/1", "It costs 6 crowns.")
    assert rows_allowed("What does AB-1234/0 cost?", *lines) == [True, True, False, False]
    assert rows_allowed("What does AB-1235/1 cost?", "It costs 6.", before="Parts > AB-1235/1") == [True]


def test_allowed_lets_text_that_names_nothing_alike_answer() -> None:
    lines = ("The virus spreads by air.", "IL-6 rises.", "COVID-19 was named in 2020.", "CD-4 cells fall.")
    assert rows_allowed("How does COVID-19 spread?", *lines) == [True] * 4
    assert rows_allowed("What does IL-6 do?", "IL-8 falls.", "IL-6 rises.", "It is bound.") == [False, True, True]


def test_allowed_tells_dates_apart_in_any_form() -> None:
    lines = ("On 2024-03-12 the pump failed.", "On 12 April 2024 the valve failed.", "The belt is old.")
    assert rows_allowed("What failed on 12 March 2024?", *lines) == [True, False, True]
    assert rows_allowed("What failed on April 12, 2024?", "The belt is old.", *lines) == [True, False, True, True]


def test_allowed_rules_out_no_date_where_the_one_asked_for_is_in_no_full_form() -> None:
    lines = ("Soundings of 2023-05-08 and later.", "4 July: 2.1 metres.", "On 2023-09-01 it was 2.4 metres.")
    assert rows_allowed("What was the depth on 4 July 2023?", *lines) == [True] * 3


def test_allowed_takes_a_bare_number_for_a_key_only_where_one_stands() -> None:
    lines = ("48212 hammer", "48213 saw", "48214 nail")
    assert rows_allowed("What is item 48213?", *lines) == [False, True, False]
    town = ("Postcode 48213.", "It has 48214 people.")
    assert rows_allowed("How many people live in postcode 48213?", *town) == [True, True]


def test_allowed_looks_at_each_passage_by_itself() -> None:
    asked = ExactStrings.of("What is IL-6?")
    assert asked.allowed([("", ["IL-8 falls."]), ("", ["It is bound."])]) == [False, False]
    assert asked.allowed([("", ["IL-8 falls."]), ("", ["It is bound.", "IL-6."])]) == [False, True, True]


@given(st.lists(st.text(alphabet="ab-/019 .", max_size=20), max_size=6), st.integers(0, 5))
def test_allowed_never_rules_out_a_text_that_holds_the_name(texts: list[str], place: int) -> None:
    texts.insert(min(place, len(texts)), "the part AB-1234/0 is here")
    at = texts.index("the part AB-1234/0 is here")
    assert rows_allowed("Where is AB-1234/0?", *texts)[at]
