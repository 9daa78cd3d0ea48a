"""Generated worlds: the same for a seed, right when solved from their texts, and a corpus that lcrag reads."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support import world_solver
from worlds import corpus
from worlds.world import TASKS, World, answer, laid_out, worker_note

from lcrag import ingest
from lcrag.comparison import dataset


def world(seed: int, tokens: int = 1000) -> World:
    return World(random.Random(seed), tokens * 3)


def test_world_depends_on_its_seed() -> None:
    one, same, other = ([text for text, _ in world(seed).units] for seed in (3, 3, 4))
    assert one == same
    assert one != other


@pytest.mark.parametrize("tokens", [300, 1000, 4000])
@pytest.mark.parametrize("task", TASKS)
def test_answer_is_right_when_solved_from_the_passages(task: str, tokens: int) -> None:
    solved = 0
    for seed in range(30):
        made = world(seed, tokens)
        asked = made.ask(task)
        if asked is None:  # a small world may have nothing of this kind
            continue
        texts = [passage.text for passage in laid_out(made.r, made, tokens)]
        found = world_solver.solved(asked.question, texts)
        right = answer(asked)
        assert sorted(found) == (sorted(right.split(", ")) if right else []), asked.question
        solved += 1
    assert solved >= 10


def test_laid_out_gives_each_fact_the_marker_of_its_passage() -> None:
    made = world(5, 3000)
    passages = {passage.marker: passage.text for passage in laid_out(made.r, made, 3000)}
    facts = [fact for _, fact in made.units if fact is not None]
    assert len(facts) > 20
    for fact in facts:
        assert fact.text in passages[fact.marker]
        assert worker_note([fact]) == f"{fact.text} [{fact.marker}]"


def test_indirect_questions_share_no_word_with_their_answers() -> None:
    assert world_solver.shared_words() == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("world")
    corpus.write(made, tokens=3000, number=28, seed=5)
    return made


def documents(questions: list[dataset.Question]) -> dict[Path, str]:
    return {doc: ingest.read(ingest.SourceFile(str(doc), str(doc), 0, 0)).text for doc in questions[0].docs}


def test_corpus_spans_hold_the_evidence(folder: Path) -> None:
    questions = dataset.load(folder)
    texts = documents(questions)
    records = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {question.task_type for question in questions} == set(TASKS)
    for question, record in zip(questions, records, strict=True):
        assert question.evidence is not None
        assert [texts[span.doc][span.start : span.end] for span in question.evidence] == record["evidence"]
        assert question.unanswerable == (question.task_type == "absent") == (not record["evidence"])


def test_corpus_documents_answer_its_questions(folder: Path) -> None:
    questions = dataset.load(folder)
    texts = list(documents(questions).values())
    for question in questions:
        right = question.answers[0].split(", ") if question.answers else []
        assert sorted(world_solver.solved(question.question, texts)) == sorted(right)


def test_corpus_formats_read_back_what_was_written(tmp_path: Path) -> None:
    corpus.write(tmp_path, tokens=24000, number=60, seed=2)
    questions = dataset.load(tmp_path)
    suffixes = {doc.suffix for doc in questions[0].docs}
    assert suffixes == {".md", ".txt", ".html", ".csv", ".docx", ".eml"}
    assert len(questions) == 60
