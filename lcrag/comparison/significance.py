"""Which differences are more than luck: intervals, paired tests, effect sizes, and which routes nothing beats.

All of it is over questions, and paired: every route answers the same ones, so a resample takes a question with all its
answers. Scores are arrays of shape ``(questions, routes)`` or ``(questions,)``, each from 0 to 1. The same seed gives
the same numbers.

Sources: Efron and Tibshirani (1993), An Introduction to the Bootstrap; Hesterberg (2015), What Teachers Should Know
About the Bootstrap (the expanded percentile interval); Wilson (1927) for shares; McNemar (1947), exact; Good (2005) for
the permutation test by signs; Holm (1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Scores = npt.NDArray[np.float64]

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 10_000
Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_PARTS: Final = 2_000_000
"""Numbers drawn at a time: 16 MB."""

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pair:
    """Route ``a`` against route ``b`` on the same questions: ``difference`` is a's mean score minus b's.

    ``p`` is two-sided, of the test that ``test`` names; ``p_holm`` is corrected for all pairs of the family. ``effect``
    is Cohen's d_z, the mean difference in units of the differences' standard deviation; 0 when all are alike.
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
    """95% interval of the mean: Wilson's where every score is 0 or 1, else by the bootstrap."""
    if is_binary(scores):
        return wilson(int(scores.sum()), len(scores))
    return bootstrap(scores, seed)


def is_binary(scores: Scores) -> bool:
    return bool(((scores == 0) | (scores == 1)).all())


def wilson(successes: int, n: int) -> Interval:
    """Wilson's score interval of a share; (0, 1) of nothing. Unlike the bootstrap's it has a width at 0 and at n."""
    if n == 0:
        return 0.0, 1.0
    share, spread = successes / n, Z * Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(values: Scores, seed: int) -> Interval:
    """95% interval of the mean of ``values`` (n,) by resampling them: the expanded percentile interval.

    The plain percentile interval is too short for few questions, by sqrt((n - 1) / n) and by Student's quantile in
    place of the normal one; taking percentiles further out mends both.
    """
    import numpy as np

    n = len(values)
    if n < 2:
        return (float(values.mean()),) * 2 if n else (0.0, 0.0)
    generator = np.random.default_rng(seed)
    means = np.concatenate(
        [values[generator.integers(0, n, (rows, n))].mean(axis=1) for rows in _rows(RESAMPLES, max(1, _PARTS // n))]
    )
    tail = NormalDist().cdf(-math.sqrt(n / (n - 1)) * student_quantile(n - 1))
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _rows(total: int, most: int) -> list[int]:
    return [min(most, total - start) for start in range(0, total, most)]


def student_quantile(freedom: int) -> float:
    """The 97.5% quantile of Student's t, by Cornish and Fisher's expansion: within 0.1% from 7 degrees of freedom."""
    z, v = Z, float(freedom)
    terms = (
        (z**3 + z) / (4 * v),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3),
    )
    return z + sum(terms)


def pairs(names: Sequence[str], scores: Scores, seed: int) -> list[Pair]:
    """Every two columns of ``scores`` (questions, names) compared; Holm's correction over all of them."""
    raw = [
        (names[i], names[j], scores[:, i], scores[:, j]) for i in range(len(names)) for j in range(i + 1, len(names))
    ]
    tested = [paired_test(a, b, seed) for _, _, a, b in raw]
    corrected = holm([p for _, p in tested])
    return [
        _pair(first, second, a, b, seed, name, p, p_holm)
        for (first, second, a, b), (name, p), p_holm in zip(raw, tested, corrected, strict=True)
    ]


def _pair(first: str, second: str, a: Scores, b: Scores, seed: int, name: str, p: float, p_holm: float) -> Pair:
    differences = a - b
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    return Pair(
        a=first,
        b=second,
        difference=float(differences.mean()),
        ci95=bootstrap(differences, seed),
        test=name,
        p=p,
        p_holm=p_holm,
        effect=effect_size(differences),
        wins=wins,
        ties=len(differences) - wins - losses,
        losses=losses,
    )


def paired_test(a: Scores, b: Scores, seed: int) -> tuple[str, float]:
    """The paired test that fits and its p: exact McNemar for right or wrong, a permutation of signs for degrees."""
    if is_binary(a) and is_binary(b):
        return "exact McNemar", mcnemar(int((a > b).sum()), int((a < b).sum()))
    return "permutation of signs", permutation(a - b, seed)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided McNemar: a binomial test of the questions that only one of the two gets right."""
    n, k = only_a + only_b, min(only_a, only_b)
    if n == 0:
        return 1.0
    log_half = n * math.log(0.5)
    tail = math.fsum(
        math.exp(math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + log_half) for i in range(k + 1)
    )
    return min(1.0, 2 * tail)


def permutation(differences: Scores, seed: int) -> float:
    """Two-sided: how often random signs of the differences give a mean at least as far from 0.

    The observed signs count as one of the permutations, so p is never 0 and the test keeps its level.
    """
    import numpy as np

    differences = differences[differences != 0]
    n = len(differences)
    if n == 0:
        return 1.0
    generator = np.random.default_rng(seed)
    observed = abs(differences.sum()) * (1 - 1e-12)  # sums that are equal but for rounding count as equal
    extreme = sum(
        int((np.abs(generator.choice((-1.0, 1.0), (rows, n)) @ differences) >= observed).sum())
        for rows in _rows(RESAMPLES, max(1, _PARTS // n))
    )
    return (1 + extreme) / (1 + RESAMPLES)


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for their number, in the order given (Holm's step-down)."""
    order = sorted(range(len(values)), key=lambda place: values[place])
    corrected = [0.0] * len(values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = highest
    return corrected


def effect_size(differences: Scores) -> float:
    """Cohen's d_z of paired differences; 0 where they do not vary or there is but one."""
    if len(differences) < 2:
        return 0.0
    spread = float(differences.std(ddof=1))
    return float(differences.mean()) / spread if spread else 0.0


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """For each ``(cost, score)``: no other costs at most as much and scores at least as much, one of them strictly."""
    return [
        not any(
            cost <= own_cost and score >= own_score and (cost, score) != (own_cost, own_score) for cost, score in points
        )
        for own_cost, own_score in points
    ]
