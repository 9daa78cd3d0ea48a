"""What an answer depends on is found in few calls, passages that stand in for each other included."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes import corpus_of, nobody

from lcrag.backends.scripted import ScriptedBackend
from lcrag.evidence.trace import _Search, trace
from lcrag.session import Session
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Answer, Citation, Passage, Policy, Settings, Task, Usage

QUESTION = "What is it?"
SAID = "Anna Holm kept the light for nine years."


def passages(count: int) -> list[Passage]:
    return [Passage(place + 1, "d", "a.md", 10 * place, 10 * place + 9, f"text {place}", 5) for place in range(count)]


def answer(cites: tuple[int, ...] = ()) -> Answer:
    cited = tuple(
        Citation(n, "d", "a.md", 10 * place, 10 * place + 5, "q", 1, None) for n, place in enumerate(cites, 1)
    )
    return Answer(SAID, "answered", cited, Usage(), 0)


def search(
    count: int, suffices: Callable[[set[int]], bool], cites: tuple[int, ...] = ()
) -> tuple[_Search, ScriptedBackend]:
    """A search on a backend that gives the answer when the passages it is shown suffice."""

    def model(task: Task) -> str:
        shown = {passage.start // 10 for passage in task.passages}
        return f"{SAID} [1]" if suffices(shown) else NOT_FOUND

    backend = ScriptedBackend(model)
    return _Search(QUESTION, answer(cites), passages(count), backend), backend


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 64),
    groups=st.lists(st.sets(st.integers(0, 63), min_size=1, max_size=2), min_size=1, max_size=3),
    cites=st.sets(st.integers(0, 63), max_size=3),
)
def test_one_of_each_group_is_needed_and_all_are_found(count: int, groups: list[set[int]], cites: set[int]) -> None:
    """The answer is there when one passage of each group is: a group of two stand in for each other."""
    wanted = [{place % count for place in group} for group in groups]
    found, backend = search(count, lambda shown: all(group & shown for group in wanted))
    needed, minimal = found.found(frozenset(place % count for place in cites))
    covered = [group for group in wanted if not any(other < group for other in wanted)]
    assert needed == set().union(*covered)
    assert all(group & minimal for group in wanted)
    assert all(not all(group & (minimal - {place}) for group in wanted) for place in minimal)
    members = len(set().union(*wanted))
    assert len(backend.tasks) <= 4 * members * (math.log2(count + 1) + 2) + members**2 + 10


@pytest.mark.parametrize("count", [16, 256, 4096])
def test_calls_grow_with_the_logarithm_and_come_in_batches(count: int) -> None:
    found, backend = search(count, lambda shown: {3, count - 2} <= shown)
    assert found.found(frozenset({3})) == ({3, count - 2}, {3, count - 2})
    assert len(backend.tasks) <= 4 * math.log2(count) + 4
    assert len(backend.batches) <= math.log2(count) + 6


def test_an_answer_that_is_not_reproduced_is_not_traced(tmp_path: Path) -> None:
    with corpus_of(tmp_path, {"a.md": "x"}) as corpus:
        found = trace(QUESTION, answer(), passages(4), corpus, ScriptedBackend(lambda task: NOT_FOUND), 1000)
        assert (found.reproduced, found.passages, found.usage.calls) == (False, (), 1)
        other = trace(QUESTION, answer(), passages(4), corpus, ScriptedBackend(lambda task: "Whales sing. [1]"), 1000)
        assert not other.reproduced
        nothing = trace(QUESTION, answer(), [], corpus, ScriptedBackend(lambda task: SAID), 1000)
        assert (nothing.reproduced, nothing.usage.calls) == (False, 0)


def test_what_does_not_fit_is_not_considered_and_the_cited_come_first(tmp_path: Path) -> None:
    with corpus_of(tmp_path, {"a.md": "x"}) as corpus:
        backend = ScriptedBackend(lambda task: NOT_FOUND)
        found = trace(QUESTION, answer((7,)), passages(9), corpus, backend, 12)
    assert (found.read, found.considered) == (9, 2)
    assert [passage.start for passage in backend.tasks[0].passages] == [0, 70]


@pytest.mark.parametrize("pipeline", ["chunk_rag", "full_context", "chain_of_agents", "compression", "escalate"])
def test_every_route_on_the_embedded_backend(tmp_path: Path, pipeline: str) -> None:
    filler = [f"In {1800 + n} the harbour took in {n % 7} boats.\n\n" * 12 for n in range(12)]
    fact = "The lighthouse keeper Anna Holm kept a tame raven called Brandt.\n\n"
    folder = tmp_path / "docs"
    folder.mkdir()
    for number, text in enumerate(filler):
        (folder / f"{number:02}.md").write_text(text + (fact if number == 7 else ""))
    settings = Settings((str(folder),), index=tmp_path / "index", backend="embedded", dense="off", reader="off")
    with Session.open(settings, nobody) as session:
        done = session.ask("What was the raven of Anna Holm called?", Policy(pipeline=pipeline), trace=True)
    assert done.trace is not None
    assert done.trace.reproduced
    [one] = done.trace.passages
    assert (one.source.endswith("07.md"), one.needed, one.minimal) == (True, True, True)
    assert done.trace.usage.calls <= 20
    assert done.usage.calls > done.trace.usage.calls
