"""The route log: what was forecast, what was chosen, what came of it. Local, in SQLite, without any text.

It answers three things: how good the forecasts are (``lcrag plan --history``), what the other route would have done
(rows of ``--shadow``), and what a server still has cached from an earlier call of this program (``warm``).
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lcrag.planning.forecast import route_key
from lcrag.types import Answer, Forecast, Option, Plan

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS routes (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, corpus TEXT NOT NULL, backend TEXT NOT NULL, model TEXT NOT NULL,
    profile TEXT NOT NULL, pipeline TEXT NOT NULL, route TEXT NOT NULL, features TEXT NOT NULL,
    forecasts TEXT NOT NULL, quality REAL NOT NULL, tokens_forecast INTEGER NOT NULL, seconds_forecast REAL NOT NULL,
    status TEXT NOT NULL, tokens INTEGER NOT NULL, cached INTEGER NOT NULL, seconds REAL NOT NULL,
    calls INTEGER NOT NULL, steps INTEGER NOT NULL, queries REAL, shadow_of INTEGER, agrees INTEGER
)
"""


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
    (what the choice cost), where both answered and said the same, tokens of the second for one of the first."""

    routes: tuple[RouteRecord, ...]
    shadowed: int
    missed: int
    agreed: int
    tokens_ratio: float | None


class History:
    """The log in ``path``, made when it is not there. Close it, or use it as a context manager."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=10.0)
        with self._db:
            self._db.execute(SCHEMA)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(
        self,
        plan: Plan,
        route: Forecast,
        answer: Answer,
        *,
        corpus: str,
        queries: float | None = None,
        shadow_of: int | None = None,
        agrees: bool | None = None,
    ) -> int:
        """Keep what came of ``route`` for the plan's question; its row. Only the first step counts as the route's own.

        ``queries``: tokens that the server was ever asked for, afterwards, as it counts them.
        """
        step = answer.steps[0] if answer.steps else None
        usage = step.usage if step is not None else answer.usage
        row = {
            "time": time.time(),
            "corpus": corpus,
            "backend": plan.profile.backend,
            "model": plan.profile.model,
            "profile": plan.profile.name,
            "pipeline": route.pipeline,
            "route": route_key(route.pipeline, route.options),
            "features": json.dumps(dict(plan.estimate.features)),
            "forecasts": json.dumps([asdict(one) for one in plan.forecasts]),
            "quality": route.quality,
            "tokens_forecast": route.input_tokens,
            "seconds_forecast": route.seconds,
            "status": step.status if step is not None else answer.status,
            "tokens": usage.input_tokens,
            "cached": usage.cached_tokens,
            "seconds": usage.seconds,
            "calls": usage.calls,
            "steps": len(answer.steps),
            "queries": queries,
            "shadow_of": shadow_of,
            "agrees": agrees,
        }
        names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        with self._db:
            added = self._db.execute(f"INSERT INTO routes ({names}) VALUES ({marks})", row)
        assert added.lastrowid is not None
        return added.lastrowid

    def warm(self, corpus: str, model: str, queries: float, capacity: int) -> dict[str, int]:
        """By route key, input tokens that the server has cached: those of routes since which it was asked for fewer
        tokens than its KV cache holds. A counter that went back means that the server was started anew.
        """
        found = self._db.execute(
            "SELECT route, tokens FROM routes WHERE corpus = ? AND model = ? AND queries BETWEEN ? AND ? ORDER BY id",
            (corpus, model, max(0.0, queries - capacity), queries),
        )
        return {str(route): int(tokens) for route, tokens in found}

    def record(self) -> Record:
        """What the log tells of all routes so far."""
        by_pipeline: dict[str, list[tuple[int, int, float, float, float, str]]] = {}
        for pipeline, *rest in self._db.execute(
            "SELECT pipeline, tokens_forecast, tokens, seconds_forecast, seconds, quality, status FROM routes"
        ):
            by_pipeline.setdefault(pipeline, []).append(tuple(rest))
        pairs = list(
            self._db.execute(
                "SELECT one.status, other.status, other.agrees, one.tokens, other.tokens FROM routes AS other"
                " JOIN routes AS one ON other.shadow_of = one.id"
            )
        )
        first, second = sum(pair[3] for pair in pairs), sum(pair[4] for pair in pairs)
        return Record(
            tuple(_route(pipeline, rows) for pipeline, rows in sorted(by_pipeline.items())),
            len(pairs),
            sum(one != "answered" and other == "answered" for one, other, *_ in pairs),
            sum(bool(agrees) for _, _, agrees, _, _ in pairs),
            second / first if first else None,
        )


def _route(pipeline: str, rows: list[tuple[int, int, float, float, float, str]]) -> RouteRecord:
    return RouteRecord(
        pipeline,
        len(rows),
        statistics.median(abs(told - was) / max(1, was) for told, was, *_ in rows),
        statistics.median(abs(told - was) / max(1e-3, was) for _, _, told, was, _, _ in rows),
        statistics.fmean(row[4] for row in rows),
        sum(row[5] == "answered" for row in rows) / len(rows),
    )


def read_record(path: Path) -> Record | None:
    """What the log at ``path`` tells; None when there is none yet."""
    if not path.exists():
        return None
    with History(path) as history:
        return history.record()


def chosen_forecast(plan: Plan, pipeline: str, options: Mapping[str, Option]) -> Forecast:
    """The plan's forecast of a route."""
    return next(one for one in plan.forecasts if one.pipeline == pipeline and dict(one.options) == dict(options))
