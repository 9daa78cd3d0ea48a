"""Sentences that a question attends to are carried from window to window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import HashingEmbedder, Obliging, corpus_of, run_pipeline

from lcrag.backends.scripted import ScriptedBackend
from lcrag.pipelines._attended import ATTEND, _sentence
from lcrag.pipelines.scan import Scan
from lcrag.planning.estimate import estimate
from lcrag.retrieve.rank import retrieve
from lcrag.text.passages import pieces_of
from lcrag.text.prompts import NOT_FOUND, messages
from lcrag.types import Answer, Completion, Event, OnToken, Passage, Task

FIRST = "The lighthouse keeper Anna Holm kept a tame raven."
SECOND = "That raven of hers was called Brandt."
QUESTION = "What was the raven of the lighthouse keeper Anna Holm called?"
BOATS = [f"In {year} the harbour took in {year % 97 + 3} boats and {year % 31} of them stayed." for year in range(400)]
TEXTS = {"a.md": "\n\n".join([*BOATS[:60], FIRST, *BOATS[60:200], SECOND, *BOATS[200:]])}
Places = Sequence[tuple[int, int]]


class Attending(ScriptedBackend):
    """Attends to the places that a function names."""

    def __init__(self, places: Callable[[Task], Places], *, window: int = 100_000) -> None:
        super().__init__(said, window=window)
        self._places = places

    @property
    def attends(self) -> bool:
        return True

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        completions = super().run(tasks, max_tokens=max_tokens, on_token=on_token)
        return [
            replace(completion, attended=tuple(self._places(task)) if task.attend else ())
            for task, completion in zip(tasks, completions, strict=True)
        ]


def said(task: Task) -> str:
    read = {sentence: one.marker for one in task.passages for sentence in (FIRST, SECOND) if sentence in one.text}
    return f"Brandt [{read[FIRST]}][{read[SECOND]}]." if len(read) == 2 and not task.attend else NOT_FOUND


def facts(task: Task) -> Places:
    return [(one.marker, one.text.index(s) + 9) for s in (FIRST, SECOND) for one in task.passages if s in one.text]


def ask(folder: Path, scan: Scan, backend: ScriptedBackend) -> tuple[Answer, list[Event]]:
    events: list[Event] = []
    with corpus_of(folder, TEXTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=HashingEmbedder())
        answer = run_pipeline(scan, QUESTION, corpus, ranking, backend, events.append)
    return answer, events


def test_scan_carries_what_is_attended_to_from_window_to_window(tmp_path: Path) -> None:
    backend = Attending(facts)
    answer, _ = ask(tmp_path, Scan("attention", window=1000, keep=300), backend)
    *windows, last = backend.tasks
    assert len(windows) > 5
    assert backend.batches == [1] * len(backend.tasks)
    assert [task.attend for task in backend.tasks] == [ATTEND] * len(windows) + [0]
    assert FIRST in windows[-1].passages[0].text  # found early, and still there
    assert [one.text.strip() for one in last.passages] == [FIRST, SECOND]
    assert answer.usage.calls == len(windows) + 1
    assert answer.status == "answered"


def test_scan_keeps_what_is_attended_to_most_within_the_room(tmp_path: Path) -> None:
    def everything(task: Task) -> Places:
        others = [(one.marker, place) for one in task.passages for place in range(0, len(one.text), 7)]
        return [*facts(task), *others]

    backend = Attending(everything)
    ask(tmp_path, Scan("attention", window=1000, keep=300), backend)
    last = backend.tasks[-1].passages
    prompts = [sum(len(message["content"].split()) for message in messages(task)) for task in backend.tasks]
    assert {FIRST, SECOND} <= {line for one in last for line in one.text.splitlines()}
    assert sum(backend.count_many([one.text for one in last])) <= 300
    assert [one.marker for one in last] == sorted({one.marker for one in last})
    assert max(prompts) <= 1000 + 300 + 400


def test_scan_finds_nothing_where_nothing_is_attended_to(tmp_path: Path) -> None:
    answer, _ = ask(tmp_path, Scan("attention", window=1000), Attending(lambda task: ()))
    assert answer.status == "not_found"


def test_scan_asks_a_backend_that_cannot_tell_for_quotes(tmp_path: Path) -> None:
    backend = ScriptedBackend(said)
    _, events = ask(tmp_path, Scan("attention", window=1000), backend)
    assert {task.role for task in backend.tasks} == {"quote"}
    assert any("does not tell what the question attends to" in str(event.data.get("message")) for event in events)


def test_workload_forecasts_what_attention_reads(tmp_path: Path) -> None:
    scan, backend = Scan("attention", window=1000, keep=300), Obliging(FIRST)
    with corpus_of(tmp_path, TEXTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=HashingEmbedder())
        work = scan.workload(estimate(ranking), corpus.size, backend.window)
        answer = run_pipeline(scan, QUESTION, corpus, ranking, backend)
    assert answer.usage.calls == pytest.approx(work.calls, rel=0.2)
    assert (work.rounds, work.reusable_tokens) == (work.calls, 0)


TEXT = st.text(st.sampled_from("ab. \n") | st.characters(codec="utf-8"), max_size=40)


@given(st.lists(TEXT, min_size=1, max_size=4), st.integers(0, 200))
def test_sentence_is_in_the_piece_of_any_place(pieces: list[str], place: int) -> None:
    starts = [100 * number for number in range(len(pieces))]
    parts = tuple((start, start + len(text)) for start, text in zip(starts, pieces, strict=True))
    passage = Passage(3, "d", "a.md", 0, parts[-1][1], "\n".join(pieces), 1, parts=parts)
    marker, start, end = _sentence(passage, place)
    assert marker == 3
    holding = [(offset, text) for offset, text in pieces_of(passage) if offset <= start <= end <= offset + len(text)]
    assert holding
    if place < len(passage.text) and passage.text[place].isalpha():
        assert passage.text[place] in holding[-1][1][start - holding[-1][0] : end - holding[-1][0]]
