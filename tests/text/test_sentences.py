"""Sentences tile their text, and lines that are units of their own are sentences of their own."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lcrag.text.sentences import LONGEST, last_start, sentences, strip_stray_emphasis

LETTERS = st.sampled_from("ab .\n\r。!?\u2028\xa0-A:,;|1\t\ud800") | st.characters(codec="utf-8")


@given(st.text(alphabet=LETTERS))
def test_sentences_tile_the_text(text: str) -> None:
    spans = sentences(text)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)


@given(st.text(alphabet=LETTERS) | st.text(alphabet="ab \n.", max_size=3 * LONGEST))
def test_last_start_is_that_of_sentences(text: str) -> None:
    assert last_start(text) == (sentences(text) or [(0, 0)])[-1][0]


@given(st.text(alphabet="ab ", min_size=LONGEST, max_size=4 * LONGEST))
def test_sentences_are_at_most_the_longest(text: str) -> None:
    assert all(len(text[start:end].strip()) <= LONGEST for start, end in sentences(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        (
            "Mr. Smith paid $5.30 in the U.S. in 1999. He left.",
            ["Mr. Smith paid $5.30 in the U.S. in 1999.", "He left."],
        ),
        ("# Head\nText here.", ["# Head", "Text here."]),
        ("- one\n- two", ["- one", "- two"]),
        ("Ann: hello\nBen: hi", ["Ann: hello", "Ben: hi"]),
        ("x | y\n1 | 2", ["x | y", "1 | 2"]),
        ("日本語の文。次の文。", ["日本語の文。", "次の文。"]),
        (
            "A line of prose that was wrapped at the margin of the page\ngoes on. And ends.",
            ["A line of prose that was wrapped at the margin of the page\ngoes on.", "And ends."],
        ),
        (
            "The council adopted the second option (Option B) at\n£412,000 in all, and left.",
            ["The council adopted the second option (Option B) at\n£412,000 in all, and left."],
        ),
        (
            "VANE: We had a flask of tea and between us all one bag of\nbuns. Nobody slept.",
            ["VANE: We had a flask of tea and between us all one bag of\nbuns.", "Nobody slept."],
        ),
        (
            "1991.1,Office chair,c. 1950,Given by Mr. Low. Kept,good\n1992.3,Sea chest,a,b,c",
            ["1991.1,Office chair,c. 1950,Given by Mr. Low. Kept,good", "1992.3,Sea chest,a,b,c"],
        ),
        ('{"key": "One. Two."}', ['{"key": "One. Two."}']),
        ('"Really?" she said. He left.', ['"Really?" she said.', "He left."]),
        ("a,b,c\nd,e,f", ["a,b,c", "d,e,f"]),
        ("A title\n\nand a paragraph", ["A title", "and a paragraph"]),
        ("name;age\nAnn;7\nBen;8", ["name;age", "Ann;7", "Ben;8"]),
        ("name|age|town\nAnn B. C.|7|Bath", ["name|age|town", "Ann B. C.|7|Bath"]),
        (
            "The ships came in; the tide was low and the men were tired; nobody\nspoke; it was late.",
            ["The ships came in; the tide was low and the men were tired; nobody\nspoke; it was late."],
        ),
        (
            "2024-03-12T10:00:01 pump one started. Pressure is 4 bar.\n2024-03-12T10:00:02 valve two closed",
            ["2024-03-12T10:00:01 pump one started. Pressure is 4 bar.", "2024-03-12T10:00:02 valve two closed"],
        ),
        (
            "Mar 12 10:00:01 quay sshd: refused for the user root\nMar 12 10:00:02 quay sshd: accepted",
            ["Mar 12 10:00:01 quay sshd: refused for the user root", "Mar 12 10:00:02 quay sshd: accepted"],
        ),
        (
            "The gull went over the grey wall and over the sea\nThe keeper slept and did not see it go\n"
            "His lamp burned on above the rocks below the town",
            [
                "The gull went over the grey wall and over the sea",
                "The keeper slept and did not see it go",
                "His lamp burned on above the rocks below the town",
            ],
        ),
        (
            "---\ntitle: The weir\nauthor: Maren Holt\ntags: [river]\n---\n",
            ["---", "title: The weir", "author: Maren Holt", "tags: [river]", "---"],
        ),
        ("def area(x):\n    y = x * (\n        2)\n    return y", ["def area(x):", "y = x * (", "2)", "return y"]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert [text[start:end].strip() for start, end in sentences(text)] == expected


@pytest.mark.parametrize("space", "\x85\xa0\u1680\u2000\u2009\u2028\u2029\u202f\u205f\u3000")
def test_sentences_accept_a_wide_space_between_a_capital_and_a_full_stop(space: str) -> None:
    text = f"Oranges hold much vitamin C{space}. They were sold at the harbour."
    assert "".join(text[start:end] for start, end in sentences(text)) == text


@pytest.mark.parametrize("stamp", ["2024-03-0{} 12:00", "[2024/03/0{}]", "0{}:15", "0{}.03.2024,", "170000000{}"])
def test_sentences_of_a_log_are_its_lines(stamp: str) -> None:
    lines = [
        f"{stamp.format(n)} the pump of the second hall was switched on by the night watch again\n" for n in range(1, 6)
    ]
    text = "".join(lines)
    assert [text[start:end] for start, end in sentences(text)] == lines


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("** The Trust reported a wheel.", "The Trust reported a wheel."),
        ("**Report of the mill.", "Report of the mill."),
        ("It was mended.**", "It was mended."),
        ("It was mended. **", "It was mended."),
        ("*** All of it ***", "All of it"),
        ("*Kittiwake* sailed.", "*Kittiwake* sailed."),
        ("**Report** and **reply**", "**Report** and **reply**"),
        ("* an item of a list", "* an item of a list"),
        ("* an item with *emphasis*", "* an item with *emphasis*"),
        ("2 ** 3 is 8.", "2 ** 3 is 8."),
        ("_private names stay", "_private names stay"),
    ],
)
def test_strip_stray_emphasis_removes_what_has_no_partner(text: str, stripped: str) -> None:
    assert strip_stray_emphasis(text) == stripped


@given(st.text(st.sampled_from("* a\n.")))
@example("**")
@example("***")
def test_strip_stray_emphasis_leaves_a_part_of_the_text(text: str) -> None:
    assert strip_stray_emphasis(text) in text
