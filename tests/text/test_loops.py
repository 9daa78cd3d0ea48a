"""Loops at the end of a reply are found and cut to one copy; ordinary repetition is left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.text.loops import loop_start, without_loop

SENTENCE = "They were getting eight processors in there. "


@pytest.mark.parametrize(("copies", "rest"), [(3, ""), (5, "They were"), (40, "They were getting eig")])
def test_without_loop_keeps_one_copy(copies: int, rest: str) -> None:
    text = f"The mill burnt down. {SENTENCE * copies}{rest}"
    assert without_loop(text) == f"The mill burnt down. {SENTENCE}".rstrip()


def test_without_loop_of_a_short_unit() -> None:
    assert without_loop("It is " + "very " * 60).startswith("It is very")
    assert len(without_loop("It is " + "very " * 60)) < 20


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No, no, no.",
        "Anna 7\nBen 7\nCid 7\nDan 7\n",
        f"{SENTENCE}{SENTENCE}That was all.",
        "1742, 1743, 1744, 1745, 1746, 1747, 1748, 1749, 1750, 1751, 1752, 1753, 1754, 1755, 1756, 1757, 1758, 1759",
        "-" * 60,
    ],
)
def test_loop_start_leaves_ordinary_text(text: str) -> None:
    assert loop_start(text) is None


@given(st.text(min_size=0, max_size=80), st.text(min_size=4, max_size=120), st.integers(4, 9))
def test_without_loop_ends_and_is_a_prefix(before: str, unit: str, copies: int) -> None:
    text = before + unit * copies
    cut = without_loop(text)
    assert text.startswith(cut)
    assert without_loop(cut) == cut
