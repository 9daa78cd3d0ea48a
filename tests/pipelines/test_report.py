"""Reports: planned, looked up and written section by section, and what is left out of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.fakes import HashingEmbedder, Obliging, corpus_of, run_pipeline

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import DoesNotFit
from lcrag.pipelines import Report, named
from lcrag.pipelines._sections import MISSING
from lcrag.planning.estimate import estimate
from lcrag.report import markdown
from lcrag.retrieve.rank import retrieve
from lcrag.session import Session
from lcrag.text.prompts import NOT_FOUND, messages
from lcrag.types import Answer, Backend, Completion, Emit, Event, OnToken, Ranking, Settings, Task, ignore

QUESTION = "Write a report of 600 words on the sea wall."
WALL = "The sea wall was begun in 1959 and finished in 1962."
COST = "The repair of the sea wall cost £96,000."
MOTHS = "The lamps on the sea wall are shaded for the sake of the moths."
DOCUMENTS = {
    "wall.md": f"# The wall\n\n{WALL} It is 1.9 kilometres long.\n\n# Repairs\n\n{COST} Brae Marine did the work.",
    "lamps.md": f"# Lamps\n\n{MOTHS} Forty of the lamps burn until midnight.",
    "boats.md": "# Boats\n\n"
    + "\n\n".join(f"In {year} the harbour took in {year % 97 + 3} boats." for year in range(1800, 1990)),
}
PLAN = [("How it was built", "sea wall begun finished"), ("What it cost", "repair cost Brae Marine")]


SHORT = Report(words=20, sections=2)
"""Of which ``Writer`` writes enough."""


def plan_of(*sections: tuple[str, str]) -> str:
    return json.dumps({"sections": [{"title": title, "query": query, "words": 300} for title, query in sections]})


class Writer(ScriptedBackend):
    """A model that plans ``PLAN`` and copies the facts that it finds in the passages."""

    template_tokens = 32

    def __init__(self, plan: str = plan_of(*PLAN), more: str = "", window: int = 100_000) -> None:
        super().__init__(self.says, window=window)
        self.plan = plan
        self.more = more

    def says(self, task: Task) -> str:
        if task.role == "outline":
            return self.plan
        said = [
            f"{fact} [{passage.marker}]"
            for fact in (WALL, COST)
            for passage in task.passages
            if fact in passage.text and fact not in " ".join(task.notes)
        ]
        return " ".join([*said, self.more]) if said else NOT_FOUND

    def written(self) -> list[Task]:
        return [task for task in self.tasks if task.role == "write"]


def ask(
    folder: Path,
    pipeline: Report,
    backend: Backend,
    documents: dict[str, str] = DOCUMENTS,
    question: str = QUESTION,
    emit: Emit = ignore,
) -> Answer:
    with corpus_of(folder, documents) as corpus:

        def search(text: str) -> Ranking:
            return retrieve(corpus, text, embedder=HashingEmbedder())

        return run_pipeline(pipeline, question, corpus, replace(search(question), search=search), backend, emit)


def test_report_is_planned_then_written_in_one_batch(tmp_path: Path) -> None:
    backend = Writer()
    answer = ask(tmp_path, Report(), backend)
    assert [task.role for task in backend.tasks[:3]] == ["outline", "write", "write"]
    assert backend.batches[:2] == [1, 2]
    assert [task.question for task in backend.tasks[1:3]] == [f"{title}: {query}" for title, query in PLAN]
    assert (answer.status, answer.usage.calls) == ("answered", len(backend.tasks))


def test_report_numbers_citations_and_places_statements(tmp_path: Path) -> None:
    answer = ask(tmp_path, SHORT, Writer())
    assert answer.text.startswith("## How it was built\n\n")
    said = [answer.text[statement.start : statement.end] for statement in answer.statements]
    assert sorted(said) == sorted([WALL, COST])
    assert [citation.marker for citation in answer.citations] == [1, 2]
    for statement, text in zip(answer.statements, said, strict=True):
        [marker] = statement.citations
        assert answer.text[statement.end :].startswith(f" [{marker}]")
        assert answer.citations[marker - 1].quote == text


def test_report_leaves_out_and_counts_what_nothing_supports(tmp_path: Path) -> None:
    events: list[Event] = []
    answer = ask(tmp_path, Report(), Writer(more="Napoleon himself laid the first stone [1]."), emit=events.append)
    assert "Napoleon" not in answer.text
    assert all(statement.supported for statement in answer.statements)
    messages_said = [event.data.get("message", "") for event in events if event.kind == "usage"]
    assert any("left out" in message for message in messages_said)


def test_report_leaves_out_what_a_model_copies_from_its_notes(tmp_path: Path) -> None:
    question = "Write a report on the sea wall that was begun in 1959."
    answer = ask(tmp_path, Report(), Writer(more=f"The report: {question}"), question=question)
    assert "The report:" not in answer.text


def test_report_says_nothing_twice(tmp_path: Path) -> None:
    backend = Writer(plan_of(PLAN[0], ("Its beginning and its end", "sea wall begun finished")))
    answer = ask(tmp_path, Report(), backend)
    assert answer.text.count(WALL) == 1


def test_section_without_support_is_searched_once_more_then_missing(tmp_path: Path) -> None:
    backend = Writer(plan_of(PLAN[0], ("The raven", "raven called Brandt")))
    backend._reply = lambda task: NOT_FOUND if "raven" in task.question else backend.says(task)
    answer = ask(tmp_path, Report(tokens=200), backend)
    of_raven = [task for task in backend.written() if "raven" in task.question]
    assert len(of_raven) == 2
    places = [{(passage.document_id, passage.start) for passage in task.passages} for task in of_raven]
    assert places[0]
    assert places[0].isdisjoint(places[1])
    assert f"## The raven\n\n{MISSING}" in answer.text
    assert MISSING not in [answer.text[one.start : one.end] for one in answer.statements]


def test_section_of_which_a_model_writes_too_little_is_filled_with_quotes(tmp_path: Path) -> None:
    answer = ask(tmp_path, Report(words=120, sections=2), Writer())
    said = [answer.text[statement.start : statement.end] for statement in answer.statements]
    assert MOTHS in said
    assert not any("boats" in sentence for sentence in said)  # which share no word with what is searched for
    assert len(said) == len(set(said))
    assert all(statement.supported for statement in answer.statements)
    whole = " ".join(" ".join(DOCUMENTS.values()).split())
    assert all(sentence in whole for sentence in said)


def test_report_of_nothing_is_no_answer(tmp_path: Path) -> None:
    backend = Writer()
    backend._reply = lambda task: plan_of(*PLAN) if task.role == "outline" else NOT_FOUND
    answer = ask(tmp_path, Report(), backend)
    assert (answer.text, answer.statements) == ("", ())
    assert answer.status in ("not_found", "not_retrieved")


@pytest.mark.parametrize("mode", ["chained", "program"])
def test_sections_in_turn_see_what_is_written(tmp_path: Path, mode: str) -> None:
    backend = Writer()
    route = named(f"report:mode={mode}")
    assert isinstance(route, Report)
    ask(tmp_path, route, backend)
    assert set(backend.batches) == {1}
    first, second = backend.written()[:2]
    assert not any("Written so far" in note for note in first.notes)
    assert f"Written so far: {WALL}" in second.notes[-1]
    assert any("1959; 1962" in note for note in second.notes) == (mode == "program")


def test_sections_in_one_batch_see_the_plan_alone(tmp_path: Path) -> None:
    backend = Writer()
    ask(tmp_path, Report(), backend)
    for task in backend.written()[:2]:
        assert len(task.notes) == 1
        assert "How it was built; What it cost" in task.notes[0]


@pytest.mark.parametrize("plan", ["First the wall, then the lamps.", "[]", '{"sections": [{"title": 3}]}'])
def test_plan_that_cannot_be_read_is_made_of_headings(tmp_path: Path, plan: str) -> None:
    answer = ask(tmp_path, Report(), Writer(plan))
    titles = [line[3:] for line in answer.text.splitlines() if line.startswith("## ")]
    assert titles
    assert set(titles) <= {"The wall", "Repairs", "Lamps", "Boats"}


def test_question_says_how_many_words(tmp_path: Path) -> None:
    backend = Writer()
    ask(tmp_path, Report(sections=2), backend, question="Write a 2,000 word report on the sea wall.")
    assert backend.tasks[0].words == 2000
    assert sum(task.words for task in backend.written()[:2]) == 2000


@pytest.mark.parametrize("window", [1000, 2000, 8192])
@pytest.mark.parametrize("mode", ["parallel", "chained", "program"])
def test_report_never_asks_for_more_than_the_window(tmp_path: Path, mode: str, window: int) -> None:
    needed: list[int] = []

    class Measuring(Writer):
        def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
            sent = [" ".join(message["content"] for message in messages(task)) for task in tasks]
            needed.extend(count + 32 + max_tokens for count in self.count_many(sent))
            return super().run(tasks, max_tokens=max_tokens)

    route = named(f"report:words=600,mode={mode}")
    assert isinstance(route, Report)
    ask(tmp_path, route, Measuring(more="Boats came in. " * 300, window=window))
    assert len(needed) > 2
    assert max(needed) <= window


def test_report_refuses_a_window_without_room(tmp_path: Path) -> None:
    backend = Writer(window=150)
    with pytest.raises(DoesNotFit):
        ask(tmp_path, Report(), backend)
    assert not backend.tasks


@pytest.mark.parametrize("pipeline", [Report(), Report(mode="chained"), Report(words=1000, sections=2)])
def test_workload_forecasts_what_is_asked(tmp_path: Path, pipeline: Report) -> None:
    fact = " ".join(f"The sea wall was mended {number} times in 1958 by the town." for number in range(60))
    years = "\n\n".join(f"In {year} the sea wall was {year % 97} boats long." for year in range(1000, 1990))

    class Planning(Obliging):
        def says(self, task: Task) -> str:
            if task.role == "outline":
                count = pipeline.sections or 6
                return plan_of(*((f"Part {number}", "sea wall") for number in range(count)))
            return " ".join(
                f"{text.strip()} [{task.passages[0].marker}]" for text in task.passages[0].text.split("\n\n")
            )

    model = Planning(fact)
    with corpus_of(tmp_path, {"a.md": years}) as corpus:

        def search(text: str) -> Ranking:
            return retrieve(corpus, text, embedder=HashingEmbedder())

        question = "Write a report on the sea wall."
        ranking = replace(search(question), search=search)
        work = pipeline.workload(estimate(ranking), corpus.size, model.window)
        answer = run_pipeline(pipeline, question, corpus, ranking, model)
    assert work.calls <= answer.usage.calls <= 2 * work.calls  # each section may be searched for once more
    per_call = answer.usage.input_tokens / answer.usage.calls
    assert 0.6 < (work.input_tokens / work.calls) / per_call < 1.4


def test_embedded_backend_reports_in_sentences_of_the_documents(tmp_path: Path) -> None:
    answer = ask(tmp_path, Report(), EmbeddedBackend(HashingEmbedder()))
    titles = [line[3:] for line in answer.text.splitlines() if line.startswith("## ")]
    assert {"The wall", "Repairs", "Lamps"} & set(titles)
    said = [answer.text[statement.start : statement.end] for statement in answer.statements]
    assert {WALL, COST, MOTHS} <= set(said)
    assert len(said) == len(set(said))
    whole = " ".join(" ".join(DOCUMENTS.values()).split())
    assert all(sentence in whole for sentence in said)
    assert all(statement.supported for statement in answer.statements)


def test_embedded_backend_writes_as_many_words_as_are_asked_for(tmp_path: Path) -> None:
    lamps = "# Lamps\n\n" + "\n\n".join(
        f"Lamp {number} of the sea wall was lit by keeper {chr(65 + number % 26)}{number} in {1800 + number}."
        for number in range(90)
    )
    wall = "# The wall\n\n" + "\n\n".join(
        f"*Stone {number} of the sea wall was cut by mason {number * 7} in the {number}th week.*"
        for number in range(90)
    )
    documents = {"wall.md": wall, "lamps.md": lamps}
    answer = ask(tmp_path, Report(words=600), EmbeddedBackend(HashingEmbedder()), documents)
    said = [answer.text[statement.start : statement.end] for statement in answer.statements]
    assert 600 <= sum(len(sentence.split()) for sentence in said) < 690
    assert len({sentence.strip("*") for sentence in said}) == len(said)
    assert all(statement.supported for statement in answer.statements)


def test_embedded_backend_quotes_no_date_alone(tmp_path: Path) -> None:
    cutting = "# The sea wall\n\n7 February 1958. The sea wall broke at the third groyne that night.\n"
    answer = ask(tmp_path, Report(), EmbeddedBackend(HashingEmbedder()), {"a.md": cutting})
    said = [answer.text[statement.start : statement.end] for statement in answer.statements]
    assert said == ["The sea wall broke at the third groyne that night."]


def test_embedded_backend_reports_nothing_on_what_is_not_there(tmp_path: Path) -> None:
    answer = ask(tmp_path, Report(), EmbeddedBackend(None), question="Write a report on zebras.")
    assert answer.status in ("not_found", "not_retrieved")


def test_markdown_of_a_report_has_one_title_and_its_sources_once(tmp_path: Path) -> None:
    answer = ask(tmp_path, Report(), Writer())
    lines = markdown.section(QUESTION, answer, 1000, sources=True).splitlines()
    assert lines[0] == f"# {QUESTION}"
    assert [line for line in lines if line.startswith("## ")] == [
        "## How it was built",
        "## What it cost",
        "## Sources",
    ]


@pytest.mark.parametrize(
    ("question", "offered"), [(QUESTION, True), ("What does the survey say about the sea wall?", False)]
)
def test_reports_are_offered_where_one_is_asked_for(tmp_path: Path, question: str, offered: bool) -> None:
    (tmp_path / "a.md").write_text(DOCUMENTS["wall.md"])
    settings = Settings((str(tmp_path / "a.md"),), index=tmp_path / "index", dense="off", reader="off")
    with Session.open(settings, ignore, backend=EmbeddedBackend(None)) as session:
        assert any(one.pipeline == "report" for one in session.plan(question).forecasts) == offered
