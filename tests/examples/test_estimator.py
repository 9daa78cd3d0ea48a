"""The fit of the estimator keeps its documented properties, whatever the rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gold import Gold

from lcrag.planning.estimate import linear

ESTIMATOR = Path(__file__).parents[2] / "examples" / "estimator"


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(ESTIMATOR))
    import fit

    yield fit
    for name in ("fit", "evaluate"):
        sys.modules.pop(name, None)


def sample(fit: Any, *, way: float) -> list[Any]:
    """Three sources; ``way`` 1: a high cosine means that the evidence comes early, -1: that it comes late."""
    r = np.random.default_rng(0)
    rows = []
    for number in range(240):
        cosine, of_no_reason = r.random(), r.random()
        reading = int(np.exp(8 - 4 * way * (cosine - 0.5) + r.normal(0, 0.5)))
        absent = number % 6 == 0
        gold = None if absent else Gold(min(reading, 50_000), 100, 50_000)
        values = {"dense_best": float(cosine), "covered_1": float(r.random()), "words": float(of_no_reason)}
        rows.append(fit.Row("abc"[number % 3], f"{number % 3} {number % 5}", "what is it", values, gold, absent))
    return rows


def test_fit_keeps_the_sign_of_each_feature_or_leaves_it_out(fit: Any) -> None:
    with_reason, against = (fit.fit(sample(fit, way=way))["reading"] for way in (1, -1))
    assert with_reason["weights"]["dense_best"][0] > 0
    assert "dense_best" not in against["weights"]
    assert "words" not in with_reason["weights"]
    assert with_reason["rise"] == sorted(with_reason["rise"])


def test_fit_assumes_the_same_share_of_unanswerable_questions(fit: Any) -> None:
    rows = sample(fit, way=1)
    weights = fit.fit(rows)["answerable"]
    chances = [1 / (1 + np.exp(linear(weights, row.features))) for row in rows]
    assert np.average(chances, weights=fit.source_weights(rows)) == pytest.approx(fit.ABSENT, abs=1e-3)


@pytest.mark.slow
def test_judged_reports_a_source_worse_than_the_constant(fit: Any) -> None:
    import evaluate

    rows = sample(fit, way=1)
    right, wrong = (evaluate.judged(predicted(evaluate, rows, turn=turn)) for turn in (False, True))
    assert right["overall"]["brier_above_constant"]["4000"] < 0 < wrong["overall"]["brier_above_constant"]["4000"]
    assert len(list(evaluate.report(wrong))[1].split()) == len(evaluate.COLUMNS) + 2


def predicted(evaluate: Any, rows: list[Any], *, turn: bool) -> Any:
    """Predictions on sources not seen; ``turn``: the opposite of what was predicted."""
    prediction = evaluate.predictions(rows, evaluate.by_sources(rows), simple=True)
    if turn:
        prediction.covered = {k: 1 - p for k, p in prediction.covered.items()}
    return prediction
