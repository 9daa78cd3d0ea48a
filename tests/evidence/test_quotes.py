"""Quotes of a model are found in the passages, or dropped and counted."""

from __future__ import annotations

import pytest

from lcrag.evidence.quotes import located
from lcrag.types import Passage

FIRST = "The light was lit in 1871. Its keeper was  Anna Holm, of Dover. She kept a raven."
SECOND = "灯台守のアンナは鳥を飼っていた。港には船が多い。 Bread was baked on Mondays."


def passage(marker: int, text: str, start: int) -> Passage:
    return Passage(marker, f"d{marker}", f"{marker}.md", start, start + len(text), text, 20)


READ = [passage(1, FIRST, 100), passage(2, SECOND, 0)]


def quoted(reply: str) -> tuple[list[str], int]:
    found = located(reply, READ)
    texts = {one.marker: one for one in READ}
    return [
        texts[marker].text[start - texts[marker].start : end - texts[marker].start].strip()
        for marker, places in found.places.items()
        for start, end in places
    ], found.invented


@pytest.mark.parametrize(
    ("reply", "sentences"),
    [
        ("The light was lit in 1871. [1]", ["The light was lit in 1871."]),
        ('- "Its keeper was Anna Holm, of Dover." [1]', ["Its keeper was  Anna Holm, of Dover."]),
        ("2. Its keeper was Anna [1]", ["Its keeper was  Anna Holm, of Dover."]),
        ("Its keeper was Anna Holn, of Dover", ["Its keeper was  Anna Holm, of Dover."]),
        ("The light was lit in 1871. [2]", ["The light was lit in 1871."]),
        ("灯台守のアンナは鳥を飼っていた。[2]", ["灯台守のアンナは鳥を飼っていた。"]),
        (
            "She kept a raven. [1]\nBread was baked on Mondays. [2]",
            ["She kept a raven.", "Bread was baked on Mondays."],
        ),
        ("She kept a raven.\nShe kept a raven. [1]", ["She kept a raven."]),
    ],
)
def test_located_finds_quotes_as_whole_sentences_of_the_document(reply: str, sentences: list[str]) -> None:
    assert quoted(reply) == (sentences, 0)


@pytest.mark.parametrize(
    ("reply", "invented"),
    [
        ("NOT FOUND", 0),
        ("", 0),
        ("[1]", 0),
        ("The light was lit in 1902, by Queen Anne herself. [1]", 1),
        ("She was born on the moon. [1]\nAnd she lived there happily.", 2),
    ],
)
def test_located_drops_and_counts_what_no_passage_holds(reply: str, invented: int) -> None:
    assert quoted(reply) == ([], invented)


def test_located_reads_the_pieces_of_an_extract() -> None:
    extract = Passage(3, "d", "d.md", 10, 80, "The sea was calm.\nThe pier was long.", 9, parts=((10, 27), (62, 80)))
    found = located("The sea was calm.\nThe pier was long. [3]", [extract])
    assert found.places == {3: [(10, 27), (62, 80)]}
