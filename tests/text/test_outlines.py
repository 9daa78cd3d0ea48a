"""Outlines: read from whatever a model writes, or made of the headings of the documents."""

from __future__ import annotations

import json

import pytest

from lcrag.text.outlines import (
    LONGEST_TITLE,
    Section,
    most_sections,
    outline_of,
    outline_shape,
    parse_outline,
    prose_of,
    subjects_of,
    write_outline,
)
from lcrag.types import Passage

QUESTION = "Write a report on the sea wall"


def passage(number: int, text: str, context: str = "", source: str = "a.md") -> Passage:
    return Passage(number, source, source, 100 * number, 100 * number + len(text), text, 9, context=context)


def test_outline_is_read_as_it_is_written() -> None:
    sections = [Section("The wall", "sea wall 1958", 300), Section("Costs", "grouting price", 200)]
    assert parse_outline(write_outline(sections), 5, 500) == sections


def test_outline_that_was_cut_keeps_its_whole_sections() -> None:
    whole = write_outline([Section("The wall", "sea wall", 300), Section("Costs", "price", 200)])
    assert [one.title for one in parse_outline(whole[:-12], 5, 500)] == ["The wall"]


@pytest.mark.parametrize(
    ("title", "cleaned"),
    [("## **Costs** [3]", "Costs"), ("Costs:\n now", "Costs: now"), ("<b>Costs", "b Costs"), ("x" * 300, "x" * 100)],
)
def test_titles_hold_no_markers_and_no_format(title: str, cleaned: str) -> None:
    [section] = parse_outline(json.dumps({"title": title}), 5, 500)
    assert section.title == section.query == cleaned
    assert len(section.title) <= LONGEST_TITLE


def test_words_of_sections_add_up_to_what_is_asked() -> None:
    titles = ("Alpha", "Beta", "Gamma")
    reply = json.dumps(
        {"sections": [{"title": one, "words": words} for one, words in zip(titles, (1, 1, 2), strict=True)]}
    )
    assert [one.words for one in parse_outline(reply, 5, 400)] == [100, 100, 200]


@pytest.mark.parametrize("reply", ["", "no plan", "[1, 2]", '{"sections": "none"}', '{"title": ["a"]}', "{" * 5000])
def test_reply_without_a_section_has_none(reply: str) -> None:
    assert parse_outline(reply, 5, 500) == []


def test_titles_come_once_and_as_many_as_may() -> None:
    reply = json.dumps([{"title": title} for title in ("Walls", "walls", "Boats", "Mills")])
    assert [one.title for one in parse_outline(reply, 2, 500)] == ["Walls", "Boats"]


def test_shape_says_how_many_sections() -> None:
    assert most_sections(outline_shape(7)) == 7


def test_sections_are_headings_nearest_first() -> None:
    passages = [
        passage(1, "Boats came in.", "Harbour > Boats"),
        passage(2, "The sea wall was begun.", "Harbour > 3. The wall"),
        passage(3, "The sea is cold.", "Weather", "b.md"),
    ]
    sections = outline_of(QUESTION, passages, 2, 500)
    assert [one.title for one in sections] == ["The wall", "Weather"]
    assert sections[0].query == "The wall: the sea wall"


def test_dates_are_no_titles() -> None:
    passages = [passage(1, "The sea wall leaks.", "Minutes > Thursday 12 January 2023")]
    assert [one.title for one in outline_of(QUESTION, passages, 2, 500)] == ["Minutes"]


def test_text_without_headings_is_called_by_its_names_or_its_file() -> None:
    named = [passage(number, "For the sea wall we asked Brae Marine.", "", "notes.txt") for number in (1, 2)]
    plain = passage(3, "the sea wall leaks", "", "harbour-log.txt")
    assert {one.title for one in outline_of(QUESTION, [*named, plain], 2, 500)} == {"Brae Marine", "Harbour log"}


def test_nothing_on_the_question_has_no_outline() -> None:
    assert outline_of("Write a report on zebras", [passage(1, "The sea wall.", "Wall")], 2, 500) == []


def test_prose_is_what_is_no_table() -> None:
    row, text = passage(1, "1,2,3", "", "a.csv"), passage(2, "Text.")
    assert prose_of([row, text]) == [text]
    assert prose_of([row]) == [row]


@pytest.mark.parametrize(
    ("topic", "subjects"),
    [
        ("the tide mill, the ferry and the lifeboat", ["the tide mill", "the ferry", "the lifeboat"]),
        ("Ida Quillan and Josiah Fenn", ["Ida Quillan", "Josiah Fenn"]),
        ("climate, energy, and water", ["climate", "energy", "water"]),
        ("the rise and fall of the company", []),
        ("the harbour", []),
        ("how the council decided, what it paid and who opposed it", []),
        ("the sea wall and the people who built it in 1742 after the storm", []),
    ],
)
def test_subjects_of_are_those_of_a_list(topic: str, subjects: list[str]) -> None:
    assert subjects_of(topic) == subjects


def test_outline_of_a_list_has_a_section_for_each_subject() -> None:
    read = [passage(1, "The harbour has a history."), passage(2, "Its finances are poor."), passage(3, "Byelaws rule.")]
    question = "Write a report on the history, byelaws and finances of the harbour"
    for asked in (question, "In 900 words, write a report of the history, byelaws and finances of the harbour."):
        assert outline_of(asked, read, 6, 900) == [
            Section("The history", "the history of the harbour", 300),
            Section("Byelaws", "byelaws of the harbour", 300),
            Section("Finances of the harbour", "finances of the harbour", 300),
        ]
    assert len(outline_of(question, read, 2, 900)) <= 2  # more subjects than sections: by headings
    assert all(one.title != "The railway" for one in outline_of("Report on the harbour, the railway", read, 6, 900))
