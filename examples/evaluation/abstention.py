"""Does the embedded backend know when the answer is not there? Fitted on half of the questions, tested on the rest.

    python examples/evaluation/abstention.py DIR... [--tokens 4000] [--index FOLDER] [--write] [--json]

Each DIR is a dataset as lcrag.comparison.dataset reads it. A hash of a question's id decides which half it is in. For
each dataset it prints, on the half not used for the fit: the area under the ROC curve, the share of unanswerable
questions refused and of answerable questions answered, and how often a quoted sentence holds gold evidence. ``--write``
puts the weights into lcrag/backends/answerable.json; those with a reader only if they do better than those without.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import numpy as np
from gold import by_documents, evidence_places
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from lcrag import ingest
from lcrag.backends import extract
from lcrag.backends.embedded import EmbeddedBackend
from lcrag.comparison.dataset import Question, load
from lcrag.evidence.cite import cite
from lcrag.index.corpus import Corpus
from lcrag.paths import key_of
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.rank import retrieve
from lcrag.retrieve.reranker import MiniLMReranker
from lcrag.text.passages import passages, within
from lcrag.types import Embedder, Reranker, Task, ignore

WEIGHTS = Path(extract.__file__).with_name("answerable.json")
RIDGE = 0.01
SIGNS = {
    "another_speaks": -1,
    "around_top": 1,
    "best_cosine": 1,
    "best_evidence": 1,
    "best_here": 1,
    "best_share": 1,
    "best_span": 1,
    "kind_fits": 1,
    "margin": 1,
    "missing": -1,
    "names_missing": -1,
    "names_missing_near": -1,
    "top_cosine": 1,
    "top_share": 1,
}
"""The sign that each weight may have: a word of the question that is nowhere in what was read is never evidence for an
answer."""
JUDGEMENTS = {"reader": "", "dense": "best_(?:evidence|here|span)", "lexical": "best_(?:evidence|here|span)|.*cosine"}
"""By judgement, the features that it does not use."""
ANSWERED = 0.9
"""The share of answerable questions that must be answered: a refusal costs the user an answer that was there."""


@dataclass(frozen=True)
class Case:
    dataset: str
    fitted: bool
    answerable: bool
    features: dict[str, dict[str, float]]
    """By judgement: with a reader, with cosines, and by words alone."""
    quoted_evidence: bool | None


def in_fit(question: Question) -> bool:
    return hashlib.sha256(question.id.encode()).digest()[0] % 2 == 0


def cases(folder: Path, embedder: Embedder, reranker: Reranker, tokens: int, indexes: Path) -> Iterator[Case]:
    backend = EmbeddedBackend(embedder, reranker)
    for docs, group in by_documents(load(folder)).items():
        with Corpus.open(indexes / key_of(docs)) as corpus:
            scan = ingest.discover(docs)
            corpus.refresh(scan, ignore)
            documents = {Path(file.path).resolve(): ingest.read(file) for file in scan.files}
            for question in group:
                ranking = retrieve(corpus, question.question, embedder=embedder)
                read = tuple(passages(within([hit.chunk for hit in ranking.hits], tokens)))
                task = Task("answer", question.question, read)
                scored = extract.score(task, embedder, reranker)
                text = backend._join(extract.choose(task, scored), 1024)
                citations = cite(text, read, corpus.document).citations
                spans = evidence_places(question.evidence or (), documents)
                quoted = any(
                    document == citation.document_id and start < citation.end and citation.start < end
                    for document, start, end in spans
                    for citation in citations
                )
                yield Case(
                    question.dataset,
                    in_fit(question),
                    not question.unanswerable,
                    {
                        "reader": scored.features,
                        "dense": extract.score(task, embedder, None).features,
                        "lexical": extract.score(task, None, None).features,
                    },
                    quoted if spans and not question.unanswerable else None,
                )


def matrix(listed: list[Case], judgement: str, names: list[str]) -> np.ndarray:
    return np.array([[case.features[judgement][name] for name in names] for case in listed])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        embedder, reranker = load_embedder(), MiniLMReranker()
        listed = [
            case
            for folder in options.folders
            for case in cases(folder, embedder, reranker, options.tokens, options.index or Path(scratch))
            if case.features["dense"]
        ]
    value: dict[str, object] = {
        "date": datetime.date.today().isoformat(),
        "fitted_on": sorted({case.dataset for case in listed}),
        "questions": sum(case.fitted for case in listed),
    }
    reports = {}
    for judgement in JUDGEMENTS:
        value[judgement], reports[judgement] = fit_judgement(listed, judgement)
    if (reports["reader"]["all"]["auroc"] or 0) <= (reports["dense"]["all"]["auroc"] or 0):
        del value["reader"]  # only where it helps on the half that it was not fitted on
    if options.write:
        WEIGHTS.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    if options.json:
        print(json.dumps(reports, indent=2))
        return
    for judgement, report in reports.items():
        print(f"{judgement:16} {'n':>4} {'AUROC':>6} {'refused':>8} {'answered':>9} {'evidence quoted':>16}")
        for name, row in report.items():
            cells = [row["auroc"], row["refused"], row["answered"], row["evidence_quoted"]]
            shown = ["     –" if cell is None else f"{cell:6.2f}" for cell in cells]
            print(f"{name:16} {row['n']:>4} {shown[0]} {shown[1]:>8} {shown[2]:>9} {shown[3]:>16}")


def fit_judgement(listed: list[Case], judgement: str) -> tuple[dict[str, object], dict[str, dict[str, float | None]]]:
    """The weights fitted on one half, and how they do on the other."""
    names = sorted(name for name in SIGNS if not re.fullmatch(JUDGEMENTS[judgement], name))
    fit = [case for case in listed if case.fitted]
    rest = [case for case in listed if not case.fitted]
    labels = np.array([case.answerable for case in fit])
    scale = matrix(fit, judgement, names).std(axis=0) + 1e-9
    # Every dataset weighs the same, and within it answerable and unanswerable questions do: no dataset decides alone.
    counts: dict[tuple[str, bool], int] = {}
    for case in fit:
        counts[case.dataset, case.answerable] = counts.get((case.dataset, case.answerable), 0) + 1
    weight = np.array([1 / counts[case.dataset, case.answerable] for case in fit])
    x = matrix(fit, judgement, names) / scale
    bias, weights = logistic(x, labels, weight / weight.sum(), [SIGNS[name] for name in names])
    tried = matrix(rest, judgement, names) / scale
    threshold = best_threshold(1 / (1 + np.exp(-(bias + x @ weights))), labels)
    report = evaluate(rest, 1 / (1 + np.exp(-(bias + tried @ weights))), threshold)
    value = {
        "held_out": report,
        "threshold": round(float(threshold), 4),
        "bias": round(bias, 4),
        "weights": {name: round(float(w / s), 4) for name, w, s in zip(names, weights, scale, strict=True)},
    }
    return value, report


def logistic(x: np.ndarray, labels: np.ndarray, weight: np.ndarray, signs: list[int]) -> tuple[float, np.ndarray]:
    """Logistic regression whose weights keep their signs, so that no dataset can turn one round."""
    side = np.where(labels, 1.0, -1.0)

    def loss(parameters: np.ndarray) -> float:
        margins = side * (parameters[0] + x @ parameters[1:])
        return float(weight @ np.logaddexp(0, -margins) + RIDGE * parameters[1:] @ parameters[1:])

    bounds = [(None, None), *((0, None) if sign > 0 else (None, 0) for sign in signs)]
    solution = minimize(loss, np.zeros(x.shape[1] + 1), method="L-BFGS-B", bounds=bounds).x
    return float(solution[0]), solution[1:]


def best_threshold(p: np.ndarray, labels: np.ndarray) -> float:
    """The highest balanced accuracy among thresholds at which enough of the answerable are answered."""
    allowed = [t for t in np.unique(p) if (p[labels] >= t).mean() >= ANSWERED]
    return max(allowed, key=lambda t: (p[labels] >= t).mean() + (p[~labels] < t).mean())


def evaluate(rest: list[Case], p: np.ndarray, threshold: float) -> dict[str, dict[str, float | None]]:
    report: dict[str, dict[str, float | None]] = {}
    for name in [*sorted({case.dataset for case in rest}), "all"]:
        of = np.array([name in (case.dataset, "all") for case in rest])
        labels = np.array([case.answerable for case in rest])[of]
        scores = p[of]
        quoted = [
            case.quoted_evidence and score >= threshold
            for case, score, included in zip(rest, p, of, strict=True)
            if included and case.quoted_evidence is not None
        ]
        report[name] = {
            "n": int(of.sum()),
            "auroc": round(float(roc_auc_score(labels, scores)), 3) if 0 < labels.mean() < 1 else None,
            "refused": round(float((scores[~labels] < threshold).mean()), 3) if (~labels).any() else None,
            "answered": round(float((scores[labels] >= threshold).mean()), 3) if labels.any() else None,
            "evidence_quoted": round(float(np.mean(quoted)), 3) if quoted else None,
        }
    return report


if __name__ == "__main__":
    main()
