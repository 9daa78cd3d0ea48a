"""What each pipeline asks for, in which order, and what it does when it does not fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import corpus_of, run_pipeline

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import BackendFailed, DoesNotFit
from lcrag.pipelines import ChainOfAgents, ChunkRag, Compression, Escalate, FullContext, Pipeline, Run
from lcrag.pipelines._prune import hit_scores
from lcrag.pipelines.compression import WIDER
from lcrag.planning.scale import frame_tokens
from lcrag.retrieve.rank import retrieve
from lcrag.text import prompts
from lcrag.text.passages import passages
from lcrag.text.prompts import ANSWER_TOKENS, NOT_FOUND
from lcrag.types import (
    Answer,
    Chunk,
    Completion,
    CorpusSize,
    Estimate,
    Event,
    Hit,
    OnToken,
    Ranking,
    Reranker,
    Task,
    ignore,
)

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
        emit = events.append if events is not None else ignore
        return run_pipeline(pipeline, question, corpus, ranking, backend, emit), backend.tasks


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
        ask(tmp_path, FullContext(), holder, window=1190)
    assert refused.value.window == 1190
    assert refused.value.tokens > 1190
    assert "chain_of_agents" in refused.value.hint


def test_full_context_beyond_the_window_asks_document_by_document_and_says_so(tmp_path: Path) -> None:
    events: list[Event] = []
    answer, tasks = ask(tmp_path, FullContext(), holder, window=4000, events=events)
    assert [task.role for task in tasks] == ["answer", "answer"]  # only one part found something: nothing to merge
    assert ["".join(p.text for p in task.passages) for task in tasks] == list(DOCUMENTS.values())
    assert answer.citations[0].quote == LINES[217]
    assert answer.tokens_read == answer_size(tmp_path)
    [read] = [event.data for event in events if event.kind == "retrieve"]
    assert read["parts"] == 2
    assert "exceed the window" in read["message"]


def test_full_context_that_nearly_fills_the_window_is_counted_as_one_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Near the window a sample does not decide, and a server takes seconds to count a thousand chunks."""
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        whole = prompts.prefix(passages(corpus.chunks()))
    counted: list[str] = []
    count = ScriptedBackend.count_many
    monkeypatch.setattr(ScriptedBackend, "count_many", lambda self, texts: counted.extend(texts) or count(self, texts))
    overhead = frame_tokens("answer", QUESTION, ScriptedBackend(holder)) + ANSWER_TOKENS
    needed = len(whole.split()) + overhead
    _, tasks = ask(tmp_path / "just", FullContext(), holder, window=needed)
    assert len(tasks) == 1
    assert any(LINES[0] in text and LINES[-1] in text for text in counted)
    assert len(counted) < 30
    _, tasks = ask(tmp_path / "not", FullContext(), holder, window=needed - 20)
    assert len(tasks) == 2


def test_full_context_in_parts_answers_from_what_the_parts_answered(tmp_path: Path) -> None:
    def both(task: Task) -> str:
        return f"{LINES[3]} [1]" if task.role == "answer" else "; ".join(task.notes)

    answer, tasks = ask(tmp_path, FullContext(), both, window=4000)
    assert [task.role for task in tasks] == ["answer", "answer", "synthesise"]
    assert tasks[-1].passages == ()
    assert len(tasks[-1].notes) == 2
    assert answer.status == "answered"
    nothing, tasks = ask(tmp_path / "none", FullContext(), lambda task: NOT_FOUND, window=4000)
    assert (nothing.status, len(tasks)) == ("not_found", 2)


def answer_size(folder: Path) -> int:
    """Tokens of the corpus by the index's own count."""
    with corpus_of(folder / "again", DOCUMENTS) as corpus:
        return corpus.size.tokens


def test_chunk_rag_takes_the_best_within_its_budget_in_document_order(tmp_path: Path) -> None:
    events: list[Event] = []
    answer, [task] = ask(tmp_path, ChunkRag(600), holder, events=events)
    assert sum(passage.tokens for passage in task.passages) <= 600
    assert [(p.source, p.start) for p in task.passages] == sorted((p.source, p.start) for p in task.passages)
    assert answer.citations[0].quote == LINES[217]
    assert 0 < answer.tokens_read < answer_size(tmp_path)  # by the index's tokens, of which there are more than words
    assert [event.kind for event in events] == ["retrieve", "citation"]


def test_chunk_rag_that_finds_nothing_in_a_part_is_not_retrieved(tmp_path: Path) -> None:
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
    holding = next(
        number for number, task in enumerate(workers) if LINES[217] in "".join(p.text for p in task.passages)
    )
    assert [len(task.notes) for task in workers] == [0] * (holding + 1) + [1] * (len(workers) - holding - 1)
    assert answer.citations[0].quote == LINES[217]
    assert [event.data["status"] for event in events if event.kind == "worker"].count("noted") == 1
    assert answer.usage.calls == len(tasks)


def test_chain_of_agents_as_a_tree_asks_all_workers_at_once(tmp_path: Path) -> None:
    backend = ScriptedBackend(holder)
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=None)
        events: list[Event] = []
        answer = run_pipeline(ChainOfAgents(800, "tree"), QUESTION, corpus, ranking, backend, events.append)
    assert backend.batches == [len(backend.tasks) - 1, 1]
    assert all(task.notes == () for task in backend.tasks[:-1])
    assert "".join(p.text for task in backend.tasks[:-1] for p in task.passages) == "".join(DOCUMENTS.values())
    assert answer.citations[0].quote == LINES[217]
    assert [event.data["status"] for event in events if event.kind == "worker"].count("noted") == 1


def test_merge_notes_merges_many_level_by_level(tmp_path: Path) -> None:
    def talkative(task: Task) -> str:
        words = " ".join(map(str, range(299)))
        return f"{words} and [{task.passages[0].marker}]" if task.passages else f"{words} [1]"

    backend = ScriptedBackend(talkative, window=4000)
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=None)
        run_pipeline(ChainOfAgents(200, "tree"), QUESTION, corpus, ranking, backend, ignore)
    workers, *levels, manager = backend.batches
    assert workers > 12
    assert levels == sorted(levels, reverse=True)
    assert len(levels) >= 2
    assert manager == 1
    merges = [task for task in backend.tasks if task.role == "summarise"]
    assert all(len(task.notes) >= 1 and len(" ".join(task.notes).split()) <= 1000 for task in merges)


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
@pytest.mark.parametrize("pipeline", [ChainOfAgents(), ChainOfAgents(8000, "tree")])
def test_chain_of_agents_never_asks_for_more_than_the_window(
    tmp_path: Path, pipeline: ChainOfAgents, window: int
) -> None:
    needed: list[int] = []

    class Measuring(ScriptedBackend):
        def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
            done = super().run(tasks, max_tokens=max_tokens)
            for task in tasks:
                rendered = " ".join(message["content"] for message in prompts.messages(task))
                needed.append(self.count_many([rendered])[0] + max_tokens)
            return done

    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=None)
        backend = Measuring(lambda task: "word " * 2000 + "[1]", window=window)
        run_pipeline(pipeline, QUESTION, corpus, ranking, backend, ignore)
        work = pipeline.workload(Estimate(0.5, 100, (), 1.0), corpus.size, window)
    assert max(needed) <= work.longest_prompt <= window


def test_chain_of_agents_with_small_workers_reads_a_chunk_at_a_time(tmp_path: Path) -> None:
    answer, tasks = ask(tmp_path, ChainOfAgents(worker_tokens=10), holder)
    assert {len(task.passages) for task in tasks[:-1]} == {1}
    assert answer.citations[0].quote == LINES[217]


def test_merge_notes_drops_merges_that_hold_nothing(tmp_path: Path) -> None:
    def forgetful(task: Task) -> str:
        return " ".join(map(str, range(600))) if task.role == "note" else NOT_FOUND

    answer, tasks = ask(tmp_path, ChainOfAgents(worker_tokens=500), forgetful)
    merged = [place for place, task in enumerate(tasks) if task.role == "summarise"]
    assert merged
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
    sentence = "灯台守は一羽のカラスを飼っていた。"
    text = "港には船が多い。" * 200 + sentence + "朝は霧が深い。" * 200
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    with corpus_of(tmp_path, {"a.md": text}) as corpus:
        ranking = retrieve(corpus, "カラスを飼っていたのは誰か", embedder=None)
        run_pipeline(Compression(1, "corpus"), "カラスを飼っていたのは誰か", corpus, ranking, backend, ignore)
    [task] = backend.tasks
    assert [passage.text for passage in task.passages] == [sentence]


def test_compression_leaves_what_fits_alone(tmp_path: Path) -> None:
    _, [task] = ask(tmp_path, Compression(100_000, "corpus"), holder)
    assert "".join(passage.text for passage in task.passages) == "".join(DOCUMENTS.values())


def test_escalate_stops_when_the_first_step_answers(tmp_path: Path) -> None:
    answer, tasks = ask(tmp_path, Escalate(600), holder)
    assert len(tasks) == 1
    assert [step.pipeline for step in answer.steps] == ["chunk_rag"]


def test_escalate_continues_with_everything_and_adds_up(tmp_path: Path) -> None:
    events: list[Event] = []
    asked: list[Task] = []

    def late(task: Task) -> str:
        asked.append(task)
        return NOT_FOUND if len(asked) == 1 else holder(task)

    answer, tasks = ask(tmp_path, Escalate(2000), late, events=events)
    assert [step.pipeline for step in answer.steps] == ["chunk_rag", "full_context"]
    assert [step.status for step in answer.steps] == ["not_retrieved", "answered"]
    assert answer.usage.calls == len(tasks) == 2
    assert [event.data["to"] for event in events if event.kind == "escalate"] == ["full_context"]


def test_escalate_begins_the_second_step_with_the_first(tmp_path: Path) -> None:
    answer, tasks = ask(tmp_path, Escalate(300), lambda task: NOT_FOUND)
    assert [step.pipeline for step in answer.steps] == ["chunk_rag", "chunk_rag", "full_context"]
    first, second, whole = tasks
    assert len(second.passages) > len(first.passages)
    assert second.passages[: len(first.passages)] == first.passages
    shared = prompts.prefix(first.passages).removesuffix("</documents>\n\n")
    assert prompts.prefix(second.passages).startswith(shared)
    _, [alone] = ask(tmp_path / "alone", FullContext(), lambda task: NOT_FOUND)
    assert [p.text for p in whole.passages] == [p.text for p in alone.passages]


def test_escalate_skips_what_does_not_fit(tmp_path: Path) -> None:
    events: list[Event] = []
    answer, _ = ask(tmp_path, Escalate(1000), lambda task: NOT_FOUND, window=2500, events=events)
    assert [step.pipeline for step in answer.steps] == ["chunk_rag", "full_context"]
    assert answer.status == "not_found"
    assert [
        (event.data["from"], event.data["to"], event.data["status"]) for event in events if event.kind == "escalate"
    ] == [("chunk_rag", "full_context", "not_retrieved")]
    with pytest.raises(DoesNotFit):
        ask(tmp_path / "tiny", Escalate(600), holder, window=100)


def test_escalate_keeps_its_answer_when_a_later_step_fails(tmp_path: Path) -> None:
    def reply(task: Task) -> str:
        if sum(passage.tokens for passage in task.passages) > 1000:
            raise BackendFailed("gone")
        return NOT_FOUND

    events: list[Event] = []
    answer, _ = ask(tmp_path, Escalate(100), reply, events=events)
    assert answer.status == "not_retrieved"
    assert any("full_context failed: gone" in str(event.data.get("message")) for event in events)


@pytest.mark.parametrize("pipeline", [ChunkRag(4000), Compression(3500)])
def test_answer_refuses_what_does_not_fit_before_asking(tmp_path: Path, pipeline: Pipeline) -> None:
    asked: list[Task] = []
    with pytest.raises(DoesNotFit) as refused:
        ask(tmp_path, pipeline, lambda task: asked.append(task) or NOT_FOUND, window=2000)  # type: ignore[func-returns-value]
    assert (refused.value.window, asked) == (2000, [])
    assert refused.value.tokens > 2000
    fitting = re.match(r"tokens=(\d+), or a model with a longer window", refused.value.hint)
    assert fitting is not None
    assert ask(tmp_path / "less", replace(pipeline, tokens=int(fitting[1])), holder, window=2000)  # type: ignore[type-var]


@pytest.mark.parametrize("pipeline", [ChunkRag(), Compression()])
def test_answer_without_hits_has_read_nothing(tmp_path: Path, pipeline: Pipeline) -> None:
    answer, tasks = ask(tmp_path, pipeline, holder, question="Zanzibar?")
    assert (answer.status, answer.tokens_read, tasks) == ("not_retrieved", 0, [])


def test_escalate_reads_everything_when_there_is_no_hit(tmp_path: Path) -> None:
    answer, _ = ask(tmp_path, Escalate(), holder, question="Zanzibar?")
    assert [step.status for step in answer.steps] == ["answered"]


@pytest.mark.parametrize("pipeline", [ChunkRag(600), FullContext(), Escalate(600)])
def test_cite_takes_a_marker_alone_for_no_answer(tmp_path: Path, pipeline: Pipeline) -> None:
    answer, _ = ask(tmp_path, pipeline, lambda task: "[1][99]")
    assert (answer.text, answer.status) == ("", "not_retrieved" if isinstance(pipeline, ChunkRag) else "not_found")


def test_answer_raises_what_the_backend_raises(tmp_path: Path) -> None:
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=None)
        backend = ScriptedBackend(["a note [1]", BackendFailed("gone")])
        with pytest.raises(BackendFailed, match="gone"):
            run_pipeline(ChainOfAgents(500), QUESTION, corpus, ranking, backend, ignore)
    assert len(backend.tasks) == 2


def test_best_chunks_with_a_reranker_take_what_answers_first(tmp_path: Path, reader: Reranker) -> None:
    """By words alone every line of the calf's light is as good; one of them answers."""
    lines = [f"The light on the Calf was looked at by the board in the year {1700 + place}." for place in range(90)]
    lines[70] = "It was on the Calf that in 1871 Anna Holm lit the light for the very first time."
    question = "Who was first to light the light on the Calf?"
    with corpus_of(tmp_path, {"a.md": "\n\n".join(lines)}) as corpus:
        ranking = retrieve(corpus, question, embedder=None)
        backend = EmbeddedBackend(None)
        ranked = Run(question, corpus, ranking, backend).hits
        chunks = Run(question, corpus, ranking, backend, reader).best_chunks(300)
    places = [place for place, chunk in enumerate(ranked) if "Anna Holm" in chunk.text]
    assert set(chunks) <= set(ranked)
    assert sum(chunk.tokens for chunk in chunks) <= 300
    assert chunks.index(ranked[places[0]]) <= places[0]


@pytest.mark.parametrize("over", ["hits", "corpus"])
def test_compression_with_a_reranker_keeps_the_sentence_that_answers(
    tmp_path: Path, reader: Reranker, over: Literal["hits", "corpus"]
) -> None:
    fact = "Its keeper in those years was Anna Holm, who wrote a log."
    lines = list(LINES)
    lines[60:60] = [f"The light on the Calf was lit in 1871. {fact} 🦜 Né à Tolland."]
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    question = "Who was the keeper of the light on the Calf?"
    with corpus_of(tmp_path, {"a.md": "\n\n".join(lines)}) as corpus:
        ranking = retrieve(corpus, question, embedder=None)
        run_pipeline(Compression(200, over), question, corpus, ranking, backend, ignore, reader)
        [text] = [corpus.document(one).text for one, _, _ in corpus.documents()]
    [task] = backend.tasks
    assert fact in "".join(passage.text for passage in task.passages)
    for passage in task.passages:
        assert passage.text == "\n".join(text[start:end] for start, end in passage.parts)


@given(st.data())
def test_hit_scores_are_those_of_the_hit_around_each_place(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, 300), min_size=2, max_size=9)))
    scores = data.draw(st.lists(st.floats(0, 5), min_size=len(cuts) - 1, max_size=len(cuts) - 1))
    hits = [
        Hit(Chunk(place, "d", "a.md", start, end, "x" * (end - start), 1), score)
        for place, (start, end, score) in enumerate(zip(cuts, cuts[1:], scores, strict=False))
        if place % 3 != 1
    ]
    ranking = Ranking("q", tuple(hits), (), CorpusSize(1, 9, 9), False)
    offsets = data.draw(st.lists(st.integers(0, 320), max_size=9))
    best = max((hit.score for hit in hits), default=0.0)
    for offset, score in zip(offsets, hit_scores(ranking, [("d", offset) for offset in offsets]), strict=True):
        own = [hit.score for hit in hits if hit.chunk.start <= offset < hit.chunk.end]
        assert score == (own[0] / best if own and best else 0.0)
    assert hit_scores(ranking, [("another", 1)]) == [0.0]


@pytest.mark.parametrize("over", ["hits", "corpus"])
def test_compression_forecasts_more_evidence_with_a_reranker(over: Literal["hits", "corpus"]) -> None:
    size = CorpusSize(2, 900, 90_000)
    without = Estimate(0.5, 100, ((4000, 0.8), (90_000, 1.0)), 0.9)
    plain, reranked = (
        Compression(4000, over).workload(estimate, size, 9000)
        for estimate in (without, replace(without, reranker=True))
    )
    assert plain.evidence < reranked.evidence <= 0.8
    assert replace(plain, evidence=reranked.evidence) == reranked


def test_answer_that_a_document_denies_is_an_answer(tmp_path: Path) -> None:
    """A refusal in other words is one only where no document says it."""
    text = "It is not known who built the mill.\n\n" + "The sea was calm.\n\n" * 900
    question = "Who built the mill?"
    for reply, status in (
        ("It is not known who built the mill.", "answered"),
        ("The passages do not mention a builder.", "not_retrieved"),
    ):
        with corpus_of(tmp_path / status, {"a.md": text}) as corpus:
            ranking = retrieve(corpus, question, embedder=None)
            answer = run_pipeline(ChunkRag(100), question, corpus, ranking, ScriptedBackend([reply]))
        assert answer.status == status
