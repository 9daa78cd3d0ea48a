"""A summary of a text's own sentences: what most of them say, or what is asked of them; whole sentences, in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import HashingEmbedder

from lcrag.backends.extract import units_of
from lcrag.evidence.central import most_central
from lcrag.types import Passage, Task

SUMMARISE = "Summarise the text."
TOWN = """# Minutes of the council

Good morning, members of the council and guests of the town.

The council decided to dredge the harbour channel before the autumn gales.
The harbour channel had silted up, so that the council could not let the ferry in.
The council will pay for dredging the harbour channel from the ferry dues of this year.
A baker of the town complained about a cat that sleeps on his warm roof tiles.
Who will pay for the harbour channel and for the dredging of it?
| harbour | channel | dredging | council | ferry |
and the harbour channel, which the council
"""


def summary(text: str, question: str = SUMMARISE, words: int = 150) -> list[str]:
    passage = Passage(1, "d", "d.md", 0, len(text), text, len(text) // 4)
    units = units_of(Task("answer", question, (passage,)))
    return [unit.text for unit in most_central(question, units, words, HashingEmbedder())]


def test_most_central_says_what_most_of_the_text_says() -> None:
    assert "harbour channel" in summary(TOWN, words=12)[0]


def test_most_central_says_what_is_asked() -> None:
    [said] = summary(TOWN, "Summarise the complaint of the baker about the cat.", words=15)
    assert said.startswith("A baker")


def test_most_central_takes_sentences_alone_in_their_order() -> None:
    chosen = summary(TOWN)
    assert len(chosen) == 4
    places = [TOWN.index(sentence) for sentence in chosen]
    assert places == sorted(places)
    assert not [line for line in chosen if line.startswith(("#", "Good", "Who", "|", "and"))]


def test_most_central_says_nothing_twice() -> None:
    [said] = summary("The mill burned down in the winter of that year.\n\n" * 9)
    assert said.startswith("The mill")


@pytest.mark.parametrize("words", [16, 30, 45])
def test_most_central_keeps_to_its_words(words: int) -> None:
    assert 0 < len(" ".join(summary(TOWN, words=words)).split()) <= words


def test_most_central_takes_what_there_is() -> None:
    assert summary("") == []
    assert summary("Milk") == ["Milk"]


@given(st.lists(st.text(max_size=80), max_size=12), st.integers(0, 60))
def test_most_central_chooses_units_of_the_text(lines: list[str], words: int) -> None:
    text = "\n\n".join(lines)
    units = units_of(Task("answer", SUMMARISE, (Passage(1, "d", "d.md", 0, len(text), text, 1),)))
    chosen = most_central(SUMMARISE, units, words, None)
    assert bool(chosen) == bool(units)
    assert [unit.order for unit in chosen] == sorted({unit.order for unit in chosen})


def test_most_central_of_a_long_text_is_from_all_of_it() -> None:
    lines = [
        f"The keeper of {place} wrote {place * 7} letters to the harbour office at {place}." for place in range(400)
    ]
    assert len(summary("\n".join(lines))) > 3
