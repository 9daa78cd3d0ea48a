"""Fits lcrag/weights/estimate.json on questions with gold evidence, and says how well it does on what it has not seen.

    python examples/estimator/fit.py DIR... [--index FOLDER] [--write] [--json]

Each DIR is a dataset as lcrag.dataset reads it. Gold values follow from the evidence spans under lcrag's own ranking:
R, the tokens read in rank order until all evidence is seen; D = ln(1+R) / ln(1+N); S, the tokens of the evidence. Every
dataset weighs the same. Printed: per dataset left out of the fit, the area under the ROC curve and the Brier score of
coverage(4000) beside the Brier score of a constant, and Spearman's rank correlation of D and of S.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from lcrag import estimate as estimator
from lcrag import ingest
from lcrag.corpus import Corpus
from lcrag.dataset import Question, load
from lcrag.embed import load_embedder
from lcrag.features import features
from lcrag.retrieve import fill_vectors, retrieve
from lcrag.tokens import count_many
from lcrag.types import Embedder, Event, Hit

WEIGHTS = Path(estimator.__file__).with_name("weights") / "estimate.json"
K = 4000
RIDGE = 30.0


@dataclass(frozen=True)
class Row:
    dataset: str
    features: dict[str, float]
    reading: int | None
    scope: int | None
    size: int
    unanswerable: bool


def quiet(event: Event) -> None:
    """Progress is not shown."""


def rows(folder: Path, embedder: Embedder, indexes: Path) -> Iterator[Row]:
    by_docs: dict[tuple[Path, ...], list[Question]] = {}
    for question in load(folder):
        if question.evidence or question.unanswerable:
            by_docs.setdefault(question.docs, []).append(question)
    for docs, asked in by_docs.items():
        key = hashlib.sha256("\0".join(map(str, docs)).encode()).hexdigest()[:16]
        with Corpus.open(indexes / key) as corpus:
            scan = ingest.discover(docs)
            corpus.refresh(scan, quiet)
            if corpus.size.chunks < 2000:
                fill_vectors(corpus, embedder, quiet)
            documents = {file.path.resolve(): ingest.read(file) for file in scan.files}
            for question in asked:
                ranking = retrieve(corpus, question.question, embedder=embedder, depth_tokens=corpus.size.tokens)
                reading = scope = None
                if question.evidence and not question.unanswerable:
                    spans = [(documents[span.doc].id, span.start, span.end) for span in question.evidence]
                    texts = [documents[span.doc].text[span.start : span.end] for span in question.evidence]
                    reading = tokens_until(ranking.hits, spans) or corpus.size.tokens
                    scope = sum(count_many(texts))
                yield Row(
                    question.dataset, features(ranking), reading, scope, corpus.size.tokens, question.unanswerable
                )


def tokens_until(hits: Sequence[Hit], spans: Sequence[tuple[str, int, int]]) -> int | None:
    unseen = sum(end - start for _, start, end in spans)
    read = 0
    for hit in hits:
        chunk = hit.chunk
        read += chunk.tokens
        for document, start, end in spans:
            if document == chunk.document_id:
                unseen -= max(0, min(end, chunk.end) - max(start, chunk.start))
        if unseen <= 0:
            return read
    return None


def matrix(found: Sequence[Row], names: Sequence[str]) -> np.ndarray:
    return np.array([[row.features[name] for name in names] for row in found])


def equal_weights(found: Sequence[Row]) -> np.ndarray:
    counts: dict[str, int] = {}
    for row in found:
        counts[row.dataset] = counts.get(row.dataset, 0) + 1
    weight = np.array([1 / counts[row.dataset] for row in found])
    return weight * len(found) / weight.sum()


def linear(found: Sequence[Row], names: Sequence[str], target: np.ndarray) -> dict[str, object]:
    x, weight = matrix(found, names), equal_weights(found)
    scale = x.std(axis=0) + 1e-9
    model = Ridge(alpha=RIDGE).fit(x / scale, target, sample_weight=weight)
    residual = target - model.predict(x / scale)
    return {
        "bias": round(float(model.intercept_), 4),
        "sigma": round(float(np.sqrt(np.average(residual**2, weights=weight))), 4),
        "weights": {name: round(float(w / s), 4) for name, w, s in zip(names, model.coef_, scale, strict=True)},
    }


def logistic(found: Sequence[Row], names: Sequence[str]) -> dict[str, object]:
    x, weight = matrix(found, names), equal_weights(found)
    scale = x.std(axis=0) + 1e-9
    labels = np.array([not row.unanswerable for row in found])
    model = LogisticRegression(C=0.1, max_iter=5000).fit(x / scale, labels, sample_weight=weight)
    return {
        "bias": round(float(model.intercept_[0]), 4),
        "weights": {name: round(float(w / s), 4) for name, w, s in zip(names, model.coef_[0], scale, strict=True)},
    }


def fit(found: Sequence[Row]) -> dict[str, dict[str, object]]:
    names = sorted(found[0].features)
    known = [row for row in found if row.reading]
    return {
        "log_reading": linear(known, names, np.log([row.reading for row in known])),
        "log_scope": linear(known, names, np.log([max(1, row.scope or 1) for row in known])),
        "answerable": logistic(found, names),
    }


def predicted(weights: dict[str, dict[str, object]], row: Row) -> tuple[float, float, float]:
    """Coverage at K, diffusion, and log scope."""
    mu = estimator._linear(weights["log_reading"], row.features)
    sigma = float(str(weights["log_reading"]["sigma"]))
    return (
        estimator.coverage(K, mu, sigma, row.size),
        estimator._diffusion(mu, sigma, row.size),
        estimator._linear(weights["log_scope"], row.features),
    )


def evaluate(weights: dict[str, dict[str, object]], tried: Sequence[Row]) -> dict[str, float | None]:
    known = [row for row in tried if row.reading]
    if not known:
        return {"n": 0}
    found = np.array([predicted(weights, row) for row in known])
    covered = np.array([row.reading <= K for row in known], dtype=float)
    spread = [math.log1p(row.reading) / math.log1p(row.size) for row in known]
    constant = covered.mean()
    return {
        "n": len(known),
        "auroc": round(float(roc_auc_score(covered, found[:, 0])), 3) if 0 < constant < 1 else None,
        "brier": round(float(((found[:, 0] - covered) ** 2).mean()), 3),
        "brier_constant": round(float(constant * (1 - constant)), 3),
        "spearman_diffusion": round(float(spearmanr(found[:, 1], spread).statistic), 3),
        "spearman_scope": round(float(spearmanr(found[:, 2], [row.scope for row in known]).statistic), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--index", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        embedder = load_embedder()
        found = [row for folder in options.folders for row in rows(folder, embedder, options.index or Path(scratch))]
    datasets = sorted({row.dataset for row in found if row.reading})
    report = {
        name: evaluate(
            fit([row for row in found if row.dataset != name]), [row for row in found if row.dataset == name]
        )
        for name in datasets
    }
    report["all, seen in the fit"] = evaluate(fit(found), found)
    if options.write:
        value = {
            "date": datetime.date.today().isoformat(),
            "fitted_on": sorted({row.dataset for row in found}),
            "questions": len(found),
            "left_out": report,
            **fit(found),
        }
        WEIGHTS.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for name, row in report.items():
        print(f"{name:22} " + "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
