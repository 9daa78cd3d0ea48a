"""The statistics against scipy and statsmodels, and against what they promise: coverage, and the level of the tests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from lcrag.comparison import significance as statistics

if TYPE_CHECKING:
    from lcrag.comparison.significance import Scores


SIMULATIONS = 1000
counts = st.integers(0, 400)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def correlated(draw: np.random.Generator, n: int, p: float, q: float) -> tuple[Scores, Scores]:
    """Two columns of right and wrong on the same questions: an easy question is easy for both."""
    hardness = draw.normal(size=n)
    a, b = (
        (0.7 * hardness + math.sqrt(0.51) * draw.normal(size=n) < stats.norm.ppf(share)).astype(float)
        for share in (p, q)
    )
    return a, b


@given(counts, counts)
def test_mcnemar_is_statsmodels_exact_test(only_a: int, only_b: int) -> None:
    if only_a + only_b:
        expected = mcnemar([[5, only_a], [only_b, 7]], exact=True).pvalue
        assert statistics.mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9)
    else:
        assert statistics.mcnemar(0, 0) == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_statsmodels_holm(values: list[float]) -> None:
    expected = multipletests(values, method="holm")[1]
    assert statistics.holm(values) == pytest.approx(list(expected))


@given(st.integers(1, 500), st.data())
def test_wilson_is_statsmodels_wilson(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    assert statistics.wilson(successes, n) == pytest.approx(proportion_confint(successes, n, method="wilson"), abs=1e-9)


def test_student_quantile_is_scipys() -> None:
    for freedom in (7, 10, 30, 100, 5000):
        assert statistics.student_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-3)


def test_the_permutation_test_agrees_with_scipys() -> None:
    draw = generator(1)
    for shift in (0.0, 0.05, 0.1):
        differences = draw.normal(shift, 0.3, size=60)
        expected = stats.permutation_test(
            (differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=generator(2)
        ).pvalue
        assert statistics.permutation(differences, seed=3) == pytest.approx(expected, abs=0.015)


def test_the_bootstrap_agrees_with_scipys_percentiles_on_many_questions() -> None:
    values = generator(4).beta(2, 1, size=800)
    expected = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=generator(5))
    low, high = statistics.bootstrap(values, seed=6)
    assert low == pytest.approx(expected.confidence_interval.low, abs=6e-4)
    assert high == pytest.approx(expected.confidence_interval.high, abs=6e-4)


def coverage(n: int, p: float, q: float, monkeypatch: pytest.MonkeyPatch) -> float:
    """Share of simulated experiments whose interval of the difference holds the true one."""
    monkeypatch.setattr(statistics, "RESAMPLES", 2000)
    draw = generator(7)
    held = 0
    for number in range(SIMULATIONS):
        a, b = correlated(draw, n, p, q)
        low, high = statistics.bootstrap(a - b, seed=number)
        held += low <= p - q <= high
    return held / SIMULATIONS


@pytest.mark.slow
@pytest.mark.parametrize(("n", "p", "q"), [(40, 0.7, 0.5), (100, 0.8, 0.7), (200, 0.6, 0.6), (100, 0.9, 0.4)])
def test_intervals_of_differences_hold_the_truth_as_often_as_they_say(
    n: int, p: float, q: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0.93 <= coverage(n, p, q, monkeypatch) <= 0.97


@pytest.mark.parametrize(("n", "p"), [(40, 0.5), (100, 0.8), (300, 0.9)])
def test_intervals_of_shares_hold_the_truth_as_often_as_they_say(n: int, p: float) -> None:
    draw = generator(8)
    held = sum(
        low <= p <= high
        for low, high in (statistics.wilson(int(draw.binomial(n, p)), n) for _ in range(20 * SIMULATIONS))
    )
    assert 0.93 <= held / (20 * SIMULATIONS) <= 0.97


@pytest.mark.slow
def test_intervals_of_graded_scores_hold_the_truth_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 2000)
    draw = generator(9)
    held = 0
    for number in range(SIMULATIONS):
        low, high = statistics.interval(draw.beta(0.6, 0.9, size=60), seed=number)
        held += low <= 0.4 <= high
    assert 0.93 <= held / SIMULATIONS <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("graded", [False, True])
def test_routes_that_are_equally_good_are_called_different_seldom(
    graded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 2000)
    draw = generator(10)
    found = 0
    for number in range(SIMULATIONS):
        a, b = correlated(draw, 120, 0.65, 0.65)
        if graded:
            a, b = (0.7 * side + 0.3 * draw.uniform(size=len(side)) for side in (a, b))
        name, p = statistics.paired_test(a, b, seed=number)
        assert name == ("permutation of signs" if graded else "exact McNemar")
        found += p <= 0.05
    assert found / SIMULATIONS <= 0.055


def test_holm_keeps_the_level_over_all_pairs_and_a_real_difference_is_found() -> None:
    draw = generator(11)
    hits = false = 0
    for number in range(200):
        same = correlated(draw, 150, 0.6, 0.6)
        scores = np.stack([*same, (draw.uniform(size=150) < 0.85).astype(float)], axis=1)
        tested = [statistics.paired_test(scores[:, i], scores[:, j], number)[1] for i, j in ((0, 1), (0, 2), (1, 2))]
        corrected = statistics.holm(tested)
        false += corrected[0] <= 0.05
        hits += corrected[1] <= 0.05 and corrected[2] <= 0.05
    assert false / 200 <= 0.055
    assert hits / 200 >= 0.9


def test_a_pair_says_by_how_much_and_how_often() -> None:
    scores = np.array([[1, 0], [1, 0], [1, 1], [0, 1], [1, 0], [1, 0], [1, 0], [1, 0]], dtype=float)
    [pair] = statistics.pairs(["x", "y"], scores, seed=0)
    assert (pair.a, pair.b, pair.wins, pair.ties, pair.losses) == ("x", "y", 6, 1, 1)
    assert pair.difference == pytest.approx(5 / 8)
    assert pair.test == "exact McNemar"
    assert pair.p == pair.p_holm == pytest.approx(2 * 8 / 128)
    assert pair.effect == pytest.approx(5 / 8 / np.std(scores[:, 0] - scores[:, 1], ddof=1))
    assert pair.ci95[0] < 5 / 8 < pair.ci95[1]
    assert statistics.pairs(["x", "y"], scores, seed=0) == [pair]


def test_a_seed_gives_the_same_numbers_and_another_one_others() -> None:
    values = generator(12).uniform(size=50)
    assert statistics.bootstrap(values, 1) == statistics.bootstrap(values, 1) != statistics.bootstrap(values, 2)
    assert statistics.permutation(values - 0.45, 1) == statistics.permutation(values - 0.45, 1)


def test_memory_is_bounded_without_changing_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    values = generator(13).uniform(size=500)
    whole = statistics.bootstrap(values, 1)
    monkeypatch.setattr(statistics, "_PARTS", 5000)
    assert statistics.bootstrap(values, 1) == pytest.approx(whole, abs=0.003)


def test_few_or_no_questions() -> None:
    assert statistics.bootstrap(np.array([]), 0) == (0.0, 0.0)
    assert statistics.bootstrap(np.array([0.5]), 0) == (0.5, 0.5)
    assert statistics.wilson(0, 0) == (0.0, 1.0)
    assert statistics.wilson(5, 5)[0] < 0.6
    assert statistics.permutation(np.zeros(4), 0) == 1.0
    assert statistics.effect_size(np.ones(5)) == 0.0
    assert statistics.effect_size(np.ones(1)) == 0.0


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=12))
def test_the_front_is_what_nothing_beats(points: list[tuple[int, int]]) -> None:
    on = statistics.pareto(points)
    assert any(on)
    for (cost, score), kept in zip(points, on, strict=True):
        better = [(c, s) for c, s in points if (c <= cost and s > score) or (c < cost and s >= score)]
        assert kept == (not better)
