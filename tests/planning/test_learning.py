"""What a log teaches: known answers move the curves to the truth, unknown ones little, and nothing leaves [0, 1]."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.pipelines import ChainOfAgents, ChunkRag, FullContext
from lcrag.planning.forecast import forecast
from lcrag.planning.learning import LEAST, Outcome, learned, moved, shifted, use_of
from lcrag.planning.profile import builtin_profile, from_object, to_object
from lcrag.types import CorpusSize, Estimate, Learned

PROFILE = builtin_profile("server", "a-8b", 32_000)
ESTIMATE = Estimate(0.4, 100, ((1000, 0.7), (4000, 0.9), (20_000, 1.0)), 0.85)
SIZE = CorpusSize(10, 100, 20_000, 2_000)
KNOWN = Outcome(0.5, 0.9, 0.9, refused=False, supported=True)


def shift(outcomes: list[Outcome]) -> float:
    found = learned(outcomes, PROFILE)
    assert found is not None
    return found.log_odds


def test_learned_needs_enough_questions() -> None:
    assert learned([KNOWN] * (LEAST - 1), PROFILE) is None
    assert learned([KNOWN] * LEAST, PROFILE) is not None


@pytest.mark.parametrize("right", [0.1, 0.3, 0.6, 0.8])
def test_learned_moves_p_correct_to_what_was_right(right: float) -> None:
    found = learned([replace(KNOWN, right=right)] * 200, PROFILE)
    assert found is not None
    assert (found.questions, found.known) == (200, 200)
    refused = PROFILE.kinds["absent"]["retrieved"][0][1]

    def p(log_odds: float) -> float:
        return 0.9 * 0.9 * shifted(0.5, log_odds) + 0.1 * refused

    assert abs(p(found.log_odds) - right) < 0.05 < abs(p(0.0) - right)


def test_learned_from_unknown_answers_is_little_and_ends() -> None:
    refused = replace(KNOWN, refused=True, supported=False)
    assert shift([refused] * 50) < shift([KNOWN] * 50)
    assert shift([KNOWN] * 50 + [refused] * 50) < shift([KNOWN] * 100)
    assert abs(shift([refused] * 2000) - shift([refused] * 200)) < 0.2
    assert shift([replace(KNOWN, agrees=True)] * 50) > shift([replace(KNOWN, agrees=False)] * 50)
    assert shift([KNOWN] * 50) > shift([replace(KNOWN, supported=False)] * 50)


def test_moved_profile_forecasts_more_but_the_same_costs() -> None:
    routes = [ChunkRag(1000), FullContext(), ChainOfAgents(mode="tree")]
    plain = forecast(routes, ESTIMATE, SIZE, PROFILE)
    better = forecast(routes, ESTIMATE, SIZE, moved(PROFILE, Learned(1.0, 50, 50)))
    for before, after in zip(plain, better, strict=True):
        assert before.quality < after.quality <= 1
        assert (before.input_tokens, before.seconds) == (after.input_tokens, after.seconds)
    assert moved(PROFILE, None) is PROFILE


def test_moved_profile_is_stored_without_what_was_learned() -> None:
    stored = from_object(to_object(moved(PROFILE, Learned(0.0, 50, 50))))
    assert stored == PROFILE


@given(st.floats(0, 1), st.floats(-3, 3))
def test_shifted_stays_a_probability_and_comes_back(p: float, log_odds: float) -> None:
    there = shifted(p, log_odds)
    assert 0 <= there <= 1
    assert shifted(there, -log_odds) == pytest.approx(p, abs=1e-6)


@given(st.sampled_from([500, 1000, 2000]), st.floats(-1.5, 1.5))
def test_use_of_a_forecast_is_that_of_the_curve_before_it_was_moved(tokens: int, log_odds: float) -> None:
    profile = moved(PROFILE, Learned(log_odds, 50, 50))
    [plain] = forecast([ChunkRag(tokens)], ESTIMATE, SIZE, PROFILE)
    [route] = forecast([ChunkRag(tokens)], ESTIMATE, SIZE, profile)
    expected = use_of(plain.quality, plain.evidence, ESTIMATE.answerable, PROFILE)
    assert use_of(route.quality, route.evidence, ESTIMATE.answerable, profile) == pytest.approx(expected, abs=0.02)
