"""Fits lcrag/planning/estimate.json on questions whose gold evidence is known.

    python examples/estimator/fit.py DIR... [--index FOLDER] [--write]

Each DIR is a dataset as lcrag.comparison.dataset reads it; gold.py computes gold values under lcrag's own ranking. A
source weighs by the root of its size, so that a large one does not drown the others. It prints the weights; evaluate.py
measures how good they are on what the fit has not seen.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import numpy as np
from gold import Gold, rank_questions
from scipy.optimize import brentq, minimize
from scipy.special import expit
from sklearn.linear_model import Ridge

from lcrag.comparison.dataset import load
from lcrag.planning import estimate as estimator
from lcrag.planning.features import features
from lcrag.retrieve.embedder import load_embedder

WEIGHTS = Path(estimator.__file__).with_name("estimate.json")
KNOTS = (125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000)
TAILS = (1, 99)
"""Percentiles of each feature beyond which it is held."""

READING = {
    **dict.fromkeys(("odds_", "lexical_drop", "dense_drop", "fused_drop", "lexical_best", "lexical_share"), 1),
    **dict.fromkeys(("dense_best", "agreement", "idf_", "asks_which", "asks_when"), 1),
    **dict.fromkeys(("tokens", "entropy_", "alike", "first_by_meaning", "terms_missing", "broad", "sentences"), -1),
    **dict.fromkeys(("asks_whether", "cue_global", "cue_list", "cue_count", "cue_compare"), -1),
    **dict.fromkeys(("tokens_", "covered"), 0),
}
"""Which way a feature may move P(all evidence ranks early): by reason, not by fit. One without a reason is left out: a
free weight takes the sign that a few sources happen to have, and misleads in the next. ``tokens_`` and ``covered``
repeat what ``odds_`` and ``lexical_share`` say."""

ANSWERABLE = {"dense_best": 1}
"""All other features change their sign between the sources that have questions without an answer."""
READING_PENALTY, SCOPE_PENALTY, ANSWERABLE_PENALTY = 33.0, 100.0, 33.0
ABSENT = 0.15
"""The share of questions without an answer, assumed."""
ITERATIONS = {"maxiter": 1000}


@dataclass(frozen=True)
class Row:
    """``group``: the set of documents; ``gold`` is None for a question without known evidence."""

    dataset: str
    group: str
    question: str
    features: dict[str, float]
    gold: Gold | None
    unanswerable: bool


def rows(folders: Sequence[Path], indexes: Path | None) -> list[Row]:
    """All questions with evidence, and those marked unanswerable."""
    embedder = load_embedder()
    sample = []
    with tempfile.TemporaryDirectory() as scratch:
        for folder in folders:
            questions = [question for question in load(folder) if question.evidence or question.unanswerable]
            for question, ranking, gold in rank_questions(questions, embedder, indexes or Path(scratch)):
                group = "\0".join(map(str, question.docs))
                known = gold is not None
                if known or question.unanswerable:
                    sample.append(
                        Row(
                            question.dataset,
                            group,
                            question.question,
                            features(ranking),
                            gold,
                            question.unanswerable,
                        )
                    )
    return sample


def matrix(sample: Sequence[Row], names: Sequence[str]) -> np.ndarray:
    return np.array([[row.features[name] for name in names] for row in sample])


def source_weights(sample: Sequence[Row]) -> np.ndarray:
    counts = Counter(row.dataset for row in sample)
    weight = np.array([counts[row.dataset] ** -0.5 for row in sample])
    return weight * len(sample) / weight.sum()


def fit(sample: Sequence[Row], left_out: Sequence[str] = ()) -> dict[str, Any]:
    """The three models of lcrag.planning.estimate, without the features in ``left_out``."""
    names = sorted(set(sample[0].features) - set(left_out))
    known = [row for row in sample if row.gold]
    return {
        "reading": fit_reading(known, [name for name in names if sign_of(name, READING)]),
        "scope": fit_scope(known, names),
        "answerable": fit_answerable(sample, [name for name in names if sign_of(name, ANSWERABLE)]),
    }


def sign_of(name: str, signs: Mapping[str, int]) -> int:
    """The sign for the longest prefix of the name in ``signs``; 0 where there is none."""
    return signs[max(prefixes, key=len)] if (prefixes := [prefix for prefix in signs if name.startswith(prefix)]) else 0


def logistic(x: np.ndarray, y: np.ndarray, weight: np.ndarray, penalty: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Coefficients of a logistic regression, none against its sign; ``penalty`` weighs half the square of each."""

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        logits = x @ coefficients
        off = weight * (expit(logits) - y)
        value = weight @ (np.logaddexp(0, logits) - y * logits) + penalty @ coefficients**2 / 2
        return value, x.T @ off + penalty * coefficients

    bounds = [(0 if sign > 0 else None, 0 if sign < 0 else None) for sign in signs]
    return minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds, options=ITERATIONS).x


class Scaled:
    """Features clipped to their range and standardised; converts weights back to those of the plain features."""

    def __init__(self, sample: Sequence[Row], names: Sequence[str]) -> None:
        self.names = names
        plain = matrix(sample, names)
        self.low, self.high = np.percentile(plain, TAILS, axis=0)
        plain = plain.clip(self.low, self.high)
        self.mean, self.scale = plain.mean(axis=0), plain.std(axis=0) + 1e-6
        self.x = (plain - self.mean) / self.scale

    def weights(self, bias: float, coefficients: np.ndarray) -> dict[str, Any]:
        plain = coefficients / self.scale
        return {
            "bias": round(float(bias - plain @ self.mean), 5),
            "weights": {
                name: [round(float(weight), 5), round(float(low), 5), round(float(high), 5)]
                for name, weight, low, high in zip(self.names, plain, self.low, self.high, strict=True)
                if weight
            },
        }


def fit_reading(known: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    """Proportional odds as one logistic regression: each row once for each knot below its corpus's size."""
    scaled, weight = Scaled(known, names), source_weights(known)
    golds = [row.gold for row in known if row.gold]
    x, y, w = [], [], []
    for place, knot in enumerate(KNOTS):
        inside = np.array([gold.size > knot for gold in golds])
        step = np.zeros((int(inside.sum()), len(KNOTS)))
        step[:, : place + 1] = 1
        x.append(np.hstack([step, scaled.x[inside]]))
        y.append(np.array([gold.covered(knot) for gold in golds])[inside])
        w.append(weight[inside] / 3)
    signs = [0, *[1] * (len(KNOTS) - 1), *(sign_of(name, READING) for name in names)]
    penalty = np.repeat([1e-3, READING_PENALTY], [len(KNOTS), len(names)])
    coefficients = logistic(np.vstack(x), np.concatenate(y).astype(float), np.concatenate(w), penalty, np.array(signs))
    rise = np.cumsum(coefficients[: len(KNOTS)])
    return {
        "knots": list(KNOTS),
        "rise": [round(float(value), 5) for value in rise],
        **scaled.weights(0.0, coefficients[len(KNOTS) :]),
    }


def fit_scope(known: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    scaled = Scaled(known, names)
    target = np.log([row.gold.scope for row in known if row.gold])
    model = Ridge(alpha=SCOPE_PENALTY).fit(scaled.x, target, sample_weight=source_weights(known))
    return scaled.weights(model.intercept_, model.coef_)


def fit_answerable(sample: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    """Separates questions without an answer from the others of the same source; each source has its own level.

    The bias makes the mean of all rows ``ABSENT``: how many questions have no answer depends on who asks, so their
    share in one source says nothing about the next.
    """
    scaled, weight = Scaled(sample, names), source_weights(sample)
    absent = np.array([row.unanswerable for row in sample])
    source = np.array([row.dataset for row in sample])
    both = [name for name in np.unique(source) if 0 < absent[source == name].mean() < 1]
    coefficients = np.zeros(len(names))
    if both:
        chosen = np.isin(source, both)
        level = (source[chosen, None] == np.array(both)).astype(float)
        signs = [*[0] * len(both), *(sign_of(name, ANSWERABLE) for name in names)]
        penalty = np.repeat([1e-2, ANSWERABLE_PENALTY], [len(both), len(names)])
        x = np.hstack([level, scaled.x[chosen]])
        coefficients = logistic(x, ~absent[chosen], weight[chosen], penalty, np.array(signs))[len(both) :]
    logits = scaled.x @ coefficients
    bias = brentq(lambda bias: np.average(expit(-bias - logits), weights=weight) - ABSENT, -30, 30)
    return scaled.weights(bias, coefficients)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    parser.add_argument("--write", action="store_true", help="into the package, with figures on what was left out")
    options = parser.parse_args()
    sample = rows(options.folders, options.index)
    value = {
        "date": datetime.date.today().isoformat(),
        "fitted_on": dict(sorted(Counter(row.dataset for row in sample).items())),
        **fit(sample),
    }
    if options.write:
        from evaluate import by_documents, by_sources, judged, predictions

        value["figures"] = {
            "documents not seen": judged(predictions(sample, by_documents(sample)))["overall"],
            "sources not seen": judged(predictions(sample, by_sources(sample)))["overall"],
        }
        WEIGHTS.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(value, indent=1))


if __name__ == "__main__":
    main()
