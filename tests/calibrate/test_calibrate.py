"""Calibration of a simulated backend: known curves come back within the error that is stated."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from support.simulated import COST, SimulatedBackend, SimulatedProbes, use_that_fades

from lcrag.backends.scripted import ScriptedBackend
from lcrag.calibrate.calibrate import (
    ANSWER_TOKENS,
    calibrate,
    lengths,
    longest_probe,
    measure_use,
    probes_that_fit,
    usable,
)
from lcrag.calibrate.curves import use_curve
from lcrag.calibrate.outcomes import Outcomes
from lcrag.calibrate.probes import EnglishProbes
from lcrag.planning.use import EFFECTIVE_SHARE, at, effective_window
from lcrag.text import tokens
from lcrag.text.prompts import answer_tokens, messages
from lcrag.types import Event, Surroundings, ignore


def true_window(half: float, steep: float, at: tuple[int, ...]) -> int:
    """The longest of these lengths whose use is still EFFECTIVE_SHARE of the shortest one's."""
    use = [1 / (1 + (tokens / half) ** steep) for tokens in at]
    return max(tokens for tokens, p in zip(at, use, strict=True) if p >= EFFECTIVE_SHARE * use[0])


def test_measure_use_gives_the_effective_window_within_one_length_in_95_of_100_runs() -> None:
    at, near, asked = lengths(usable(131_072)), 0, 0
    for seed in range(100):
        draw = random.Random(seed)
        half, steep = 2 ** draw.uniform(10, 17), draw.choice((1, 1.5, 2.5, 4, 8))  # from a slope to a cliff
        backend = SimulatedBackend(use_that_fades(half, draw.uniform(0.6, 1.0), steep), COST, seed)
        outcomes = Outcomes()
        measure_use(
            backend, SimulatedProbes(), outcomes, ignore, at=at, kinds=["fact"], surroundings=["consecutive"], seed=seed
        )
        window = effective_window(use_curve(outcomes, "answer", "fact", "consecutive", backend.window), EFFECTIVE_SHARE)
        near += abs(at.index(window) - at.index(true_window(half, steep, at))) <= 1
        asked += backend.asked
    assert near >= 95
    assert asked / 100 < 0.6 * 32 * len(at)  # a fixed number of probes would need all of them


def test_calibrate_measures_a_whole_profile_and_resumes(tmp_path: Path) -> None:
    def true(role: str, kind: str, surroundings: str, tokens: int) -> float:
        half = {"fact": 30_000, "list": 4_000, "absent": 100_000}.get(kind, 1) * (
            0.5 if surroundings == "retrieved" else 1
        )
        return 0.95 / (1 + (tokens / half) ** 2) * (0.9 if role != "answer" else 1)

    path = tmp_path / "probes.jsonl"
    backend = SimulatedBackend(true, COST)
    events: list[Event] = []
    profile = calibrate(backend, SimulatedProbes(), events.append, outcomes=Outcomes.resumed(path), device="simulated")
    assert {event.data["part"] for event in events} == {"cost", "use", "note", "quote", "summarise", "synthesise"}
    counted = [event.data for event in events if event.data["part"] != "cost"]
    for part in ({"use"}, {"note", "quote", "summarise", "synthesise"}):
        done = [data["done"] for data in counted if data["part"] in part]
        [total] = {data["total"] for data in counted if data["part"] in part}
        assert done == sorted(done)
        assert 0.5 * total < done[-1] <= total
    assert profile.measured
    assert set(profile.kinds) == {"fact", "list", "absent", "whole"}
    windows = {kind: effective_window(curves["consecutive"], EFFECTIVE_SHARE) for kind, curves in profile.kinds.items()}
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
    resumed = calibrate(again, SimulatedProbes(), ignore, outcomes=Outcomes.resumed(path), device="simulated")
    assert (resumed.kinds, resumed.output_ratio) == (profile.kinds, profile.output_ratio)
    assert again.asked < backend.asked / 4  # the cost alone


def test_lengths_reach_what_is_usable_of_the_window() -> None:
    assert lengths(usable(4096)) == (512, 1024, 2048, 2736)
    assert lengths(usable(131_072), quick=True)[:3] == (512, 2048, 8192)
    assert lengths(usable(131_072))[-1] == usable(131_072)


class TokenCounter(ScriptedBackend):
    """Counts as a model does: with a vocabulary of 100,000 pieces of words."""

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return tokens.count_many(list(texts))


class Wordy(TokenCounter):
    """A tokenizer with few pieces, as small models have: half as many tokens again for marks and fences."""

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return [
            count + sum(not character.isalnum() and character != " " for character in text)
            for count, text in zip(super().count_many(texts), texts, strict=True)
        ]


@pytest.mark.parametrize("kind", [TokenCounter, Wordy])
@pytest.mark.parametrize("window", [2048, 8192])
def test_longest_probe_fits_the_window_of_any_tokenizer(kind: type[TokenCounter], window: int) -> None:
    backend = kind(lambda task: "", window=window)
    source = EnglishProbes(backend)
    longest = longest_probe(backend, source)
    assert longest > window / 4
    for surroundings in get_args(Surroundings):
        for seed in range(3):
            for probe in source.probes(source.kinds, longest, surroundings, seed, 0.3, "answer"):
                prompt = "\n".join(message["content"] for message in messages(probe.task))
                assert backend.count_many([prompt])[0] + backend.template_tokens + ANSWER_TOKENS <= window


class Digits(TokenCounter):
    """Each digit is a token, as SmolLM2's and Llama 3's tokenizers (in part) have it."""

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return [
            count + 3 * sum(character.isdigit() for character in text)
            for count, text in zip(super().count_many(texts), texts, strict=True)
        ]


@pytest.mark.parametrize("window", [2048, 8192])
def test_probes_fit_the_window_where_their_numbers_take_many_tokens(window: int) -> None:
    backend = Digits(lambda task: "", window=window)
    source = EnglishProbes(backend)
    longest, shortened = longest_probe(backend, source), 0
    for seed in range(12):
        probes = probes_that_fit(backend, source, ["fact"], longest, "retrieved", seed, 0.3, "answer")
        for probe in probes:
            prompt = "\n".join(message["content"] for message in messages(probe.task))
            assert backend.count_many([prompt])[0] + backend.template_tokens + ANSWER_TOKENS <= window
            assert probe.right("\n".join(passage.text for passage in probe.task.passages))
        shortened += probes[0].task != source.probes(["fact"], longest, "retrieved", seed, 0.3, "answer")[0].task
    assert shortened > 0


@pytest.mark.parametrize("surroundings", ["consecutive", "retrieved"])
@pytest.mark.parametrize("window", [2048, 8192, 32_768])
def test_usable_text_fits_the_window_with_its_prompt_and_reply(surroundings: Surroundings, window: int) -> None:
    backend = TokenCounter(lambda task: "")
    source = EnglishProbes(backend)
    for seed in range(3):
        for role in ("answer", "note"):
            for probe in source.probes(source.kinds, usable(window), surroundings, seed, 0.3, role):
                prompt = "\n".join(message["content"] for message in messages(probe.task))
                assert backend.count_many([prompt])[0] + ANSWER_TOKENS <= window
