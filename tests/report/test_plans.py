"""Plans as they are printed: the routes that no other beats, and what is not measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import values

from lcrag.report.plans import outcome_report, plan_report, unbeaten
from lcrag.types import Forecast, Plan

PLAN = values.plan("who?")


def route(tokens: int, seconds: float, quality: float, fits: bool = True) -> Forecast:
    return Forecast(f"route {tokens}", {}, tokens, 0, 1, seconds, quality, fits)


def plan_with(forecasts: Sequence[Forecast], chosen: int = 0) -> Plan:
    return replace(PLAN, pipeline=forecasts[chosen].pipeline, options={}, forecasts=tuple(forecasts))


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        (route(200, 2, 0.5), False),  # worse in everything
        (route(100, 1, 0.5), False),  # equal in cost, worse in quality
        (route(200, 2, 0.8), True),
        (route(50, 2, 0.5), True),
        (route(200, 0.5, 0.5), True),
        (route(200, 2, 0.8, fits=False), True),  # better, if it fitted
    ],
)
def test_unbeaten_keeps_a_route_that_is_better_in_something(other: Forecast, shown: bool) -> None:
    assert (other in unbeaten(plan_with([route(100, 1, 0.6), other]))) == shown


def test_unbeaten_keeps_the_chosen_route_and_the_first_of_equals() -> None:
    first, beaten, equal = route(100, 1, 0.6), route(200, 2, 0.5), replace(route(100, 1, 0.6), pipeline="equal")
    assert unbeaten(plan_with([first, beaten, equal], chosen=1)) == [first, beaten]


def test_unbeaten_is_not_beaten_by_what_does_not_fit() -> None:
    fits, better = route(100, 1, 0.6), route(50, 0.5, 0.9, fits=False)
    assert unbeaten(plan_with([better, fits], chosen=1)) == [better, fits]


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.booleans()), min_size=1, max_size=9
    ).map(lambda rows: [route(t, s, q / 4, fits) for t, s, q, fits in rows])
)
def test_unbeaten_leaves_out_only_what_a_shown_route_beats(forecasts: list[Forecast]) -> None:
    named = [replace(forecast, pipeline=str(place)) for place, forecast in enumerate(forecasts)]
    shown = unbeaten(plan_with(named))
    assert named[0] in shown
    for hidden in (forecast for forecast in named if forecast not in shown):
        assert any(
            other.fits
            and other.quality >= hidden.quality
            and other.input_tokens <= hidden.input_tokens
            and other.seconds <= hidden.seconds
            for other in shown
        )


def test_plan_report_marks_a_probability_that_was_not_measured() -> None:
    text = plan_report(PLAN, width=80, colour=False)
    assert "P(correct),\n" in text
    assert "not measured  fits\n" in text
    assert " ~0.71 " in text
    measured = plan_report(replace(PLAN, profile=values.PROFILE), width=80, colour=False)
    assert values.PROFILE.measured
    assert "~" not in measured
    assert "not measured" not in measured


def test_plan_report_counts_the_routes_it_hides() -> None:
    assert "\n  2 more: lcrag plan --all\n" in plan_report(PLAN, width=80, colour=False)
    text = plan_report(PLAN, width=80, colour=False, show_all=True)
    assert "more:" not in text
    assert all(forecast.pipeline in text for forecast in PLAN.forecasts)


def test_outcome_report_marks_a_probability_that_was_not_measured() -> None:
    answer = values.answer("Anna [1].", "a.md", "Anna")
    assert "~0.71" in outcome_report(PLAN, answer, width=80, colour=False)
