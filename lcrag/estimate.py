"""How hard the needed information is to find, and how much of it there is: before any model is called.

One prediction gives coverage and diffusion. R, the tokens to read in rank order until all the evidence has been seen,
is taken as log-normal: ln R ~ N(mu, sigma), mu linear in the features of ``lcrag.features``. Then

    coverage(k) = P(R <= k) = Phi((ln k - mu) / sigma), cut at N: whoever reads everything has seen it
    D           = E[ln(1 + R)] / ln(1 + N), with R cut at N

so that coverage cannot fall with k, and D and coverage cannot contradict each other. Scope is log-linear. All of it is
given that the documents hold the answer; whether they do is a logistic regression of its own.
``weights/estimate.json`` has the numbers, and what they were fitted on; examples/estimator/fit.py makes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from lcrag.features import features
from lcrag.types import Estimate, Ranking

POINTS: Final = (250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000, 512000, 1024000)
STEPS: Final = 64
SCOPES: Final = (math.log(20), math.log(2000))
"""Nine in ten of the questions fitted on have a scope between these; nothing is known beyond."""
LEAST_SCOPE: Final[Mapping[str, Callable[[int], float]]] = {
    "cue_list": lambda size: 100.0,
    "cue_count": lambda size: 100.0,
    "cue_global": lambda size: size / 10,
}
"""What a question that asks for a list, a count or the whole needs at least. No source with gold evidence has many such
questions, so this is a rule, not a fit."""


def estimate(ranking: Ranking) -> Estimate:
    """Diffusion, scope, coverage and answerability of the ranking's question. Never raises, whatever the corpus."""
    found = features(ranking)
    size = max(1, ranking.size.tokens)
    weights = _weights()
    mu = _linear(weights["log_reading"], found)
    sigma = float(weights["log_reading"]["sigma"])
    scope = math.exp(min(SCOPES[1], max(SCOPES[0], _linear(weights["log_scope"], found))))
    scope = max(scope, *(least(size) for cue, least in LEAST_SCOPE.items() if found[cue]), 1.0)
    return Estimate(
        diffusion=_diffusion(mu, sigma, size),
        scope_tokens=min(size, round(scope)),
        coverage=tuple((k, coverage(k, mu, sigma, size)) for k in (*(p for p in POINTS if p < size), size)),
        answerable=1 / (1 + math.exp(-max(-30.0, min(30.0, _linear(weights["answerable"], found))))),
        features=found,
    )


def coverage(k: float, mu: float, sigma: float, size: int) -> float:
    """P(all the evidence is within the first k tokens of ``size``)."""
    if k >= size:
        return 1.0
    return _phi((math.log(k) - mu) / sigma) if k > 0 else 0.0


def _diffusion(mu: float, sigma: float, size: int) -> float:
    """E[ln(1 + min(R, N))] / ln(1 + N), by quantiles of R."""
    whole = math.log1p(size)
    total = sum(
        min(whole, math.log1p(math.exp(min(50.0, mu + sigma * _quantile((step + 0.5) / STEPS)))))
        for step in range(STEPS)
    )
    return min(1.0, max(0.0, total / STEPS / whole))


def _phi(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


@cache
def _quantile(p: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def _linear(weights: Mapping[str, Any], found: Mapping[str, float]) -> float:
    return float(weights["bias"]) + sum(float(weight) * found[name] for name, weight in weights["weights"].items())


@cache
def _weights() -> Any:
    return json.loads((files("lcrag.weights") / "estimate.json").read_text(encoding="utf-8"))
