"""Fits lcrag/weights/estimate.json on questions whose gold evidence is known.

    python examples/estimator/fit.py DIR... [--index FOLDER] [--write]

Each DIR is a dataset as lcrag.dataset reads it; gold values are lcrag.gold's, under lcrag's own ranking. A source
weighs by the root of its size, so that a large one does not drown the others. Printed: the weights. evaluate.py says
how good they are on what the fit has not seen.
"""

from __future__ import annotations

import argparse
import datetime
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from lcrag import estimate as estimator
from lcrag.dataset import load
from lcrag.embed import load_embedder
from lcrag.features import features
from lcrag.gold import Gold, ranked

WEIGHTS = Path(estimator.__file__).with_name("weights") / "estimate.json"
KNOTS = (125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000)
READING_C, SCOPE_RIDGE, ANSWERABLE_C = 0.003, 100.0, 0.03
TAILS = (1, 99)
"""Percentiles of each feature beyond which it is held."""


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
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for folder in folders:
            asked = [one for one in load(folder) if one.evidence or one.unanswerable]
            for question, ranking, gold in ranked(asked, embedder, indexes or Path(scratch)):
                group = "\0".join(map(str, question.docs))
                known = gold is not None
                if known or question.unanswerable:
                    found.append(
                        Row(
                            question.dataset,
                            group,
                            question.question,
                            features(ranking),
                            gold,
                            question.unanswerable,
                        )
                    )
    return found


def matrix(found: Sequence[Row], names: Sequence[str]) -> np.ndarray:
    return np.array([[row.features[name] for name in names] for row in found])


def source_weights(found: Sequence[Row]) -> np.ndarray:
    counts = Counter(row.dataset for row in found)
    weight = np.array([counts[row.dataset] ** -0.5 for row in found])
    return weight * len(found) / weight.sum()


def fit(found: Sequence[Row], left_out: Sequence[str] = ()) -> dict[str, Any]:
    """The three models of lcrag.estimate, without the features in ``left_out``."""
    names = sorted(set(found[0].features) - set(left_out))
    known = [row for row in found if row.gold]
    return {
        "reading": fit_reading(known, names),
        "scope": fit_scope(known, names),
        "answerable": fit_answerable(found, names),
    }


class Scaled:
    """Features held within their range and standardised; turns weights back into those of the plain features."""

    def __init__(self, found: Sequence[Row], names: Sequence[str]) -> None:
        self.names = names
        plain = matrix(found, names)
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
        step[:, : place + 1] = STEP
        x.append(np.hstack([step, scaled.x[inside]]))
        y.append(np.array([gold.covered(knot) for gold in golds])[inside])
        w.append(weight[inside] / len(KNOTS))
    model = LogisticRegression(C=READING_C, max_iter=5000, fit_intercept=False)
    model.fit(np.vstack(x), np.concatenate(y), sample_weight=np.concatenate(w) * len(KNOTS) / 3)
    steps = model.coef_[0][: len(KNOTS)] * STEP
    rise = np.cumsum([steps[0], *np.maximum(steps[1:], 1e-3)])
    found = scaled.weights(0.0, model.coef_[0][len(KNOTS) :])
    return {"knots": list(KNOTS), "rise": [round(float(value), 5) for value in rise], **found}


STEP = 20.0
"""So large that the penalty does not hold the rise of coverage with k."""


def fit_scope(known: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    scaled = Scaled(known, names)
    target = np.log([row.gold.scope for row in known if row.gold])
    model = Ridge(alpha=SCOPE_RIDGE).fit(scaled.x, target, sample_weight=source_weights(known))
    return scaled.weights(model.intercept_, model.coef_)


def fit_answerable(found: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    labels = np.array([not row.unanswerable for row in found])
    scaled = Scaled(found, names)
    if labels.all():
        return scaled.weights(3.0, np.zeros(len(names)))
    model = LogisticRegression(C=ANSWERABLE_C, max_iter=5000)
    model.fit(scaled.x, labels, sample_weight=source_weights(found))
    return scaled.weights(model.intercept_[0], model.coef_[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    parser.add_argument("--write", action="store_true", help="into the package, with figures on what was left out")
    options = parser.parse_args()
    found = rows(options.folders, options.index)
    value = {
        "date": datetime.date.today().isoformat(),
        "fitted_on": dict(sorted(Counter(row.dataset for row in found).items())),
        **fit(found),
    }
    if options.write:
        from evaluate import by_documents, by_sources, judged, predictions

        value["figures"] = {
            "documents not seen": judged(predictions(found, by_documents(found)))["overall"],
            "sources not seen": judged(predictions(found, by_sources(found)))["overall"],
        }
        WEIGHTS.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(value, indent=1))


if __name__ == "__main__":
    main()
