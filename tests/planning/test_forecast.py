"""Forecasts follow from workload and profile by arithmetic that can be done by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.planning.estimate import kinds_of
from lcrag.planning.forecast import forecast, route_key, seconds
from lcrag.planning.profile import builtin_profile
from lcrag.planning.scale import INSTRUCTION_TOKENS
from lcrag.planning.use import used
from lcrag.types import (
    Answer,
    Backend,
    CorpusSize,
    CorpusView,
    CostModel,
    Emit,
    Estimate,
    Profile,
    Ranking,
    Surroundings,
    Workload,
)

SIZE = CorpusSize(3, 100, 25_000)
ESTIMATE = Estimate(0.4, 100, ((1000, 0.5), (25_000, 1.0)), 0.8)
USE = ((1000, 0.9), (3000, 0.5))
PROFILE = Profile(
    "p",
    "b",
    "m",
    10_000,
    {"retrieved": USE, "consecutive": USE},
    CostModel(1, 0.01, 0, 0.1, per_call=0.5, per_step_call=0.02),
)


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

    def answer(self, question: str, corpus: CorpusView, ranking: Ranking, backend: Backend, emit: Emit) -> Answer:
        raise NotImplementedError


def test_forecast_quality_is_evidence_times_use() -> None:
    [one] = forecast([Fixed(Workload(2000, 10, 1, 1, 9000, 0.6, 2000, "retrieved"))], ESTIMATE, SIZE, PROFILE)
    assert one.quality == pytest.approx(0.6 * 0.7)
    assert (one.pipeline, one.options["depth"], one.fits) == ("fixed", 3, True)


def test_forecast_quality_falls_with_each_handover() -> None:
    work = Workload(2000, 10, 1, 1, 9000, 0.6, 2000, "retrieved", handovers=(("synthesise", 500),))
    profile = replace(PROFILE, retention={"synthesise": ((400, 0.8), (800, 0.6))})
    [one] = forecast([Fixed(work)], ESTIMATE, SIZE, profile)
    assert one.quality == pytest.approx(0.6 * 0.7 * 0.75)


@pytest.mark.parametrize(("cue", "parts"), [("", 1), ("cue_compare", 2), ("cue_list", 3), ("cue_count", 3)])
def test_forecast_evidence_in_several_pieces_must_survive_in_each(cue: str, parts: int) -> None:
    work = Workload(2000, 10, 3, 2, 9000, 1.0, 2000, "consecutive", "note", (("synthesise", 500),), pieces=9)
    profile = replace(PROFILE, retention={"note": ((2000, 0.9),), "synthesise": ((500, 0.8),)})
    [one] = forecast([Fixed(work)], replace(ESTIMATE, kinds=kinds_of({cue: 1.0})), SIZE, profile)
    assert one.quality == pytest.approx(0.9**parts * 0.8)
    [together] = forecast(
        [Fixed(replace(work, pieces=1))], replace(ESTIMATE, kinds=kinds_of({cue: 1.0})), SIZE, profile
    )
    assert together.quality == pytest.approx(0.9 * 0.8)


def test_used_prefers_the_curve_of_a_measured_kind() -> None:
    profile = replace(PROFILE, kinds={"list": {"retrieved": ((1000, 0.4),)}, "fact": {"retrieved": ((1000, 0.8),)}})
    assert used(profile, "retrieved", 1000, {"list": 1.0}) == pytest.approx(0.4)
    assert used(profile, "retrieved", 1000, {"list": 0.5, "fact": 0.5}) == pytest.approx(0.6)
    assert used(profile, "retrieved", 1000, {"hops": 1.0}) == pytest.approx(0.9)  # not measured
    assert used(profile, "consecutive", 1000, {"list": 1.0}) == pytest.approx(0.9)


def test_used_squares_for_twice_the_items_of_a_list() -> None:
    profile = replace(PROFILE, kinds={"list": {"retrieved": ((1000, 0.5),)}}, scopes={"list": 100})
    assert used(profile, "retrieved", 1000, {"list": 1.0}, 100) == pytest.approx(0.5)
    assert used(profile, "retrieved", 1000, {"list": 1.0}, 200) == pytest.approx(0.25)
    assert used(profile, "retrieved", 1000, {"list": 1.0}, 9000) == pytest.approx(0.25)  # no further than measured


def test_forecast_quality_weighs_unanswerable_questions() -> None:
    work = Workload(2000, 10, 1, 1, 9000, 0.6, 2000, "retrieved")
    profile = replace(PROFILE, kinds={"absent": {"retrieved": ((1000, 0.9), (3000, 0.5))}})
    [one] = forecast([Fixed(work)], ESTIMATE, SIZE, profile)
    assert one.quality == pytest.approx(0.8 * 0.6 * 0.7 + 0.2 * 0.7)


def test_forecast_quality_adds_the_learned_shift() -> None:
    work = Workload(2000, 10, 1, 1, 9000, 0.6, 2000, "retrieved")
    profile = replace(PROFILE, shift={"retrieved": {"bias": 0.1, "spread": -0.5}})
    [one] = forecast([Fixed(work)], replace(ESTIMATE, features={"spread": 0.4}), SIZE, profile)
    assert one.quality == pytest.approx(0.6 * 0.7 + 0.1 - 0.2)


def test_kinds_of_follows_words_and_hits() -> None:
    assert kinds_of({"cue_list": 1.0}) == {"list": 1.0}
    assert kinds_of({"cue_count": 1.0, "cue_compare": 1.0}) == {"count": 0.5, "hops": 0.5}
    assert kinds_of({"covered_5": 0.75}) == {"fact": 0.75, "paraphrase": 0.25}


def test_forecast_tokens_count_marks_and_the_output_ratio() -> None:
    work = Workload(2000, 100, 3, 2, 3000, 1.0, 2000, "consecutive", reusable_tokens=1000, written=500)
    marks: dict[Surroundings, float] = {"consecutive": 1.1, "retrieved": 1.5}
    [one] = forecast([Fixed(work)], ESTIMATE, SIZE, replace(PROFILE, output_ratio=0.2), marks)
    assert (one.input_tokens, one.output_tokens, one.longest_prompt) == (1690, 20, 3300)
    [bare] = forecast([Fixed(work)], ESTIMATE, SIZE, replace(PROFILE, output_ratio=0.2), marks, frame=10)
    assert bare.input_tokens == one.input_tokens - 3 * (INSTRUCTION_TOKENS - 10)


def test_forecast_cached_tokens_cost_nothing_to_read() -> None:
    work = Workload(2000, 10, 1, 1, 9000, 0.6, 2000, "retrieved", reusable_tokens=1800)
    key = route_key("fixed", {"depth": 3, "work": work})  # type: ignore[dict-item]
    [cold] = forecast([Fixed(work)], ESTIMATE, SIZE, PROFILE)
    [warm] = forecast([Fixed(work)], ESTIMATE, SIZE, PROFILE, warm={key: 99_999})
    assert (cold.cached_tokens, warm.cached_tokens) == (0, 1800)
    assert cold.seconds - warm.seconds == pytest.approx(18.0)


def test_seconds_of_a_batch_beyond_the_cache_are_in_waves() -> None:
    work = Workload(4000, 400, 4, 1, 1200, 1.0, 1000, "consecutive")
    alone = seconds(replace(work, input_tokens=2000, output_tokens=200, calls=2), PROFILE)
    assert seconds(work, replace(PROFILE, kv_tokens=2200)) == pytest.approx(2 * alone)
    assert seconds(work, replace(PROFILE, kv_tokens=9999)) == seconds(work, PROFILE)


COSTS = st.builds(CostModel, *[st.floats(0, 1)] * 7)


@given(COSTS, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 64))
def test_seconds_never_rise_with_more_cached_tokens(
    cost: CostModel, tokens: int, cached: int, more: int, calls: int
) -> None:
    first, then = min(tokens, cached), min(tokens, cached + more)
    cold = cost.seconds(tokens - first, first, 100, calls)
    assert cost.seconds(tokens - then, then, 100, calls) <= cold * (1 + 1e-9)


def test_forecast_beyond_the_window_does_not_fit() -> None:
    [one] = forecast([Fixed(Workload(2000, 10, 1, 1, 10_001, 0.6, 2000, "retrieved"))], ESTIMATE, SIZE, PROFILE)
    assert not one.fits


@pytest.mark.parametrize(
    ("calls", "rounds", "expected"),
    [
        (1, 1, 1 + 10 + 100 * 0.1),
        (2, 2, 2 * (1 + 5 + 50 * 0.1)),
        (2, 1, 1.5 + 10 + 50 * 0.12),
        (4, 1, 2.5 + 10 + 25 * 0.16),
        (0, 0, 0.0),
    ],
)
def test_seconds_follow_rounds_and_parallel_calls(calls: int, rounds: int, expected: float) -> None:
    assert seconds(Workload(1000, 100, calls, rounds, 0, 1, 0, "retrieved"), PROFILE) == pytest.approx(expected)


@pytest.mark.parametrize(("tokens", "p"), [(0, 0.9), (1000, 0.9), (2000, 0.7), (3000, 0.5), (99_999, 0.5)])
def test_at_interpolates_and_is_flat_outside(tokens: int, p: float) -> None:
    assert used(PROFILE, "retrieved", tokens) == pytest.approx(p)


@pytest.mark.parametrize("backend", ["embedded", "server"])
@pytest.mark.parametrize("window", [512, 8192, 131_072])
def test_builtin_profile_is_cautious_and_not_measured(backend: str, window: int) -> None:
    profile = builtin_profile(backend, "m", window)
    assert not profile.measured
    for points in profile.use.values():
        assert [k for k, _ in points] == sorted({k for k, _ in points})
        assert [p for _, p in points] == sorted((p for _, p in points), reverse=True)
        assert all(0 < p < 1 for _, p in points)
    assert used(profile, "retrieved", window / 2) <= used(profile, "consecutive", window / 2) + 0.05


def test_forecast_of_a_summary_of_a_broad_question_is_the_share_of_points_that_summaries_state() -> None:
    profile = replace(PROFILE, kinds={"whole": {"consecutive": ((1000, 0.8), (3000, 0.4))}})
    work = Workload(2000, 10, 3, 2, 9000, 0.9, 2000, "consecutive", "summarise", (("summarise", 1000),), pieces=2)
    broad = replace(ESTIMATE, features={"broad": 1.0})
    [one] = forecast([Fixed(work)], broad, SIZE, profile)
    assert one.quality == pytest.approx(0.9 * 0.6 * 0.8)
    [other] = forecast([Fixed(work)], ESTIMATE, SIZE, profile)
    assert other.quality != one.quality
