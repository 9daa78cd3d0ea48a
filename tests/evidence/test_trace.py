"""The passages that an answer depends on are found in few calls, those that can replace each other included."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes import corpus_of

from lcrag.backends.scripted import ScriptedBackend
from lcrag.evidence.trace import _Search, trace
from lcrag.session import Session
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Answer, Citation, Completion, OnToken, Passage, Policy, Settings, Task, Usage, ignore

QUESTION = "What is it?"
TEXT = "Anna Holm kept the light for nine years."


def passages(count: int) -> list[Passage]:
    return [Passage(place + 1, "d", "a.md", 10 * place, 10 * place + 9, f"text {place}", 5) for place in range(count)]


def answer(cites: tuple[int, ...] = ()) -> Answer:
    cited = tuple(
        Citation(n, "d", "a.md", 10 * place, 10 * place + 5, "q", 1, None) for n, place in enumerate(cites, 1)
    )
    return Answer(TEXT, "answered", cited, Usage(), 0)


def search(
    count: int, suffices: Callable[[set[int]], bool], cites: tuple[int, ...] = ()
) -> tuple[_Search, ScriptedBackend]:
    """A search on a backend that gives the answer when the passages it is shown suffice."""

    def model(task: Task) -> str:
        shown = {passage.start // 10 for passage in task.passages}
        return f"{TEXT} [1]" if suffices(shown) else NOT_FOUND

    backend = ScriptedBackend(model)
    return _Search(QUESTION, answer(cites), passages(count), backend), backend


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 64),
    groups=st.lists(st.sets(st.integers(0, 63), min_size=1, max_size=2), min_size=1, max_size=3),
    cites=st.sets(st.integers(0, 63), max_size=3),
)
def test_search_finds_every_passage_of_which_one_is_needed(count: int, groups: list[set[int]], cites: set[int]) -> None:
    """The answer is there when one passage of each group is: a group of two stand in for each other."""
    wanted = [{place % count for place in group} for group in groups]
    searching, backend = search(count, lambda shown: all(group & shown for group in wanted))
    needed, minimal = searching.find(frozenset(place % count for place in cites))
    covered = [group for group in wanted if not any(other < group for other in wanted)]
    assert needed == set().union(*covered)
    assert all(group & minimal for group in wanted)
    assert all(not all(group & (minimal - {place}) for group in wanted) for place in minimal)
    members = len(set().union(*wanted))
    assert len(backend.tasks) <= 4 * members * (math.log2(count + 1) + 2) + members**2 + 10


@pytest.mark.parametrize("count", [16, 256, 4096])
def test_search_takes_logarithmically_many_calls_in_batches(count: int) -> None:
    searching, backend = search(count, lambda shown: {3, count - 2} <= shown)
    assert searching.find(frozenset({3})) == ({3, count - 2}, {3, count - 2})
    assert len(backend.tasks) <= 4 * math.log2(count) + 4
    assert len(backend.batches) <= math.log2(count) + 6


def test_trace_of_an_answer_that_is_not_reproduced_is_empty(tmp_path: Path) -> None:
    with corpus_of(tmp_path, {"a.md": "x"}) as corpus:
        silent = trace(QUESTION, answer(), passages(4), corpus, ScriptedBackend(lambda task: NOT_FOUND), 1000)
        assert (silent.reproduced, silent.passages, silent.usage.calls) == (False, (), 1)
        other = trace(QUESTION, answer(), passages(4), corpus, ScriptedBackend(lambda task: "Whales sing. [1]"), 1000)
        assert not other.reproduced
        nothing = trace(QUESTION, answer(), [], corpus, ScriptedBackend(lambda task: TEXT), 1000)
        assert (nothing.reproduced, nothing.usage.calls) == (False, 0)


def test_trace_considers_what_fits_and_the_cited_first(tmp_path: Path) -> None:
    with corpus_of(tmp_path, {"a.md": "x"}) as corpus:
        backend = ScriptedBackend(lambda task: NOT_FOUND)
        traced = trace(QUESTION, answer((7,)), passages(9), corpus, backend, 12)
    assert (traced.read, traced.considered) == (9, 2)
    assert [passage.start for passage in backend.tasks[0].passages] == [0, 70]


def test_trace_takes_the_seconds_of_the_clock(tmp_path: Path) -> None:
    """Calls of a batch run at the same time, so their own seconds must not be added up."""

    class Slow(ScriptedBackend):
        def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
            return [
                replace(completion, usage=replace(completion.usage, seconds=1000.0))
                for completion in super().run(tasks, max_tokens=max_tokens)
            ]

    with corpus_of(tmp_path, {"a.md": "x"}) as corpus:
        begun = time.perf_counter()
        traced = trace(QUESTION, answer(), passages(4), corpus, Slow(lambda task: NOT_FOUND), 1000)
        assert 0 < traced.usage.seconds <= time.perf_counter() - begun
    assert traced.usage.calls == 1


@pytest.mark.parametrize("pipeline", ["chunk_rag", "full_context", "chain_of_agents", "compression", "escalate"])
def test_trace_finds_the_passage_for_every_pipeline(tmp_path: Path, pipeline: str) -> None:
    filler = [f"In {1800 + n} the harbour took in {n % 7} boats.\n\n" * 12 for n in range(12)]
    fact = "The lighthouse keeper Anna Holm kept a tame raven called Brandt.\n\n"
    folder = tmp_path / "docs"
    folder.mkdir()
    for number, text in enumerate(filler):
        (folder / f"{number:02}.md").write_text(text + (fact if number == 7 else ""))
    settings = Settings((str(folder),), index=tmp_path / "index", backend="embedded", dense="off", reader="off")
    with Session.open(settings, ignore) as session:
        done = session.ask("What was the raven of Anna Holm called?", Policy(pipeline=pipeline), trace=True)
    assert done.trace is not None
    assert done.trace.reproduced
    [passage] = done.trace.passages
    assert (passage.source.endswith("07.md"), passage.needed, passage.minimal) == (True, True, True)
    assert done.trace.usage.calls <= 20
    assert done.usage.calls > done.trace.usage.calls
