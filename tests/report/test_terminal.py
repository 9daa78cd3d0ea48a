"""Text that is safe to print."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from lcrag.report.terminal import printable, render

STEERING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
"""Bidirectional classes of the characters that change the order in which text is shown."""
MARKS = "\u061c\u200e\u200f"


def shown(character: str) -> str:
    if character in "\n\t":
        return character
    if unicodedata.category(character) == "Cs":
        return "\ufffd"
    steers = unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in STEERING
    return "" if steers or character in MARKS else character


@given(st.text(st.characters(codec=None)))
def test_printable_removes_what_steers_a_terminal_and_nothing_else(text: str) -> None:
    assert printable(text) == "".join(map(shown, text))


def test_printable_leaves_ordinary_text() -> None:
    text = "Grüße, 你好, שלום, 👩\u200d👧\n\tEnd"
    assert printable(text) == text
    assert printable("a\x1b[2J\udcff\u202eb") == "a[2J\ufffdb"


def test_render_takes_no_markup_and_leaves_no_spaces_at_the_ends_of_lines() -> None:
    assert render("[bold]a[/bold] :smile:  ", Text("b", style="bold"), width=40, colour=False) == (
        "[bold]a[/bold] :smile:\nb\n"
    )
    assert "\x1b[1mb" in render(Text("b", style="bold"), width=40, colour=True)
