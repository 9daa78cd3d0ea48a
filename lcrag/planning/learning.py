"""What the route log says of a profile: a shift of its use curves, by Bayes' rule, from what came of earlier questions.

An outcome is not the truth. An answer whose statements all have support is wrong more often than right on a small
model, and "not found" is right where nothing is there. So each outcome counts by how likely it is if the evidence was
used and if it was not, in the terms that P(correct) itself is made of (``lcrag.planning.forecast``):

    refused    (1 - a) refused + a (1 - e u) (1 - made up)
    answered   a e u s + (a (1 - e u) made up + (1 - a) (1 - refused)) t

a: P(answerable), e: P(the evidence is read), u: P(it is used); s, t: P(supported, and in agreement with a second route
| right, wrong). Where the right answer was known (``lcrag compare``) P(correct) itself is the likelihood. What is
learned is one number, added to the log-odds of u: a log seldom has enough for more. Its prior is a normal distribution
around what the profile says. How often models refuse and support differs between them by more than many questions could
tell, so outcomes without a right answer together weigh no more than ``MOST_UNKNOWN``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from lcrag.planning.forecast import MADE_UP
from lcrag.planning.use import at
from lcrag.types import Curve, Learned, Profile

if TYPE_CHECKING:
    import numpy.typing as npt

N = TypeVar("N", float, "npt.NDArray[np.float64]")

LEAST: Final = 10
"""Questions from which a log is used at all."""
SPREAD: Final = 0.8
"""Standard deviation of the log-odds by which P(correct) was off. Measured: .91, .75, .79 over the sources asked on
three backends (SmolLM2-135M with and without lcrag's adapter, embedded; 6, 4, 5 sources; ``examples/routing``)."""
SUPPORTED_RIGHT: Final = 0.80
SUPPORTED_WRONG: Final = 0.72
"""P(all is supported | a right answer; a wrong one). Measured: .73, .67, 1.00 and .68, .49, 1.00 (6,238, 1,759, 1,280
answers)."""
AGREES_RIGHT: Final = 0.69
AGREES_WRONG: Final = 0.57
"""P(a second route says the same | a right answer; a wrong one). Measured: .62, .69, .77 and .47, .62, .64 (3,780,
1,115, 800 pairs of answers)."""
MOST_UNKNOWN: Final = 20.0
"""Questions that outcomes without a right answer weigh at most: P(refused | wrong) differs between sources and models
by .1 (standard deviation; 0 to .30 on the same answers), as a mean of about 20 questions does."""
GRID: Final = np.arange(-30, 31) / 10
TIMES: Final = np.exp(GRID)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a route. ``use``: P(the evidence it read is used) by the profile, before the log moved it;
    ``agrees``: whether a second route that answered says the same, None without one; ``right``: how right the answer
    was, from 0 to 1, None where nobody knows.
    """

    use: float
    evidence: float
    answerable: float
    refused: bool
    supported: bool
    agrees: bool | None = None
    right: float | None = None


def learned(outcomes: Sequence[Outcome], profile: Profile) -> Learned | None:
    """The mean of the shift given these outcomes; None of fewer than LEAST."""
    if len(outcomes) < LEAST:
        return None
    unknown = sum(outcome.right is None for outcome in outcomes)
    share = MOST_UNKNOWN / (MOST_UNKNOWN + unknown)
    logs = -((GRID / SPREAD) ** 2) / 2
    for one in outcomes:
        logs += (1.0 if one.right is not None else share) * _log_likelihoods(one, profile)
    weights = np.exp(logs - logs.max())
    return Learned(round(float(weights @ GRID / weights.sum()), 3), len(outcomes), len(outcomes) - unknown)


def moved(profile: Profile, by: Learned | None) -> Profile:
    """The profile with its use curves, and what is kept in notes and summaries, moved. "Nothing is there" stays."""
    if by is None:
        return profile

    def curves(given: Mapping[str, Curve]) -> dict[str, Curve]:
        return {name: tuple((k, shifted(p, by.log_odds)) for k, p in curve) for name, curve in given.items()}

    read = {role: curve for role, curve in profile.retention.items() if role != "synthesise"}
    return replace(
        profile,
        use=curves(profile.use),
        kinds={kind: own if kind == "absent" else curves(own) for kind, own in profile.kinds.items()},
        retention={**profile.retention, **curves(read)},
        learned=by,
    )


def use_of(quality: float, evidence: float, answerable: float, profile: Profile) -> float:
    """P(the evidence that is read is used), of a route that was forecast to be right with ``quality``."""
    refused = _refused(profile)
    there = quality if refused is None else (quality - (1 - answerable) * refused) / max(1e-9, answerable)
    used = min(0.99, max(0.01, there / max(1e-9, evidence)))
    return shifted(used, -profile.learned.log_odds) if profile.learned is not None else used


def shifted(p: float, log_odds: float) -> float:
    """The probability with ``log_odds`` added to its own; 0 and 1 stay."""
    return odds_times(p, math.exp(log_odds))


def odds_times(p: float, times: N) -> N:
    """The probability with so many times the odds, for one number or an array of them."""
    return p * times / (1 - p + p * times)


def _refused(profile: Profile) -> float | None:
    """P(it says so | nothing is there), of what was measured for short texts."""
    absent = profile.kinds.get("absent", {}).get("retrieved")
    return None if absent is None else at(absent, 1)


def _log_likelihoods(outcome: Outcome, profile: Profile) -> npt.NDArray[np.float64]:
    """Of the outcome, for each shift of GRID: 200 questions take 2 ms, one by one they took 11."""
    refused = _refused(profile)
    made_up = MADE_UP if profile.false_found is None else profile.false_found
    answerable = 1.0 if refused is None else outcome.answerable
    right = answerable * outcome.evidence * odds_times(outcome.use, TIMES)
    wrong, absent = answerable - right, 1 - answerable
    says_so = refused or 0.0
    if outcome.right is not None:
        p = np.clip(right + absent * says_so, 0.01, 0.99)
        return outcome.right * np.log(p) + (1 - outcome.right) * np.log(1 - p)
    if outcome.refused:
        return _log(absent * says_so + wrong * (1 - made_up))
    wrong = wrong * made_up + absent * (1 - says_so)
    right = right * (SUPPORTED_RIGHT if outcome.supported else 1 - SUPPORTED_RIGHT)
    wrong = wrong * (SUPPORTED_WRONG if outcome.supported else 1 - SUPPORTED_WRONG)
    if outcome.agrees is not None:
        right = right * (AGREES_RIGHT if outcome.agrees else 1 - AGREES_RIGHT)
        wrong = wrong * (AGREES_WRONG if outcome.agrees else 1 - AGREES_WRONG)
    return _log(right + wrong)


def _log(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    logs: npt.NDArray[np.float64] = np.log(np.maximum(1e-6, p))
    return logs
