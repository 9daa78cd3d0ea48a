"""The route log: what it stores, how good forecasts were, what a server has cached; and the session around it."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support import values
from support.invocation import Lcrag

from lcrag.backends.scripted import ScriptedBackend
from lcrag.planning.history import RECENT, SCHEMA, RouteLog, log_path, outcomes, read_record
from lcrag.planning.learning import moved
from lcrag.planning.profile import builtin_profile
from lcrag.session import Session
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import (
    Answer,
    CacheState,
    Event,
    Forecast,
    Learned,
    Policy,
    Profile,
    Settings,
    Step,
    Task,
    Usage,
    ignore,
)

PLAN = values.plan("who?")
ROUTE = PLAN.forecasts[0]


def outcome(tokens: int, seconds: float, status: str = "answered") -> Answer:
    used = Usage(tokens, 0, 20, 1, seconds)
    return Answer("A.", status, (), used, tokens, (Step("chunk_rag", status, used),))  # type: ignore[arg-type]


class Server(ScriptedBackend):
    """A scripted backend with a prefix cache: ``state`` is what its server reports."""

    state: CacheState | None = None

    def cache_state(self) -> CacheState | None:
        return self.state


def add(log: RouteLog, answer: Answer, route: Forecast = ROUTE, state: CacheState | None = None) -> None:
    backend = Server([])
    backend.state = state
    log.add(PLAN, route, answer, backend, lambda other: outcome(9, 9))


def test_history_errors_are_medians_of_relative_errors(tmp_path: Path) -> None:
    path = tmp_path / "new" / "routes.db"
    assert read_record(path) is None
    log = RouteLog(path, "c")
    add(log, outcome(2100, 0.31))
    add(log, outcome(1050, 0.62, "not_retrieved"))
    add(log, outcome(2100, 0.62))
    record = read_record(path)
    assert record is not None
    [route] = record.routes
    assert (route.pipeline, route.asked) == ("chunk_rag", 3)
    assert (route.tokens_error, route.seconds_error) == (0.0, 0.5)
    assert route.answered == pytest.approx(2 / 3)
    assert route.quality == pytest.approx(0.71)


def test_history_second_routes_show_what_the_choice_cost(tmp_path: Path) -> None:
    log = RouteLog(tmp_path / "r.db", "c", shadow=1.0)
    for first, second, text in (
        ("not_retrieved", "answered", "A."),
        ("answered", "answered", "A."),
        ("answered", "not_found", "A."),
        ("answered", "answered", "Berta sang."),
    ):
        other = replace(outcome(3000, 0.1, second), text=text)
        event = log.add(
            PLAN, ROUTE, replace(outcome(1000, 0.1, first), text="Anna."), Server([]), lambda _, other=other: other
        )
        assert event is not None
        assert event.data["route"] == "full_context"
    record = read_record(tmp_path / "r.db")
    assert record is not None
    assert (record.shadowed, record.missed, record.agreed, record.tokens_ratio) == (4, 1, 0, 3.0)


def test_history_tells_of_each_backend_what_was_forecast_and_what_was_answered(tmp_path: Path) -> None:
    def logged(backend: str, quality: float, status: str) -> None:
        log = RouteLog(tmp_path / "r.db", "c")
        plan = replace(PLAN, profile=replace(PLAN.profile, backend=backend, name=f"of {backend}"))
        run = outcome(2100, 0.3, status)
        log.add(plan, replace(ROUTE, quality=quality), run, Server([]), lambda other: run)

    for quality, status in ((0.1, "answered"), (0.15, "not_found"), (0.9, "answered"), (1.0, "answered")):
        logged("vllm", quality, status)
    logged("embedded", 0.2, "not_retrieved")
    record = read_record(tmp_path / "r.db")
    assert record is not None
    vllm, embedded = record.backends
    assert (vllm.backend, vllm.profile, vllm.asked, vllm.answered) == ("vllm", "of vllm", 4, 0.75)
    assert [(one.low, one.high, one.asked, one.answered) for one in vllm.bins] == [(0, 0.2, 2, 0.5), (0.8, 1, 2, 1)]
    assert [one.quality for one in vllm.bins] == pytest.approx([0.125, 0.95])
    assert vllm.error == pytest.approx((2 * 0.375 + 2 * 0.05) / 4)
    assert (embedded.backend, embedded.asked, embedded.bins[0].low) == ("embedded", 1, 0.2)


def test_history_counts_questions_that_two_routes_answered_alike(tmp_path: Path) -> None:
    log = RouteLog(tmp_path / "r.db", "c", shadow=1.0)
    for status, text in (("answered", "Anna."), ("answered", "Berta sang."), ("not_found", "")):
        other = replace(outcome(3000, 0.1, status), text=text)
        log.add(PLAN, ROUTE, replace(outcome(1000, 0.1), text="Anna."), Server([]), lambda _, other=other: other)
    record = read_record(tmp_path / "r.db")
    assert record is not None
    [backend] = record.backends
    assert (backend.asked, backend.compared, backend.agreed) == (6, 2, 1)


def test_history_a_route_is_cached_until_the_server_must_have_dropped_it(tmp_path: Path) -> None:
    full = Forecast("full_context", {}, 24_000, 100, 1, 3.0, 0.8, True)
    log = RouteLog(tmp_path / "r.db", "c")
    add(log, outcome(24_000, 3.0), full, CacheState("a, 1 May", 100_000, 50_000))
    for queried, cached in ((100_000, {"full_context": 24_000}), (149_000, {"full_context": 24_000}), (151_000, {})):
        assert log.cached(CacheState("a, 1 May", queried, 50_000), 50_000) == cached
    assert log.cached(CacheState("a, 2 May", 120_000, 50_000), 50_000) == {}  # restarted, and asked for more since
    assert log.cached(CacheState("b, 1 May", 100_000, 50_000), 50_000) == {}
    changed = replace(log, corpus="changed")
    assert changed.cached(CacheState("a, 1 May", 100_000, 50_000), 50_000) == {}


def test_history_stores_no_text(tmp_path: Path) -> None:
    secret = replace(PLAN, question="Where is the treasure of the Nightingale?")
    answer = replace(outcome(9, 9), text="Under the Nightingale.")
    RouteLog(tmp_path / "r.db", "c").add(secret, ROUTE, answer, Server([]), lambda other: answer)
    assert b"ightingale" not in (tmp_path / "r.db").read_bytes()


def test_history_outcomes_are_those_of_one_backend_model_and_profile(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    assert outcomes(PLAN.profile, path) == []
    for number, change in enumerate(({}, {}, {"backend": "vllm"}, {"model": "other"}, {"name": "measured"})):
        asked = replace(PLAN.estimate, features={"words": float(number)})
        plan = replace(PLAN, estimate=asked, profile=replace(PLAN.profile, **change))
        status = "not_retrieved" if number else "answered"
        RouteLog(path, "c").add(plan, ROUTE, outcome(9, 9, status), Server([]), lambda other: outcome(9, 9))
    refused, unsupported = outcomes(PLAN.profile, path)
    assert (refused.refused, refused.supported, refused.right) == (True, False, None)
    assert (unsupported.refused, unsupported.supported, unsupported.agrees) == (False, False, None)
    assert (unsupported.use, unsupported.evidence, unsupported.answerable) == (pytest.approx(0.71), 1.0, 0.8)


def test_history_a_question_counts_once_with_what_is_known_of_it(tmp_path: Path) -> None:
    log = RouteLog(tmp_path / "r.db", "c", shadow=1.0)
    cited = values.answer("Anna.", "a.md", "Anna")
    for right, shadow in ((None, "Anna."), (0.5, ""), (None, "Berta sang.")):
        if right is None:
            other = replace(cited, text=shadow, short=None)
            log.add(PLAN, ROUTE, replace(cited, short=None), Server([]), lambda _, other=other: other)
        else:
            log.add_known(PLAN, cited, right)
    [one] = outcomes(PLAN.profile, log.path)
    assert (one.right, one.supported, one.refused) == (0.5, True, False)
    log.path.unlink()
    log.add(PLAN, ROUTE, cited, Server([]), lambda _: cited)
    assert [one.agrees for one in outcomes(PLAN.profile, log.path)] == [True]


def test_history_learns_from_what_the_profile_said_before_it_was_moved(tmp_path: Path) -> None:
    log = RouteLog(tmp_path / "r.db", "c")
    curve = {"retrieved": ((500, 0.4),), "consecutive": ((500, 0.4),)}
    profile = moved(replace(PLAN.profile, use=curve), Learned(1.5, 50, 50))
    promised = profile.use["retrieved"][0][1]
    assert promised == pytest.approx(0.4 * math.exp(1.5) / (0.6 + 0.4 * math.exp(1.5)))
    plan = replace(PLAN, profile=profile, forecasts=(replace(ROUTE, quality=promised),))
    log.add_known(plan, outcome(9, 9), 1.0)
    assert outcomes(profile, log.path)[0].use == pytest.approx(0.4)


def test_history_reads_a_long_log_in_milliseconds(tmp_path: Path) -> None:
    log = RouteLog(tmp_path / "r.db", "c")
    add(log, outcome(9, 9))
    with sqlite3.connect(log.path) as db:
        names = [name for _, name, *_ in db.execute("PRAGMA table_info(routes)") if name not in ("id", "features")]
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            f" INSERT INTO routes (features, {', '.join(names)}) SELECT i, {', '.join(names)} FROM n, routes"
        )
    db.close()
    begun = time.process_time()
    assert len(outcomes(PLAN.profile, log.path)) == RECENT
    assert time.process_time() - begun < 0.3


def test_session_profile_is_moved_by_its_log_and_by_no_other(documents: Path) -> None:
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    given = Settings((str(documents),), dense="off", reader="off", log=True)

    def profile(settings: Settings) -> Profile:
        with Session.open(settings, ignore, backend=backend) as session:
            return session.profile

    plain = profile(given)
    assert plain.learned is None
    for number in range(50):
        plan = replace(PLAN, profile=plain, estimate=replace(PLAN.estimate, features={"words": float(number)}))
        RouteLog(log_path(), "").add_known(plan, outcome(9, 9), 0.0)
    found = profile(given).learned
    assert found is not None
    assert (found.questions, found.known, found.log_odds < -1) == (50, 50, True)
    assert profile(replace(given, log=False)) == plain
    backend.model = "another"
    assert profile(given).learned is None


def test_history_of_version_0_1_is_continued(tmp_path: Path) -> None:
    old = SCHEMA[: SCHEMA.index(", server TEXT")] + ")"
    with sqlite3.connect(tmp_path / "r.db") as db:
        db.execute(old)
    db.close()
    add(RouteLog(tmp_path / "r.db", "c"), outcome(2100, 0.31))
    record = read_record(tmp_path / "r.db")
    assert record is not None
    assert record.routes[0].asked == 1


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
    given = Settings((str(folder),), dense="off", reader="off", log=True, **settings)  # type: ignore[arg-type]
    session = Session.open(given, events.append, backend=backend)
    session.profile = replace(
        builtin_profile("scripted", "script", backend.window),
        use={"retrieved": ((500, 0.95), (100_000, 0.9)), "consecutive": ((500, 0.95), (100_000, 0.9))},
    )
    return session


def test_session_after_an_abstention_tries_only_routes_worth_their_price(documents: Path) -> None:
    events: list[Event] = []
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    with opened(documents, backend, events) as session:
        policy = Policy("quality", pipeline="compression")
        answer = session.ask("What is the keeper of lighthouse 7 called?", policy, escalate=True)
        plan = answer.plan
    assert plan is not None
    tried = [step.pipeline for step in answer.steps]
    assert len(tried) > 1
    assert tried[0] == plan.pipeline
    assert answer.status == "not_found"
    read = 0
    for step in answer.steps:  # each was to read more than all before it had
        assert read < max(one.input_tokens for one in plan.forecasts if one.pipeline == step.pipeline)
        read += step.usage.input_tokens
    assert [event.data["to"] for event in events if event.kind == "escalate"] == tried[1:]


def test_session_goes_on_after_an_unsupported_answer(documents: Path) -> None:
    def reply(task: Task) -> str:
        return "It is Berta." if len(backend.tasks) == 1 else found(task)

    backend = ScriptedBackend(reply)
    with opened(documents, backend, []) as session:
        answer = session.ask(
            "What is the keeper of lighthouse 7 called?", Policy("quality", pipeline="compression"), escalate=True
        )
    assert len(answer.steps) == 2
    assert answer.citations
    assert answer.usage.input_tokens <= 60_000


def test_session_without_escalation_logs_one_route(documents: Path) -> None:
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    with opened(documents, backend, []) as session:
        answer = session.ask("What is the keeper called?", Policy(), escalate=False)
    assert len(answer.steps) == 1
    record = read_record()
    assert record is not None
    assert [route.asked for route in record.routes] == [1]
    with sqlite3.connect(log_path()) as db:
        [(features, forecasts)] = db.execute("SELECT features, forecasts FROM routes")
    assert "cue_list" in json.loads(features)
    assert len(json.loads(forecasts)) > 3


def test_session_shadow_runs_a_second_route_silently(documents: Path) -> None:
    events: list[Event] = []
    backend = ScriptedBackend(found)
    with opened(documents, backend, events, shadow=1.0) as session:
        answer = session.ask("What is the keeper of lighthouse 7 called?", Policy())
        plan = answer.plan
    assert plan is not None
    [shadow] = [event.data for event in events if event.kind == "shadow"]
    assert not shadow["route"].startswith(plan.pipeline)
    assert shadow["agrees"]
    assert len([event for event in events if event.kind == "citation"]) == len(answer.citations)
    assert len(answer.steps) == 1
    record = read_record()
    assert record is not None
    assert (record.shadowed, record.agreed, record.missed) == (1, 1, 0)


def test_session_second_question_forecasts_cached_tokens(documents: Path) -> None:
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


def test_session_without_log_writes_nothing(documents: Path) -> None:
    with Session.open(Settings((str(documents),), dense="off", reader="off"), ignore) as session:
        session.ask("What is the keeper of lighthouse 7 called?", Policy())
    assert not log_path().exists()


@pytest.mark.parametrize("state", ["garbage", "a file instead of the folder"])
def test_a_log_that_cannot_be_kept_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    monkeypatch.setenv("LCRAG_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "a.txt").write_text("The gate was built by Tom Orr.\n")
    if state == "garbage":
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "routes.db").write_bytes(b"no database at all " * 300)
    else:
        (tmp_path / "state").write_text("x")
    lcrag = Lcrag(monkeypatch, capsys)
    asked = lcrag(
        "ask", str(tmp_path / "a.txt"), "Who built the gate?", "--backend", "embedded", "--dense", "off", "--log"
    )
    assert (asked.code, "Tom Orr" in asked.out) == (0, True)
    assert "the route log" in asked.err
    assert "Traceback" not in asked.err
