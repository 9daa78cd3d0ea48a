"""A comparison run for real: each answer paid for once, the router's from what was paid, the same after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.faulty_server import faulty_server
from support.invocation import process

from lcrag import pipelines
from lcrag.backends.scripted import ScriptedBackend
from lcrag.comparison.analysis import analyse
from lcrag.comparison.dataset import Question, load
from lcrag.comparison.formats import read
from lcrag.comparison.results import Results
from lcrag.comparison.run import ComparisonRun, Setup, drawn
from lcrag.comparison.scoring import score
from lcrag.errors import BackendFailed, InputError
from lcrag.pipelines import PIPELINES
from lcrag.planning.history import read_record
from lcrag.session import Session
from lcrag.types import Policy, Settings, Task, ignore

ROOT = Path(__file__).parents[2]
ROUTES = ("chunk_rag", "full_context")


@pytest.fixture(autouse=True)
def _own_cache(own_cache: Path) -> None:
    """With the models of the user's cache: exporting both takes 25 s."""


def dataset(folder: Path, number: int, *, sets: int = 2, filler: int = 60) -> Path:
    """A made corpus: each fact about one keeper, among sentences that say nothing."""
    (folder / "docs").mkdir(parents=True)
    records = []
    for place in range(number):
        doc = f"docs/{place % sets}.txt"
        fact = f"Keeper number {place} of the light kept a raven called Brandt{place}."
        path = folder / doc
        before = path.read_text() if path.exists() else "The sea was calm and the lamp was lit.\n" * filler
        path.write_text(f"{before}{fact}\n")
        span = {"doc": doc, "start": len(before), "end": len(before) + len(fact)}
        question = f"What was the raven of keeper number {place} called?"
        absent = place % 10 == 9
        records.append(
            {
                "id": f"k{place}",
                "question": question if not absent else f"Which bishop blessed harbour crane {place}?",
                "answers": [] if absent else [f"Brandt{place}"],
                "docs": [doc],
                "unanswerable": absent,
                "evidence_spans": None if absent else [span],
                "points": [] if absent else [fact, "The crane was blessed in 1703."],
            }
        )
    (folder / "questions.jsonl").write_text("\n".join(json.dumps(record) for record in records) + "\n")
    return folder


def run(
    questions: list[Question], file: Path, routes: tuple[str, ...] = ROUTES, **settings: Any
) -> tuple[dict[tuple[str, str], dict[str, Any]], dict[str, Any]]:
    policy = settings.pop("policy", Policy())
    options: dict[str, Any] = {"backend": "embedded", "dense": "off", "reader": "off", "paths": ()} | settings
    setup = Setup(Settings(**options), policy, routes, workers=4)
    with ComparisonRun(questions, setup, ignore) as comparison, Results(file, comparison.header) as results:
        comparison.run(results, lambda done, total: None)
    return results.rows, analyse(questions, results.rows, routes, seed=0, header=results.header)


def test_every_route_answers_every_question_and_reads_the_evidence(tmp_path: Path) -> None:
    questions = load(dataset(tmp_path / "set", 10))
    rows, value = run(questions, tmp_path / "r.ndjson", PIPELINES)
    assert set(rows) == {(question.id, route) for question in questions for route in (*PIPELINES, "router")}
    for question in questions:
        full = rows[question.id, "full_context"]
        assert full["read"] == full["corpus"]["tokens"]
        if question.evidence:
            assert full["evidence"]["read"] == 1.0
            assert full["points"] == [True, False]
        for route in PIPELINES:
            for citation in rows[question.id, route]["citations"]:
                around = citation["around"]
                assert around["text"][around["start"] : around["end"]] == citation["quote"]
    by_name = {row["pipeline"]: row for row in value["routes"]}
    assert by_name["full_context"]["accuracy"] > 0.8
    assert by_name["full_context"]["evidence_read"] == 1.0
    assert by_name["full_context"]["citation_recall"] > 0.8
    by_name = {row["pipeline"]: row for row in value["points"]["routes"]}
    assert by_name["full_context"]["coverage"] == 0.5
    assert by_name["chunk_rag"]["density"] > by_name["full_context"]["density"]


@pytest.mark.parametrize("log", [True, False])
def test_how_right_the_routers_route_was_is_logged_once_a_question(tmp_path: Path, log: bool) -> None:
    questions = load(dataset(tmp_path / "set", 10))
    rows, _ = run(questions, tmp_path / "r.ndjson", log=log)
    record = read_record()
    if not log:
        assert record is None
        return
    assert record is not None
    [backend] = record.backends
    assert (backend.asked, backend.known) == (10, 10)
    by_id = {question.id: question for question in questions}
    values = [
        score(by_id[id], row["answer"], row["short"], row["status"])
        for (id, route), row in rows.items()
        if route == rows[id, "router"]["pipeline"]
    ]
    assert backend.right == pytest.approx(sum(value.value for value in values if value) / 10)


def test_a_log_that_cannot_be_written_stops_no_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "state").write_text("a file instead of the folder")
    rows, _ = run(load(dataset(tmp_path / "set", 2)), tmp_path / "r.ndjson", log=True)
    assert len(rows) == 2 * (len(ROUTES) + 1)


def test_the_routers_answer_is_that_of_the_route_with_its_plan(tmp_path: Path) -> None:
    questions = load(dataset(tmp_path / "set", 9, filler=300))
    rows, _ = run(questions, tmp_path / "r.ndjson", PIPELINES)
    same = 0
    for question in questions:
        router = rows[question.id, "router"]
        twin = rows[question.id, router["pipeline"]]
        assert router["options"] == twin["options"]
        if router["same_as"]:
            same += 1
            assert router["answer"] == twin["answer"]
            assert router["usage"] == twin["usage"]
        else:
            assert twin["status"] in ("not_retrieved", "not_found")
            assert router["usage"]["input_tokens"] > twin["usage"]["input_tokens"]
            assert router["steps"][0] == twin["steps"][0]
    assert same > 0


def scripted(monkeypatch: pytest.MonkeyPatch, reply: Any) -> ScriptedBackend:
    backend = ScriptedBackend(reply, name="server")
    monkeypatch.setattr(Session, "backend", backend)
    return backend


CITED = "Keeper number 7 of the light kept a raven called Brandt7. The sea was calm and the lamp was lit [1]."
"""What any first passage here holds some of."""


def quoting(task: Task) -> str:
    """The first sentence that was read: it cites what is there, so that no further route is asked."""
    return f"{task.passages[0].text.strip().splitlines()[0]} [1]"


def test_what_was_not_retrieved_goes_on_from_the_answer_that_was_paid_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = load(dataset(tmp_path / "set", 3, sets=1, filler=2000))
    alone = scripted(monkeypatch, lambda task: "NOT FOUND")
    monkeypatch.setattr("lcrag.pipelines.PIPELINES", {name: pipelines.PIPELINES[name] for name in ROUTES})
    rows, _ = run(questions, tmp_path / "r.ndjson", policy=Policy("speed"))
    for question in questions:
        router = rows[question.id, "router"]
        assert router["same_as"] is None
        twin = rows[question.id, router["pipeline"]]
        assert twin["status"] in ("not_retrieved", "not_found")  # by the coverage of what was read
        assert twin["options"] == router["options"]
        assert router["usage"]["calls"] > twin["usage"]["calls"]
        assert router["steps"][: len(twin["steps"])] == twin["steps"]
    calls = sum(row["usage"]["calls"] for row in rows.values() if row["route"] != "router")
    followed = sum(
        rows[one.id, "router"]["usage"]["calls"] - rows[one.id, rows[one.id, "router"]["pipeline"]]["usage"]["calls"]
        for one in questions
    )
    assert len(alone.tasks) == calls + followed


def test_a_router_that_takes_another_route_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = load(dataset(tmp_path / "set", 2, sets=1, filler=300))
    scripted(monkeypatch, lambda task: "Brandt1 [1].")
    rows, value = run(questions, tmp_path / "r.ndjson", ("chain_of_agents",))
    assert {rows[question.id, "router"]["same_as"] for question in questions} == {None}
    assert rows["k0", "router"]["pipeline"] != "chain_of_agents"
    assert value["router"]["accuracy"] == 0.5


def test_prompts_that_begin_the_same_go_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = load(dataset(tmp_path / "set", 8, sets=2))
    backend = scripted(monkeypatch, lambda task: "Brandt [1].")
    setup = Setup(Settings((), dense="off", reader="off"), Policy(), ROUTES, workers=1)
    with ComparisonRun(questions, setup, ignore) as comparison, Results(tmp_path / "r", comparison.header) as results:
        comparison.run(results, lambda done, total: None)
    whole = [len(task.passages) > 1 or task.passages for task in backend.tasks]
    assert len(whole) >= 16
    order = [task.passages[0].source for task in backend.tasks[:16]]
    assert order == sorted(order)
    full = [task.passages for task in backend.tasks[4:8]]
    assert full == [full[0]] * 4


def test_going_on_asks_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = load(dataset(tmp_path / "set", 6))
    first = scripted(monkeypatch, quoting)
    run(questions[:4], tmp_path / "r.ndjson")
    asked = len(first.tasks)
    rows, value = run(questions, tmp_path / "r.ndjson")
    whole, _ = run(questions, tmp_path / "other.ndjson")
    assert len(first.tasks) - asked == 2 * 2 + 2 * 6
    assert rows.keys() == whole.keys()
    again = run(questions, tmp_path / "r.ndjson")[1]
    assert json.dumps(again) == json.dumps(value)


def test_errors_of_the_backend_are_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = load(dataset(tmp_path / "set", 4))
    down = True

    def reply(task: Task) -> str:
        if down and "number 2" in task.question:
            raise BackendFailed("the engine died", hint="look")
        return "Brandt2 [1]."

    scripted(monkeypatch, reply)
    _, value = run(questions, tmp_path / "r.ndjson")
    assert value["failed"] == ["k2"]
    down = False
    _, value = run(questions, tmp_path / "r.ndjson")
    assert (value["failed"], value["questions"]) == ([], 4)


def test_a_backend_that_is_gone_ends_the_run_and_leaves_what_was_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = load(dataset(tmp_path / "set", 40))
    replies: list[Any] = ["Brandt1 [1]."] * 10 + [BackendFailed("gone")] * 100
    scripted(monkeypatch, replies)
    with pytest.raises(BackendFailed, match="gone"):
        run(questions, tmp_path / "r.ndjson")
    lines = [json.loads(line) for line in (tmp_path / "r.ndjson").read_text().splitlines()[1:]]
    answered = sum(line["error"] is None for line in lines)
    assert 10 - 3 <= answered <= 10  # on a busy machine the three other workers may still be at theirs


def test_without_gold_the_backend_judges_what_was_cited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = dataset(tmp_path / "set", 4, sets=1)
    (tmp_path / "q.txt").write_text("What was the raven of keeper number 1 called?\nWhere is nobody?\n")

    def reply(task: Task) -> str:
        if task.role == "judge":
            assert any("Brandt1" in passage.text for passage in task.passages)
            return "yes"
        [cited] = [passage.marker for passage in task.passages if "Brandt1" in passage.text]
        return "NOT FOUND" if "nobody" in task.question else f"The raven of keeper 1 was called Brandt1 [{cited}]."

    backend = scripted(monkeypatch, reply)
    rows, value = run(read(tmp_path / "q.txt", tmp_path), tmp_path / "r.ndjson", paths=(str(folder / "docs"),))
    assert value["scoring"]["judged"]
    assert {rows["1", route]["verdict"] for route in ROUTES} == {"yes"}
    assert {rows["2", route]["verdict"] for route in ROUTES} == {None}
    assert {row["accuracy"] for row in value["routes"]} == {0.5}
    assert sum(task.role == "judge" for task in backend.tasks) == 2


@pytest.mark.slow
def test_answers_with_and_without_the_reader_are_not_mixed(tmp_path: Path) -> None:
    questions = load(dataset(tmp_path / "set", 1))
    run(questions, tmp_path / "r.ndjson", dense="on")
    with pytest.raises(InputError, match="made with reader None, not 'reader-int8-"):
        run(questions, tmp_path / "r.ndjson", dense="on", reader="auto")


def test_other_settings_or_other_questions_are_refused(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "set", 2)
    questions = load(folder)
    run(questions, tmp_path / "r.ndjson")
    with pytest.raises(InputError, match=r"made with temperature 0\.0, not 0\.5"):
        run(questions, tmp_path / "r.ndjson", temperature=0.5)
    text = (folder / "questions.jsonl").read_text().replace("keeper number 1", "keeper number one")
    (folder / "questions.jsonl").write_text(text)
    with pytest.raises(InputError, match="another question k1"):
        run(load(folder), tmp_path / "r.ndjson")
    with pytest.raises(InputError, match="no pipeline 'nonsense'"):
        run(questions, tmp_path / "r.ndjson", ("nonsense",))


def test_each_set_of_documents_has_its_own_index_in_the_folder_named(tmp_path: Path) -> None:
    run(load(dataset(tmp_path / "set", 4, sets=2)), tmp_path / "r.ndjson", index=tmp_path / "index")
    assert len(list((tmp_path / "index").iterdir())) == 2


def test_a_higher_limit_adds_to_what_a_lower_one_drew(tmp_path: Path) -> None:
    questions = load(dataset(tmp_path / "set", 30))
    few, more = drawn(questions, 5, 1), drawn(questions, 12, 1)
    assert len(few) == 5
    assert len(more) == 12
    assert {one.id for one in few} < {one.id for one in more}
    assert [one.id for one in more] == [one.id for one in questions if one in more]
    assert drawn(questions, 5, 2) != few
    assert drawn(questions, None, 1) == drawn(questions, 99, 1) == questions


def command(folder: Path, file: Path, url: str, report: Path) -> list[str]:
    line = f"-m lcrag compare --dataset {folder} --pipelines chunk_rag,full_context --workers 3 --json -q"
    return [
        sys.executable,
        *line.split(),
        *f"--dense off --reader off --base-url {url} --resume {file} --html {report}".split(),
    ]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "LCRAG_CACHE_DIR": str(tmp_path / "cache")}


def rows_in(file: Path) -> int:
    return file.read_bytes().count(b"\n") - 1 if file.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_of_200_questions_it_ends_with_the_same_report(
    tmp_path: Path, environment: dict[str, str], ending: signal.Signals
) -> None:
    folder = dataset(tmp_path / "set", 200, sets=3)
    with faulty_server(reply=CITED, window=100_000, delay=0.01) as server:
        line = command(folder, tmp_path / "killed.ndjson", server.url, tmp_path / "killed.html")
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with process(line, env=environment, **pipes) as running:
            deadline = time.monotonic() + 200
            while rows_in(tmp_path / "killed.ndjson") < 150 and time.monotonic() < deadline:
                time.sleep(0.02)
            running.send_signal(ending)
            out, err = running.communicate(timeout=60)
        assert out == ""
        assert running.returncode == (130 if ending == signal.SIGINT else -signal.SIGKILL), err
        kept = rows_in(tmp_path / "killed.ndjson")
        assert 150 <= kept < 600
        before = len(server.seen)
        resumed = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
        asked_again = before - kept
        assert 0 <= asked_again <= 6  # of each of three workers one on its way and one not written yet
        lines = [json.loads(one) for one in (tmp_path / "killed.ndjson").read_text().splitlines()[1:]]
        assert max(Counter((one["id"], one["route"]) for one in lines).values()) == 1
        called = sum(one["usage"]["calls"] for one in lines if not one["same_as"])
        assert len(server.seen) == called + asked_again
        page = (tmp_path / "killed.html").read_bytes()
        # Seconds are measured, so the same report can only be had from the same answers.
        rendered = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
        assert len(server.seen) == called + asked_again
    assert rendered.stdout == resumed.stdout
    assert (tmp_path / "killed.html").read_bytes() == page


@pytest.mark.slow
def test_killed_or_not_the_report_is_the_same_but_for_seconds(tmp_path: Path, environment: dict[str, str]) -> None:
    folder = dataset(tmp_path / "set", 30, sets=2)
    with faulty_server(reply="The raven was called Brandt7 [1].", window=100_000) as server:
        line = command(folder, tmp_path / "a.ndjson", server.url, tmp_path / "a.html")
        whole = json.loads(subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout)
        cut = (tmp_path / "a.ndjson").read_bytes()[:40_000]
        (tmp_path / "b.ndjson").write_bytes(cut)
        line = command(folder, tmp_path / "b.ndjson", server.url, tmp_path / "b.html")
        parts = json.loads(subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout)
    assert timeless(whole) == timeless(parts)


def timeless(value: Any) -> Any:
    """The report without what a clock measured."""
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if "seconds" not in key}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value
