"""The whole flow on the example corpus and on small ones: settings in, plans and answers out."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Sequence
from dataclasses import replace
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from support.corpora import write
from support.faulty_server import faulty_server

import lcrag
from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import BackendFailed, DoesNotFit, InputError, NoReadableDocument, NoSuchPath, NotInstalled, OverBudget
from lcrag.index import folder_of, index_clear, index_status
from lcrag.index.corpus import Corpus
from lcrag.pipelines import ChunkRag, Run
from lcrag.session import Session
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import SURE, Answer, Completion, Event, OnToken, Policy, Settings, Step, Task, Usage, ignore

EXAMPLES = Path(__file__).parents[2] / "examples"
CORPUS = EXAMPLES / "saltmarsh"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path / "cache"))


def settings(*paths: Path | str, **options: object) -> Settings:
    return Settings(tuple(map(str, paths)), dense="off", reader="off", **options)  # type: ignore[arg-type]


def questions() -> list[dict[str, object]]:
    lines = (EXAMPLES / "saltmarsh-questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("pipeline", ["chunk_rag", "full_context", "chain_of_agents", "compression", "escalate"])
@pytest.mark.slow
def test_session_quotes_of_every_format_are_in_place(pipeline: str) -> None:
    formats = set()
    with Session.open(settings(CORPUS), ignore) as session:
        for question in questions():
            answer = session.ask(str(question["question"]), Policy(pipeline=pipeline))
            for citation in answer.citations:
                document = session.corpus.document(citation.document_id)
                assert citation.quote == document.text[citation.start : citation.end] != ""
                formats.add(Path(citation.source).suffix)
                if Path(citation.source).suffix in (".md", ".txt", ".csv"):
                    lines = Path(citation.source).read_text(encoding="utf-8").split("\n")
                    assert citation.line is not None
                    assert citation.quote.split("\n")[0] in lines[citation.line - 1]
                if citation.source.endswith(".pdf"):
                    assert citation.page is not None
    assert len(formats) >= 5


def test_examples_questions_match_their_documents() -> None:
    asked = questions()
    assert len(asked) == 36
    assert sum(bool(question["unanswerable"]) for question in asked) == 6
    with Session.open(settings(CORPUS), ignore) as session:
        texts = {
            Path(source).name: session.corpus.document(document).text
            for document, source, _ in session.corpus.documents()
        }
    for question in asked:
        evidence = question["evidence"] or []
        spans = question["evidence_spans"] or []
        for words, span in zip(evidence, spans, strict=True):  # type: ignore[call-overload]
            held = texts[Path(span["doc"]).name][span["start"] : span["end"]]
            assert held.split() == words.split()


def test_session_plan_calls_no_model_and_ask_follows_it(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("The lighthouse keeper Anna Holm kept a tame raven called Brandt.\n")
    events: list[Event] = []
    with Session.open(settings(tmp_path / "a.md"), events.append) as session:
        plan = session.plan("What was the raven called?", Policy())
        assert "answer" not in {event.kind for event in events}
        answer = session.ask("What was the raven called?", Policy())
    assert plan == answer.plan
    assert answer.steps[0].pipeline == plan.pipeline
    assert [event.kind for event in events if event.kind in ("estimate", "plan")] == ["estimate", "plan"] * 2


def test_session_reads_more_after_finding_nothing() -> None:
    unheard = "Which enzyme breaks down lactose in yoghurt?"
    with Session.open(settings(CORPUS), ignore) as session:
        alone = session.ask(unheard, Policy(pipeline="chunk_rag", max_tokens=1500), escalate=False)
        further = session.ask(unheard, Policy(max_tokens=30_000), escalate=True)
        everything = session.ask(unheard, Policy("quality"), escalate=True)
    assert alone.status == "not_retrieved"
    assert len(alone.steps) == 1
    assert further.usage.input_tokens <= 30_000
    assert everything.status == "not_found"
    assert everything.tokens_read == session.index_info["tokens"]


def test_session_refuses_impossible_budgets_and_names(tmp_path: Path) -> None:
    with Session.open(settings(CORPUS), ignore) as session:
        with pytest.raises(OverBudget, match="more than the limit"):
            session.plan("Who?", Policy(max_tokens=10))
        with pytest.raises(InputError, match="no pipeline 'nonsense'") as refused:
            session.plan("Who?", Policy(pipeline="nonsense"))
        assert "chunk_rag" in refused.value.hint
        with pytest.raises(InputError, match="empty"):
            session.ask("   ", Policy())


def test_session_over_a_pipe_leaves_nothing_behind(tmp_path: Path) -> None:
    with Session.open(
        Settings(("-",), dense="off", reader="off", stdin_text="Anna Holm kept the light."), ignore
    ) as session:
        folder = session.corpus.folder
        answer = session.ask("Who kept the light?", Policy())
        assert answer.citations[0].source == "-"
    assert not folder.exists()


def test_session_over_a_pipe_removes_what_a_killed_one_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    piped = Settings(("-",), dense="off", reader="off", stdin_text="Anna Holm kept the light.")
    for name in ("lcrag.abcdefgh", "lcrag.notes", "other.abcdefgh"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, 0))
    with Session.open(piped, ignore) as first:
        os.utime(first.corpus.folder, (0, 0))
        with Session.open(piped, ignore):
            assert first.corpus.folder.exists(), "its process lives"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lcrag.notes", "other.abcdefgh"]


def test_index_folder_follows_the_paths(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Anna Holm kept the light.")
    (tmp_path / "b.md").write_text("Ben rang the bell.")
    both = settings(tmp_path / "a.md", tmp_path / "b.md")
    assert folder_of(both.paths) == folder_of(settings(tmp_path / "b.md", tmp_path / "a.md").paths)
    assert folder_of(both.paths) != folder_of(settings(tmp_path / "a.md").paths)
    with pytest.raises(NoSuchPath, match="no index"):
        index_status(both.paths)
    Session.open(both, ignore).__exit__(None, None, None)
    assert index_status(both.paths).documents == 2
    assert index_clear(both.paths)
    assert not index_clear(both.paths)


def test_session_on_a_copy_answers_as_the_first_without_its_files(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "a.md", "# Light\n\nThe keeper of the light was Anna Holm.\n")
    write(tmp_path / "docs" / "broken.pdf", b"%PDF-1.4 and no more")
    with Session.open(settings(tmp_path / "docs", backend="embedded")) as session:
        session.corpus.copy_to(tmp_path / "copy")
        known = pickle.loads(pickle.dumps(session.known()))
        first = session.ask("Who was the keeper of the light?")
    shutil.rmtree(tmp_path / "docs")
    with Corpus.open(tmp_path / "copy") as corpus:
        copy = Session.of_copy(session.settings, corpus, known)
        second = copy.ask("Who was the keeper of the light?")
        assert copy.index_info == {"documents": 1, "chunks": 1, "tokens": corpus.size.tokens, "skipped": 1}
        assert copy.left_out == session.left_out
    assert (second.text, second.citations, second.left_out) == (first.text, first.citations, first.left_out)


def test_session_coverage_is_that_of_what_was_read(tmp_path: Path) -> None:
    """A ranking may hold far fewer tokens than the budget allows: what was not read is not covered."""
    (tmp_path / "a.md").write_text("Anna Holm kept the light.\n" + "The sea was calm that day.\n" * 3000)
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    with Session.open(settings(tmp_path), backend=backend) as session:
        answer = session.ask("Zeppelin Anna?", Policy(pipeline="chunk_rag"), escalate=False)
        assert answer.plan is not None
        read = answer.plan.estimate.covered(answer.tokens_read * session.scale.ratio)
    assert answer.status == "not_retrieved"
    assert answer.tokens_read < 1000
    assert answer.coverage == min(read, answer.plan.chosen.evidence) < 0.9


def test_session_keeps_its_answer_when_a_further_route_fails(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Anna Holm kept the light.\n\n" + "The sea was calm.\n\n" * 900)

    def reply(task: Task) -> str:
        if len(backend.tasks) > 1:
            raise error
        return "It was Berta."

    for error in (BackendFailed("gone"), DoesNotFit("102 more than the window", tokens=8294, window=8192)):
        events: list[Event] = []
        backend = ScriptedBackend(reply)
        with Session.open(settings(tmp_path), events.append, backend=backend) as session:
            answer = session.ask("Who kept the light?", Policy("quality"))
        assert (answer.status, answer.text) == ("answered", "It was Berta.")
        assert any(str(error) in str(event.data.get("message")) for event in events)


def test_session_takes_the_next_route_when_the_chosen_one_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Anna Holm kept the light.\n\n" + "The sea was calm.\n\n" * 900)

    def reply(task: Task) -> str:
        if len(backend.tasks) == 1:
            raise DoesNotFit("102 more than the window", tokens=8294, window=8192)
        return f"Anna Holm kept the light [{task.passages[0].marker}]."

    events: list[Event] = []
    backend = ScriptedBackend(reply)
    with Session.open(settings(tmp_path), events.append, backend=backend) as session:
        answer = session.ask("Who kept the light?", Policy())
        assert answer.citations
        assert any("instead" in str(event.data.get("message")) for event in events)
        backend.tasks.clear()
        with pytest.raises(DoesNotFit):
            session.ask("Who kept the light?", Policy(pipeline="chunk_rag"))


def test_session_trace_and_shadow_stream_only_the_answer(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Anna Holm kept the light.\n\n" + "The sea was calm.\n\n" * 300)
    written: list[str] = []
    events: list[Event] = []

    class Streaming(ScriptedBackend):
        def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
            completions = super().run(tasks, max_tokens=max_tokens)
            if on_token is not None:
                on_token(completions[0].text)
            return completions

    backend = Streaming(lambda task: "Anna Holm kept the light [1].")
    logged = replace(settings(tmp_path), log=True, shadow=1.0)
    with Session.open(logged, events.append, backend=backend) as session:
        session.ask("Who kept the light?", Policy(pipeline="chunk_rag"), trace=True, on_token=written.append)
    assert len(backend.tasks) > 2
    assert written == ["Anna Holm kept the light [1]."]
    assert [event.kind for event in events].count("token") == 1
    assert [event.kind for event in events].count("retrieve") == 1


def test_index_of_a_home_folder_is_that_of_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "docs").mkdir()
    assert folder_of(["~/docs"]) == folder_of([str(tmp_path / "docs")])


def test_session_names_broken_files_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Anna Holm kept the light.")
    (tmp_path / "b.pdf").write_bytes(b"no pdf")
    with Session.open(settings(tmp_path), ignore) as session:
        [(source, reason)] = session.unreadable_files
        assert source.endswith("b.pdf")
        assert "pdf" in reason
        assert session.index_info["documents"] == 1
        assert session.index_info["skipped"] == 1


def test_session_without_readable_files_says_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\0")
    with pytest.raises(NoReadableDocument, match="1 binary"):
        Session.open(settings(tmp_path), ignore)
    with pytest.raises(InputError, match="no path"):
        Session.open(settings(), ignore)


def test_session_with_a_missing_embedder_raises(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Anna Holm kept the light.")
    missing = Settings((str(tmp_path),), embedder=str(tmp_path / "no-model"))
    with Session.open(missing, ignore) as session, pytest.raises(NotInstalled):
        session.plan("Who kept the light?", Policy())


def test_session_small_window_raises_with_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.backends.embedded.EmbeddedBackend.window", 600)
    with Session.open(settings(CORPUS), ignore) as session, pytest.raises(DoesNotFit) as refused:
        session.plan("Who?", Policy(pipeline="full_context"))
    assert refused.value.window == 600


def test_backend_auto_takes_a_server_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.md").write_text("Anna Holm kept the light.")
    monkeypatch.setenv("LCRAG_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr("lcrag.backends.local_server.USUAL_PORT", 1)  # nothing listens there
    with Session.open(settings(tmp_path / "a.md"), ignore) as session:
        assert session.backend.name == "embedded"
    events: list[Event] = []
    with faulty_server(reply="Anna Holm kept the light. [1]") as fake:
        monkeypatch.setattr("lcrag.backends.local_server.USUAL_PORT", int(fake.url.rpartition(":")[2]))
        with Session.open(settings(tmp_path / "a.md"), events.append) as session:
            answer = session.ask("Who kept the light?", Policy())
            assert session.backend.name == "server"
    assert answer.citations[0].quote == "Anna Holm kept the light."
    assert "".join(event.data["text"] for event in events if event.kind == "token") == "Anna Holm kept the light. [1]"


def test_backend_auto_ignores_another_service_on_the_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.md").write_text("Anna Holm kept the light.")
    monkeypatch.setenv("LCRAG_STATE_DIR", str(tmp_path / "state"))
    events: list[Event] = []
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as other:
        Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setattr("lcrag.backends.local_server.USUAL_PORT", other.server_port)
        with Session.open(settings(tmp_path / "a.md"), events.append) as session:
            assert session.backend.name == "embedded"
        other.shutdown()
    assert any("without a model" in str(event.data.get("message")) for event in events)


def test_answer_certified_not_found_needs_high_coverage() -> None:
    steps = (Step("chunk_rag", "answered", Usage()), Step("chunk_rag", "not_retrieved", Usage()))
    nothing = Answer("", "not_retrieved", (), Usage(), 900, steps)
    sure = nothing.certified(SURE)
    assert (sure.status, sure.steps[-1].status, sure.coverage) == ("not_found", "not_found", SURE)
    assert sure.steps[0] == steps[0]
    unsure = nothing.certified(SURE - 0.01)
    assert (unsure.status, unsure.steps, unsure.coverage) == ("not_retrieved", steps, SURE - 0.01)
    unread = replace(nothing, tokens_read=0).certified(1.0)
    assert unread.status == "not_retrieved"
    whole = replace(nothing, status="not_found", coverage=1.0)
    assert whole.certified(0.2) == whole


def test_a_pipeline_may_search_for_other_words_in_its_own_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []

    class Again(ChunkRag):
        def answer(self, run: Run) -> Answer:
            assert run.ranking.search is not None
            found.append(run.ranking.search("tide mill").hits[0].chunk.text)
            return super().answer(run)

    monkeypatch.setattr("lcrag.pipelines.PIPELINES", {"chunk_rag": Again})
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    backend.__class__ = type("Wide", (ScriptedBackend,), {"concurrency": 4})  # so that workers fork the session
    with Session.open(settings(CORPUS), ignore, backend=backend) as session:
        answers = list(session.ask_many(["Who kept bees?", "Who baked?"], pipeline="chunk_rag:tokens=300", workers=2))
    assert len(answers) == len(found) == 2
    assert all("mill" in text.lower() for text in found)


def test_session_estimates_over_the_chosen_documents(tmp_path: Path, own_cache: Path) -> None:
    """Size, estimate and forecasts are those of a session on these documents alone."""
    for name, text in (("a/one.md", "Anna Holm kept the light. " * 30), ("b/two.md", "The ferry is blue. " * 900)):
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    given: dict[str, Any] = {"backend": "embedded", "dense": "off", "reader": "off", "writer": "off"}
    question = "Who kept the light?"
    with (
        lcrag.open(tmp_path / "docs", only=["a/"], **given) as chosen,
        lcrag.open(tmp_path / "docs" / "a", **given) as alone,
    ):
        assert chosen.corpus.size == alone.corpus.size
        own, other = chosen.plan(question).estimate, alone.plan(question).estimate
        assert own.diffusion == pytest.approx(other.diffusion, abs=0.05)  # a word's weight is that among all documents
        assert chosen.plan(question, pipeline="full_context").chosen.input_tokens < 1000
        chosen.select()
        assert chosen.index_info["documents"] == 2
        assert chosen.plan(question, pipeline="full_context").chosen.input_tokens > 3000
        with chosen.fork() as other:
            assert other.index_info["documents"] == 2


@pytest.mark.parametrize("choice", [{"only": ["*.pdf"]}, {"only": ["[z-a]"]}, {"since": "soon"}])
def test_session_reads_on_after_a_choice_that_is_none(tmp_path: Path, own_cache: Path, choice: dict[str, Any]) -> None:
    (tmp_path / "a.md").write_text("Anna Holm kept the light.\n")
    (tmp_path / "b.md").write_text("Ben rang the bell.\n")
    with Session.open(settings(tmp_path, backend="embedded", only=("a.md",))) as session:
        for _ in range(2):
            with pytest.raises(InputError):
                session.select(**choice)
        assert session.index_info["documents"] == 1
        assert session.ask("Who kept the light?").status == "answered"
