"""The statistics against independent implementations, and against their promises: the coverage and the level."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lcrag.comparison import significance

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


@pytest.mark.slow  # importing statsmodels takes 4 to 30 s
@given(counts, counts)
def test_mcnemar_equals_statsmodels(only_a: int, only_b: int) -> None:
    from statsmodels.stats.contingency_tables import mcnemar

    if only_a + only_b:
        expected = mcnemar([[5, only_a], [only_b, 7]], exact=True).pvalue
        assert significance.mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_equals_statsmodels(values: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    with patch("gc.collect"):  # which it calls each time: 0.5 s among thousands of tests
        expected = list(multipletests(values, method="holm")[1])
    assert significance.holm(values) == pytest.approx(expected)


@pytest.mark.slow
@given(st.integers(1, 500), st.data())
def test_wilson_equals_statsmodels(n: int, data: st.DataObject) -> None:
    from statsmodels.stats.proportion import proportion_confint

    successes = data.draw(st.integers(0, n))
    expected = proportion_confint(successes, n, method="wilson")
    assert significance.wilson(successes, n) == pytest.approx(expected, abs=1e-9)


@given(counts, counts)
def test_mcnemar_equals_the_sum_of_the_binomial_tail(only_a: int, only_b: int) -> None:
    n, fewer = only_a + only_b, min(only_a, only_b)
    tail = sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n
    assert significance.mcnemar(only_a, only_b) == pytest.approx(min(1.0, 2 * tail), rel=1e-9)


@given(st.integers(1, 500), st.data())
def test_wilson_equals_the_published_formula(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    z = 1.959963984540054
    share, spread = successes / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    expected = max(0.0, middle - half), min(1.0, middle + half)
    assert significance.wilson(successes, n) == pytest.approx(expected, abs=1e-12)


def test_holm_corrects_by_rank_and_never_falls() -> None:
    assert significance.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert significance.holm([0.6, 0.5]) == [1.0, 1.0]
    assert significance.holm([]) == []


@pytest.mark.parametrize("n", [3, 9, 40])
def test_bootstrap_is_the_expanded_percentile_interval(n: int) -> None:
    values = generator(3).beta(2, 1, size=n)
    means = values[generator(6).integers(0, n, (significance.RESAMPLES, n))].mean(axis=1)
    tail = stats.norm.cdf(-math.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1))
    expected = np.quantile(means, [tail, 1 - tail])
    assert significance.bootstrap(values, seed=6) == pytest.approx(tuple(expected), abs=1e-12)


def test_bootstrap_has_a_value_where_all_scores_are_the_same() -> None:
    assert significance.bootstrap(np.full(5, 0.5), 0) == (0.5, 0.5)  # BCa has none


def test_permutation_agrees_with_the_permutation_test_of_scipy() -> None:
    draw = generator(1)
    for shift in (0.0, 0.05, 0.1):
        differences = draw.normal(shift, 0.3, size=60)
        expected = stats.permutation_test(
            (differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=generator(2)
        ).pvalue
        assert significance.permutation(differences, seed=3) == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize("n", [1, 2, 5, 10])
def test_permutation_of_few_questions_is_near_the_exact_p(n: int) -> None:
    differences = generator(n).normal(0.2, 0.3, size=n)
    signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    exact = float((abs(signs @ differences) >= abs(differences.sum()) - 1e-12).mean())
    assert significance.permutation(differences, seed=0) == pytest.approx(exact, abs=0.015)


def coverage(n: int, p: float, q: float, monkeypatch: pytest.MonkeyPatch) -> float:
    """Share of simulated experiments whose interval of the difference contains the true one."""
    monkeypatch.setattr(significance, "RESAMPLES", 2000)
    draw = generator(7)
    covered = 0
    for number in range(SIMULATIONS):
        a, b = correlated(draw, n, p, q)
        low, high = significance.bootstrap(a - b, seed=number)
        covered += low <= p - q <= high
    return covered / SIMULATIONS


@pytest.mark.slow
@pytest.mark.parametrize(("n", "p", "q"), [(40, 0.7, 0.5), (100, 0.8, 0.7), (200, 0.6, 0.6), (100, 0.9, 0.4)])
def test_bootstrap_of_differences_covers_the_truth_in_95_percent(
    n: int, p: float, q: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0.93 <= coverage(n, p, q, monkeypatch) <= 0.97


@pytest.mark.parametrize(("n", "p"), [(40, 0.5), (100, 0.8), (300, 0.9)])
def test_wilson_covers_the_truth_in_95_percent(n: int, p: float) -> None:
    covers = np.array([low <= p <= high for low, high in (significance.wilson(k, n) for k in range(n + 1))])
    successes = generator(8).binomial(n, p, size=20 * SIMULATIONS)
    assert 0.93 <= covers[successes].mean() <= 0.97


@pytest.mark.slow
def test_interval_of_graded_scores_covers_the_truth_in_95_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(significance, "RESAMPLES", 2000)
    draw = generator(9)
    covered = 0
    for number in range(SIMULATIONS):
        low, high = significance.interval(draw.beta(0.6, 0.9, size=60), seed=number)
        covered += low <= 0.4 <= high
    assert 0.93 <= covered / SIMULATIONS <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("graded", [False, True])
def test_paired_test_seldom_tells_equal_routes_apart(graded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(significance, "RESAMPLES", 2000)
    draw = generator(10)
    significant = 0
    for number in range(SIMULATIONS):
        a, b = correlated(draw, 120, 0.65, 0.65)
        if graded:
            a, b = (0.7 * side + 0.3 * draw.uniform(size=len(side)) for side in (a, b))
        name, p = significance.paired_test(a, b, seed=number)
        assert name == ("permutation of signs" if graded else "exact McNemar")
        significant += p <= 0.05
    assert significant / SIMULATIONS <= 0.055


def test_holm_keeps_the_level_over_all_pairs_and_shows_a_real_difference() -> None:
    draw = generator(11)
    hits = false = 0
    for number in range(200):
        same = correlated(draw, 150, 0.6, 0.6)
        scores = np.stack([*same, (draw.uniform(size=150) < 0.85).astype(float)], axis=1)
        tested = [significance.paired_test(scores[:, i], scores[:, j], number)[1] for i, j in ((0, 1), (0, 2), (1, 2))]
        corrected = significance.holm(tested)
        false += corrected[0] <= 0.05
        hits += corrected[1] <= 0.05 and corrected[2] <= 0.05
    assert false / 200 <= 0.055
    assert hits / 200 >= 0.9


def test_pairs_say_by_how_much_and_how_often() -> None:
    scores = np.array([[1, 0], [1, 0], [1, 1], [0, 1], [1, 0], [1, 0], [1, 0], [1, 0]], dtype=float)
    [pair] = significance.pairs(["x", "y"], scores, seed=0)
    assert (pair.a, pair.b, pair.wins, pair.ties, pair.losses) == ("x", "y", 6, 1, 1)
    assert pair.difference == pytest.approx(5 / 8)
    assert pair.test == "exact McNemar"
    assert pair.p == pair.p_holm == pytest.approx(2 * 8 / 128)
    assert pair.effect == pytest.approx(5 / 8 / np.std(scores[:, 0] - scores[:, 1], ddof=1))
    assert pair.ci95[0] < 5 / 8 < pair.ci95[1]
    assert significance.pairs(["x", "y"], scores, seed=0) == [pair]


def test_pairs_are_corrected_together() -> None:
    scores = generator(14).uniform(size=(30, 3))
    pairs = significance.pairs(["x", "y", "z"], scores, seed=0)
    assert [(pair.a, pair.b) for pair in pairs] == [("x", "y"), ("x", "z"), ("y", "z")]
    assert [pair.p_holm for pair in pairs] == significance.holm([pair.p for pair in pairs])


def test_bootstrap_and_permutation_depend_on_the_seed_alone() -> None:
    values = generator(12).uniform(size=50)
    assert significance.bootstrap(values, 1) == significance.bootstrap(values, 1) != significance.bootstrap(values, 2)
    assert significance.permutation(values - 0.45, 1) == significance.permutation(values - 0.45, 1)


def test_bootstrap_in_small_batches_gives_the_same_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    values = generator(13).uniform(size=500)
    whole = significance.bootstrap(values, 1)
    monkeypatch.setattr(significance, "BATCH", 5000)
    assert significance.bootstrap(values, 1) == pytest.approx(whole, abs=0.003)


def test_statistics_of_few_or_no_questions() -> None:
    assert significance.bootstrap(np.array([]), 0) == (0.0, 0.0)
    assert significance.bootstrap(np.array([0.5]), 0) == (0.5, 0.5)
    assert significance.wilson(0, 0) == (0.0, 1.0)
    assert significance.wilson(5, 5)[0] < 0.6
    assert significance.mcnemar(0, 0) == 1.0
    assert significance.permutation(np.zeros(4), 0) == 1.0
    assert significance.permutation(np.array([0.5]), 0) == 1.0
    assert significance.effect_size(np.ones(5)) == 0.0
    assert significance.effect_size(np.ones(1)) == 0.0


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=12))
def test_pareto_is_what_nothing_beats(points: list[tuple[int, int]]) -> None:
    front = significance.pareto(points)
    assert any(front)
    for (cost, score), on_front in zip(points, front, strict=True):
        better = [(c, s) for c, s in points if (c <= cost and s > score) or (c < cost and s >= score)]
        assert on_front == (not better)
