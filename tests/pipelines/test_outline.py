"""Chapters, files and rows are read off the index, each with the place that it stands at."""

from __future__ import annotations

from pathlib import Path

import pytest

import lcrag
from lcrag.errors import NoRoute

BOOK = "# The Book\n\n## Chapter 1: Arrival\n\nAnn came.\n\n## Chapter 2: Night\n\nDark.\n\n### Later\n\nShe left.\n"
TABLE = 'part,note\nAB-1,"of two\nlines"\n\nAB-2,plain\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "book.md").write_text(BOOK)
    (docs / "parts.csv").write_text(TABLE)
    (docs / "notes.txt").write_text("Ann met Ben.\n\nBen met the crane driver.\n")
    return docs


def lines_of(folder: Path, question: str) -> tuple[list[str], lcrag.Answer]:
    answer = lcrag.ask(folder, question, backend="embedded", dense="off")
    return answer.text.splitlines(), answer


def test_outline_lists_the_chapters_with_their_lines(folder: Path) -> None:
    lines, answer = lines_of(folder, "List the chapters of the book.")
    assert lines == ["Chapter 1: Arrival [1]", "Chapter 2: Night [2]"]
    assert [(citation.quote, citation.line) for citation in answer.citations] == [
        ("Chapter 1: Arrival", 3),
        ("Chapter 2: Night", 7),
    ]
    assert all(statement.supported for statement in answer.statements)
    assert (answer.coverage, answer.usage.calls) == (1.0, 0)
    assert answer.plan is not None
    assert answer.plan.pipeline == "outline"


def test_outline_takes_headings_of_one_level_where_none_is_called_so(folder: Path) -> None:
    lines, answer = lines_of(folder, "How many sections does the book have?")
    assert lines == ["2 sections", "Chapter 1: Arrival [1]", "Chapter 2: Night [2]"]
    assert answer.short == "2"


def test_outline_gives_the_whole_table_of_contents(folder: Path) -> None:
    lines, _ = lines_of(folder, "Show the table of contents of book.md")
    assert [line[: line.index(" [")] for line in lines] == [
        "The Book",
        "Chapter 1: Arrival",
        "Chapter 2: Night",
        "Later",
    ]


def test_outline_names_the_files_that_mention_something(folder: Path) -> None:
    lines, answer = lines_of(folder, "Which files mention the crane driver?")
    assert [Path(line.split(" [")[0]).name for line in lines] == ["notes.txt"]
    assert answer.citations[0].quote == "Ben met the crane driver."
    lines, answer = lines_of(folder, "How many files mention Ann?")
    assert (lines[0], answer.short, len(lines)) == ("2 files", "2", 3)


def test_outline_counts_rows_and_not_lines(folder: Path) -> None:
    lines, answer = lines_of(folder, "How many rows does parts.csv have?")
    assert answer.short == "2"
    assert lines[0] == "2 rows"
    assert lines[1].endswith("parts.csv: 2 rows [1]")


def test_outline_counts_lines_where_a_quote_never_ends(tmp_path: Path) -> None:
    (tmp_path / "parts.csv").write_text('part,note\nAB-1,"open\n' + "AB-2,plain words\n" * 12_000)
    assert lines_of(tmp_path, "How many rows are there?")[1].short == "12001"


def test_outline_gives_way_where_documents_have_nothing_of_the_kind(folder: Path) -> None:
    answer = lcrag.ask(folder, "List the appendices.", backend="embedded", dense="off")
    assert answer.steps[0].pipeline != "outline"
    with pytest.raises(NoRoute, match="no heading"):
        lcrag.ask(folder, "List the appendices.", backend="embedded", dense="off", pipeline="outline")
    with pytest.raises(NoRoute, match="no heading"):
        lcrag.ask(folder, "Who met Ben?", backend="embedded", dense="off", pipeline="outline")
