"""The route log: what was forecast, what was chosen, what came of it. Local, in SQLite, without any text.

It answers four things: how good the forecasts are (``lcrag plan --history``), what the other route would have done
(rows of ``--shadow``), what a server still has in its prefix cache from an earlier call of this program, and what is to
be learned of a backend (``lcrag.planning.learning``), most of all from answers that ``lcrag compare`` knew to be right.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from lcrag.errors import NotAvailable
from lcrag.paths import state_folder
from lcrag.planning.explain import label
from lcrag.planning.forecast import route_key
from lcrag.planning.learning import Outcome, use_of
from lcrag.planning.reliability import Calibration, calibrations
from lcrag.planning.router import utility
from lcrag.text.words import stems
from lcrag.types import Answer, Backend, CacheState, Event, Forecast, Plan, Profile

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS routes (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, corpus TEXT NOT NULL, backend TEXT NOT NULL, model TEXT NOT NULL,
    profile TEXT NOT NULL, pipeline TEXT NOT NULL, route TEXT NOT NULL, features TEXT NOT NULL,
    forecasts TEXT NOT NULL, quality REAL NOT NULL, tokens_forecast INTEGER NOT NULL, seconds_forecast REAL NOT NULL,
    status TEXT NOT NULL, tokens INTEGER NOT NULL, cached INTEGER NOT NULL, seconds REAL NOT NULL,
    calls INTEGER NOT NULL, steps INTEGER NOT NULL, queries REAL, shadow_of INTEGER, agrees INTEGER, server TEXT,
    use REAL, evidence REAL, answerable REAL, supported INTEGER, correct REAL
)
"""
ADDED: Final = {
    **{"server": "TEXT", "use": "REAL", "evidence": "REAL", "answerable": "REAL"},
    **{"supported": "INTEGER", "correct": "REAL"},
}
"""Columns that a log of version 0.1 may lack."""
RECENT: Final = 200
"""Questions of a backend that are learned from: the mean of as many outcomes is off by .03, and models are replaced."""
LOOKED_AT: Final = 2000
"""Rows of the log that are looked at for them, so that a long log costs a plan no time."""
SAME_WORDS: Final = 0.6
"""Two answers agree when the longer one has at least this share of the shorter one's words."""


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """How one route did: ``asked`` times, the median error of its forecasts in tokens and seconds (as shares of what
    it was), mean P(correct), the share of its questions that were answered."""

    pipeline: str
    asked: int
    tokens_error: float
    seconds_error: float
    quality: float
    answered: float


@dataclass(frozen=True, slots=True)
class Record:
    """Of every route, and of the questions that a second route was run on: how many, where only the second answered
    (what the choice cost), where both answered and agree, tokens of the second for one of the first. Of every backend
    how far its forecasts of P(correct) could be trusted."""

    routes: tuple[RouteRecord, ...]
    shadowed: int
    missed: int
    agreed: int
    tokens_ratio: float | None
    backends: tuple[Calibration, ...]


def log_path() -> Path:
    """Where the route log of this machine is."""
    return state_folder() / "routes.db"


@dataclass(frozen=True, slots=True)
class RouteLog:
    """The log in ``path``, created when it is missing. ``corpus``: a key of the index and its contents.

    ``shadow``: the share of the questions that a second route is run on as well.
    """

    path: Path
    corpus: str
    shadow: float = 0.0

    def add(
        self, plan: Plan, route: Forecast, answer: Answer, backend: Backend, run: Callable[[Forecast], Answer]
    ) -> Event | None:
        """Log what came of ``route``, and for a share of the questions what ``run`` makes of a second route.

        Only the first step of an answer counts as the route's own. Returns an event for a second route.
        """
        with _opened(self.path) as db:
            row = self._insert(db, plan, route, answer, state=backend.cache_state())
            other = _second_best(plan, route)
            if other is None or _draw(plan.question) >= self.shadow:
                return None
            second = run(other)
            agrees = second.status == answer.status == "answered" and _agree(second, answer)
            self._insert(db, plan, other, second, shadow_of=row, agrees=agrees)
        return Event("shadow", {"route": label(other), "status": second.status, "agrees": agrees})

    def add_known(self, plan: Plan, answer: Answer, correct: float) -> None:
        """Log how right the answer of the plan's own route was, from 0 to 1."""
        with _opened(self.path) as db:
            self._insert(db, plan, plan.chosen, answer, correct=correct)

    def cached(self, state: CacheState, capacity: int) -> dict[str, int]:
        """By route key, prompt tokens that the server has in its prefix cache: those of routes after which it was asked
        for fewer tokens than its KV cache holds. A restarted server has none.
        """
        queries = state.queried_tokens
        with _opened(self.path) as db:
            rows = db.execute(
                "SELECT route, tokens FROM routes"
                " WHERE corpus = ? AND server = ? AND queries BETWEEN ? AND ? ORDER BY id",
                (self.corpus, state.server, max(0.0, queries - capacity), queries),
            )
            return {str(route): int(tokens) for route, tokens in rows}

    def _insert(
        self,
        db: sqlite3.Connection,
        plan: Plan,
        route: Forecast,
        answer: Answer,
        *,
        state: CacheState | None = None,
        shadow_of: int | None = None,
        agrees: bool | None = None,
        correct: float | None = None,
    ) -> int:
        step = answer.steps[0] if answer.steps else None
        usage = step.usage if step is not None else answer.usage
        row = {
            "time": time.time(),
            "corpus": self.corpus,
            "backend": plan.profile.backend,
            "model": plan.profile.model,
            "profile": plan.profile.name,
            "pipeline": route.pipeline,
            "route": route_key(route.pipeline, route.options),
            "features": json.dumps(dict(plan.estimate.features)),
            "forecasts": json.dumps([asdict(forecast) for forecast in plan.forecasts]),
            "quality": route.quality,
            "tokens_forecast": route.input_tokens,
            "seconds_forecast": route.seconds,
            "status": step.status if step is not None else answer.status,
            "tokens": usage.input_tokens,
            "cached": usage.cached_tokens,
            "seconds": usage.seconds,
            "calls": usage.calls,
            "steps": len(answer.steps),
            "queries": state.queried_tokens if state is not None else None,
            "server": state.server if state is not None else None,
            "shadow_of": shadow_of,
            "agrees": agrees,
            "use": use_of(route.quality, route.evidence, plan.estimate.answerable, plan.profile),
            "evidence": route.evidence,
            "answerable": plan.estimate.answerable,
            "supported": not answer.is_unsupported and all(one.supported for one in answer.statements),
            "correct": correct,
        }
        names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        with db:
            added = db.execute(f"INSERT INTO routes ({names}) VALUES ({marks})", row)
        assert added.lastrowid is not None
        return added.lastrowid


def read_record(path: Path | None = None) -> Record | None:
    """How good the forecasts of all routes were so far, by the log of this machine; None when nothing was logged."""
    path = log_path() if path is None else path
    if not path.exists():
        return None
    by_pipeline: dict[str, list[tuple[int, int, float, float, float, str]]] = {}
    with _opened(path) as db:
        for pipeline, *rest in db.execute(
            "SELECT pipeline, tokens_forecast, tokens, seconds_forecast, seconds, quality, status FROM routes"
        ):
            by_pipeline.setdefault(pipeline, []).append(tuple(rest))
        pairs = list(
            db.execute(
                "SELECT first.status, other.status, other.agrees, first.tokens, other.tokens FROM routes AS other"
                " JOIN routes AS first ON other.shadow_of = first.id"
            )
        )
        backends = calibrations(db)
    first_tokens, second_tokens = sum(pair[3] for pair in pairs), sum(pair[4] for pair in pairs)
    return Record(
        tuple(_route_record(pipeline, rows) for pipeline, rows in sorted(by_pipeline.items())),
        len(pairs),
        sum(first != "answered" and other == "answered" for first, other, *_ in pairs),
        sum(bool(agrees) for _, _, agrees, _, _ in pairs),
        second_tokens / first_tokens if first_tokens else None,
        backends,
    )


def outcomes(profile: Profile, path: Path | None = None) -> list[Outcome]:
    """What came of the last RECENT questions to this backend, model and profile; nothing where nothing was logged.

    A question that was asked again counts once: what is known of it, else the last time. Raises NotAvailable.
    """
    path = log_path() if path is None else path
    if not path.exists():
        return []
    found: dict[str, Outcome] = {}
    with _opened(path) as db:
        for question, status, supported, agrees, *numbers in db.execute(
            "SELECT one.features, one.status, one.supported, other.agrees, one.use, one.evidence, one.answerable,"
            " one.correct FROM routes AS one LEFT JOIN routes AS other ON other.shadow_of = one.id"
            " AND one.status = 'answered' AND other.status = 'answered'"
            " WHERE one.id > (SELECT max(id) FROM routes) - ? AND one.backend = ? AND one.model = ? AND one.profile = ?"
            " AND one.shadow_of IS NULL AND one.use IS NOT NULL AND one.calls > 0 ORDER BY one.id DESC",
            (LOOKED_AT, profile.backend, profile.model, profile.name),
        ):
            use, evidence, answerable, correct = numbers
            if question not in found or (found[question].right is None and correct is not None):
                agreed = None if agrees is None else bool(agrees)
                refused = status in ("not_found", "not_retrieved")
                found[question] = Outcome(use, evidence, answerable, refused, bool(supported), agreed, correct)
    return list(found.values())[:RECENT]


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, made if need be. Raises NotAvailable where it, or its folder, cannot be read or written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=10.0)) as db:
            with db:
                db.execute(SCHEMA)
                present = {column for _, column, *_ in db.execute("PRAGMA table_info(routes)")}
                for column in [column for column in ADDED if column not in present]:
                    db.execute(f"ALTER TABLE routes ADD COLUMN {column} {ADDED[column]}")
            yield db
    except (sqlite3.Error, OSError) as error:
        raise NotAvailable(f"the route log {path} cannot be used: {error}", hint="move it away, or --no-log") from error


def _route_record(pipeline: str, rows: list[tuple[int, int, float, float, float, str]]) -> RouteRecord:
    return RouteRecord(
        pipeline,
        len(rows),
        statistics.median(abs(forecast - actual) / max(1, actual) for forecast, actual, *_ in rows),
        statistics.median(abs(forecast - actual) / max(1e-3, actual) for _, _, forecast, actual, _, _ in rows),
        statistics.fmean(row[4] for row in rows),
        sum(row[5] == "answered" for row in rows) / len(rows),
    )


def _second_best(plan: Plan, route: Forecast) -> Forecast | None:
    """The best route of another pipeline that fits."""
    others = [option for option in plan.forecasts if option.fits and option.calls and option.pipeline != route.pipeline]
    return max(others, key=lambda option: utility(option, "quality"), default=None)


def _draw(question: str) -> float:
    """A number in [0, 1) that is always the same for a question."""
    return int.from_bytes(hashlib.sha256(question.encode()).digest()[:6]) / 2**48


def _agree(first: Answer, second: Answer) -> bool:
    """Whether two answers say the same, as far as words show: most of the shorter one's are in the longer one."""
    shorter, longer = sorted((set(stems(answer.short or answer.text)) for answer in (first, second)), key=len)
    return len(shorter & longer) >= SAME_WORDS * max(1, len(shorter))
