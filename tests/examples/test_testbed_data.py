"""The test bed's data: repeatable for a seed, right when solved from the text, and a corpus that lcrag reads."""

from __future__ import annotations

import importlib
import json
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

from lcrag import ingest
from lcrag.comparison import dataset

TESTBED = Path(__file__).parents[2] / "examples" / "testbed"
TASKS = ("single", "para", "twohop", "list", "count", "maxmin", "absent")
ROLES = ("answer", "note", "synthesise", "merge", "compress", "judge")


def module(name: str) -> ModuleType:
    if str(TESTBED) not in sys.path:
        sys.path.insert(0, str(TESTBED))
    return importlib.import_module(name)


worlds = module("worlds")
check_data = module("check_data")
corpus = module("corpus")


def estimate(text: str) -> int:
    return len(text) // 4


def test_worlds_names_the_tasks_and_roles() -> None:
    assert worlds.TASKS == TASKS
    assert worlds.ROLES == ROLES


@pytest.mark.parametrize("role", ROLES)
def test_training_document_depends_on_its_seed(role: str) -> None:
    one, same, other = (worlds.training_document(random.Random(seed), 512, role) for seed in (3, 3, 4))
    assert one == same
    assert one != other


def test_example_depends_on_its_seed() -> None:
    one, same = (worlds.example(random.Random(8), "list", "note", 800, estimate) for _ in range(2))
    assert one == same


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("task", TASKS)
def test_example_is_right_when_solved_from_its_text(task: str, role: str) -> None:
    r = random.Random(f"{task} {role}")
    for tokens in (320, 512, 512, 1024, 1024, 1600):
        made = worlds.example(r, task, role, tokens, estimate)
        assert check_data.check_example(made) is None
        assert not made.passages or estimate(made.prompt) <= tokens


@pytest.mark.parametrize("role", ROLES)
def test_training_document_is_right_when_solved_from_its_text(role: str) -> None:
    r = random.Random(role)
    for tokens in (200, 300, 512, 512, 1024, 1024, 2048, 4096):
        segments = worlds.training_document(r, tokens, role)
        assert segments
        assert check_data.check_training(role, segments) == []


def test_indirect_questions_share_no_word_with_their_answers() -> None:
    assert check_data.shared_words() == []


def test_correct_judges_text_and_citations() -> None:
    made = worlds.Example("list", "answer", "", "copper wire [3], dried apples [5]", (3, 5), "", (), (3, 5))
    assert worlds.correct(made, " dried apples [5], copper wire [3]")
    assert not worlds.correct(made, "dried apples [5], copper wire [4]")
    assert worlds.value_correct(made, "dried apples [5], copper wire [4]")
    assert not worlds.value_correct(made, "dried apples [5]")
    assert worlds.lines_found(made, "dried apples [5]") == 0.5
    hops = worlds.Example("twohop", "answer", "", "Ann Bel [3] = Tolland [5]", (5,), "", (), (3, 5))
    assert worlds.correct(hops, " Tolland [5]")
    assert not worlds.correct(hops, " Ann Bel [3]")
    counted = worlds.Example("count", "answer", "", "[3] [5] [5] = 3", (3, 5, 5), "", (), (3, 5, 5))
    assert worlds.correct(counted, " [3] [5] [5] = 3")
    assert not worlds.correct(counted, " [3] [4] [5] = 3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("world")
    corpus.write(made, tokens=3000, number=28, seed=5)
    return made


def documents(folder: Path, questions: list[dataset.Question]) -> dict[Path, str]:
    return {doc: ingest.read(ingest.SourceFile(str(doc), str(doc), 0, 0)).text for doc in questions[0].docs}


def test_corpus_spans_hold_the_evidence(folder: Path) -> None:
    questions = dataset.load(folder)
    texts = documents(folder, questions)
    records = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {question.task_type for question in questions} == set(TASKS)
    for question, record in zip(questions, records, strict=True):
        assert question.evidence is not None
        assert [texts[span.doc][span.start : span.end] for span in question.evidence] == record["evidence"]
        assert question.unanswerable == (question.task_type == "absent") == (not record["evidence"])


def test_corpus_documents_answer_its_questions(folder: Path) -> None:
    questions = dataset.load(folder)
    texts = list(enumerate(documents(folder, questions).values(), 1))
    for question in questions:
        solved = worlds.bare(worlds.final(check_data.solved(check_data.understood(question.question), texts)))
        right = question.answers[0] if question.answers else "NOT FOUND"
        assert sorted(solved.split(", ")) == sorted(right.split(", "))


def test_corpus_formats_read_back_what_was_written(tmp_path: Path) -> None:
    corpus.write(tmp_path, tokens=24000, number=60, seed=2)
    questions = dataset.load(tmp_path)
    suffixes = {doc.suffix for doc in questions[0].docs}
    assert suffixes == {".md", ".txt", ".html", ".csv", ".docx", ".eml"}
    assert len(questions) == 60
