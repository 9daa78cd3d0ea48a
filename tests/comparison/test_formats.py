"""Other people's formats as questions: what is read, and where documents inside a file are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lcrag.comparison.dataset import Question
from lcrag.comparison.formats import read
from lcrag.errors import BadQuestions, NoSuchPath


def questions(folder: Path, name: str, content: str | list[Any] | dict[str, Any]) -> list[Question]:
    path = folder / name
    if isinstance(content, list):
        content = "\n".join(json.dumps(line) for line in content)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read(path, folder / "written")


def test_read_text_one_question_a_line(tmp_path: Path) -> None:
    listed = questions(tmp_path, "q.txt", "\ufeffWho?\n\n  Why?  \n")
    assert [
        (question.id, question.question, question.answers, question.docs, question.dataset) for question in listed
    ] == [
        ("1", "Who?", (), (), "q"),
        ("3", "Why?", (), (), "q"),
    ]


def test_read_csv_with_and_without_a_header(tmp_path: Path) -> None:
    plain = questions(tmp_path, "a.csv", 'Who?,"Ann, of course"\nWhy?,\n\n')
    assert [(question.id, question.question, question.answers) for question in plain] == [
        ("1", "Who?", ("Ann, of course",)),
        ("2", "Why?", ()),
    ]
    named = questions(tmp_path, "b.csv", "id,Answer,Question\nx,Ann,Who?\n,Ben,Why?\n")
    assert [(question.id, question.question, question.answers) for question in named] == [
        ("x", "Who?", ("Ann",)),
        ("3", "Why?", ("Ben",)),
    ]
    with pytest.raises(BadQuestions, match="row 2: the question is missing"):
        questions(tmp_path, "c.csv", "Who?,Ann\n,Ben\n")


def test_read_own_records_without_id_or_documents(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Ann keeps the light.")
    span = {"doc": "a.md", "start": 0, "end": 3}
    listed = questions(
        tmp_path,
        "q.jsonl",
        [
            {"question": "Who?", "answers": ["Ann"], "docs": ["a.md"], "evidence_spans": [span]},
            {"id": 7, "question": "W"},
        ],
    )
    assert [(question.id, question.answers, question.docs) for question in listed] == [
        ("1", ("Ann",), (tmp_path / "a.md",)),
        ("7", (), ()),
    ]
    assert listed[0].evidence is not None
    with pytest.raises(NoSuchPath, match=r"b\.md"):
        questions(tmp_path, "q.jsonl", [{"question": "Who?", "docs": ["b.md"]}])
    with pytest.raises(BadQuestions, match="line 2"):
        questions(tmp_path, "q.jsonl", [{"question": "Who?"}, {"question": 1}])
    with pytest.raises(BadQuestions, match="'7' comes twice"):
        questions(tmp_path, "q.jsonl", [{"question": "Who?", "id": 7}, {"question": "Why?", "id": "7"}])


def test_read_longbench_writes_each_context_once(tmp_path: Path) -> None:
    record = {"input": "Who?", "context": "Ann\r\nkeeps it.", "answers": ["Ann", "Ann Lee"], "dataset": "qasper"}
    first, second, third = questions(
        tmp_path, "l.jsonl", [record | {"_id": "a"}, record | {"_id": "b"}, record | {"_id": "c", "context": "Ben"}]
    )
    assert (first.id, first.answers, first.dataset, first.task_type) == ("a", ("Ann", "Ann Lee"), "qasper", "qasper")
    assert first.docs == second.docs != third.docs
    assert first.docs[0].read_bytes().decode() == "Ann\r\nkeeps it."
    assert len(list((tmp_path / "written").iterdir())) == 2
    with pytest.raises(BadQuestions, match="line 1: input is missing"):
        questions(tmp_path, "l.jsonl", [{"context": "x"}])
    with pytest.raises(BadQuestions, match="answers is not a list"):
        questions(tmp_path, "l.jsonl", [{"context": "x", "input": "q", "answers": [1]}])


def test_read_longbench_v2_as_multiple_choice(tmp_path: Path) -> None:
    choices = {f"choice_{letter}": f"option {letter}" for letter in "ABCD"}
    record = {"_id": "x", "question": "Which?", "context": "text", "answer": "C", "domain": "law", "sub_domain": "tax"}
    [first] = questions(tmp_path, "v2.jsonl", [record | choices])
    assert first.options == ("option A", "option B", "option C", "option D")
    assert (first.answers, first.dataset, first.task_type) == (("C",), "law", "tax")


def squad(**change: Any) -> dict[str, Any]:
    qas = [
        {"id": "1", "question": "Who?", "answers": [{"text": "Ben", "answer_start": 0}], "is_impossible": False},
        {"id": "2", "question": "When?", "answers": [], "is_impossible": True},
        {"id": "3", "question": "What?", "answers": [{"text": "bell", "answer_start": 3}]},
    ]
    paragraphs = [{"context": "Ann keeps it.", "qas": []}, {"context": "Ben rings the bell.", "qas": qas}]
    return {"data": [{"title": "The light / tower", "paragraphs": paragraphs} | change]}


def test_read_squad_with_articles_as_documents_and_answers_as_evidence(tmp_path: Path) -> None:
    first, second, third = questions(tmp_path, "dev.json", squad())
    assert first.docs == second.docs == third.docs
    text = first.docs[0].read_text()
    assert text == "Ann keeps it.\n\nBen rings the bell."
    assert first.docs[0].name.startswith("The_light_tower-")
    assert first.evidence is not None
    assert text[first.evidence[0].start : first.evidence[0].end] == "Ben"
    assert (second.unanswerable, second.answers, second.evidence) == (True, (), None)
    assert third.evidence is None  # the text is not at that place
    with pytest.raises(BadQuestions, match="not in SQuAD's format"):
        questions(tmp_path, "dev.json", {"data": [{}]})
    with pytest.raises(BadQuestions, match="not in SQuAD's format"):
        questions(tmp_path, "dev.json", "[1]")


@pytest.mark.parametrize("name", ["q.txt", "q.jsonl", "q.csv", "q.json"])
def test_read_missing_or_empty_file_raises_bad_questions(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadQuestions):
        read(tmp_path / name, tmp_path / "written")
    (tmp_path / name).write_text("")
    with pytest.raises(BadQuestions):
        read(tmp_path / name, tmp_path / "written")
    (tmp_path / name).write_bytes(b"\xff\xfe")
    with pytest.raises(BadQuestions):
        read(tmp_path / name, tmp_path / "written")


def test_read_folder_as_dataset(tmp_path: Path) -> None:
    with pytest.raises(NoSuchPath, match=r"questions\.jsonl"):
        read(tmp_path, tmp_path / "written")


def test_read_rewrites_a_truncated_document(tmp_path: Path) -> None:
    record = {"question": "Who?", "context": "Ann keeps the light. " * 50}
    [first] = questions(tmp_path, "l.jsonl", [record])
    whole = first.docs[0].read_text()
    first.docs[0].write_text(whole[:100])
    [again] = questions(tmp_path, "l.jsonl", [record])
    assert again.docs == first.docs
    assert again.docs[0].read_text() == whole == record["context"]


def test_read_interrupted_leaves_no_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(self: Path, data: bytes) -> None:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_half)
        with pytest.raises(KeyboardInterrupt):
            questions(tmp_path, "l.jsonl", [{"question": "Who?", "context": "Ann keeps the light."}])
    assert list((tmp_path / "written").iterdir()) == []


def test_read_writes_a_document_with_a_lone_surrogate(tmp_path: Path) -> None:
    [question] = questions(tmp_path, "l.jsonl", [{"question": "Who?", "context": "Ann\ud800 keeps it."}])
    assert question.docs[0].read_text() == "Ann? keeps it."
