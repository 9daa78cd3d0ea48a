"""Whether passages hold the answer: a logistic regression over the features of their sentences.

``answerable.json`` has its weights, what they were fitted on and how well they do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from lcrag.backends.extract import Scored
from lcrag.types import Embedder, Reranker

MISSING: Final = 0.4
"""The share of the question's words, by their weight, that may be missing where a code is found. Not measured."""


def judgement_for(embedder: Embedder | None, reranker: Reranker | None) -> str:
    """Which weights recognise "not here": those for a reranker, if any were fitted, for cosines, or for words alone."""
    if embedder is None:
        return "lexical"
    return "reader" if reranker is not None and "reader" in _fitted() else "dense"


def answerable(features: Mapping[str, float], judgement: str) -> float:
    """P(the passages hold the answer), by logistic regression; 0 without features."""
    if not features:
        return 0.0
    fitted = _fitted()[judgement]
    logit = float(fitted["bias"]) + sum(float(weight) * features[name] for name, weight in fitted["weights"].items())
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


def is_here(scored: Scored, judgement: str) -> bool:
    """Whether the passages hold the answer: by P, or because they have the very code that is asked for, and with it
    most of the other words or the row of a table, whose columns may be called otherwise than what is asked."""
    has_code = scored.has_code and (scored.is_row or scored.features["missing"] <= MISSING)
    return has_code or answerable(scored.features, judgement) >= threshold(judgement)


def threshold(judgement: str) -> float:
    """The P(the passages hold the answer) below which the backend abstains."""
    return float(_fitted()[judgement]["threshold"])


@cache
def _fitted() -> Any:
    return json.loads((files("lcrag.backends") / "answerable.json").read_text(encoding="utf-8"))
