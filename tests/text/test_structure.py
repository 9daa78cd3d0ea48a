"""Questions about chapters, files and rows are told from questions about what the documents say."""

from __future__ import annotations

import pytest

from lcrag.text.structure import StructureQuestion, asks_for_structure


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("List the chapters.", StructureQuestion("headings", False, "chapter")),
        ("How many chapters does the novel have?", StructureQuestion("headings", True, "chapter", where="the novel")),
        (
            "What are the sections of the handbook?",
            StructureQuestion("headings", False, "section", where="the handbook"),
        ),
        ("Show the table of contents", StructureQuestion("headings", False, "table of content")),
        ("Which sections are there?", StructureQuestion("headings", False, "section")),
        ("Which files mention the crane?", StructureQuestion("files", False, what="the crane")),
        ('How many documents contain "Ines Carrow"?', StructureQuestion("files", True, what="Ines Carrow")),
        ("In which documents is Ann mentioned?", StructureQuestion("files", False, what="Ann")),
        ("List all files.", StructureQuestion("files", False)),
        ("How many rows are in the inventory?", StructureQuestion("rows", True, where="the inventory")),
        ("how many rows are there in this table", StructureQuestion("rows", True)),
    ],
)
def test_asks_for_structure_reads_the_whole_question(question: str, asked: StructureQuestion) -> None:
    assert asks_for_structure(question) == asked


@pytest.mark.parametrize(
    "question",
    [
        "Which chapters mention Ann?",
        "List the harbour masters.",
        "What are the main topics?",
        "How many articles did Ann write?",
        "What is the structure of DNA?",
        "Summarise the chapters.",
        "Who wrote the file?",
        "How many people live here?",
    ],
)
def test_asks_for_structure_is_none_for_what_documents_say(question: str) -> None:
    assert asks_for_structure(question) is None
