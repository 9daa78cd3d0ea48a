"""How hard the needed information is to find, and how much of it there is: before any model is called.

One prediction gives coverage and diffusion. R, the tokens to read in rank order until all the evidence has been seen,
follows a proportional-odds model (McCullagh 1980) in the features of ``lcrag.planning.features``:

    coverage(k) = P(R <= k) = 1 / (1 + exp(-(a(ln k) + w . x))), and 1 from N on: whoever reads everything has seen it
    D           = E[ln(1 + R)] / ln(1 + N), with R cut at N

``a`` is piecewise linear and rises, so coverage cannot fall with k, and D and coverage cannot contradict each other.
Scope is log-linear. All of it is given that the documents hold the answer; whether they do is a logistic regression of
its own. Each feature is held within the range that the fit has seen, so that a corpus unlike any of them gets the
estimate of the nearest that was known. ``estimate.json`` has the numbers, and what they were fitted on;
examples/estimator/fit.py makes it.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from lcrag.planning.features import features
from lcrag.types import Estimate, Kind, Ranking

POINTS: Final = (250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000, 512000, 1024000)
STEPS: Final = 48
SCOPES: Final = (math.log(20), math.log(2000))
"""Nine in ten of the questions fitted on have a scope between these; nothing is known beyond."""
LEAST_SCOPE: Final[Mapping[str, float]] = {"cue_list": 100.0, "cue_count": 100.0}
LEAST_SHARE: Final = 0.1
"""What a question that asks for a list or a count needs at least, in tokens, and one that asks for the whole, as a
share of the corpus. No source with gold evidence has many such questions, so this is a rule, not a fit."""


def estimate(ranking: Ranking, *, reranker: bool = False) -> Estimate:
    """Diffusion, scope, coverage and answerability of the ranking's question. Never raises, whatever the corpus."""
    values = features(ranking)
    size = max(1, ranking.size.tokens)
    weights = _weights()
    ease = linear(weights["reading"], values)
    knots, rise = weights["reading"]["knots"], weights["reading"]["rise"]
    least = [tokens for cue, tokens in LEAST_SCOPE.items() if values[cue]]
    least += [LEAST_SHARE * size] if values["cue_global"] else []
    scope = math.exp(min(SCOPES[1], max(SCOPES[0], linear(weights["scope"], values))))
    return Estimate(
        diffusion=diffusion(ease, knots, rise, size),
        scope_tokens=min(size, round(max(scope, *least, 1.0))),
        coverage=tuple((k, coverage(k, ease, knots, rise, size)) for k in (*(p for p in POINTS if p < size), size)),
        answerable=_logistic(linear(weights["answerable"], values)),
        features=values,
        kinds=kinds_of(values),
        reranker=reranker,
    )


def kinds_of(features: Mapping[str, float]) -> dict[Kind, float]:
    """What kind of question it is, as weights that add up to 1, from its words and from how they match the hits.

    Words that ask for all ("list", "every", "summary"), for a number of things, or for a comparison make it a list, a
    count, two hops; several of them share. Without any it asks for one fact: a plain one as far as the best hits hold
    the question's words, in other words (a paraphrase) as far as they do not.
    """
    cued: dict[Kind, float] = {
        "list": max(features.get("cue_list", 0.0), features.get("cue_global", 0.0)),
        "count": features.get("cue_count", 0.0),
        "hops": features.get("cue_compare", 0.0),
    }
    total = sum(cued.values())
    if total > 0:
        return {kind: weight / total for kind, weight in cued.items() if weight > 0}
    plain = min(1.0, max(0.0, features.get("covered_5", 1.0)))
    return {"fact": plain, "paraphrase": 1.0 - plain}


def coverage(k: float, ease: float, knots: Sequence[float], rise: Sequence[float], size: int) -> float:
    """P(all the evidence is within the first k tokens of ``size``). ``rise``: a at ``knots``, tokens; both ascend."""
    if k >= size:
        return 1.0
    if k <= 0:
        return 0.0
    place = min(max(1, bisect_right(knots, k)), len(knots) - 1)
    low, high = math.log(knots[place - 1]), math.log(knots[place])
    share = (math.log(k) - low) / (high - low)
    return _logistic(rise[place - 1] + share * (rise[place] - rise[place - 1]) + ease)


def diffusion(ease: float, knots: Sequence[float], rise: Sequence[float], size: int) -> float:
    """E[ln(1 + min(R, N))] / ln(1 + N), by steps of ln(1 + R)."""
    whole = math.log1p(size)
    beyond = sum(
        1 - coverage(math.expm1((step + 0.5) / STEPS * whole), ease, knots, rise, size) for step in range(STEPS)
    )
    return beyond / STEPS


def linear(weights: Mapping[str, Any], found: Mapping[str, float]) -> float:
    """Bias and weighted features, each within its ``[low, high]`` of the fit."""
    total = float(weights["bias"])
    for name, (weight, low, high) in weights["weights"].items():
        total += weight * min(high, max(low, found[name]))
    return total


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, x))))


@cache
def _weights() -> Any:
    return json.loads((files("lcrag.planning") / "estimate.json").read_text(encoding="utf-8"))
