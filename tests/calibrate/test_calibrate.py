"""What calibrate finds is what is there: known curves and costs come back within the error that is stated."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import nobody
from support.simulated import SimulatedBackend, SimulatedProbes

from lcrag.backends.scripted import ScriptedBackend
from lcrag.calibrate.calibrate import SHARE, calibrate, curve, lengths, measure_use
from lcrag.calibrate.cost import fit_cost, measure_cost
from lcrag.calibrate.outcomes import Outcomes, falling, interval
from lcrag.calibrate.probes import EnglishProbes
from lcrag.errors import BackendFailed
from lcrag.planning.use import at, effective_window
from lcrag.text.prompts import NOT_FOUND, answer_tokens
from lcrag.types import CostModel, Event, Kind, Surroundings

COST = CostModel(
    per_batch=0.03,
    per_token=1.5e-5,
    per_pair=3.6e-10,
    per_step=0.01,
    per_call=0.004,
    per_step_token=2e-8,
    per_step_call=4e-4,
)
KINDS: tuple[Kind, ...] = ("fact", "paraphrase", "hops", "list", "count", "absent")


def fades(half: float, best: float = 0.95, steep: float = 2.0) -> object:
    """Use that is ``best`` for short texts and half of it at ``half`` tokens."""
    return lambda role, kind, surroundings, tokens: best / (1 + (tokens / half) ** steep)


def true_window(half: float, steep: float, at: tuple[int, ...]) -> int:
    """The longest of these lengths whose use is still SHARE of the shortest one's."""
    use = [1 / (1 + (tokens / half) ** steep) for tokens in at]
    return max(tokens for tokens, p in zip(at, use, strict=True) if p >= SHARE * use[0])


def test_the_effective_window_is_found_within_one_length_in_95_of_100_runs() -> None:
    at, near, asked = lengths(131_072), 0, 0
    for seed in range(100):
        draw = random.Random(seed)
        half, steep = 2 ** draw.uniform(10, 17), draw.choice((1, 1.5, 2.5, 4, 8))  # from a slope to a cliff
        backend = SimulatedBackend(fades(half, draw.uniform(0.6, 1.0), steep), COST, seed)  # type: ignore[arg-type]
        outcomes = Outcomes()
        measure_use(
            backend, SimulatedProbes(), outcomes, nobody, at=at, kinds=["fact"], surroundings=["consecutive"], seed=seed
        )
        found = effective_window(curve(outcomes, "answer", "fact", "consecutive", backend.window), SHARE)
        near += abs(at.index(found) - at.index(true_window(half, steep, at))) <= 1
        asked += backend.asked
    assert near >= 95
    assert asked / 100 < 0.6 * 32 * len(at)  # a fixed number of probes would need all of them


@pytest.mark.parametrize("seed", range(20))
def test_the_cost_is_found_within_a_tenth(seed: int) -> None:
    backend = SimulatedBackend(fades(9000), COST, seed, noise=0.02)  # type: ignore[arg-type]
    found = fit_cost(measure_cost(backend, SimulatedProbes(), nobody, longest=117_000, seed=seed, clock=backend.clock))
    for new, cached, out, calls in ((4000, 0, 0, 1), (120_000, 0, 0, 1), (16, 120_000, 64, 1), (4000, 0, 64, 16)):
        assert found.seconds(new, cached, out, calls) == pytest.approx(COST.seconds(new, cached, out, calls), rel=0.1)
    assert found.per_token == pytest.approx(COST.per_token, rel=0.1)
    assert found.per_pair == pytest.approx(COST.per_pair, rel=0.1)
    assert found.per_step == pytest.approx(COST.per_step, rel=0.1)
    assert found.error is not None
    assert found.error < 0.05


def test_a_fit_is_never_negative() -> None:
    backend = SimulatedBackend(fades(9000), CostModel(0.2, 0, 0, 0), noise=0.2)  # type: ignore[arg-type]
    found = fit_cost(measure_cost(backend, SimulatedProbes(), nobody, longest=20_000, clock=backend.clock))
    assert min(value for name, value in asdict(found).items() if name != "error") >= 0
    with pytest.raises(BackendFailed, match="nothing to fit"):
        fit_cost([])


def test_the_whole_profile_and_that_it_goes_on_where_it_was(tmp_path: Path) -> None:
    def true(role: str, kind: str, surroundings: str, tokens: int) -> float:
        half = {"fact": 30_000, "list": 4_000, "absent": 100_000}.get(kind, 1) * (
            0.5 if surroundings == "retrieved" else 1
        )
        return 0.95 / (1 + (tokens / half) ** 2) * (0.9 if role != "answer" else 1)

    path = tmp_path / "probes.jsonl"
    backend = SimulatedBackend(true, COST)
    events: list[Event] = []
    profile = calibrate(backend, SimulatedProbes(), events.append, outcomes=Outcomes.resumed(path), device="simulated")
    assert {event.data["part"] for event in events} == {"cost", "use", "note", "summarise", "synthesise"}
    assert profile.measured
    assert set(profile.kinds) == {"fact", "list", "absent"}
    windows = {kind: effective_window(profile.kinds[kind]["consecutive"], SHARE) for kind in profile.kinds}
    assert windows["list"] < windows["fact"] <= windows["absent"]
    for place in ("consecutive", "retrieved"):
        curve = profile.use[place]
        assert [p for _, p in curve] == sorted((p for _, p in curve), reverse=True)
    assert at(profile.use["retrieved"], 8000) < at(profile.use["consecutive"], 8000)
    assert profile.scopes == {"list": 40}
    assert profile.output_ratio == pytest.approx(backend.writes / answer_tokens(40))
    assert profile.retention["note"][0][1] == pytest.approx(0.85, abs=0.12)
    assert profile.false_found is not None
    with path.open("a", encoding="utf-8") as file:
        file.write('{"role": "answer", "ki')  # killed while it wrote
    again = SimulatedBackend(true, COST)
    resumed = calibrate(again, SimulatedProbes(), nobody, outcomes=Outcomes.resumed(path), device="simulated")
    assert (resumed.kinds, resumed.output_ratio) == (profile.kinds, profile.output_ratio)
    assert again.asked < backend.asked / 4  # the cost alone


@given(st.integers(0, 60), st.integers(0, 60))
def test_an_interval_holds_its_estimate_and_shrinks(right: int, wrong: int) -> None:
    low, high = interval(right, right + wrong, 0.05)
    assert 0 <= low <= high <= 1
    if right + wrong:
        assert low <= right / (right + wrong) <= high
        more = interval(4 * right, 4 * (right + wrong), 0.05)
        assert more[1] - more[0] <= high - low + 1e-9


def test_the_interval_keeps_its_error_however_often_one_looks() -> None:
    draw, missed = random.Random(1), 0
    for _ in range(1000):
        p, right, out = draw.random(), 0, False
        for asked in range(1, 49):
            right += draw.random() < p
            low, high = interval(right, asked, 0.05)
            out = out or not low <= p <= high
        missed += out
    assert missed <= 50


@given(st.lists(st.tuples(st.integers(1, 99), st.floats(0, 1), st.floats(1, 9)), min_size=1, unique_by=lambda x: x[0]))
def test_a_curve_made_falling_falls_and_keeps_its_mean(points: list[tuple[int, float, float]]) -> None:
    made = falling(points)
    assert [tokens for tokens, _ in made] == sorted(tokens for tokens, _, _ in points)
    values = [p for _, p in made]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(values))
    weights = {tokens: weight for tokens, _, weight in points}
    assert sum(weights[tokens] * p for tokens, p in made) == pytest.approx(sum(p * w for _, p, w in points))


def test_lengths_reach_the_window() -> None:
    assert lengths(4096) == (512, 1024, 2048, 3230)
    assert lengths(131_072, quick=True)[:3] == (512, 2048, 8192)
    assert all(tokens < 0.9 * 131_072 for tokens in lengths(131_072))


@pytest.mark.parametrize("surroundings", ["consecutive", "retrieved"])
@pytest.mark.parametrize("tokens", [300, 3000])
def test_every_probe_holds_its_evidence_and_is_as_long_as_asked(surroundings: Surroundings, tokens: int) -> None:
    backend = ScriptedBackend(lambda task: "")
    source = EnglishProbes(backend)
    for seed in range(5):
        for probe in source.probes(KINDS, tokens, surroundings, seed, seed / 5):
            text = "\n".join(passage.text for passage in probe.task.passages)
            assert 0.75 * tokens <= backend.count_many([text])[0] <= 1.3 * tokens
            assert not probe.right("Nobody knows.")
            assert probe.right(NOT_FOUND) == (probe.kind == "absent")
            if probe.kind not in ("absent", "count"):
                assert probe.right(text)  # who quotes everything has the evidence too
                assert probe.scope > 0
            markers = [passage.marker for passage in probe.task.passages]
            assert markers == list(range(1, len(markers) + 1))


def test_retrieved_surroundings_are_about_the_question_and_consecutive_ones_are_not() -> None:
    source = EnglishProbes(ScriptedBackend(lambda task: ""))
    words = {}
    for surroundings in ("consecutive", "retrieved"):
        [probe] = source.probes(["fact"], 2000, surroundings, 3, 0.5)  # type: ignore[arg-type]
        asked = set(probe.task.question.lower().strip("?").split()) - {"what", "is", "the", "of", "in"}
        text = " ".join(passage.text for passage in probe.task.passages).lower()
        words[surroundings] = sum(text.count(word) for word in asked)
    assert words["retrieved"] > 5 * words["consecutive"]


def test_probes_in_consecutive_text_share_their_passages() -> None:
    source = EnglishProbes(ScriptedBackend(lambda task: ""))
    probes = source.probes(KINDS, 1000, "consecutive", 1, 0.2)
    assert len({json.dumps([p.text for p in probe.task.passages]) for probe in probes}) == 1
    other = source.probes(KINDS, 1000, "consecutive", 2, 0.2)
    assert other[0].task.passages != probes[0].task.passages
