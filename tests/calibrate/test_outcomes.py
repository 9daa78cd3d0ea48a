"""Outcomes survive a kill; intervals keep their error; curves fall."""

from __future__ import annotations

import json
import math
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.calibrate.outcomes import Cell, Outcomes, confidence_interval, falling_curve, fit_use

Points = list[tuple[int, float, float]]
points_of_a_curve = st.lists(
    st.tuples(st.integers(1, 99), st.floats(0, 1), st.floats(1, 9)), min_size=1, unique_by=lambda point: point[0]
)


def test_outcomes_are_resumed_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "probes.jsonl"
    outcomes = Outcomes(path)
    for right in (True, False, True):
        cell = outcomes.cell("answer", "fact", "retrieved", 512)
        outcomes.add(cell, right=right, nothing=not right, scope=10, written=5)
    outcomes.add(outcomes.cell("note", "fact", "consecutive", 1000), right=True, nothing=False, scope=7, written=9)
    cell = outcomes.cell("answer", "fact", "retrieved", 512)
    assert (cell.right, cell.asked, cell.said_nothing, cell.scope, cell.written) == (2, 3, 1, 30, 15)
    assert Outcomes.resumed(path).cells == outcomes.cells


def test_outcomes_ignore_incomplete_lines(tmp_path: Path) -> None:
    path = tmp_path / "probes.jsonl"
    outcomes = Outcomes(path)
    outcomes.add(outcomes.cell("answer", "fact", "retrieved", 512), right=True, nothing=False, scope=1, written=1)
    older = {"role": "answer", "kind": "fact", "surroundings": "retrieved", "tokens": 512, "right": True}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(older) + '\n{"role": "answer", "ki')
    assert Outcomes.resumed(path).cells == outcomes.cells


def test_outcomes_without_a_file_start_empty(tmp_path: Path) -> None:
    assert Outcomes.resumed(None).cells == {}
    assert Outcomes.resumed(tmp_path / "missing.jsonl").cells == {}


@given(st.integers(0, 60), st.integers(0, 60))
def test_confidence_interval_contains_its_estimate_and_shrinks(right: int, wrong: int) -> None:
    low, high = confidence_interval(right, right + wrong, 0.05)
    assert 0 <= low <= high <= 1
    if right + wrong:
        assert low <= right / (right + wrong) <= high
        more = confidence_interval(4 * right, 4 * (right + wrong), 0.05)
        assert more[1] - more[0] <= high - low + 1e-9


@given(st.integers(0, 60), st.integers(0, 60))
def test_confidence_interval_ends_where_the_likelihood_falls_to_the_threshold(right: int, wrong: int) -> None:
    asked = right + wrong
    if not asked:
        assert confidence_interval(0, 0, 0.05) == (0.0, 1.0)
        return
    mixture = math.lgamma(right + 0.5) + math.lgamma(wrong + 0.5) - math.lgamma(asked + 1) - 2 * math.lgamma(0.5)
    for edge in confidence_interval(right, asked, 0.05):
        if 0 < edge < 1:
            likelihood = right * math.log(edge) + wrong * math.log(1 - edge)
            assert likelihood == pytest.approx(mixture + math.log(0.05), abs=1e-6)
    low, high = confidence_interval(right, asked, 0.05)
    assert (low == 0) == (right == 0)
    assert (high == 1) == (wrong == 0)


def test_confidence_interval_keeps_its_error_however_often_one_looks() -> None:
    draw, missed = random.Random(1), 0
    for _ in range(1000):
        p, right, out = draw.random(), 0, False
        for asked in range(1, 49):
            right += draw.random() < p
            low, high = confidence_interval(right, asked, 0.05)
            out = out or not low <= p <= high
        missed += out
    assert missed <= 50


@given(points_of_a_curve)
def test_falling_curve_falls_and_keeps_its_mean(points: Points) -> None:
    curve = falling_curve(points)
    assert [tokens for tokens, _ in curve] == sorted(tokens for tokens, _, _ in points)
    values = [p for _, p in curve]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(values))
    weights = {tokens: weight for tokens, _, weight in points}
    assert sum(weights[tokens] * p for tokens, p in curve) == pytest.approx(sum(p * w for _, p, w in points))


@given(points_of_a_curve)
def test_falling_curve_equals_pooling_adjacent_violators(points: Points) -> None:
    pools: list[tuple[float, float, int]] = []
    for _, value, mass in sorted(points):
        size = 1
        while pools and pools[-1][0] < value:
            before, weight, count = pools.pop()
            value, mass, size = (before * weight + value * mass) / (weight + mass), weight + mass, size + count
        pools.append((value, mass, size))
    expected = [value for value, _, size in pools for _ in range(size)]
    assert [p for _, p in falling_curve(points)] == pytest.approx(expected, abs=1e-9)


def test_falling_curve_of_no_points_is_empty() -> None:
    assert falling_curve([]) == ()


@given(st.floats(0.3, 0.98), st.floats(1_000, 60_000), st.sampled_from([0.5, 1.0, 2.0]))
def test_fit_use_is_near_the_curve_that_many_outcomes_come_from(best: float, half: float, steep: float) -> None:
    at = [512 * 2**step for step in range(8)]
    truth = [best / (1 + (tokens / half) ** steep) for tokens in at]
    cells = [
        Cell("answer", "fact", "consecutive", tokens, right=round(1000 * p), asked=1000)
        for tokens, p in zip(at, truth, strict=True)
    ]
    fitted = fit_use(cells, at)
    assert fitted == pytest.approx(truth, abs=0.08)
    assert all(later <= earlier for earlier, later in pairwise(fitted))


def test_fit_use_ignores_cells_that_were_not_asked() -> None:
    asked = Cell("answer", "fact", "consecutive", 512, right=8, asked=8)
    empty = Cell("answer", "fact", "consecutive", 65_536)
    assert np.allclose(fit_use([asked, empty], [512]), fit_use([asked], [512]))
