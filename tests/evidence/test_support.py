"""What supports a statement, and what only seems to."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lcrag.evidence import support

SOURCE = (
    "The tide mill on the Wend was built in 1742 by Josiah Fenn at a cost of £1,860. He borrowed most of it. "
    "Anna Holm kept the light for nine years. She was not paid in the first two. The lamp did not burn oil. "
    "In March the harbour took in 12 boats, which stayed until May."
)


WORDS = st.text(st.sampled_from("lamp oil.1 \n")) | st.text(st.characters(codec="utf-8"))


def quote_for(statement: str) -> str | None:
    place = support.find(statement, [(10, SOURCE)])
    return SOURCE[place.start - 10 : place.end - 10] if place is not None and place.holds else None


@pytest.mark.parametrize(
    ("statement", "quote"),
    [
        ("He borrowed most of it.", "He borrowed most of it."),
        ("Josiah Fenn built the tide mill on the Wend in 1742.", SOURCE[: SOURCE.index(" He borrowed")]),
        ("The mill cost Josiah Fenn £1860 to build.", SOURCE[: SOURCE.index(" He borrowed")]),
        ("Anna Holm kept the light 9 years.", "Anna Holm kept the light for nine years."),
        ("The lamp didn't burn oil.", "The lamp did not burn oil."),
        ("Twelve boats came into the harbour in March.", SOURCE[SOURCE.index("In March") :]),
        (
            "Anna Holm kept the light for nine years, unpaid: she was not paid in the first two.",
            "Anna Holm kept the light for nine years. She was not paid in the first two.",
        ),
    ],
)
def test_find_gives_the_sentences_that_support(statement: str, quote: str) -> None:
    assert quote_for(statement) == quote


@pytest.mark.parametrize(
    "statement",
    [
        "Josiah Fenn built the tide mill on the Wend in 1743.",
        "The mill cost Josiah Fenn £18,600 to build.",
        "Josiah Holt built the tide mill on the Wend in 1742.",
        "The tide mill on the Wend was not built in 1742 by Josiah Fenn.",
        "The lamp burned oil.",
        "Anna Holm kept the light for ten years.",
        "In April the harbour took in 12 boats.",
        "Whales sing.",
        "",
        "...",
    ],
)
def test_find_rejects_near_misses(statement: str) -> None:
    assert quote_for(statement) is None


def test_judge_accepts_a_name_near_by_but_not_a_number() -> None:
    text = "She kept the light there for nine years."
    statement = "For nine years the light was kept by Miss Anna Holm."
    assert not support.judge(statement, text).holds
    assert support.judge(statement, text, "Miss Anna Holm came in 1871.").holds
    assert not support.judge(f"{statement[:-1]} from 1871.", text, "Miss Anna Holm came in 1871.").holds


def test_find_complement_supports_together_what_neither_place_does_alone() -> None:
    text, other = "Anna Holm was born in Tolland in 1841.", "Peter Fenn was born in Tolland in 1850."
    statement = "Anna Holm was born in 1841 and Peter Fenn in 1850."
    first = support.find(statement, [(0, text)])
    assert first is not None
    assert not first.holds
    second = support.find_complement(statement, first, [(100, other)])
    assert second is not None
    assert (second.start, second.end) == (100, 100 + len(other))
    assert support.hold_together(statement, [first, second])
    assert support.find_complement(statement, first, [(0, SOURCE)]) is None


@given(WORDS, WORDS)
@example("He borrowed most of it.", SOURCE)
def test_find_stays_within_the_pieces_for_any_text(statement: str, text: str) -> None:
    place = support.find(statement, [(7, text)])
    assert place is not None or statement not in text or not statement.strip()
    if place is not None:
        assert place.text == text[place.start - 7 : place.end - 7] != ""
        assert 0 <= place.score <= 1


SENTENCES = [*SOURCE.split(". "), "12", "The 1 860 boats", "Nine. Nobody, never", "the WEND's mill, 1,", "000 lamps"]


@given(st.sampled_from(SENTENCES), st.lists(st.sampled_from(SENTENCES), max_size=6), st.sampled_from([". ", " ", "\n"]))
def test_find_leaves_out_no_piece_with_a_place_that_shares_enough(
    statement: str, text: list[str], between: str
) -> None:
    piece = between.join(text)
    scores = [
        support.judge(statement, part).score
        for width in range(1, support.WIDEST + 1)
        for _, part in support.windows([(0, piece)], width)
    ]
    place = support.find(statement, [(0, piece)])
    assert (place is not None) == (max(scores, default=0.0) >= support.PART)
