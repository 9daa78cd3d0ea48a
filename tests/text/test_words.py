"""Words that look or mean the same are the same in the index, in questions and in the scores of sentences."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.corpora import index, matches

from lcrag.index.corpus import Corpus
from lcrag.text.words import fold, stems

SAME = [
    ("the sheri\ufb00's o\ufb03ce", "the sheriff's office"),
    ("Oak\u00adfield", "Oakfield"),
    ("Oak\u00ad\n  field", "Oakfield"),
    ("zero\u200bwidth\u2060join", "zerowidthjoin"),
    ("cafe\u0301 na\u00efve", "cafe naive"),
    ("Stra\u00dfe", "Strasse"),
    ("\uff21\uff22\uff0d\uff11\uff12", "AB-12"),
    (unicodedata.normalize("NFD", "펌프실"), "펌프실"),
    (unicodedata.normalize("NFD", "ガス管"), "ガス管"),
    ("\uff76\uff9e\uff7d", "ガス"),
    ("كِتَابٌ", "كتاب"),
    ("كـــتاب أحمد", "كتاب احمد"),
    ("Işık", "ISIK"),
    ("1,234,567", "1234567"),
    ("1'234'567", "1234567"),
    ("1.234.567", "1234567"),
    ("48\u202f000", "48000"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_fold_makes_words_that_look_alike_the_same(one: str, other: str) -> None:
    assert stems(one) == stems(other)


@pytest.mark.parametrize(
    "date",
    [
        "2024-03-12",
        "2024/3/12",
        "12.03.2024",
        "12 March 2024",
        "March 12, 2024",
        "12th of March, 2024",
        "Mar. 12, 2024",
    ],
)
def test_fold_gives_a_date_one_word_in_every_form(date: str) -> None:
    assert {"d20240312", "march"} <= set(stems(f"The pump of {date} failed."))


@pytest.mark.parametrize(
    "text", ["03/05/2024", "3.141", "192.168.100.200", "a,100,200", "in 2019 300 people", "2024-13-45", "12 of 2024"]
)
def test_fold_leaves_other_numbers_alone(text: str) -> None:
    assert fold(text) == text


def test_fold_keeps_the_powers_of_ten_apart_from_numbers() -> None:
    assert "106" not in stems("10\u2076")


@pytest.mark.parametrize(("text", "word"), [("C++", "cplusplus"), ("c#", "csharp"), ("C++17", "cplusplus")])
def test_fold_names_the_signs_of_a_language(text: str, word: str) -> None:
    assert word in stems(text)
    assert "c" not in stems(text)


def test_fold_keeps_the_word_before_a_sign() -> None:
    assert stems("count++; # a comment, #tag") == ["count", "countplusplus", "comment", "tag"]


@given(st.text())
def test_fold_accepts_any_text_and_is_the_same_in_nfc_and_nfd(text: str) -> None:
    assert stems(unicodedata.normalize("NFD", text)) == stems(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(("one", "other"), SAME)
def test_lexical_finds_either_form_by_the_other(tmp_path: Path, one: str, other: str) -> None:
    with Corpus.open(tmp_path / "index") as corpus:
        index(corpus, f"Rust {one} Moth.", f"Rust {other} Moth.", "Nothing else.")
        assert len(matches(corpus, one)) == len(matches(corpus, other)) == 2
        assert any(one in text for text in matches(corpus, other)), "the text itself is as it was"


def test_lexical_tells_languages_apart(tmp_path: Path) -> None:
    with Corpus.open(tmp_path / "index") as corpus:
        index(corpus, "The C service.", "The C++ service.", "The C# service.")
        for name in ("C", "C++", "C#"):
            assert matches(corpus, f"owner of {name}") == [f"The {name} service."]
