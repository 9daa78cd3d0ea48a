"""Forecasts follow from workload and profile by arithmetic that can be done by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import pytest

from lcrag.forecast import forecast, seconds
from lcrag.profile import builtin_profile, used
from lcrag.types import (
    Answer,
    Backend,
    CorpusReader,
    CorpusSize,
    CostModel,
    Emit,
    Estimate,
    Profile,
    Ranking,
    Workload,
)

SIZE = CorpusSize(3, 100, 25_000)
ESTIMATE = Estimate(0.4, 100, ((1000, 0.5), (25_000, 1.0)), 0.8)
USE = ((1000, 0.9), (3000, 0.5))
PROFILE = Profile("p", "b", "m", 10_000, {"retrieved": USE, "consecutive": USE}, CostModel(1, 0.01, 0, 0.1, 2.0))


@dataclass(frozen=True, slots=True)
class Fixed:
    work: Workload
    depth: int = 3
    name: ClassVar[str] = "fixed"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        raise NotImplementedError

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        return self.work

    def answer(self, question: str, corpus: CorpusReader, ranking: Ranking, backend: Backend, emit: Emit) -> Answer:
        raise NotImplementedError


def test_quality_is_evidence_times_use() -> None:
    [one] = forecast([Fixed(Workload(2000, 10, 1, 1, 9000, 0.6, 2000, "retrieved"))], ESTIMATE, SIZE, PROFILE)
    assert one.quality == pytest.approx(0.6 * 0.7)
    assert (one.pipeline, one.options["depth"], one.fits) == ("fixed", 3, True)


def test_each_hand_over_counts() -> None:
    [one] = forecast([Fixed(Workload(2000, 10, 1, 1, 9000, 0.6, 2000, "retrieved", 2))], ESTIMATE, SIZE, PROFILE)
    assert one.quality == pytest.approx(0.6 * 0.7 * 0.9)


def test_what_exceeds_the_window_does_not_fit() -> None:
    [one] = forecast([Fixed(Workload(2000, 10, 1, 1, 10_001, 0.6, 2000, "retrieved"))], ESTIMATE, SIZE, PROFILE)
    assert not one.fits


@pytest.mark.parametrize(
    ("calls", "rounds", "expected"),
    [(1, 1, 1 + 10 + 10), (2, 2, 2 * (1 + 5 + 5)), (2, 1, 1 + 5 + 5), (4, 1, 2 * (1 + 2.5 + 2.5)), (0, 0, 0.0)],
)
def test_seconds_by_rounds_and_side_by_side(calls: int, rounds: int, expected: float) -> None:
    assert seconds(Workload(1000, 100, calls, rounds, 0, 1, 0, "retrieved"), PROFILE.cost) == pytest.approx(expected)


@pytest.mark.parametrize(("tokens", "p"), [(0, 0.9), (1000, 0.9), (2000, 0.7), (3000, 0.5), (99_999, 0.5)])
def test_use_between_and_beyond_the_points(tokens: int, p: float) -> None:
    assert used(PROFILE, "retrieved", tokens) == pytest.approx(p)


@pytest.mark.parametrize("backend", ["embedded", "server"])
@pytest.mark.parametrize("window", [512, 8192, 131_072])
def test_built_in_profiles_are_cautious_and_say_so(backend: str, window: int) -> None:
    profile = builtin_profile(backend, "m", window)
    assert not profile.measured
    for points in profile.use.values():
        assert [k for k, _ in points] == sorted({k for k, _ in points})
        assert [p for _, p in points] == sorted((p for _, p in points), reverse=True)
        assert all(0 < p < 1 for _, p in points)
    assert used(profile, "retrieved", window / 2) <= used(profile, "consecutive", window / 2) + 0.05
