"""How far P(correct) could be trusted: of every backend in the route log, what was forecast and what came of it."""

from __future__ import annotations

import sqlite3
import statistics
from dataclasses import dataclass
from typing import Final

BINS: Final = 5
"""Of P(correct), of equal width: wide, because a log is seldom long."""

Key = tuple[str, str, str]
"""Backend, model, profile."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts of P(correct) from ``low`` to ``high``: how many, their mean, the share that was answered."""

    low: float
    high: float
    asked: int
    quality: float
    answered: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far P(correct) can be trusted on one backend with one model and one profile.

    The log knows whether a question was answered, not whether rightly: where far more is answered than forecast, the
    forecast may still be right. ``error``: the mean distance of the two over the bins, by their size; ``agreed``: of
    the ``compared`` questions that two routes answered, how many they answered alike.
    """

    backend: str
    model: str
    profile: str
    asked: int
    quality: float
    answered: float
    error: float
    compared: int
    agreed: int
    bins: tuple[Bin, ...]


def calibrations(db: sqlite3.Connection) -> tuple[Calibration, ...]:
    """Of each backend with its model and profile, the one that was asked most first."""
    outcomes: dict[Key, list[tuple[float, bool]]] = {}
    alike: dict[Key, list[bool]] = {}
    for backend, model, profile, quality, status, agrees, first in db.execute(
        "SELECT one.backend, one.model, one.profile, one.quality, one.status, one.agrees, first.status"
        " FROM routes AS one LEFT JOIN routes AS first ON one.shadow_of = first.id ORDER BY one.id"
    ):
        key = (backend, model, profile)
        outcomes.setdefault(key, []).append((quality, status == "answered"))
        if status == first == "answered":
            alike.setdefault(key, []).append(bool(agrees))
    records = [_calibration(key, listed, alike.get(key, [])) for key, listed in outcomes.items()]
    return tuple(sorted(records, key=lambda record: -record.asked))


def _calibration(key: Key, outcomes: list[tuple[float, bool]], alike: list[bool]) -> Calibration:
    groups: dict[int, list[tuple[float, bool]]] = {}
    for outcome in outcomes:
        groups.setdefault(min(BINS - 1, int(outcome[0] * BINS)), []).append(outcome)
    bins = tuple(
        Bin(place / BINS, (place + 1) / BINS, len(group), *_means(group)) for place, group in sorted(groups.items())
    )
    error = sum(one.asked * abs(one.quality - one.answered) for one in bins) / len(outcomes)
    return Calibration(*key, len(outcomes), *_means(outcomes), error, len(alike), sum(alike), bins)


def _means(outcomes: list[tuple[float, bool]]) -> tuple[float, float]:
    """The mean P(correct), and the share that was answered."""
    return statistics.fmean(quality for quality, _ in outcomes), statistics.fmean(found for _, found in outcomes)
