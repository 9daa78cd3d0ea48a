"""The model chooses how to look for the answer before it reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fakes import HashingEmbedder, corpus_of, run_pipeline

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.scripted import ScriptedBackend
from lcrag.pipelines import PIPELINES, AskFirst
from lcrag.pipelines.ask_first import LISTED
from lcrag.retrieve.rank import retrieve
from lcrag.types import Answer, Task

QUESTION = "How many ships did Anna see?"
TEXTS = {
    f"{place:03}.md": f"# Log {place} of a ship that Anna kept for years\n\n"
    + f"Anna saw {place} ships. The sea was calm. " * 40
    for place in range(60)
}


def ask(folder: Path, pipeline: AskFirst, said: str) -> tuple[Answer, list[Task]]:
    backend = ScriptedBackend(lambda task: said if task.role == "choose" else "Anna saw 3 ships [1].")
    with corpus_of(folder, TEXTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=HashingEmbedder())
        return run_pipeline(pipeline, QUESTION, corpus, ranking, backend), backend.tasks


@pytest.mark.parametrize(
    ("pipeline", "said", "tokens", "step"),
    [
        (AskFirst("documents", 900), "retrieve", 900, "chunk_rag"),
        (AskFirst("documents", 900), '{"choice": "everything"}', 99_999, "full_context"),
        (AskFirst("documents", 900), "I do not know", 900, "chunk_rag"),
        (AskFirst("question", 2000), "Simple.", 1000, "chunk_rag"),
        (AskFirst("question", 2000), "several", 2000, "chunk_rag"),
        (AskFirst("question", 2000), "complex", 99_999, "full_context"),
    ],
)
def test_the_way_that_was_chosen_is_taken(
    tmp_path: Path, pipeline: AskFirst, said: str, tokens: int, step: str
) -> None:
    answer, [choosing, answering] = ask(tmp_path, pipeline, said)
    assert choosing.passages == ()
    assert [one.pipeline for one in answer.steps] == [step]
    read = sum(passage.tokens for passage in answering.passages)
    assert 0.6 * tokens < read <= tokens if step == "chunk_rag" else read > 15_000
    assert (answer.usage.calls, answering.role) == (2, "answer")


def test_documents_are_seen_by_name_length_and_first_line(tmp_path: Path) -> None:
    _, [choosing, _] = ask(tmp_path / "documents", AskFirst("documents"), "retrieve")
    [note] = choosing.notes
    assert "007.md, " in note
    assert "tokens: # Log 7 of a ship that Anna kept for years\n" in note
    assert f"and {len(TEXTS) - LISTED} more" in note
    assert note.count(".md, ") == LISTED
    _, [alone, _] = ask(tmp_path / "question", AskFirst("question"), "simple")
    assert ".md" not in alone.notes[0]


@pytest.mark.parametrize(
    ("question", "step"), [("Who saw three ships?", "chunk_rag"), ("List all ships.", "full_context")]
)
def test_embedded_backend_chooses_by_the_kind_of_question(tmp_path: Path, question: str, step: str) -> None:
    with corpus_of(tmp_path, TEXTS) as corpus:
        ranking = retrieve(corpus, question, embedder=None)
        for by in ("documents", "question"):
            answer = run_pipeline(AskFirst(by), question, corpus, ranking, EmbeddedBackend(None))  # type: ignore[arg-type]
            assert answer.steps[0].pipeline == step


def test_no_more_documents_are_listed_than_a_quarter_of_the_window_holds(tmp_path: Path) -> None:
    backend = ScriptedBackend(lambda task: "retrieve", window=1400)
    with corpus_of(tmp_path, TEXTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=HashingEmbedder())
        run_pipeline(AskFirst("documents", 100), QUESTION, corpus, ranking, backend)
    [note] = backend.tasks[0].notes
    lines = [line for line in note.splitlines() if ".md, " in line]
    assert len(lines) < LISTED
    assert 330 < sum(len(line.split()) for line in lines) <= 350
    assert f"and {len(TEXTS) - len(lines)} more" in note


def test_the_router_does_not_offer_it() -> None:
    assert AskFirst.name not in PIPELINES
