"""Summaries of everything: how pieces are read, how their summaries become one, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from support.fakes import HashingEmbedder, Obliging, corpus_of, run_pipeline

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import DoesNotFit, InputError
from lcrag.pipelines import Summarise, named
from lcrag.pipelines._clusters import clusters, number_of_clusters
from lcrag.pipelines._summaries import most_tokens
from lcrag.planning.estimate import estimate
from lcrag.retrieve.rank import retrieve
from lcrag.session import Session
from lcrag.text.prompts import NOT_FOUND, messages
from lcrag.types import Answer, Backend, Completion, Emit, OnToken, Policy, Settings, Task, ignore

QUESTION = "Summarise what happened in the harbour."
YEARS = [f"In {year} the harbour took in {year % 97 + 3} boats and the mole was mended." for year in range(1800, 1980)]
DOCUMENTS = {"a.md": "\n\n".join(YEARS[:120]), "b.md": "\n\n".join(YEARS[120:])}


def ask(
    folder: Path,
    pipeline: Summarise,
    backend: Backend,
    documents: dict[str, str] = DOCUMENTS,
    question: str = QUESTION,
    emit: Emit = ignore,
) -> Answer:
    with corpus_of(folder, documents) as corpus:
        ranking = retrieve(corpus, question, embedder=HashingEmbedder())
        return run_pipeline(pipeline, question, corpus, ranking, backend, emit)


def first_sentence(task: Task) -> str:
    """A model that sums up by the first sentence of what it is given."""
    if task.passages:
        return f"{task.passages[0].text.split('.')[0].strip()}. [{task.passages[0].marker}]"
    return task.notes[0]


def generous(task: Task) -> str:
    """A model that votes for every third sentence by its first words."""
    lines = [line.strip() for passage in task.passages for line in passage.text.splitlines() if line.strip()]
    return "\n".join(" ".join(line.split()[:6]) for line in lines[::3])


def roles(backend: ScriptedBackend) -> list[str]:
    return [task.role for task in backend.tasks]


def test_merge_reads_everything_in_one_batch_then_level_by_level(tmp_path: Path) -> None:
    backend = ScriptedBackend(first_sentence)
    answer = ask(tmp_path, Summarise(piece=400), backend)
    pieces = roles(backend).count("summarise")
    assert pieces > 4
    assert backend.batches[0] == pieces
    assert set(roles(backend)[pieces:]) == {"merge"}
    assert sum(len(task.passages) for task in backend.tasks) == len(
        {p.marker for t in backend.tasks for p in t.passages}
    )
    assert (answer.status, answer.coverage) == ("answered", 1.0)
    assert answer.citations[0].quote == YEARS[0]


def test_merge_of_one_piece_is_one_call(tmp_path: Path) -> None:
    backend = ScriptedBackend(first_sentence)
    ask(tmp_path, Summarise(words=40), backend, {"a.md": "\n\n".join(YEARS[:20])})
    assert [(task.role, task.words) for task in backend.tasks] == [("summarise", 40)]


def test_lower_levels_are_shorter_than_the_last(tmp_path: Path) -> None:
    backend = ScriptedBackend(first_sentence)
    ask(tmp_path, Summarise(piece=600), backend, question="Summarise the harbour in 200 words.")
    assert {task.words for task in backend.tasks if task.role == "summarise"} == {130}
    assert backend.tasks[-1].words == 200
    assert "Use about 200 words." in messages(backend.tasks[-1])[1]["content"]


def test_chained_merges_see_the_end_of_the_one_before(tmp_path: Path) -> None:
    def several(task: Task) -> str:
        first = task.passages[0].marker if task.passages else task.notes[-1].split("[")[-1][:-1]
        return " ".join(f"The mole was mended for the {number}th time [{first}]." for number in range(8))

    plain, chained = ScriptedBackend(several), ScriptedBackend(several)
    ask(tmp_path / "a", Summarise(piece=250), plain)
    ask(tmp_path / "b", Summarise(piece=250, chained=True), chained)
    assert len(chained.batches) > len(plain.batches)
    for backend, sees_the_end in ((plain, False), (chained, True)):
        first, second = [task for task in backend.tasks if task.role == "merge"][:2]
        written = several(first)
        assert (written.endswith(second.notes[0]) and second.notes[0] != written) is sees_the_end


def test_refine_adds_piece_by_piece(tmp_path: Path) -> None:
    backend = ScriptedBackend(first_sentence)
    ask(tmp_path, Summarise("refine", piece=400), backend)
    assert roles(backend)[0] == "summarise"
    assert set(roles(backend)[1:]) == {"refine"}
    assert set(backend.batches) == {1}
    assert all(len(task.notes) == 1 for task in backend.tasks[1:])


def test_refine_keeps_what_a_piece_adds_nothing_to(tmp_path: Path) -> None:
    backend = ScriptedBackend(lambda task: first_sentence(task) if task.role == "summarise" else NOT_FOUND)
    answer = ask(tmp_path, Summarise("refine", piece=400), backend)
    assert answer.citations[0].quote == YEARS[0]


def test_documents_are_summed_up_each_and_then_compared(tmp_path: Path) -> None:
    backend = ScriptedBackend(first_sentence)
    ask(tmp_path, Summarise(by="documents"), backend)
    for task in backend.tasks:
        assert len({passage.source for passage in task.passages}) <= 1
    assert (roles(backend)[-1], len(backend.tasks[-1].notes)) == ("compare", 2)


def test_votes_choose_sentences_of_the_documents(tmp_path: Path) -> None:
    wanted = {YEARS[3], YEARS[150]}

    def voter(task: Task) -> str:
        return "\n".join(
            f"{' '.join(line.split()[:6])} [{passage.marker}]"
            for passage in task.passages
            for line in passage.text.split("\n\n")
            if line.strip() in wanted
        )

    backend = ScriptedBackend(voter)
    answer = ask(tmp_path, Summarise("extract"), backend)
    assert {citation.quote for citation in answer.citations} == wanted
    assert all(statement.supported for statement in answer.statements)
    orders = [tuple(passage.start for passage in task.passages) for task in backend.tasks[:3]]
    assert len(set(orders)) > 1


def test_votes_that_name_no_sentence_leave_the_most_central_ones(tmp_path: Path) -> None:
    said: list[str] = []
    backend = ScriptedBackend(lambda task: "The passages are about the harbour and its boats.")
    answer = ask(
        tmp_path,
        Summarise("extract", words=60),
        backend,
        emit=lambda event: said.append(str(event.data.get("message"))),
    )
    assert answer.status == "answered"
    assert {citation.quote for citation in answer.citations} <= set(YEARS)
    assert 20 < len(answer.text.split()) <= 80
    assert "no vote names a sentence: the most central ones are taken instead" in said


def test_votes_for_nothing_find_nothing_where_no_summary_is_asked_for(tmp_path: Path) -> None:
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    assert ask(tmp_path / "a", Summarise("extract"), backend, question="What did they say of cats?").text == ""
    assert ask(tmp_path / "b", Summarise("extract"), backend, question="Summarise the text.").text


def test_votes_of_the_first_round_stand_where_the_second_names_nothing(tmp_path: Path) -> None:
    def tired(task: Task) -> str:
        if len(backend.batches) > 1:
            return "Nothing of that."
        return generous(task)

    backend = ScriptedBackend(tired)
    answer = ask(tmp_path, Summarise("extract", words=30), backend)
    assert len(backend.batches) == 2
    assert {citation.quote for citation in answer.citations} <= set(YEARS)
    assert answer.citations


def test_votes_for_more_than_the_words_are_taken_again(tmp_path: Path) -> None:
    backend = ScriptedBackend(generous)
    answer = ask(tmp_path, Summarise("extract", words=30), backend)
    assert len(backend.batches) > 1
    assert len(answer.text.split()) <= 36


def test_a_reply_that_was_cut_is_asked_for_twice_more_and_ends_at_a_sentence(tmp_path: Path) -> None:
    backend = ScriptedBackend(lambda task: f"{YEARS[0]} [1] " + " ".join(f"and {number}" for number in range(400)))
    answer = ask(tmp_path, Summarise(words=20), backend, {"a.md": YEARS[0]})
    assert [task.words for task in backend.tasks] == [20, 18, 16]
    assert answer.text == f"{YEARS[0]} [1]"


@pytest.mark.parametrize("window", [1000, 2000, 9000])
@pytest.mark.parametrize(
    "pipeline",
    [Summarise(), Summarise("refine"), Summarise("extract"), Summarise(chained=True), Summarise(by="clusters")],
)
def test_summarise_never_asks_for_more_than_the_window(tmp_path: Path, pipeline: Summarise, window: int) -> None:
    needed: list[int] = []

    class Measuring(ScriptedBackend):
        def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
            sent = [" ".join(message["content"] for message in messages(task)) for task in tasks]
            needed.extend(count + max_tokens for count in self.count_many(sent))
            return super().run(tasks, max_tokens=max_tokens)

    ask(tmp_path, pipeline, Measuring(lambda task: "Boats came in. " * 300, window=window))
    assert max(needed) <= window


def test_summarise_refuses_a_window_without_room(tmp_path: Path) -> None:
    backend = ScriptedBackend(first_sentence, window=150)
    with pytest.raises(DoesNotFit):
        ask(tmp_path, Summarise(), backend)
    assert not backend.tasks


@pytest.mark.parametrize("name", ["summarise:mode=refine,by=documents", "summarise:mode=extract,chained=on"])
def test_options_that_contradict_each_other_are_wrong_input(name: str) -> None:
    with pytest.raises(InputError, match="need mode=merge"):
        named(name)


@pytest.mark.parametrize(
    "pipeline",
    [
        Summarise(),
        Summarise(piece=500),
        Summarise("refine", piece=500),
        Summarise("extract"),
        Summarise(over="hits"),
        Summarise(by="documents"),
        Summarise(by="clusters"),
        Summarise(chained=True),
    ],
)
def test_workload_forecasts_what_is_asked(tmp_path: Path, pipeline: Summarise) -> None:
    model = Obliging(YEARS[5])
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=HashingEmbedder())
        work = pipeline.workload(estimate(ranking), corpus.size, model.window)
        answer = run_pipeline(pipeline, QUESTION, corpus, ranking, model, ignore)
    assert answer.usage.calls <= work.calls + 1
    assert 0.7 < work.input_tokens / answer.usage.input_tokens < 1.3


def test_embedded_backend_sums_up_in_one_call_by_its_own_sentences(tmp_path: Path) -> None:
    answer = ask(tmp_path, Summarise(words=60), EmbeddedBackend(HashingEmbedder()))
    assert answer.usage.calls == 1
    assert 20 < len(answer.text.split()) <= 80
    assert {citation.quote for citation in answer.citations} <= set(YEARS)
    assert all(statement.supported for statement in answer.statements)


def test_embedded_backend_sums_up_each_document(tmp_path: Path) -> None:
    answer = ask(tmp_path, Summarise(by="documents"), EmbeddedBackend(HashingEmbedder()))
    assert {Path(citation.source).name for citation in answer.citations} == {"a.md", "b.md"}


@pytest.mark.parametrize("pipeline", [None, "summarise"])
def test_summaries_of_everything_are_made_where_they_are_asked_for_by_name(
    tmp_path: Path, pipeline: str | None
) -> None:
    (tmp_path / "a.md").write_text(DOCUMENTS["a.md"])
    settings = Settings((str(tmp_path / "a.md"),), index=tmp_path / "index", dense="off", reader="off")
    with Session.open(settings, ignore, backend=EmbeddedBackend(None)) as session:
        plan = session.plan(QUESTION, Policy(pipeline=pipeline))
    assert ("summarise" in {one.pipeline for one in plan.forecasts}) == (pipeline == "summarise")


def test_clusters_put_alike_together(tmp_path: Path) -> None:
    texts = {
        f"{kind}{number}.md": f"The {kind} {kind}s on day {number}, as a {kind} does."
        for kind in ("gull", "mill")
        for number in range(9)
    }
    with corpus_of(tmp_path, texts) as corpus:
        groups = clusters(list(corpus.chunks()))
    kinds = [{Path(chunk.source).name[:4] for chunk in group} for group in groups]
    assert sum(map(len, groups)) == 18
    assert all(len(kind) == 1 for kind in kinds)


@pytest.mark.parametrize(("chunks", "number"), [(1, 1), (2, 2), (50, 5), (5000, 12)])
def test_number_of_clusters_grows_slowly(chunks: int, number: int) -> None:
    assert number_of_clusters(chunks) == number


def test_most_tokens_leaves_room_for_markers() -> None:
    assert most_tokens(150) > 150 * 1.5
