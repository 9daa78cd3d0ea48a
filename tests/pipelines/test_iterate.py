"""iterate follows a name from one document to the next, and stops when it should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from support.fakes import corpus_of

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import DoesNotFit, InputError
from lcrag.pipelines import Iterate, Run, named
from lcrag.planning.estimate import estimate
from lcrag.planning.scale import INSTRUCTION_TOKENS
from lcrag.retrieve.rank import retrieve
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Answer, Backend, Passage, Task

QUESTION = "In which year was the university of the keeper Anna Holm founded?"
KEEPER = "Anna Holm\nAnna Holm kept the light and studied at Tern College."
COLLEGE = "Tern College\nTern College was set up by a bishop in 1742."
FILLER = [f"The university year {year} saw {year % 31} keepers leave the light." for year in range(1800, 1990)]


def ask(folder: Path, backend: Backend, pipeline: Iterate, *, searches: bool = True) -> tuple[Answer, list[Passage]]:
    middle = len(FILLER) // 2
    text = "\n\n".join([KEEPER, *FILLER[:middle], COLLEGE, *FILLER[middle:]])
    with corpus_of(folder, {"a.md": text, "b.md": "\n\n".join(FILLER[::-1])}) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=None)
        if searches:
            ranking = replace(ranking, search=lambda words: retrieve(corpus, words, embedder=None))
        run = Run(QUESTION, corpus, ranking, backend, pipeline=Iterate.name)
        return pipeline.answer(run), run.asked


def was_read(text: str, asked: list[Passage]) -> bool:
    return any(text in passage.text for passage in asked)


def scripted(probe: str, verdict: str = "no", answer: str = NOT_FOUND) -> ScriptedBackend:
    def says(task: Task) -> str:
        if task.role == "answer" and answer == COLLEGE:
            markers = [passage.marker for passage in task.passages if COLLEGE in passage.text]
            return f"Tern College was set up by a bishop in 1742. [{markers[0]}]" if markers else NOT_FOUND
        return replies.get(task.role, NOT_FOUND)

    replies = {"probe": probe, "judge": verdict, "answer": answer, "note": "Anna Holm studied. [1]"}
    return ScriptedBackend(says)


def roles(backend: ScriptedBackend) -> list[str]:
    return [task.role for task in backend.tasks]


def test_iterate_reads_what_a_name_leads_to(tmp_path: Path) -> None:
    _, asked = ask(tmp_path / "with", EmbeddedBackend(None), Iterate(600, 0))
    _, without = ask(tmp_path / "without", EmbeddedBackend(None), Iterate(600, 0), searches=False)
    assert was_read("a bishop in 1742", asked)
    assert not was_read("a bishop in 1742", without)


def test_iterate_stops_at_yes(tmp_path: Path) -> None:
    backend = scripted("Tern College", "yes", COLLEGE)
    answer, _ = ask(tmp_path, backend, Iterate(600))
    assert roles(backend) == ["probe", "judge", "answer"]
    assert answer.status == "answered"


def test_iterate_does_not_ask_a_judge_where_the_estimate_is_sure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lcrag.pipelines.iterate.SURE", 0.0)
    backend = scripted("Tern College")
    ask(tmp_path, backend, Iterate(600))
    assert roles(backend) == ["probe", "answer"]


def test_iterate_asks_no_judge_before_the_estimate_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.pipelines.iterate.AGREES", 2.0)
    monkeypatch.setattr("lcrag.pipelines.iterate.SURE", 2.0)
    backend = scripted("Tern College", "yes", COLLEGE)
    ask(tmp_path, backend, Iterate(600, cycles=1))
    assert roles(backend) == ["probe", "probe", "answer"]


def test_iterate_goes_on_where_the_judge_was_wrong(tmp_path: Path) -> None:
    backend = scripted("Tern College", "yes", NOT_FOUND)
    ask(tmp_path, backend, Iterate(600, cycles=1))
    assert roles(backend) == ["probe", "judge", "answer", "probe", "answer"]


@pytest.mark.parametrize("memory", ["text", "notes"])
def test_iterate_asks_at_most_four_times_a_cycle_and_reads_no_more_than_it_may(
    tmp_path: Path, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lcrag.pipelines.iterate.SURE", 2.0)
    backend = scripted("Tern College")
    _, asked = ask(tmp_path, backend, named(f"iterate:tokens=600,cycles=2,memory={memory}"))  # type: ignore[arg-type]
    noted = ["note"] if memory == "notes" else []
    assert [role for role in roles(backend) if role != "summarise"] == [
        *("probe", "judge"),
        *("probe", *noted, "judge"),
        *("probe", *noted, "answer"),
    ]
    assert 1200 < sum(passage.tokens for passage in dict.fromkeys(asked)) <= 1800


def test_iterate_drops_probes_that_share_no_word_with_what_is_known(tmp_path: Path) -> None:
    searched: list[str] = []
    with corpus_of(tmp_path, {"a.md": "\n\n".join([KEEPER, *FILLER])}) as corpus:

        def search(words: str):  # type: ignore[no-untyped-def]
            searched.append(words)
            return retrieve(corpus, words, embedder=None)

        ranking = replace(retrieve(corpus, QUESTION, embedder=None), search=search)
        backend = scripted("- Quantum physics\n- Tern College\n* Tern College\n- Anna Holm")
        Iterate(600, 0, probes=1).answer(Run(QUESTION, corpus, ranking, backend))
    assert searched == ["Tern College"]


def test_iterate_says_what_was_searched_for(tmp_path: Path) -> None:
    backend = scripted("Tern College")
    ask(tmp_path, backend, Iterate(600, cycles=1))
    first, second = (task for task in backend.tasks if task.role == "probe")
    assert "Tern College" not in "".join(first.notes)
    assert "Tern College" in "".join(second.notes)


def test_iterate_needs_room_for_its_first_try(tmp_path: Path) -> None:
    backend = ScriptedBackend(lambda task: NOT_FOUND, window=1500)
    with pytest.raises(DoesNotFit):
        ask(tmp_path, backend, Iterate(1000))


def test_probe_of_the_embedded_backend_names_what_is_not_introduced() -> None:
    passage = Passage(1, "d", "a.md", 0, len(KEEPER), KEEPER, 20)
    [completion] = EmbeddedBackend(None).run([Task("probe", QUESTION, (passage,))], max_tokens=64)
    assert completion.text.splitlines() == ["Tern College"]


def test_probe_without_names_is_the_rarest_words() -> None:
    text = "the keeper studied at a college of the sea."
    task = Task("probe", "who was the keeper?", (Passage(1, "d", "a.md", 0, len(text), text, 9),))
    [completion] = EmbeddedBackend(None).run([task], max_tokens=64)
    assert set(completion.text.splitlines()) == {"studi", "colleg", "sea"}


def test_workload_has_a_step_for_each_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.pipelines.iterate.SURE", 2.0)
    with corpus_of(tmp_path, {"a.md": "\n\n".join([KEEPER, *FILLER])}) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=None)
        found, size = estimate(ranking), corpus.size
    work = Iterate(600, cycles=3).workload(found, size, 8000)
    evidence = []
    while True:
        evidence.append(work.evidence)
        if work.then is None:
            break
        work = work.then
    assert len(evidence) == 4
    assert evidence == sorted(evidence)
    assert evidence[0] >= found.covered(600)


@pytest.mark.parametrize("cycles", [0, 2])
@pytest.mark.parametrize("memory", ["text", "notes"])
def test_workload_forecasts_what_is_asked_where_no_judge_is(
    tmp_path: Path, cycles: int, memory: Literal["text", "notes"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lcrag.pipelines.iterate.AGREES", 2.0)
    monkeypatch.setattr("lcrag.pipelines.iterate.SURE", 2.0)
    backend, pipeline = scripted("Tern College"), Iterate(600, cycles, memory=memory)
    with corpus_of(tmp_path, {"a.md": "\n\n".join([KEEPER, *FILLER, COLLEGE]), "b.md": "\n\n".join(FILLER)}) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=None)
        ranking = replace(ranking, search=lambda words: retrieve(corpus, words, embedder=None))
        work = pipeline.workload(estimate(ranking), corpus.size, backend.window)
        answer = pipeline.answer(Run(QUESTION, corpus, ranking, backend))
    assert work.then is None
    assert work.calls == answer.usage.calls
    read = work.input_tokens - work.calls * INSTRUCTION_TOKENS  # a scripted backend counts the text alone
    assert 0.7 < read / answer.usage.input_tokens < 1.3


def test_iterate_takes_no_cycles_and_no_fewer_than_one_probe() -> None:
    assert named("iterate:cycles=0") == Iterate(cycles=0) == named("rr")
    with pytest.raises(InputError, match="probes=0"):
        named("iterate:probes=0")
