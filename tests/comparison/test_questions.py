"""One parser of question files for `ask` and `compare`: every format gives the same entries, every error its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lcrag.cli.inputs import read_questions
from lcrag.comparison.formats import read
from lcrag.comparison.questions import Entry, read_entries
from lcrag.errors import BadQuestions

SQUAD = {
    "data": [
        {
            "title": "Light",
            "paragraphs": [
                {"context": "Ann keeps it.", "qas": [{"id": "7", "question": "Who keeps it?", "answers": []}]},
            ],
        }
    ]
}


def entries(folder: Path, name: str, content: str | dict[str, Any]) -> list[Entry]:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_entries(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.txt", "Who keeps it?\n\n Where? \n"),
        ("q", "\ufeffWho keeps it?\r\n\r\nWhere?"),
        ("q.csv", "Who keeps it?,Ann\n,\nWhere?\n"),
        ("q.csv", "Answer,Question,id\nAnn,Who keeps it?,1\n,Where?,3\n"),
        ("q.csv", '\ufeffquestion\n"Who keeps it?"\n\nWhere?\n'),
        ("q.jsonl", '{"question": "Who keeps it?"}\n\n{"question": "Where?"}\n'),
        ("q.txt", '{"question": "Who keeps it?", "id": "1"}\n\n{"question": "Where?", "id": ""}\n'),
        ("q.json", '{"question": "Who keeps it?"}\n\n{"question": "Where?"}\n'),
        ("q.ndjson", '{"_id": "1", "input": "Who keeps it?", "context": "x"}\n\n{"question": "Where?"}\n'),
    ],
)
def test_read_entries_reads_every_format(tmp_path: Path, name: str, content: str) -> None:
    listed = entries(tmp_path, name, content)
    assert [entry.question for entry in listed] == ["Who keeps it?", "Where?"]
    asked = read_questions(tmp_path / name)
    compared = read(tmp_path / name, tmp_path / "written")
    assert [(str(question.id), question.question) for question in asked] == [
        (question.id, question.question) for question in compared
    ]


def test_read_questions_does_not_ask_the_header_of_a_csv(tmp_path: Path) -> None:
    entries(tmp_path, "q.csv", "question,answer\nWho keeps it?,Ann\n")
    assert [(question.id, question.question) for question in read_questions(tmp_path / "q.csv")] == [
        ("2", "Who keeps it?")
    ]


def test_read_questions_reads_squad_without_writing_documents(tmp_path: Path) -> None:
    entries(tmp_path, "q.json", SQUAD)
    assert [(question.id, question.question) for question in read_questions(tmp_path / "q.json")] == [
        ("7", "Who keeps it?")
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["q.json"]


def test_read_questions_ignores_documents_that_are_not_there(tmp_path: Path) -> None:
    entries(tmp_path, "q.jsonl", '{"question": "Who?", "docs": ["no.md"], "id": 7}')
    assert [(question.id, question.question) for question in read_questions(tmp_path / "q.jsonl")] == [(7, "Who?")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.jsonl", '{"question": "Who?"}\n{', "q.jsonl, line 2 is not JSON"),
        ("q.jsonl", '{"question": "Who?"}\n[1]', "q.jsonl, line 2 is not an object with a question"),
        ("q.jsonl", '\n{"question": 1}', "q.jsonl, line 2 is not an object with a question"),
        ("q.jsonl", '{"question": "a", "id": [1]}', "line 1: the id is neither a text nor a whole number"),
        ("q.jsonl", '{"question": "a", "id": 2}\n{"question": "b"}', "line 2: the id '2' comes twice"),
        ("q.csv", "question,answer\n,Ann\n", "q.csv, row 2: the question is missing"),
        ("q.csv", "x" * 200_000, "q.csv is not CSV"),
        ("q.csv", "question,answer\n", "q.csv holds no question"),
        ("q.csv", "id,question\na,Who?\na,Where?\n", "q.csv, row 3: the id 'a' comes twice"),
        ("q.json", '{"data": [{}]}', "not in SQuAD's format"),
        ("q.json", '{"question": "Who?"}\n{"question"', "q.json, line 2 is not JSON"),
        ("q.txt", " \n\n", "q.txt holds no question"),
    ],
)
def test_read_entries_names_the_line_of_an_error(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(BadQuestions) as caught:
        entries(tmp_path, name, content)
    assert message in str(caught.value)
    assert caught.value.hint or "comes twice" in message
