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
Outcomes = list[tuple[float, bool, float | None]]
"""P(correct), whether it was answered, how right that was where it is known."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts of P(correct) from ``low`` to ``high``: how many, their mean, the share that was answered; of how many
    the right answer is ``known``, and how right these were on average, None without any."""

    low: float
    high: float
    asked: int
    quality: float
    answered: float
    known: int = 0
    right: float | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far P(correct) can be trusted on one backend with one model and one profile.

    Of most questions the log knows whether they were answered, not whether rightly: where far more is answered than
    forecast, the forecast may still be right. ``error``: the mean distance of the two over the bins, by their size;
    ``agreed``: of the ``compared`` questions that two routes answered, how many they answered alike. ``known``: the
    questions with a right answer, from ``lcrag compare``; ``right``: how right the answers to them were on average.
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
    known: int = 0
    right: float | None = None


def calibrations(db: sqlite3.Connection) -> tuple[Calibration, ...]:
    """Of each backend with its model and profile, the one that was asked most first."""
    outcomes: dict[Key, Outcomes] = {}
    alike: dict[Key, list[bool]] = {}
    for backend, model, profile, quality, status, correct, agrees, first in db.execute(
        "SELECT one.backend, one.model, one.profile, one.quality, one.status, one.correct, one.agrees, first.status"
        " FROM routes AS one LEFT JOIN routes AS first ON one.shadow_of = first.id ORDER BY one.id"
    ):
        key = (backend, model, profile)
        outcomes.setdefault(key, []).append((quality, status == "answered", correct))
        if status == first == "answered":
            alike.setdefault(key, []).append(bool(agrees))
    records = [_calibration(key, listed, alike.get(key, [])) for key, listed in outcomes.items()]
    return tuple(sorted(records, key=lambda record: -record.asked))


def _calibration(key: Key, outcomes: Outcomes, alike: list[bool]) -> Calibration:
    groups: dict[int, Outcomes] = {}
    for outcome in outcomes:
        groups.setdefault(min(BINS - 1, int(outcome[0] * BINS)), []).append(outcome)
    bins = tuple(
        Bin(place / BINS, (place + 1) / BINS, len(group), *_means(group), *_known(group))
        for place, group in sorted(groups.items())
    )
    error = sum(one.asked * abs(one.quality - one.answered) for one in bins) / len(outcomes)
    return Calibration(*key, len(outcomes), *_means(outcomes), error, len(alike), sum(alike), bins, *_known(outcomes))


def _means(outcomes: Outcomes) -> tuple[float, float]:
    """The mean P(correct), and the share that was answered."""
    return statistics.fmean(quality for quality, *_ in outcomes), statistics.fmean(found for _, found, _ in outcomes)


def _known(outcomes: Outcomes) -> tuple[int, float | None]:
    """Of how many the right answer is known, and how right they were."""
    values = [correct for *_, correct in outcomes if correct is not None]
    return len(values), statistics.fmean(values) if values else None
