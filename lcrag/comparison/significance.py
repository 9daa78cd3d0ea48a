"""Which differences between routes are more than chance: intervals, paired tests, effect sizes, the Pareto front.

Everything is computed over questions and is paired: every route answers the same questions, so a resample draws a
question together with all its answers. Scores are arrays of shape ``(questions, routes)`` or ``(questions,)``, each
from 0 to 1. The same seed gives the same numbers. scipy is imported late: it takes 0.5 s.

Sources: Efron and Tibshirani (1993), An Introduction to the Bootstrap; Hesterberg (2015), What Teachers Should Know
About the Bootstrap (the expanded percentile interval); Wilson (1927) for shares; McNemar (1947), exact; Good (2005) for
the permutation test by signs; Holm (1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, combinations
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Scores = npt.NDArray[np.float64]

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 10_000
BATCH: Final = 2_000_000
"""Numbers drawn at a time: 16 MB."""

ROUNDING: Final = 1e-9
"""Means that are this close are equal."""

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pair:
    """Route ``a`` against route ``b`` on the same questions: ``difference`` is a's mean score minus b's.

    ``p`` is two-sided, of the test that ``test`` names; ``p_holm`` is corrected for all pairs of the family. ``effect``
    is Cohen's d_z, the mean difference in units of the differences' standard deviation; 0 if they are all the same.
    ``wins``, ``ties``, ``losses``: on how many questions a scores more, the same, less.
    """

    a: str
    b: str
    difference: float
    ci95: Interval
    test: str
    p: float
    p_holm: float
    effect: float
    wins: int
    ties: int
    losses: int


def interval(scores: Scores, seed: int) -> Interval:
    """95% interval of the mean: Wilson's if every score is 0 or 1, else by the bootstrap."""
    if is_binary(scores):
        return wilson(int(scores.sum()), len(scores))
    return bootstrap(scores, seed)


def is_binary(scores: Scores) -> bool:
    """Whether every score is 0 or 1."""
    return bool(((scores == 0) | (scores == 1)).all())


def wilson(successes: int, n: int) -> Interval:
    """Wilson's score interval of a share; (0, 1) for n = 0. Unlike the bootstrap's, it has a width at 0 and at 1."""
    from scipy import stats

    if n == 0:
        return 0.0, 1.0
    low, high = stats.binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(low), float(high)


def bootstrap(values: Scores, seed: int) -> Interval:
    """95% interval of the mean of ``values`` (n,) by resampling them: the expanded percentile interval.

    The plain percentile interval is too short for few questions, by sqrt((n - 1) / n) and because it uses the normal
    quantile in place of Student's; a wider level corrects both. In simulations with 10 to 40 questions it covers the
    truth in 94 to 97% of cases. BCa covers it in 93 to 96%, and has no value if all scores are the same.
    """
    import numpy as np
    from scipy import stats

    n = len(values)
    if n < 2:
        return (float(values.mean()),) * 2 if n else (0.0, 0.0)
    tail = stats.norm.cdf(-math.sqrt(n / (n - 1)) * stats.t.ppf((1 + CONFIDENCE) / 2, n - 1))
    low, high = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=_batch(n),
        confidence_level=1 - 2 * tail,
        method="percentile",
        rng=seed,
    ).confidence_interval
    return float(low), float(high)


def _batch(n: int) -> int:
    """Resamples of ``n`` numbers to draw at a time."""
    return max(1, BATCH // n)


def best_in_resamples(scores: Scores, seed: int) -> Scores:
    """For each column of ``scores`` (questions, routes), in how many of RESAMPLES resamples of the questions no other
    has a higher mean, as a share. Routes that are equal there all count, so the shares may sum to more than 1.
    """
    import numpy as np

    n, routes = scores.shape
    generator = np.random.default_rng(seed)
    best = np.zeros(routes)
    for begun in range(0, RESAMPLES, _batch(n)):
        drawn = generator.multinomial(n, np.full(n, 1 / n), size=min(_batch(n), RESAMPLES - begun))
        means = drawn @ scores / n
        best += (means >= means.max(axis=1, keepdims=True) - ROUNDING).sum(axis=0)
    return best / RESAMPLES


def pairs(names: Sequence[str], scores: Scores, seed: int) -> list[Pair]:
    """Every two columns of ``scores`` (questions, names) compared, with Holm's correction over all of them."""
    uncorrected = [
        _pair(names[i], names[j], scores[:, i], scores[:, j], seed) for i, j in combinations(range(len(names)), 2)
    ]
    corrected = holm([pair.p for pair in uncorrected])
    return [replace(pair, p_holm=p) for pair, p in zip(uncorrected, corrected, strict=True)]


def _pair(first: str, second: str, a: Scores, b: Scores, seed: int) -> Pair:
    differences = a - b
    test, p = paired_test(a, b, seed)
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    return Pair(
        a=first,
        b=second,
        difference=float(differences.mean()),
        ci95=bootstrap(differences, seed),
        test=test,
        p=p,
        p_holm=p,
        effect=effect_size(differences),
        wins=wins,
        ties=len(differences) - wins - losses,
        losses=losses,
    )


def paired_test(a: Scores, b: Scores, seed: int) -> tuple[str, float]:
    """The name and p of the paired test that fits: exact McNemar for right or wrong, else a permutation of signs."""
    if is_binary(a) and is_binary(b):
        return "exact McNemar", mcnemar(int((a > b).sum()), int((a < b).sum()))
    return "permutation of signs", permutation(a - b, seed)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided McNemar: a binomial test of the questions that only one of the two answers correctly."""
    from scipy import stats

    return float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def permutation(differences: Scores, seed: int) -> float:
    """Two-sided p: how often random signs of the differences give a mean at least as far from 0.

    The observed signs count as one of the permutations, so p is never 0 and the test keeps its level. scipy's
    ``permutation_test`` gives the same p but takes 10 times as long as ``monte_carlo_test`` (1.4 s a pair of 5,000).
    """
    import numpy as np
    from scipy import stats

    differences = differences[differences != 0]
    n = len(differences)
    if n == 0:
        return 1.0
    generator = np.random.default_rng(seed)

    def draw_signs(size: tuple[int, ...]) -> Scores:
        return generator.choice((-1.0, 1.0), size)

    def distance(signs: Scores, axis: int) -> Any:
        return np.abs(signs @ differences)

    result = stats.monte_carlo_test(
        np.ones(n),
        draw_signs,
        distance,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=_batch(n),
        alternative="greater",
    )
    return float(result.pvalue)


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for their number, in the order given (Holm's step-down). scipy has no such correction."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    steps = ((len(values) - rank) * values[index] for rank, index in enumerate(order))
    corrected = dict(zip(order, accumulate(steps, max), strict=True))
    return [min(1.0, corrected[index]) for index in range(len(values))]


def effect_size(differences: Scores) -> float:
    """Cohen's d_z of paired differences; 0 if they do not vary or there is only one."""
    if len(differences) < 2:
        return 0.0
    deviation = float(differences.std(ddof=1))
    return float(differences.mean()) / deviation if deviation else 0.0


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """For each ``(cost, score)``: no other costs at most as much and scores at least as much, one of them strictly."""
    front: set[tuple[float, float]] = set()
    best = -math.inf
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if score > best:
            best = score
            front.add((cost, score))
    return [point in front for point in points]
