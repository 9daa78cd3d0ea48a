# ruff: noqa: E501
"""The router as a table: forecasts and a policy in, a route out. Each row is a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.errors import DoesNotFit, NoRoute, OverBudget
from lcrag.planning.explain import label
from lcrag.planning.forecast import AGAIN, remaining
from lcrag.planning.profile import builtin_profile
from lcrag.planning.router import choose, further, route, utility
from lcrag.types import Estimate, Forecast, Policy, Prefer, Profile, Usage

ESTIMATE = Estimate(0.4, 100, ((1000, 0.5), (4000, 0.8), (24000, 1.0)), 0.8)
WINDOW = 32_000


def option(name: str, tokens: int, quality: float, seconds: float = 1.0, prompt: int | None = None) -> Forecast:
    prompt = tokens if prompt is None else prompt
    return Forecast(name, {}, tokens, 100, 1, seconds, quality, prompt <= WINDOW, prompt)


def rag(tokens: int, quality: float, seconds: float = 1.0) -> Forecast:
    return replace(option("chunk_rag", tokens, quality, seconds), options={"tokens": tokens})


FULL = option("full_context", 24_000, 0.9, 4.0)
LONG = option("full_context", 200_000, 0.95, 40.0)
CHAIN = option("chain_of_agents", 220_000, 0.8, 60.0, prompt=8_000)


@pytest.mark.parametrize(
    ("sentence", "forecasts", "policy", "expected"),
    [
        ("one route is taken", [rag(1000, 0.5)], Policy(), "chunk_rag (tokens 1000)"),
        ("of equals the cheaper", [rag(2000, 0.7), rag(1000, 0.7)], Policy(), "chunk_rag (tokens 1000)"),
        ("the order does not matter", [rag(1000, 0.7), rag(2000, 0.7)], Policy(), "chunk_rag (tokens 1000)"),
        ("of equal tokens the better", [rag(1000, 0.7), option("x", 1000, 0.8)], Policy(), "x"),
        ("of equal tokens and quality the faster", [rag(1000, 0.7, 2), option("x", 1000, 0.7, 1)], Policy(), "x"),
        ("a doubling for 1 point is not worth it", [rag(8000, 0.70), rag(16000, 0.71)], Policy(), "chunk_rag (tokens 8000)"),
        ("a doubling for 3 points is", [rag(8000, 0.70), rag(16000, 0.73)], Policy(), "chunk_rag (tokens 16000)"),
        ("for quality 1 point is", [rag(8000, 0.70), rag(16000, 0.71)], Policy("quality"), "chunk_rag (tokens 16000)"),
        ("for speed 3 points are not", [rag(8000, 0.70), rag(16000, 0.73)], Policy("speed"), "chunk_rag (tokens 8000)"),
        ("for speed 10 points are", [rag(8000, 0.70), rag(16000, 0.80)], Policy("speed"), "chunk_rag (tokens 16000)"),
        ("much better is worth everything", [rag(1000, 0.2), FULL], Policy(), "full_context"),
        ("hardly better is not worth 24 times", [rag(1000, 0.85), FULL], Policy(), "chunk_rag (tokens 1000)"),
        ("for quality it is", [rag(1000, 0.85), FULL], Policy("quality"), "full_context"),
        ("what does not fit is not taken", [rag(1000, 0.3), LONG], Policy("quality"), "chunk_rag (tokens 1000)"),
        ("many calls may read more than a window", [rag(1000, 0.3), CHAIN], Policy(), "chain_of_agents"),
        ("a limit on tokens holds", [rag(1000, 0.3), FULL], Policy(max_tokens=5000), "chunk_rag (tokens 1000)"),
        ("a limit that is just reached holds too", [rag(1000, 0.3), FULL], Policy(max_tokens=24_000), "full_context"),
        ("a limit one lower does not", [rag(1000, 0.3), FULL], Policy(max_tokens=23_999), "chunk_rag (tokens 1000)"),
        ("a limit on seconds holds", [rag(1000, 0.3), FULL], Policy(max_seconds=3), "chunk_rag (tokens 1000)"),
        ("a limit of just enough seconds", [rag(1000, 0.3), FULL], Policy(max_seconds=4), "full_context"),
        ("a floor on quality lifts the choice", [rag(1000, 0.85), FULL], Policy(min_quality=0.9), "full_context"),
        ("a floor below changes nothing", [rag(1000, 0.85), FULL], Policy(min_quality=0.5), "chunk_rag (tokens 1000)"),
        ("a floor and a limit together", [rag(1000, 0.5), rag(4000, 0.7), FULL], Policy(min_quality=0.6, max_tokens=9000), "chunk_rag (tokens 4000)"),
        ("a named pipeline is taken though worse", [rag(1000, 0.1), FULL], Policy(pipeline="chunk_rag"), "chunk_rag (tokens 1000)"),
        ("a named pipeline with its best options", [rag(1000, 0.1), rag(4000, 0.8), FULL], Policy(pipeline="chunk_rag"), "chunk_rag (tokens 4000)"),
        ("a named pipeline within the budget", [rag(1000, 0.1), rag(4000, 0.8)], Policy(pipeline="chunk_rag", max_tokens=2000), "chunk_rag (tokens 1000)"),
        ("nothing promises anything: the cheapest", [rag(1000, 0.0), FULL_ZERO := option("full_context", 24_000, 0.0)], Policy(), "chunk_rag (tokens 1000)"),
        ("for quality too", [rag(1000, 0.0), FULL_ZERO], Policy("quality"), "chunk_rag (tokens 1000)"),
        ("everything is certain: the cheapest", [rag(1000, 1.0), option("full_context", 24_000, 1.0)], Policy("quality"), "chunk_rag (tokens 1000)"),
        ("a dominated route is passed over", [rag(2000, 0.6), option("x", 3000, 0.5), option("y", 1500, 0.6)], Policy(), "y"),
        ("an empty corpus costs the instructions", [option("full_context", 200, 1.0)], Policy(), "full_context"),
        ("tiny documents are read whole", [option("full_context", 400, 0.7), rag(500, 0.7)], Policy(), "full_context"),
        ("a warm and a cold route alike but for seconds", [option("a", 9000, 0.8, 9), option("b", 9000, 0.8, 0.1)], Policy(), "b"),
        ("of equally fast ones the price decides", [option("a", 24_000, 0.72, 1), option("b", 1000, 0.71, 1)], Policy(), "b"),
        ("and in the other order", [option("b", 1000, 0.71, 1), option("a", 24_000, 0.72, 1)], Policy(), "b"),
        ("seconds have no price of their own", [option("a", 24_000, 0.72, 0.5), option("b", 1000, 0.71, 1)], Policy(), "b"),
        ("the middle of three", [rag(500, 0.2), rag(4000, 0.88), FULL], Policy(), "chunk_rag (tokens 4000)"),
        ("the first of three for speed", [rag(500, 0.7), rag(4000, 0.8), FULL], Policy("speed"), "chunk_rag (tokens 500)"),
        ("the last of three for quality", [rag(500, 0.7), rag(4000, 0.8), FULL], Policy("quality"), "full_context"),
        ("a window just long enough", [rag(500, 0.1), option("full_context", WINDOW, 0.9)], Policy(), "full_context"),
        ("a window one too short", [rag(500, 0.1), option("full_context", WINDOW + 1, 0.9)], Policy(), "chunk_rag (tokens 500)"),
        ("a prompt counts for the window, not the sum", [rag(500, 0.1), option("z", 90_000, 0.9, prompt=WINDOW)], Policy(), "z"),
        ("zero tokens are allowed when nothing costs", [option("a", 0, 0.3), rag(500, 0.3)], Policy(max_tokens=0), "a"),
        ("slower but better under no limit", [option("a", 1000, 0.6, 1), option("b", 1000, 0.7, 99)], Policy(), "b"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)  # fmt: skip
def test_choose_follows_the_table(sentence: str, forecasts: list[Forecast], policy: Policy, expected: str) -> None:
    assert label(choose(forecasts, policy, WINDOW)) == expected


@pytest.mark.parametrize(
    ("forecasts", "policy", "error", "said"),
    [
        ([LONG], Policy(), DoesNotFit, "200,000 tokens, 168,000 more"),
        ([rag(1900, 0.5)], Policy(max_tokens=1000), OverBudget, "1,900 tokens, 900 more"),
        ([rag(1900, 0.5, 3.0)], Policy(max_seconds=1), OverBudget, "2 s more"),
        ([rag(1900, 0.5)], Policy(min_quality=0.8), OverBudget, "0.30 less"),
        ([rag(1000, 0.2), rag(9000, 0.9)], Policy(max_tokens=5000, min_quality=0.5), OverBudget, "at once"),
        ([rag(1000, 0.2)], Policy(pipeline="full_context"), NoRoute, "nothing to offer"),
        ([LONG, rag(500, 1.0)], Policy(pipeline="full_context"), DoesNotFit, "full_context needs"),
    ],
)
def test_choose_without_a_route_says_by_how_much(
    forecasts: list[Forecast], policy: Policy, error: type[NoRoute], said: str
) -> None:
    with pytest.raises(error, match=said):
        choose(forecasts, policy, WINDOW)


def profile() -> Profile:
    return replace(builtin_profile("server", "m", WINDOW), window=WINDOW)


def plan_of(forecasts: list[Forecast], policy: Policy) -> Mapping[str, object]:
    plan = route("q?", forecasts, ESTIMATE, profile(), policy)
    return {"reason": plan.reason, "counterfactuals": plan.counterfactuals, "pipeline": plan.pipeline}


def test_reason_names_the_better_route_and_its_price() -> None:
    found = plan_of([rag(1000, 0.85), FULL], Policy())
    assert found["reason"] == (
        "chunk_rag (tokens 1000): P(correct) about 0.85 for 1,000 tokens; full_context would reach 0.90 for 24,000, "
        "24.0 times as many"
    )


def test_counterfactuals_change_one_input_each() -> None:
    found = plan_of([rag(1000, 0.5), FULL, LONG], Policy(max_tokens=2000))
    assert found["counterfactuals"] == ("full_context without the limit on tokens",)
    found = plan_of([rag(1000, 0.5), LONG], Policy())
    assert found["counterfactuals"] == ("full_context if the window were 200,000 tokens",)
    found = plan_of([rag(1000, 0.85), FULL], Policy())
    assert found["counterfactuals"] == ("full_context with --prefer quality",)


OPTIONS = st.builds(
    option,
    st.sampled_from("abc"),
    st.integers(0, 200_000),
    st.floats(0, 1),
    st.floats(0, 100),
    st.integers(0, 2 * WINDOW),
)
PREFERS: list[Prefer] = ["quality", "balanced", "speed"]


@given(
    st.lists(OPTIONS, min_size=1, max_size=8), st.sampled_from(PREFERS), st.integers(0, 200_000), st.integers(0, 99_999)
)
def test_choose_never_worse_with_more_tokens(forecasts: list[Forecast], prefer: Prefer, limit: int, more: int) -> None:
    try:
        first = choose(forecasts, Policy(prefer, max_tokens=limit), WINDOW)
    except NoRoute:
        return
    assert choose(forecasts, Policy(prefer, max_tokens=limit + more), WINDOW).quality >= first.quality


@given(st.lists(OPTIONS, min_size=1, max_size=8), st.sampled_from(PREFERS))
def test_choose_fits_and_is_not_dominated(forecasts: list[Forecast], prefer: Prefer) -> None:
    try:
        chosen = choose(forecasts, Policy(prefer), WINDOW)
    except DoesNotFit:
        assert not any(one.fits for one in forecasts)
        return
    assert chosen.fits
    for other in forecasts:
        cheaper = other.input_tokens <= chosen.input_tokens and other.seconds <= chosen.seconds
        if other.fits and other.quality >= chosen.quality and cheaper:
            assert utility(other, prefer) == utility(chosen, prefer)
            assert (other.input_tokens, other.seconds) == (chosen.input_tokens, chosen.seconds)


@given(
    st.lists(OPTIONS, min_size=1, max_size=8),
    st.sampled_from(PREFERS),
    st.none() | st.integers(0, 200_000),
    st.floats(0, 100),
    st.none() | st.floats(0, 100),
)
def test_choose_never_worse_with_more_seconds(
    forecasts: list[Forecast], prefer: Prefer, tokens: int | None, limit: float, more: float | None
) -> None:
    try:
        first = choose(forecasts, Policy(prefer, tokens, limit), WINDOW)
    except NoRoute:
        return
    longer = None if more is None else limit + more
    assert choose(forecasts, Policy(prefer, tokens, longer), WINDOW).quality >= first.quality


@given(st.lists(OPTIONS, min_size=1, max_size=8), st.sampled_from(PREFERS), st.integers(0, 10**6), st.floats(0, 1))
def test_further_skips_what_was_tried_or_does_not_fit(
    forecasts: list[Forecast], prefer: Prefer, spent: int, answerable: float
) -> None:
    tried = forecasts[0]
    estimate = replace(ESTIMATE, answerable=answerable)
    policy = Policy(prefer, max_tokens=300_000)
    found = further(forecasts, [tried], Usage(input_tokens=spent), estimate, policy)
    if found is not None:
        assert found.fits
        assert label(found) != label(tried)
        assert spent < found.input_tokens <= 300_000 - spent
        assert 0 < remaining(chances(tried), chances(found), answerable) <= 1


def chances(option: Forecast) -> tuple[float, float]:
    return option.quality, option.evidence


WEAK = replace(rag(1000, 0.4), evidence=0.5)
MORE = replace(rag(4000, 0.6), evidence=0.8)
WHOLE = replace(FULL, evidence=1.0)


@pytest.mark.parametrize(
    ("sentence", "forecasts", "answerable", "used", "policy", "expected"),
    [
        ("what reads on is next", [WEAK, MORE], 0.8, Usage(1000), Policy(), MORE),
        ("the one of most utility", [WEAK, MORE, WHOLE], 0.9, Usage(1000), Policy(), WHOLE),
        ("the better one without regard to cost", [WEAK, MORE, WHOLE], 0.8, Usage(1000), Policy("quality"), WHOLE),
        ("only within what is left of the tokens", [WEAK, MORE, WHOLE], 0.8, Usage(1000), Policy("quality", 24_500), MORE),
        ("only within what is left of the seconds", [WEAK, MORE, WHOLE], 0.8, Usage(1000, seconds=2), Policy("quality", None, 5), MORE),
        ("nothing when nothing is left", [WEAK, MORE, WHOLE], 0.8, Usage(1000), Policy(max_tokens=2000), None),
        ("nothing when the documents hardly hold it", [WEAK, WHOLE], 0.05, Usage(1000), Policy(), None),
        ("for quality then too", [WEAK, WHOLE], 0.05, Usage(1000), Policy("quality"), WHOLE),
        ("what reads less is never next", [replace(FULL, evidence=1.0), WEAK], 0.9, Usage(24_000), Policy(), None),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)  # fmt: skip
def test_further_takes_the_best_remaining_route(
    sentence: str,
    forecasts: list[Forecast],
    answerable: float,
    used: Usage,
    policy: Policy,
    expected: Forecast | None,
) -> None:
    assert further(forecasts, forecasts[:1], used, replace(ESTIMATE, answerable=answerable), policy) == expected


@pytest.mark.parametrize(("made_up", "expected"), [(0.0, MORE), (0.2, MORE), (0.9, None)])
def test_further_stops_where_another_try_may_invent(made_up: float, expected: Forecast | None) -> None:
    estimate = replace(ESTIMATE, answerable=0.7)
    assert further([WEAK, MORE], [WEAK], Usage(1000), estimate, Policy(), made_up) == expected


def test_remaining_matches_a_calculation_by_hand() -> None:
    """Half the evidence, four fifths of it used: .1 was read in vain, .3 unread, and .6 had failed."""
    assert remaining((0.4, 0.5), (0.6, 0.8), 1.0) == pytest.approx(0.75 * (0.3 + AGAIN * 0.1) / 0.6)
    assert remaining((0.6, 0.8), (0.4, 0.5), 1.0) == pytest.approx(0.8 * AGAIN * 0.5 * 0.25 / 0.4)
    assert remaining((0.4, 0.5), (0.6, 0.8), 0.5) == pytest.approx(0.5 * 0.75 * (0.3 + AGAIN * 0.1) / (0.5 * 0.6 + 0.5))


def test_counterfactuals_name_the_limit_of_a_faster_route() -> None:
    plan = route("q?", [rag(1000, 0.2), FULL], ESTIMATE, profile(), Policy())
    assert "chunk_rag (tokens 1000) under 3.2 s" in plan.counterfactuals


@given(st.lists(OPTIONS, min_size=1, max_size=8), st.sampled_from(PREFERS))
def test_route_gives_a_readable_reason(forecasts: list[Forecast], prefer: Prefer) -> None:
    try:
        plan = route("q?", forecasts, ESTIMATE, profile(), Policy(prefer))
    except DoesNotFit:
        return
    assert plan.reason
    assert len(plan.counterfactuals) <= 3
    assert len(set(plan.counterfactuals)) == len(plan.counterfactuals)
