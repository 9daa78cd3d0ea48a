"""The estimate is one consistent prediction, whatever the corpus."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.planning.estimate import coverage, diffusion, estimate
from lcrag.planning.features import features
from lcrag.text.questions import CUES
from lcrag.types import Chunk, CorpusSize, Hit, Ranking, Term


def hit(number: int, score: float, *, lexical: float | None = None, dense: float | None = None, text: str = "x") -> Hit:
    chunk = Chunk(number, f"d{number % 3}", f"{number % 3}.md", 0, len(text), text, 250)
    return Hit(
        chunk,
        score,
        None if lexical is None else number,
        None if dense is None else number,
        lexical,
        dense,
    )


SCORE = st.floats(-1e6, 1e6)
HITS = st.lists(st.tuples(SCORE, st.none() | SCORE, st.none() | st.floats(-1, 1)), max_size=30)
TERMS = st.lists(st.builds(Term, st.text(max_size=5), st.integers(0, 10**6), st.floats(0, 20)), max_size=6)


@given(st.text(max_size=80), HITS, TERMS, st.integers(0, 10**9), st.booleans())
def test_estimate_never_fails_and_stays_in_range(question, hits, terms, tokens, dense) -> None:  # type: ignore[no-untyped-def]
    made = tuple(hit(n, score, lexical=lexical, dense=cosine) for n, (score, lexical, cosine) in enumerate(hits))
    found = estimate(Ranking(question, made, tuple(terms), CorpusSize(3, 9, tokens), dense))
    assert 0 <= found.diffusion <= 1
    assert 0 <= found.scope_tokens <= max(1, tokens)
    assert 0 <= found.answerable <= 1
    points = [p for _, p in found.coverage]
    assert points == sorted(points)
    assert points[-1] == 1.0
    assert all(math.isfinite(value) for value in found.features.values())
    assert found.covered(0) == 0
    assert found.covered(tokens + 1) == 1.0


KNOTS = [125, 1000, 8000, 64000]
RISES = st.lists(st.floats(-5, 5), min_size=4, max_size=4).map(sorted)


@given(st.floats(-9, 9), RISES, st.integers(1, 10**7), st.floats(0, 10**7), st.floats(0, 10**7))
def test_coverage_never_falls(ease: float, rise: list[float], size: int, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert coverage(less, ease, KNOTS, rise, size) <= coverage(more, ease, KNOTS, rise, size) + 1e-12


@given(st.floats(-9, 9), RISES, st.integers(1, 10**7))
def test_diffusion_is_lower_for_easier_questions(ease: float, rise: list[float], size: int) -> None:
    assert diffusion(ease + 1, KNOTS, rise, size) <= diffusion(ease, KNOTS, rise, size) <= 1


def test_coverage_at_a_knot_is_the_fitted_value() -> None:
    assert coverage(1000, 0.5, KNOTS, [-2, -0.5, 1, 2], 10**6) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("question", "cue"),
    [
        ("List all the storms of 1923.", "cue_list"),
        ("How many boats were lost?", "cue_count"),
        ("Summarise the chronicle.", "cue_global"),
        ("What is this document about?", "cue_global"),
        ("Which of the two mills is older?", "cue_compare"),
        ("Why did he leave?", "cue_reason"),
    ],
)
def test_features_hold_the_cues_of_the_question(question: str, cue: str) -> None:
    assert CUES[cue].search(question)
    assert not CUES[cue].search("Whose dog bit the postman")


def test_scope_is_larger_for_lists_and_the_whole() -> None:
    def scope(question: str) -> int:
        return estimate(Ranking(question, (), (), CorpusSize(9, 400, 100_000), False)).scope_tokens

    assert scope("Summarise everything.") >= 10_000
    assert scope("How many boats were lost?") >= 100


def test_features_separate_a_clear_first_hit_from_a_flat_ranking() -> None:
    def found(scores: list[float]) -> dict[str, float]:
        hits = tuple(hit(n, score, lexical=score, dense=score / 20) for n, score in enumerate(scores))
        return features(Ranking("q", hits, (Term("x", 2, 3.0),), CorpusSize(3, 100, 25_000), True))

    clear, flat = found([20.0, *[2.0] * 19]), found([5.0] * 20)
    assert clear["lexical_drop_9"] > flat["lexical_drop_9"]
    assert clear["entropy_8"] < flat["entropy_8"]
    assert clear["tokens_80_8"] < flat["tokens_80_8"]
    assert clear["covered_1"] == 1.0


def test_features_count_what_ranks_below_the_hits() -> None:
    hits = tuple(hit(n, 2 - n / 20, lexical=2.0, dense=0.5) for n in range(20))
    few = Ranking("q", hits, (), CorpusSize(3, 20, 5000), True)
    many = Ranking("q", hits, (), CorpusSize(3, 50_020, 12_500_000), True, ((1.0, 50_000),))
    assert features(many)["tokens_80_8"] > features(few)["tokens_80_8"]
    assert estimate(many).covered(4000) < estimate(few).covered(4000)


@pytest.mark.parametrize("size", [CorpusSize(0, 0, 0), CorpusSize(1, 1, 90), CorpusSize(9000, 9000, 2_000_000)])
@pytest.mark.parametrize("question", ["", "谁建造了灯塔？", "def f(x): return x[0]", "Wer baute den Leuchtturm?"])
def test_estimate_without_hits_is_cautious(question: str, size: CorpusSize) -> None:
    found = estimate(Ranking(question, (), (), size, False))
    assert found.covered(4000) < 0.7 or size.tokens <= 4000
    assert found.diffusion > 0.5
