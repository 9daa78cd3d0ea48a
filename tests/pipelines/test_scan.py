"""Everything read window by window: which windows are kept, and what that costs the second time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.fakes import HashingEmbedder, Obliging, corpus_of, run_pipeline

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import DoesNotFit
from lcrag.pipelines.scan import Scan
from lcrag.planning.estimate import estimate
from lcrag.retrieve.rank import retrieve
from lcrag.text.prompts import NOT_FOUND, messages
from lcrag.types import Answer, Backend, Completion, Event, OnToken, Reranker, Task

FACT = "The lighthouse keeper Anna Holm kept a tame raven called Brandt."
QUESTION = "What was the raven of the lighthouse keeper Anna Holm called?"
BOATS = [f"In {year} the harbour took in {year % 97 + 3} boats and {year % 31} of them stayed." for year in range(400)]
TEXTS = {"a.md": "\n\n".join([*BOATS[:60], FACT, *BOATS[60:]]), "b.md": "\n\n".join(BOATS[100:300])}
Odds = tuple[tuple[str, float], ...]


class Telling(ScriptedBackend):
    """Tells the odds of what each window's first token is."""

    def __init__(self, reply: Callable[[Task], str], odds: Callable[[Task], Odds], *, window: int = 100_000) -> None:
        super().__init__(reply, window=window)
        self._odds = odds

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        completions = super().run(tasks, max_tokens=max_tokens, on_token=on_token)
        return [
            replace(completion, odds=self._odds(task) if task.odds else ())
            for task, completion in zip(tasks, completions, strict=True)
        ]


def ask(
    folder: Path, scan: Scan, backend: Backend, reader: Reranker | None = None, question: str = QUESTION
) -> tuple[Answer, list[Event]]:
    events: list[Event] = []
    with corpus_of(folder, TEXTS) as corpus:
        ranking = retrieve(corpus, question, embedder=HashingEmbedder())
        answer = run_pipeline(scan, question, corpus, ranking, backend, events.append, reader)
    return answer, events


def holds(task: Task) -> bool:
    return any(FACT in passage.text for passage in task.passages)


def said(task: Task) -> str:
    return next((f"{FACT} [{one.marker}]" for one in task.passages if FACT in one.text), NOT_FOUND)


def messages_of(events: Sequence[Event]) -> list[str]:
    return [str(event.data["message"]) for event in events if "message" in event.data]


def test_the_window_that_does_not_open_not_found_is_kept(tmp_path: Path) -> None:
    backend = Telling(said, lambda task: (("The", 0.4), ("NOT", 0.3)) if holds(task) else (("NOT", 0.9), ("In", 0.1)))
    answer, _ = ask(tmp_path, Scan(window=1000, keep=1000), backend)
    *windows, last = backend.tasks
    assert len(windows) > 5
    assert {task.role for task in backend.tasks} == {"answer"}
    assert [bool(task.odds) for task in backend.tasks] == [True] * len(windows) + [False]
    assert backend.batches == [len(windows), 1]
    assert last.passages == next(task.passages for task in windows if holds(task))
    assert answer.citations[0].quote == FACT
    assert answer.usage.output_tokens == len(windows) + len(f"{FACT} [1]".split())


def test_of_equal_windows_the_one_with_less_entropy_is_kept(tmp_path: Path) -> None:
    def odds(task: Task) -> Odds:
        if holds(task):
            return (("NOT", 0.2), ("The", 0.78), ("A", 0.02))
        return (("NOT", 0.2), ("The", 0.4), ("A", 0.4))

    backend = Telling(said, odds)
    answer, _ = ask(tmp_path, Scan(window=1000, keep=1000), backend)
    assert answer.citations[0].quote == FACT


def test_windows_are_kept_in_document_order_within_the_budget(tmp_path: Path) -> None:
    def odds(task: Task) -> Odds:
        wanted = holds(task) or task.passages[0].source.endswith("b.md")
        return (("In", 0.9 if wanted else 0.1), ("NOT", 0.1 if wanted else 0.9))

    backend = Telling(said, odds)
    ask(tmp_path, Scan(window=800, keep=1600), backend)
    read = backend.tasks[-1].passages
    assert [one.marker for one in read] == sorted(one.marker for one in read)
    assert 800 < sum(one.tokens for one in read) <= 1600


@pytest.mark.parametrize(
    "odds",
    [(), (("<think>", 1.0),), (("The", 0.6), ("In", 0.4))],
    ids=["none", "thinking", "never not found"],
)
def test_quotes_are_asked_for_where_odds_say_nothing(tmp_path: Path, odds: Odds) -> None:
    backend = Telling(said, lambda task: odds)
    answer, events = ask(tmp_path, Scan(window=1000), backend)
    assert {task.role for task in backend.tasks[:-1]} == {"answer", "quote"}
    assert [one.text.strip() for one in backend.tasks[-1].passages] == [FACT]
    assert any("asked for quotes" in message for message in messages_of(events))
    assert answer.citations[0].quote == FACT


def test_invented_quotes_are_dropped_and_counted(tmp_path: Path) -> None:
    def reply(task: Task) -> str:
        return f"{said(task)}\nThe queen of France was here." if task.role == "quote" else said(task)

    answer, events = ask(tmp_path, Scan("quotes", window=1000), ScriptedBackend(reply))
    assert answer.text == f"{FACT} [1]"
    assert sum("1 quotes of the model are not in what it read" in one for one in messages_of(events)) > 5


def test_more_quotes_than_there_is_room_for_are_those_that_rank_best(tmp_path: Path) -> None:
    def reply(task: Task) -> str:
        if task.role == "quote":
            lines = [[FACT] if FACT in one.text else one.text.split("\n\n")[2:5] for one in task.passages]
            return "\n".join(
                f"{line} [{one.marker}]" for one, of in zip(task.passages, lines, strict=True) for line in of
            )
        return said(task)

    backend = ScriptedBackend(reply)
    answer, events = ask(tmp_path, Scan("quotes", window=1000, keep=200), backend)
    assert sum(one.tokens for one in backend.tasks[-1].passages) <= 200
    assert any("quoted passages are left out" in message for message in messages_of(events))
    assert answer.citations[0].quote == FACT


def test_nothing_quoted_is_nothing_found(tmp_path: Path) -> None:
    answer, _ = ask(tmp_path, Scan("quotes", window=1000), ScriptedBackend(lambda task: NOT_FOUND))
    assert answer.status == "not_found"
    assert answer.coverage == 1.0


def test_a_reader_takes_the_best_sentences_of_more_windows(tmp_path: Path, reader: Reranker) -> None:
    backend = Telling(said, lambda task: (("The", 0.5), ("NOT", 0.5)) if holds(task) else (("NOT", 0.9), ("In", 0.1)))
    answer, _ = ask(tmp_path, Scan(window=500, keep=500), backend, reader)
    read = backend.tasks[-1].passages
    assert sum(one.tokens for one in read) <= 500
    assert any(one.parts for one in read)
    assert answer.citations[0].quote == FACT


def test_the_embedded_backend_tells_whether_a_window_holds_the_answer(tmp_path: Path) -> None:
    answer, events = ask(tmp_path, Scan(window=1000, keep=1000), EmbeddedBackend(HashingEmbedder()))
    assert answer.citations[0].quote == FACT
    assert messages_of(events) == []


def test_hits_are_read_instead_of_everything(tmp_path: Path) -> None:
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    answer, _ = ask(tmp_path, Scan("quotes", window=1000, over="hits"), backend)
    assert answer.status in ("not_retrieved", "not_found")
    assert backend.tasks[0].passages


def test_a_window_without_room_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit):
        ask(tmp_path, Scan(), ScriptedBackend(said, window=900))


def test_every_question_reads_the_same_documents_first(tmp_path: Path) -> None:
    """So that a server with a prefix cache has read the windows of the second question already."""
    prompts = []
    with corpus_of(tmp_path, TEXTS) as corpus:
        for question in (QUESTION, "How many boats came in 1820?"):
            backend = Telling(said, lambda task: (("The", 0.5), ("NOT", 0.5)))
            ranking = retrieve(corpus, question, embedder=HashingEmbedder())
            run_pipeline(Scan(window=1000), question, corpus, ranking, backend)
            prompts.append([messages(task)[1]["content"].partition("<question>")[0] for task in backend.tasks[:-1]])
    assert prompts[0] == prompts[1]
    assert len(prompts[0]) > 5


@pytest.mark.parametrize("scan", [Scan(), Scan(window=500, keep=2000), Scan("quotes")])
def test_workload_forecasts_what_is_asked(tmp_path: Path, scan: Scan) -> None:
    backend = Obliging(FACT)
    with corpus_of(tmp_path, TEXTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=HashingEmbedder())
        work = scan.workload(estimate(ranking), corpus.size, backend.window)
        answer = run_pipeline(scan, QUESTION, corpus, ranking, backend)
        assert work.reusable_tokens == corpus.size.tokens
    assert answer.usage.calls == pytest.approx(work.calls, rel=0.2)
    assert work.evidence == 1.0
