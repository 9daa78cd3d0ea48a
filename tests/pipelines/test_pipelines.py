"""What each pipeline asks for, in which order, and what it does when it does not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fakes import corpus_of, nobody

from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import BackendFailed, DoesNotFit
from lcrag.prompts import NOT_FOUND
from lcrag.retrieve import retrieve
from lcrag.types import Answer, Completion, Estimate, Event, Pipeline, Task
from pipelines import ChainOfAgents, ChunkRag, Compression, Escalate, FullContext
from pipelines.compression import WIDER
from pipelines.outcome import INSTRUCTION_TOKENS

LINES = [
    f"Boat {number} carries {number * 3} crates of tea from Port {number % 7} to the island." for number in range(300)
]
DOCUMENTS = {"a.md": "\n\n".join(LINES[:150]), "b.md": "\n\n".join(LINES[150:])}
QUESTION = "How many crates does Boat 217 carry?"


def ask(
    folder: Path,
    pipeline: Pipeline,
    replies: Callable[[Task], str],
    *,
    window: int = 100_000,
    question: str = QUESTION,
    events: list[Event] | None = None,
) -> tuple[Answer, list[Task]]:
    backend = ScriptedBackend(replies, window=window)
    with corpus_of(folder, DOCUMENTS) as corpus:
        ranking = retrieve(corpus, question, embedder=None)
        emit = events.append if events is not None else nobody
        return pipeline.answer(question, corpus, ranking, backend, emit), backend.tasks


def holder(task: Task) -> str:
    """Answers as a good model would: from the passage or note that holds the line, or not at all."""
    for passage in task.passages:
        if LINES[217] in passage.text:
            return f"{LINES[217]} [{passage.marker}]"
    for note in task.notes if task.role == "synthesise" else ():
        if LINES[217] in note:
            return note
    return NOT_FOUND


def test_full_context_reads_everything_in_order_at_once(tmp_path: Path) -> None:
    answer, [task] = ask(tmp_path, FullContext(), holder)
    assert "".join(passage.text for passage in task.passages) == "".join(DOCUMENTS.values())
    assert answer.citations[0].quote == LINES[217]
    assert answer.citations[0].source.endswith("b.md")


def test_full_context_that_does_not_fit_says_by_how_much(tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit) as refused:
        ask(tmp_path, FullContext(), holder, window=3000)
    assert refused.value.window == 3000
    assert refused.value.tokens > 3000
    assert "chain_of_agents" in refused.value.hint


def test_chunk_rag_takes_the_best_within_its_budget_in_document_order(tmp_path: Path) -> None:
    events: list[Event] = []
    answer, [task] = ask(tmp_path, ChunkRag(600), holder, events=events)
    assert sum(passage.tokens for passage in task.passages) <= 600
    assert [(p.source, p.start) for p in task.passages] == sorted((p.source, p.start) for p in task.passages)
    assert answer.citations[0].quote == LINES[217]
    assert answer.tokens_read == sum(passage.tokens for passage in task.passages)
    assert [event.kind for event in events] == ["retrieve", "citation"]


def test_chunk_rag_that_finds_nothing_in_a_part_does_not_claim_that_it_is_not_there(tmp_path: Path) -> None:
    answer, _ = ask(tmp_path, ChunkRag(600), lambda task: "not found.")
    assert answer.status == "not_retrieved"
    answer, _ = ask(tmp_path / "all", ChunkRag(1_000_000), lambda task: NOT_FOUND)
    assert answer.status == "not_found"


def test_chain_of_agents_reads_all_of_it_piece_by_piece_and_passes_notes_on(tmp_path: Path) -> None:
    events: list[Event] = []
    answer, tasks = ask(tmp_path, ChainOfAgents(worker_tokens=800), holder, events=events)
    *workers, manager = tasks
    assert "".join(p.text for task in workers for p in task.passages) == "".join(DOCUMENTS.values())
    assert [task.role for task in workers] == ["note"] * len(workers)
    assert (manager.role, manager.passages) == ("synthesise", ())
    found = next(number for number, task in enumerate(workers) if LINES[217] in "".join(p.text for p in task.passages))
    assert [len(task.notes) for task in workers] == [0] * (found + 1) + [1] * (len(workers) - found - 1)
    assert answer.citations[0].quote == LINES[217]
    assert [event.data["status"] for event in events if event.kind == "worker"].count("noted") == 1
    assert answer.usage.calls == len(tasks)


def test_chain_of_agents_without_any_note_asks_no_manager(tmp_path: Path) -> None:
    answer, tasks = ask(tmp_path, ChainOfAgents(worker_tokens=800), lambda task: NOT_FOUND)
    assert {task.role for task in tasks} == {"note"}
    assert answer.status == "not_found"


def test_chain_of_agents_merges_notes_that_grow_too_long(tmp_path: Path) -> None:
    def talkative(task: Task) -> str:
        return "word " * 400 + f"[{task.passages[0].marker}]" if task.passages else "the gist"

    _, tasks = ask(tmp_path, ChainOfAgents(worker_tokens=500), talkative)
    assert "summarise" in [task.role for task in tasks]
    assert max(len(" ".join(task.notes).split()) for task in tasks) <= 4 * 512 + 512


def test_chain_of_agents_makes_its_pieces_fit_a_small_window(tmp_path: Path) -> None:
    _, tasks = ask(tmp_path, ChainOfAgents(), holder, window=2000)
    assert len(tasks) > 4
    with pytest.raises(DoesNotFit):
        ask(tmp_path / "tiny", ChainOfAgents(), holder, window=700)


@pytest.mark.parametrize("window", [1700, 2000, 4000, 9000])
def test_chain_of_agents_never_asks_for_more_than_the_window(tmp_path: Path, window: int) -> None:
    needed: list[int] = []

    class Measuring(ScriptedBackend):
        def run(self, tasks: Sequence[Task], *, max_tokens: int) -> list[Completion]:
            done = super().run(tasks, max_tokens=max_tokens)
            needed.extend(one.usage.input_tokens + INSTRUCTION_TOKENS + max_tokens for one in done)
            return done

    pipeline = ChainOfAgents()
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=None)
        backend = Measuring(lambda task: "word " * 2000 + "[1]", window=window)
        pipeline.answer(QUESTION, corpus, ranking, backend, nobody)
        work = pipeline.workload(Estimate(0.5, 100, (), 1.0), corpus.size, window)
    assert max(needed) <= work.longest_prompt <= window


def test_chain_of_agents_with_small_workers_reads_a_chunk_at_a_time(tmp_path: Path) -> None:
    answer, tasks = ask(tmp_path, ChainOfAgents(worker_tokens=10), holder)
    assert {len(task.passages) for task in tasks[:-1]} == {1}
    assert answer.citations[0].quote == LINES[217]


def test_chain_of_agents_whose_merged_notes_hold_nothing_goes_on_without(tmp_path: Path) -> None:
    def forgetful(task: Task) -> str:
        return "word " * 600 if task.role == "note" else NOT_FOUND

    answer, tasks = ask(tmp_path, ChainOfAgents(worker_tokens=500), forgetful)
    merged = [place for place, task in enumerate(tasks) if task.role == "summarise"]
    assert merged
    assert all(task.notes == () for place in merged for task in tasks[place + 1 : place + 2])
    assert max(len(task.notes) for task in tasks) > 1
    assert NOT_FOUND not in [note for task in tasks for note in task.notes]
    assert answer.status == "not_found"


@pytest.mark.parametrize("over", ["hits", "corpus"])
def test_compression_keeps_the_sentences_that_matter_within_its_budget(tmp_path: Path, over: str) -> None:
    events: list[Event] = []
    answer, [task] = ask(tmp_path, Compression(400, over), holder, events=events)  # type: ignore[arg-type]
    kept = sum(passage.tokens for passage in task.passages)
    assert kept <= 400
    assert answer.citations[0].quote == LINES[217]
    seen = events[0].data["compressed_from"]
    assert (kept < seen <= WIDER * 400) if over == "hits" else seen == 3900
    assert events[0].data["ratio"] == round(seen / kept, 2)


def test_compression_keeps_one_sentence_whatever_the_budget(tmp_path: Path) -> None:
    answer, [task] = ask(tmp_path, Compression(1), holder)
    assert [passage.text for passage in task.passages] == [LINES[217] + "\n\n"]
    assert answer.citations[0].quote == LINES[217]


def test_compression_finds_sentences_in_a_script_without_spaces(tmp_path: Path) -> None:
    said = "灯台守は一羽のカラスを飼っていた。"
    text = "港には船が多い。" * 200 + said + "朝は霧が深い。" * 200
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    with corpus_of(tmp_path, {"a.md": text}) as corpus:
        ranking = retrieve(corpus, "カラスを飼っていたのは誰か", embedder=None)
        Compression(1, "corpus").answer("カラスを飼っていたのは誰か", corpus, ranking, backend, nobody)
    [task] = backend.tasks
    assert [passage.text for passage in task.passages] == [said]


def test_compression_leaves_what_fits_alone(tmp_path: Path) -> None:
    _, [task] = ask(tmp_path, Compression(100_000, "corpus"), holder)
    assert "".join(passage.text for passage in task.passages) == "".join(DOCUMENTS.values())


def test_escalate_stops_when_the_first_step_answers(tmp_path: Path) -> None:
    answer, tasks = ask(tmp_path, Escalate(600), holder)
    assert len(tasks) == 1
    assert [step.pipeline for step in answer.steps] == ["chunk_rag"]


def test_escalate_goes_on_to_everything_and_adds_up(tmp_path: Path) -> None:
    events: list[Event] = []
    asked: list[Task] = []

    def late(task: Task) -> str:
        asked.append(task)
        return NOT_FOUND if len(asked) == 1 else holder(task)

    answer, tasks = ask(tmp_path, Escalate(600), late, events=events)
    assert [step.pipeline for step in answer.steps] == ["chunk_rag", "full_context"]
    assert [step.status for step in answer.steps] == ["not_retrieved", "answered"]
    assert answer.usage.calls == len(tasks) == 2
    assert [event.data["to"] for event in events if event.kind == "escalate"] == ["full_context"]


def test_escalate_goes_round_what_does_not_fit(tmp_path: Path) -> None:
    events: list[Event] = []
    answer, _ = ask(tmp_path, Escalate(600), lambda task: NOT_FOUND, window=3000, events=events)
    assert [step.pipeline for step in answer.steps] == ["chunk_rag", "chain_of_agents"]
    assert answer.status == "not_found"
    assert [
        (event.data["from"], event.data["to"], event.data["status"]) for event in events if event.kind == "escalate"
    ] == [
        ("chunk_rag", "full_context", "not_retrieved"),
        ("full_context", "chain_of_agents", "does_not_fit"),
    ]
    with pytest.raises(DoesNotFit):
        ask(tmp_path / "tiny", Escalate(600), holder, window=100)


@pytest.mark.parametrize("pipeline", [ChunkRag(4000), Compression(4000), FullContext()])
def test_what_does_not_fit_is_refused_before_anything_is_asked(tmp_path: Path, pipeline: Pipeline) -> None:
    asked: list[Task] = []
    with pytest.raises(DoesNotFit) as refused:
        ask(tmp_path, pipeline, lambda task: asked.append(task) or NOT_FOUND, window=3000)  # type: ignore[func-returns-value]
    assert (refused.value.window, asked) == (3000, [])
    assert refused.value.tokens > 3000
    assert refused.value.hint


@pytest.mark.parametrize("pipeline", [ChunkRag(), Compression()])
def test_no_hit_in_documents_is_not_taken_for_reading_them(tmp_path: Path, pipeline: Pipeline) -> None:
    answer, tasks = ask(tmp_path, pipeline, holder, question="Zanzibar?")
    assert (answer.status, answer.tokens_read, tasks) == ("not_retrieved", 0, [])


def test_escalate_reads_everything_when_there_is_no_hit(tmp_path: Path) -> None:
    answer, _ = ask(tmp_path, Escalate(), holder, question="Zanzibar?")
    assert [step.status for step in answer.steps] == ["not_retrieved", "answered"]


@pytest.mark.parametrize("pipeline", [ChunkRag(600), FullContext(), Escalate(600)])
def test_a_marker_alone_is_no_answer(tmp_path: Path, pipeline: Pipeline) -> None:
    answer, _ = ask(tmp_path, pipeline, lambda task: "[1][99]")
    assert (answer.text, answer.status) == ("", "not_retrieved" if isinstance(pipeline, ChunkRag) else "not_found")


def test_a_backend_that_fails_is_not_hidden(tmp_path: Path) -> None:
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=None)
        backend = ScriptedBackend(["a note [1]", BackendFailed("gone")])
        with pytest.raises(BackendFailed, match="gone"):
            ChainOfAgents(500).answer(QUESTION, corpus, ranking, backend, nobody)
    assert len(backend.tasks) == 2
