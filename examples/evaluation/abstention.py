"""Does the embedded backend know when the answer is not there? Fitted on half of the questions, tried on the rest.

    python examples/evaluation/abstention.py DIR... [--tokens 4000] [--index FOLDER] [--write] [--json]

Each DIR is a dataset as lcrag.dataset reads it. Halves are made by a hash of the question's id, so that they stay the
same. Printed on the half not used for the fit, per dataset: the area under the ROC curve, the share of unanswerable
questions refused and of answerable ones answered, and how often a quoted sentence holds gold evidence. ``--write`` puts
the weights into lcrag/backends/answerable.json.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from lcrag import ingest
from lcrag.backends import embedded
from lcrag.backends.embedded import EmbeddedBackend
from lcrag.cite import cite
from lcrag.corpus import Corpus
from lcrag.dataset import Question, load
from lcrag.embed import load_embedder
from lcrag.passages import passages, within
from lcrag.retrieve import retrieve
from lcrag.types import Event, Task

WEIGHTS = Path(embedded.__file__).with_name("answerable.json")
ANSWERED = 0.85
"""The share of answerable questions that must be answered: a refusal costs the user an answer that was there."""


@dataclass(frozen=True)
class Case:
    dataset: str
    fitted: bool
    answerable: bool
    features: dict[str, float]
    quoted_evidence: bool | None


def quiet(event: Event) -> None:
    """Progress is not shown."""


def in_fit(question: Question) -> bool:
    return hashlib.sha256(question.id.encode()).digest()[0] % 2 == 0


def cases(folder: Path, backend: EmbeddedBackend, tokens: int, indexes: Path) -> Iterator[Case]:
    by_docs: dict[tuple[Path, ...], list[Question]] = {}
    for question in load(folder):
        by_docs.setdefault(question.docs, []).append(question)
    for docs, asked in by_docs.items():
        key = hashlib.sha256("\0".join(map(str, docs)).encode()).hexdigest()[:16]
        with Corpus.open(indexes / key) as corpus:
            scan = ingest.discover(docs)
            corpus.refresh(scan, quiet)
            ids = {file.path.resolve(): ingest.read(file).id for file in scan.files}
            for question in asked:
                ranking = retrieve(corpus, question.question, embedder=backend._embedder)
                read = tuple(passages(within([hit.chunk for hit in ranking.hits], tokens)))
                task = Task("answer", question.question, read)
                reading = backend.read(task)
                text = backend._joined(embedded._chosen(task, reading), 1024)
                _, citations = cite(text, read, corpus.document)
                spans = [(ids[span.doc], span.start, span.end) for span in question.evidence or ()]
                held = any(
                    document == citation.document_id and start < citation.end and citation.start < end
                    for document, start, end in spans
                    for citation in citations
                )
                yield Case(
                    question.dataset,
                    in_fit(question),
                    not question.unanswerable,
                    reading.features,
                    held if spans and not question.unanswerable else None,
                )


def matrix(found: list[Case], names: list[str]) -> np.ndarray:
    return np.array([[case.features[name] for name in names] for case in found])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        backend = EmbeddedBackend(load_embedder())
        found = [
            case
            for folder in options.folders
            for case in cases(folder, backend, options.tokens, options.index or Path(scratch))
            if case.features
        ]
    names = sorted(found[0].features)
    fit = [case for case in found if case.fitted]
    rest = [case for case in found if not case.fitted]
    labels = np.array([case.answerable for case in fit])
    scale = matrix(fit, names).std(axis=0) + 1e-9
    # Every dataset weighs the same, and so do answerable and not within it: what one set is like decides nothing.
    counts: dict[tuple[str, bool], int] = {}
    for case in fit:
        counts[case.dataset, case.answerable] = counts.get((case.dataset, case.answerable), 0) + 1
    weight = np.array([1 / counts[case.dataset, case.answerable] for case in fit])
    model = LogisticRegression(C=0.3, max_iter=5000).fit(
        matrix(fit, names) / scale, labels, sample_weight=weight * len(fit) / weight.sum()
    )
    threshold = best_threshold(model.predict_proba(matrix(fit, names) / scale)[:, 1], labels)
    report = evaluate(rest, model.predict_proba(matrix(rest, names) / scale)[:, 1], threshold)
    if options.write:
        value = {
            "date": datetime.date.today().isoformat(),
            "fitted_on": sorted({case.dataset for case in fit}),
            "questions": len(fit),
            "held_out": report,
            "threshold": round(float(threshold), 4),
            "bias": round(float(model.intercept_[0]), 4),
            "weights": {name: round(float(w / s), 4) for name, w, s in zip(names, model.coef_[0], scale, strict=True)},
        }
        WEIGHTS.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    if options.json:
        print(json.dumps(report, indent=2))
        return
    print(f"{'dataset':16} {'n':>4} {'AUROC':>6} {'refused':>8} {'answered':>9} {'evidence quoted':>16}")
    for name, row in report.items():
        cells = [row["auroc"], row["refused"], row["answered"], row["evidence_quoted"]]
        shown = ["     –" if cell is None else f"{cell:6.2f}" for cell in cells]
        print(f"{name:16} {row['n']:>4} {shown[0]} {shown[1]:>8} {shown[2]:>9} {shown[3]:>16}")


def best_threshold(found: np.ndarray, labels: np.ndarray) -> float:
    """The highest balanced accuracy among thresholds at which enough of the answerable are answered."""
    tried = [t for t in np.unique(found) if (found[labels] >= t).mean() >= ANSWERED]
    return max(tried, key=lambda t: (found[labels] >= t).mean() + (found[~labels] < t).mean())


def evaluate(rest: list[Case], found: np.ndarray, threshold: float) -> dict[str, dict[str, float | None]]:
    report: dict[str, dict[str, float | None]] = {}
    for name in [*sorted({case.dataset for case in rest}), "all"]:
        of = np.array([name in (case.dataset, "all") for case in rest])
        labels = np.array([case.answerable for case in rest])[of]
        scores = found[of]
        quoted = [
            case.quoted_evidence and score >= threshold
            for case, score, mine in zip(rest, found, of, strict=True)
            if mine and case.quoted_evidence is not None
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
