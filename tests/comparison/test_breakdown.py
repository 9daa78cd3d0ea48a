"""Breakdowns of scored items by hand, and properties that hold for any forecasts and answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.comparison.breakdown import DIFFUSION, SCOPE, agreement, breakdown, grid, reliability

shares = st.floats(0, 1)


def answer(score: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"score": score, "predicted": None, "status": "answered", "answer": "Ann"} | more


def item(routes: dict[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    values = {"dataset": "set", "task_type": "fact", "metric": "f1", "tokens": 5000, "diffusion": 0.5}
    return {**values, "scope_tokens": 40, "routes": routes, **more}


def test_breakdown_groups_by_source_task_measure_and_length() -> None:
    items = [
        item({"a": answer(1.0)}),
        item({"a": answer(0.0)}, dataset="other", task_type=None),
        item({"a": answer(0.5)}, tokens=300_000),
    ]
    rows = {(row["by"], row["group"]): (row["n"], row["accuracy"]["a"]) for row in breakdown(["a"], items)}
    assert rows == {
        ("source", "other"): (1, 0.0),
        ("source", "set"): (2, 0.75),
        ("task", "fact"): (2, 0.75),
        ("task", "not stated"): (1, 0.0),
        ("measure", "f1"): (3, 0.5),
        ("length", "4,000–16,000 tokens"): (2, 0.5),
        ("length", "over 256,000 tokens"): (1, 0.5),
    }


def test_breakdown_orders_lengths_by_size() -> None:
    items = [item({"a": answer()}, tokens=tokens) for tokens in (300_000, 20_000, 10, 5000)]
    assert [row["group"] for row in breakdown(["a"], items) if row["by"] == "length"] == [
        "to 4,000 tokens",
        "4,000–16,000 tokens",
        "16,000–64,000 tokens",
        "over 256,000 tokens",
    ]


@given(st.lists(st.tuples(shares, st.integers(1, 3000), shares), max_size=20))
def test_grid_puts_every_estimated_question_into_the_cell_of_its_labels(points: list[tuple[float, int, float]]) -> None:
    items = [item({"a": answer(score)}, diffusion=d, scope_tokens=s) for d, s, score in points]
    table = grid(["a"], [*items, item({"a": answer()}, diffusion=None)])
    assert sum(cell["n"] for cell in table["cells"]) == len(points)
    for cell in table["cells"]:
        inside = [
            score
            for d, s, score in points
            if sum(d > edge for edge in DIFFUSION) == cell["diffusion"]
            and sum(s > edge for edge in SCOPE) == cell["scope"]
        ]
        assert (len(inside), pytest.approx(sum(inside) / len(inside))) == (cell["n"], cell["accuracy"]["a"])
        assert cell["diffusion"] < len(table["diffusion"])
        assert cell["scope"] < len(table["scope"])


def test_grid_counts_a_value_on_an_edge_to_the_lower_cell() -> None:
    [cell] = grid(["a"], [item({"a": answer()}, diffusion=0.2, scope_tokens=1000)])["cells"]
    assert (cell["diffusion"], cell["scope"]) == (0, 3)


@given(st.lists(st.tuples(shares, shares), max_size=30))
def test_reliability_error_is_the_mean_distance_of_the_bins(points: list[tuple[float, float]]) -> None:
    table = reliability(["a"], [item({"a": answer(score, predicted=p)}) for p, score in points])
    assert sum(row["n"] for row in table["bins"]) == len(points)
    if not points:
        assert table["error"] is None
        return
    for row in table["bins"]:
        assert row["low"] - 1e-9 <= row["predicted"] <= row["high"] + 1e-9
    bias = abs(sum(p - score for p, score in points)) / len(points)
    assert bias - 1e-9 <= table["error"] <= 1  # errors of bins cannot cancel out, those of answers can


def test_reliability_leaves_out_answers_without_a_forecast_and_the_router() -> None:
    items = [item({"a": answer(1.0, predicted=0.75), "b": answer(), "router": answer(0.0, predicted=0.1)})]
    assert reliability(["a", "b"], items) == {
        "bins": [{"low": 0.7, "high": 0.8, "n": 1, "predicted": 0.75, "observed": 1.0}],
        "error": 0.25,
    }


@given(st.lists(st.lists(st.sampled_from(["red apple", "red pear", "fig", ""]), min_size=3, max_size=3), max_size=6))
def test_agreement_is_symmetric_and_complete_with_itself(texts: list[list[str]]) -> None:
    names = ["a", "b", "router"]
    items = [
        item(
            {
                name: answer(answer=text, status="answered" if text else "not_found")
                for name, text in zip(names, row, strict=True)
            }
        )
        for row in texts
    ]
    table = agreement(names, items)
    matrix = table["matrix"]
    for i in range(3):
        assert matrix[i][i] == 1.0
        for j in range(3):
            assert matrix[i][j] == matrix[j][i]
            assert 0 <= matrix[i][j] <= 1
    assert table["consistency"]["a"] == matrix[0][1]  # the router is not counted
    assert table["consistency"]["router"] == pytest.approx((matrix[2][0] + matrix[2][1]) / 2)


def test_agreement_counts_words_and_abstaining() -> None:
    def pair(a: dict[str, Any], b: dict[str, Any]) -> float:
        value: float = agreement(["a", "b"], [item({"a": a, "b": b})])["matrix"][0][1]
        return value

    refused = answer(answer="", status="refused_by_budget")
    assert pair(answer(answer="red apple"), answer(answer="red pear")) == 0.5
    assert pair(refused, answer(answer="", status="not_retrieved")) == 1.0
    assert pair(refused, answer(answer="pear")) == 0.0
