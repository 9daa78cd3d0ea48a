"""The cost model that is fitted is the one that the measurements come from."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulated import COST, SimulatedBackend, SimulatedProbes, use_that_fades

from lcrag.calibrate.cost import Measured, fit_cost, measure_cost
from lcrag.errors import BackendFailed
from lcrag.types import CostModel, ignore

costs = st.builds(
    CostModel,
    per_batch=st.floats(0, 1),
    per_token=st.floats(0, 1e-3),
    per_pair=st.floats(0, 1e-8),
    per_step=st.floats(0.001, 0.1),
    per_call=st.floats(0, 0.01),
    per_step_token=st.floats(0, 1e-6),
    per_step_call=st.floats(0, 1e-3),
)
BATCHES = [
    (calls, new, cached, out)
    for calls in (1, 4, 16)
    for new, cached in ((128, 0), (2048, 0), (16, 2048), (32_768, 0))
    for out in (1, 64)
]


def measurements(cost: CostModel, noise: float = 0.0) -> list[Measured]:
    draw = np.random.default_rng(0)
    return [
        Measured(calls, new, cached, out, cost.seconds(new, cached, out, calls) * draw.normal(1, noise))
        for calls, new, cached, out in BATCHES
    ]


@given(costs)
def test_fit_cost_recovers_exact_measurements(cost: CostModel) -> None:
    fitted = fit_cost(measurements(cost))
    assert fitted.error == pytest.approx(0, abs=1e-6)
    for calls, new, cached, out in BATCHES:
        seconds = cost.seconds(new, cached, out, calls)
        assert fitted.seconds(new, cached, out, calls) == pytest.approx(seconds, rel=1e-5)


@given(costs, st.floats(0, 0.3))
def test_fit_cost_is_never_negative(cost: CostModel, noise: float) -> None:
    fitted = asdict(fit_cost(measurements(cost, noise)))
    assert min(fitted.values()) >= 0


def test_fit_cost_leaves_terms_at_zero_that_no_batch_has() -> None:
    fitted = fit_cost([Measured(1, new, 0, 0, 0.1 + new * 1e-4) for new in (128, 512, 2048)])
    assert (fitted.per_call, fitted.per_step, fitted.per_step_token) == (0, 0, 0)
    assert fitted.per_batch == pytest.approx(0.1)
    assert fitted.per_token == pytest.approx(1e-4)


def test_fit_cost_refuses_measurements_without_time() -> None:
    for none in ([], [Measured(1, 128, 0, 1, 0.0)]):
        with pytest.raises(BackendFailed, match="nothing to fit"):
            fit_cost(none)


@pytest.mark.parametrize("seed", range(20))
def test_measure_cost_gives_the_cost_within_a_tenth(seed: int) -> None:
    backend = SimulatedBackend(use_that_fades(9000), COST, seed, noise=0.02)
    fitted = fit_cost(measure_cost(backend, SimulatedProbes(), ignore, longest=117_000, seed=seed, clock=backend.clock))
    for new, cached, out, calls in ((4000, 0, 0, 1), (120_000, 0, 0, 1), (16, 120_000, 64, 1), (4000, 0, 64, 16)):
        assert fitted.seconds(new, cached, out, calls) == pytest.approx(COST.seconds(new, cached, out, calls), rel=0.1)
    assert fitted.per_token == pytest.approx(COST.per_token, rel=0.1)
    assert fitted.per_pair == pytest.approx(COST.per_pair, rel=0.1)
    assert fitted.per_step == pytest.approx(COST.per_step, rel=0.1)
    assert fitted.error is not None
    assert fitted.error < 0.05


def test_measure_cost_with_noise_is_never_negative() -> None:
    backend = SimulatedBackend(use_that_fades(9000), CostModel(0.2, 0, 0, 0), noise=0.2)
    fitted = fit_cost(measure_cost(backend, SimulatedProbes(), ignore, longest=20_000, clock=backend.clock))
    assert min(value for name, value in asdict(fitted).items() if name != "error") >= 0


def test_measure_cost_repeats_batches_only_if_cached_tokens_are_reported() -> None:
    asked = {}
    for reports in (True, False):
        backend = SimulatedBackend(use_that_fades(9000), COST, reports_cached=reports)
        measured = measure_cost(backend, SimulatedProbes(), ignore, longest=512, quick=True, clock=backend.clock)
        assert any(batch.cached for batch in measured) == reports
        asked[reports] = len(measured)
        if not reports:
            assert backend.asked == 1 + sum(batch.calls for batch in measured) + 1  # the warm-up, and one second run
    assert asked[True] > asked[False]
