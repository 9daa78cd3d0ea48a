"""The loader reads everything that a dataset has, and names the line that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lcrag.comparison.dataset import Span, load
from lcrag.errors import BadQuestions, InputError, NoSuchPath

GOOD: dict[str, Any] = {
    "id": "a1",
    "dataset": "tiny",
    "question": "Who keeps the light?",
    "answers": ["Ann", "Ann Lee"],
    "docs": ["docs/a.txt", "docs/b.txt"],
    "evidence_spans": [{"doc": "docs/b.txt", "start": 0, "end": 9}],
    "unanswerable": False,
    "scope": "low",
    "points": ["Ann does it."],
    "unknown key": 1,
}


def write(folder: Path, *records: object) -> Path:
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs/a.txt").write_text("Nothing here.")
    (folder / "docs/b.txt").write_text("Ann does.")
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_load_reads_a_question_with_everything(tmp_path: Path) -> None:
    (question,) = load(write(tmp_path, GOOD))
    assert question.answers == ("Ann", "Ann Lee")
    assert question.docs == (tmp_path / "docs/a.txt", tmp_path / "docs/b.txt")
    assert question.evidence == (Span(tmp_path / "docs/b.txt", 0, 9),)
    assert (question.scope, question.diffusion, question.options) == ("low", None, ())
    assert question.points == ("Ann does it.",)


def test_load_reads_a_question_with_the_least(tmp_path: Path) -> None:
    write(tmp_path, "", {"id": "1", "question": "Who?", "docs": ["docs/a.txt"], "evidence_spans": None}, "  ")
    (question,) = load(str(tmp_path))
    assert question.dataset == tmp_path.name
    assert question.evidence is None
    assert question.answers == ()
    assert not question.unanswerable


def test_load_does_not_end_a_line_at_a_line_separator_inside_a_text(tmp_path: Path) -> None:
    record = json.dumps({**GOOD, "question": "Who\u2028keeps it?"}, ensure_ascii=False)
    assert load(write(tmp_path, record))[0].question == "Who\u2028keeps it?"


@pytest.mark.parametrize(
    "bad",
    [
        "{not json",
        "[]",
        {**GOOD, "id": None},
        {**GOOD, "id": 7},
        {**GOOD, "question": ""},
        {**GOOD, "docs": []},
        {**GOOD, "docs": "docs/a.txt"},
        {**GOOD, "answers": [1]},
        {**GOOD, "unanswerable": "no"},
        {**GOOD, "evidence_spans": {}},
        {**GOOD, "evidence_spans": [{"doc": "docs/b.txt", "start": 4, "end": 4}]},
        {**GOOD, "evidence_spans": [{"doc": "docs/c.txt", "start": 0, "end": 4}]},
        {**GOOD, "evidence_spans": [{"doc": "docs/b.txt", "start": "0", "end": 4}]},
    ],
)
def test_load_names_a_bad_line(tmp_path: Path, bad: object) -> None:
    with pytest.raises(BadQuestions, match="line 2"):
        load(write(tmp_path, {**GOOD, "id": "first"}, bad))


def test_load_refuses_an_id_that_comes_twice(tmp_path: Path) -> None:
    with pytest.raises(BadQuestions, match="'a1' comes twice"):
        load(write(tmp_path, GOOD, GOOD))


def test_load_refuses_a_file_without_questions(tmp_path: Path) -> None:
    with pytest.raises(BadQuestions, match="no question"):
        load(write(tmp_path, ""))


def test_load_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NoSuchPath, match=r"questions\.jsonl"):
        load(tmp_path / "nowhere")
    with pytest.raises(NoSuchPath, match=r"missing\.txt"):
        load(write(tmp_path, {**GOOD, "docs": ["docs/missing.txt"], "evidence_spans": None}))


def test_load_refuses_bytes_that_are_not_text(tmp_path: Path) -> None:
    (tmp_path / "questions.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)
