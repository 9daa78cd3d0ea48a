"""Workers that read again with the notes of all, where what they noted was not enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.fakes import HashingEmbedder, corpus_of, run_pipeline

from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import InputError
from lcrag.pipelines import named
from lcrag.pipelines.chain_of_agents import APART, SEEN_AGAIN, ChainOfAgents
from lcrag.planning.estimate import estimate
from lcrag.planning.forecast import forecast
from lcrag.planning.profile import builtin_profile
from lcrag.retrieve.rank import retrieve
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Answer, CorpusSize, Event, Task

KEPT = "The lighthouse keeper Anna Holm kept a tame raven called Brandt."
BORN = "Brandt was hatched at Skerry Farm."
QUESTION = "Where was the raven of the lighthouse keeper Anna Holm hatched?"
BOATS = [f"In {year} the harbour took in {year % 97 + 3} boats and {year % 31} of them stayed." for year in range(300)]
TEXTS = {"a.md": "\n\n".join([KEPT, *BOATS[:150]]), "b.md": "\n\n".join([*BOATS[150:], BORN])}


def ask(
    folder: Path, pipeline: ChainOfAgents, reply: Callable[[Task], str]
) -> tuple[Answer, ScriptedBackend, list[Event]]:
    events: list[Event] = []
    backend = ScriptedBackend(reply)
    with corpus_of(folder, TEXTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=HashingEmbedder())
        answer = run_pipeline(pipeline, QUESTION, corpus, ranking, backend, events.append)
    return answer, backend, events


def two_hops(task: Task) -> str:
    """Sees where a raven was hatched only once it knows from the notes which one is asked for."""
    notes = "\n".join(task.notes)
    if task.role == "synthesise":
        return next((line for line in notes.splitlines() if line.startswith(BORN)), NOT_FOUND)
    lines = [(KEPT, one.marker) for one in task.passages if KEPT in one.text and KEPT not in notes]
    lines += [(BORN, one.marker) for one in task.passages if BORN in one.text and "Brandt" in notes]
    return "\n".join(f"{line} [{marker}]" for line, marker in lines) or NOT_FOUND


def test_workers_read_again_with_the_notes_of_all(tmp_path: Path) -> None:
    answer, backend, events = ask(tmp_path, ChainOfAgents(1000, "rounds"), two_hops)
    workers = backend.batches[0]
    assert workers > 3
    assert backend.batches == [workers, 1, workers, 1]
    first, again = backend.tasks[:workers], backend.tasks[workers + 1 : 2 * workers + 1]
    assert [task.passages for task in again] == [task.passages for task in first]
    assert all(task.notes == () for task in first)
    assert all(KEPT in "".join(task.notes) for task in again)
    assert answer.text == f"{BORN} [1]"
    assert answer.citations[0].quote == BORN
    assert answer.usage.calls == sum(backend.batches)
    assert [event.data["status"] for event in events if event.kind == "escalate"] == ["not_found"]
    tree, _, _ = ask(tmp_path / "tree", ChainOfAgents(1000, "tree"), two_hops)
    assert tree.status == "not_found"


def test_an_answer_with_support_needs_no_second_round(tmp_path: Path) -> None:
    def reply(task: Task) -> str:
        found = [f"{KEPT} [{one.marker}]" for one in task.passages if KEPT in one.text]
        return "\n".join([*found, *task.notes]) or NOT_FOUND

    answer, backend, _ = ask(tmp_path, ChainOfAgents(1000, "rounds"), reply)
    assert len(backend.batches) == 2
    assert answer.citations


def test_a_round_that_adds_nothing_is_the_last(tmp_path: Path) -> None:
    def reply(task: Task) -> str:
        return NOT_FOUND if task.role == "synthesise" else f"Boats came [{task.passages[0].marker}]."

    def copies(task: Task) -> str:
        return (
            NOT_FOUND
            if task.role == "synthesise"
            else "\n".join(task.notes) or f"Boats came [{task.passages[0].marker}]."
        )

    answer, backend, _ = ask(tmp_path / "new", ChainOfAgents(1000, "rounds", rounds=3), reply)
    assert len(backend.batches) in (3, 5)
    assert answer.status == "not_found"
    answer, backend, _ = ask(tmp_path / "copied", ChainOfAgents(1000, "rounds", rounds=3), copies)
    assert len(backend.batches) == 3
    assert answer.usage.calls == answer.steps[-1].usage.calls == sum(backend.batches)


def test_an_answer_without_support_outlives_a_round_that_finds_nothing(tmp_path: Path) -> None:
    managed: list[Task] = []

    def reply(task: Task) -> str:
        if task.role == "synthesise":
            managed.append(task)
            return "Whales sing in the deep." if len(managed) == 1 else NOT_FOUND
        return f"Something {len(task.notes)} [{task.passages[0].marker}]"

    answer, backend, _ = ask(tmp_path, ChainOfAgents(1000, "rounds"), reply)
    assert len(managed) == 2
    assert answer.text == "Whales sing in the deep."
    assert answer.usage.calls == sum(backend.batches)


def test_no_note_at_all_asks_nobody_again(tmp_path: Path) -> None:
    answer, backend, _ = ask(tmp_path, ChainOfAgents(1000, "rounds"), lambda task: NOT_FOUND)
    assert len(backend.batches) == 1
    assert answer.status == "not_found"


@pytest.mark.parametrize("options", ["mode=rounds,rounds=4", "mode=tree,rounds=3", "rounds=1"])
def test_rounds_are_few_and_of_their_mode(options: str) -> None:
    with pytest.raises(InputError, match="rounds"):
        named(f"chain_of_agents:{options}")


def test_the_second_round_is_forecast_as_often_as_it_is_reached(tmp_path: Path) -> None:
    with corpus_of(tmp_path, TEXTS) as corpus:
        found = estimate(retrieve(corpus, QUESTION, embedder=HashingEmbedder()))
    size = CorpusSize(4, 400, 60_000, 20_000)
    profile = builtin_profile("server", "model-7b", 32_000)
    tree, rounds, more = forecast(
        [ChainOfAgents(8000, "tree"), ChainOfAgents(8000, "rounds"), ChainOfAgents(8000, "rounds", rounds=3)],
        found,
        size,
        profile,
    )
    assert tree.input_tokens < rounds.input_tokens < more.input_tokens < rounds.every_step
    assert rounds.every_step > 2 * tree.input_tokens
    assert tree.quality < rounds.quality
    work = ChainOfAgents(8000, "rounds").workload(found, size, 32_000)
    assert work.then is not None
    assert work.then.evidence == pytest.approx(1 - (1 - APART) * (1 - SEEN_AGAIN))
