"""The route log: what it keeps, what it tells, what it knows of a server's cache; and the session around it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from support import fake_run
from support.fakes import nobody

from lcrag.backends.scripted import ScriptedBackend
from lcrag.planning.history import History, read_record
from lcrag.planning.profile import builtin_profile
from lcrag.session import Session, Settings, forecast_record, history_path
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Answer, Event, Forecast, Policy, Step, Task, Usage

PLAN = fake_run.plan("who?")
ROUTE = PLAN.forecasts[0]


def came(tokens: int, seconds: float, status: str = "answered") -> Answer:
    used = Usage(tokens, 0, 20, 1, seconds)
    return Answer("A.", status, (), used, tokens, (Step("chunk_rag", status, used),))  # type: ignore[arg-type]


def test_errors_are_medians_and_shares_of_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "routes.db"
    assert read_record(path) is None
    with History(path) as history:
        for tokens, seconds, status in (
            (2100, 0.31, "answered"),
            (1050, 0.62, "not_retrieved"),
            (2100, 0.62, "answered"),
        ):
            history.add(PLAN, ROUTE, came(tokens, seconds, status), corpus="c")
    record = read_record(path)
    assert record is not None
    [route] = record.routes
    assert (route.pipeline, route.asked) == ("chunk_rag", 3)
    assert (route.tokens_error, route.seconds_error) == (0.0, 0.5)
    assert route.answered == pytest.approx(2 / 3)
    assert route.quality == pytest.approx(0.71)


def test_a_second_route_tells_what_the_choice_cost(tmp_path: Path) -> None:
    other = PLAN.forecasts[1]
    with History(tmp_path / "r.db") as history:
        for first, second, agrees in (
            ("not_retrieved", "answered", False),
            ("answered", "answered", True),
            ("answered", "not_found", False),
        ):
            row = history.add(PLAN, ROUTE, came(1000, 0.1, first), corpus="c")
            history.add(PLAN, other, came(3000, 0.1, second), corpus="c", shadow_of=row, agrees=agrees)
        record = history.record()
    assert (record.shadowed, record.missed, record.agreed, record.tokens_ratio) == (3, 1, 1, 3.0)


def test_a_route_is_warm_until_the_cache_must_have_forgotten_it(tmp_path: Path) -> None:
    full = Forecast("full_context", {}, 24_000, 100, 1, 3.0, 0.8, True)
    with History(tmp_path / "r.db") as history:
        history.add(PLAN, full, came(24_000, 3.0), corpus="c", queries=100_000)
        assert history.warm("c", "extractive", 100_000, 50_000) == {"full_context": 24_000}
        assert history.warm("c", "extractive", 149_000, 50_000) == {"full_context": 24_000}
        assert history.warm("c", "extractive", 151_000, 50_000) == {}  # asked for more since than it holds
        assert history.warm("c", "extractive", 20, 50_000) == {}  # started anew since
        assert history.warm("changed", "extractive", 100_000, 50_000) == {}
        assert history.warm("c", "another", 100_000, 50_000) == {}


def test_no_text_is_kept(tmp_path: Path) -> None:
    secret = replace(PLAN, question="Where is the treasure of the Nightingale?")
    with History(tmp_path / "r.db") as history:
        history.add(secret, ROUTE, replace(came(9, 9), text="Under the Nightingale."), corpus="c")
    assert b"ightingale" not in (tmp_path / "r.db").read_bytes()


def found(task: Task) -> str:
    """The answer with the passage that holds it."""
    marker = next((passage.marker for passage in task.passages if "Anna7." in passage.text), 0)
    return f"The keeper of lighthouse 7 is called Anna7 [{marker}]."


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(40):
        text = f"The keeper of lighthouse {number} is called Anna{number}. " + "The sea was calm that day. " * 60
        (folder / f"{number}.md").write_text(text, encoding="utf-8")
    return folder


def opened(folder: Path, backend: ScriptedBackend, events: list[Event], **settings: object) -> Session:
    session = Session.open(Settings((str(folder),), dense="off", reader="off", log=True, **settings), events.append)  # type: ignore[arg-type]
    session.__dict__["backend"] = backend
    session.__dict__["profile"] = replace(
        builtin_profile("scripted", "script", backend.window),
        use={"retrieved": ((500, 0.95), (100_000, 0.9)), "consecutive": ((500, 0.95), (100_000, 0.9))},
    )
    return session


def test_an_abstention_is_followed_by_what_is_still_worth_it_and_never_by_the_same(documents: Path) -> None:
    events: list[Event] = []
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    with opened(documents, backend, events) as session:
        answer, plan = session.ask("What is the keeper of lighthouse 7 called?", Policy("quality"))
    tried = [step.pipeline for step in answer.steps]
    assert len(tried) > 1
    assert tried[0] == plan.pipeline
    assert answer.status == "not_found"
    read = 0
    for step in answer.steps:  # each was to read more than all before it had
        assert read < max(one.input_tokens for one in plan.forecasts if one.pipeline == step.pipeline)
        read += step.usage.input_tokens
    assert [event.data["to"] for event in events if event.kind == "escalate"] == tried[1:]


def test_an_answer_that_no_passage_holds_is_not_the_last_word(documents: Path) -> None:
    def reply(task: Task) -> str:
        return "It is Anna7." if len(backend.tasks) == 1 else found(task)

    backend = ScriptedBackend(reply)
    with opened(documents, backend, []) as session:
        answer, _ = session.ask("What is the keeper of lighthouse 7 called?", Policy("quality", max_tokens=60_000))
    assert len(answer.steps) == 2
    assert answer.citations
    assert answer.usage.input_tokens <= 60_000


def test_escalation_can_be_turned_off_and_the_log_tells_all(documents: Path) -> None:
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    with opened(documents, backend, []) as session:
        answer, _ = session.ask("What is the keeper called?", Policy(), escalate=False)
    assert len(answer.steps) == 1
    record = forecast_record()
    assert record is not None
    assert [route.asked for route in record.routes] == [1]
    with sqlite3.connect(history_path()) as db:
        [(features, forecasts)] = db.execute("SELECT features, forecasts FROM routes")
    assert "cue_list" in json.loads(features)
    assert len(json.loads(forecasts)) > 3


def test_shadow_runs_a_second_route_of_another_kind(documents: Path) -> None:
    events: list[Event] = []
    backend = ScriptedBackend(found)
    with opened(documents, backend, events, shadow=1.0) as session:
        answer, plan = session.ask("What is the keeper of lighthouse 7 called?", Policy())
    [told] = [event.data for event in events if event.kind == "shadow"]
    assert not told["route"].startswith(plan.pipeline)
    assert told["agrees"]
    assert len(answer.steps) == 1
    record = forecast_record()
    assert record is not None
    assert (record.shadowed, record.agreed, record.missed) == (1, 1, 0)


def test_a_second_question_finds_the_document_warm(documents: Path) -> None:
    backend = ScriptedBackend(found)
    with opened(documents, backend, []) as session:
        policy = Policy(pipeline="full_context")
        first = session.plan("Who is the keeper of lighthouse 7?", policy).forecasts
        session.ask("Who is the keeper of lighthouse 7?", policy)
        then = session.plan("Who is the keeper of lighthouse 8?", policy).forecasts
        cold = next(one for one in first if one.pipeline == "full_context")
        warm = next(one for one in then if one.pipeline == "full_context")
        assert cold.cached_tokens == 0 < warm.cached_tokens
        assert warm.seconds < cold.seconds
        session.ask("Who is the keeper of lighthouse 8?", policy)  # and its usage says that nothing was cached
        again = session.plan("Who is the keeper of lighthouse 9?", policy).forecasts
        assert next(one for one in again if one.pipeline == "full_context").cached_tokens == 0


def test_without_log_nothing_is_written(documents: Path) -> None:
    with Session.open(Settings((str(documents),), dense="off", reader="off"), nobody) as session:
        session.ask("What is the keeper of lighthouse 7 called?", Policy())
    assert not history_path().exists()
