"""The plan on paper uses what was measured, and its simulation does what the hashing is for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def simulate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES / "scale"))
    import simulate

    return simulate


def test_simulate_uses_lines_of_the_benchmarks(simulate: ModuleType) -> None:
    text = (EXAMPLES / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert [line for line in simulate.SOURCES.values() if line not in text] == []
    for tokens, first, second in zip(simulate.TOKENS[1:], simulate.FIRST[1:], simulate.SECOND[1:], strict=True):
        assert f"| {tokens:,} | {first:.3f} |" in text
        assert f" {second:.3f} | " in text


def test_serve_finds_more_in_the_cache_by_prefix(simulate: ModuleType) -> None:
    """And each answer takes less of the replicas; more of them change nothing for what is placed by prefix."""
    assumed = simulate.Assumed(seconds=30, questions=300)
    own, other = (simulate.serve(assumed, 150, placed) for placed in ("by prefix", "least busy"))
    assert own.hit_rate > 2 * other.hit_rate
    assert own.busy < other.busy < 1
    assert own == simulate.serve(assumed, 150, "by prefix"), "the same seed"
    more = simulate.serve(assumed, 300, "by prefix")
    assert more.hit_rate >= own.hit_rate - 0.02
    assert more.busy < own.busy


def test_serve_says_when_more_comes_than_is_done(simulate: ModuleType) -> None:
    few = simulate.serve(simulate.Assumed(seconds=10, questions=300), 20, "by prefix")
    assert few.busy > 1
    assert few.wait is None


def test_index_plan_grows_with_what_is_asked_for(simulate: ModuleType) -> None:
    small = simulate.index_plan(simulate.Assumed(documents=1_000_000))
    large = simulate.index_plan(simulate.Assumed())
    assert large["chunks"] == pytest.approx(10 * small["chunks"])
    assert large["shards"] > small["shards"]
    one = simulate.index_plan(simulate.Assumed(documents=197_277 * 128 // 1000, collections=1))
    assert one["seconds to rank it in one process"] == pytest.approx(0.084, rel=0.01), "what was measured"


def test_costs_follow_the_price(simulate: ModuleType) -> None:
    cheap, dear = (simulate.costs(simulate.Assumed(gpu_price=price, core_price=0)) for price in (2, 4))
    assert all(dear[route] == pytest.approx(2 * cheap[route]) for route in cheap)
    assert dear["full_context, cached"] < dear["full_context, first"] < dear["chain_of_agents"]


def test_simulate_prints_json_and_draws(tmp_path: Path) -> None:
    chart = tmp_path / "plan.svg"
    command = [sys.executable, str(EXAMPLES / "scale" / "simulate.py"), "--seconds", "5", "--replicas", "400"]
    try:
        import matplotlib  # noqa: F401

        command += ["--chart", str(chart)]
    except ImportError:
        chart = Path(__file__)
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=EXAMPLES.parent)
    value = json.loads(done.stdout, parse_constant=pytest.fail)
    assert [run["placed"] for run in value["replicas"]] == ["by prefix", "least busy"]
    assert value["assumed"]["gpu_price"] == 3.5
    assert chart.exists()
