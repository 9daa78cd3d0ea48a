"""Who says a sentence, and whether the question is about somebody else."""

from __future__ import annotations

import pytest

from lcrag.text.dialogue import another_speaks

TURNS = (
    "Ann: I baked a cake on Sunday.",
    "It was a tart, really.",
    "Ben: Nice! I only burnt some toast.",
    "I did tell Ann's mother.",
    "- Dr. Cy O'Neil: A kettle of tea for me.",
)
ONE = ("[1]",) * len(TURNS)


@pytest.mark.parametrize(
    ("question", "place", "another"),
    [
        ("What did Ben bake?", 0, True),
        ("What did Ben bake?", 1, True),
        ("What did Ann bake?", 0, False),
        ("What did ann bake?", 1, False),
        ("What did Ann burn?", 2, True),
        ("Who told Ann's mother?", 3, False),
        ("What did Dr. Cy O'Neil drink?", 4, False),
        ("What did Ann drink?", 4, True),
        ("What did Annabel bake?", 2, False),
        ("What was baked?", 0, False),
    ],
)
def test_another_speaks_in_a_turn_of_somebody_else(question: str, place: int, another: bool) -> None:
    assert another_speaks(question, TURNS, ONE, place) is another


def test_another_speaks_ends_a_turn_with_its_passage() -> None:
    assert not another_speaks("What did Ben bake?", TURNS, ("[1]", "[2]", "[2]", "[2]", "[2]"), 1)


def test_another_speaks_is_false_in_prose() -> None:
    assert not another_speaks("What did Ben bake?", ("Ben baked.", "Ann ate."), ("[1]", "[1]"), 1)
