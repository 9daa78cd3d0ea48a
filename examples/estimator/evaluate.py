"""How good are the estimates on what the fit has not seen? Against gold evidence, and next to simple rules.

    python examples/estimator/evaluate.py DIR... [--leave-one-source-out] [--json] [--index FOLDER] [--plot PNG]
        [--ablation] [--learning-curve]

Each DIR is a dataset as lcrag.comparison.dataset reads it. Without --leave-one-source-out, five folds by documents:
the fit sees every source but not the question's documents. fit.py's code fits everything again for each fold.
Baselines: the share covered in the fit (constant); that and the question's length (question_length); the question's
words (tfidf_logistic).
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from fit import Row, fit, rows, source_weights
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from lcrag.planning.estimate import coverage, diffusion, linear

KS = (1000, 2000, 4000, 8000, 16000)
BASELINES = ("constant", "question_length", "tfidf_logistic")
GROUPS = {
    "shares": ("tokens_", "odds_", "entropy_"),
    "drops": ("lexical_drop", "dense_drop", "fused_drop"),
    "levels": ("lexical_best", "lexical_share", "dense_best", "covered", "agreement", "first", "alike"),
    "question": ("cue_", "asks_", "broad", "words", "terms", "names", "share_names", "sentences", "idf_", "digits"),
    "corpus": ("tokens", "documents"),
}
Folds = Sequence[tuple[list[int], list[int]]]


@dataclass
class Predicted:
    """For rows with gold: coverages by k, D and log scope, and the baselines' coverages; answerable for all."""

    rows: list[Row]
    covered: dict[int, np.ndarray]
    diffusion: np.ndarray
    scope: np.ndarray
    answerable: np.ndarray
    baselines: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)


def by_sources(sample: Sequence[Row]) -> Folds:
    names = sorted({row.dataset for row in sample})
    return [
        (
            [place for place, row in enumerate(sample) if row.dataset != name],
            [place for place, row in enumerate(sample) if row.dataset == name],
        )
        for name in names
    ]


def by_documents(sample: Sequence[Row], folds: int = 5) -> Folds:
    """Whole sets of documents go to one fold; those of each source are spread over the folds."""
    fold: dict[str, int] = {}
    for name in sorted({row.dataset for row in sample}):
        groups = sorted({row.group for row in sample if row.dataset == name})
        random.Random(name).shuffle(groups)
        fold |= {group: place % folds for place, group in enumerate(groups)}
    return [
        (
            [place for place, row in enumerate(sample) if fold[row.group] != number],
            [place for place, row in enumerate(sample) if fold[row.group] == number],
        )
        for number in range(folds)
    ]


def predictions(
    sample: Sequence[Row], folds: Folds, left_out: Sequence[str] = (), *, simple: bool = False
) -> Predicted:
    size = len(sample)
    predicted = Predicted(list(sample), {k: np.zeros(size) for k in KS}, np.zeros(size), np.zeros(size), np.zeros(size))
    if simple:
        predicted.baselines = {name: {k: np.zeros(size) for k in KS} for name in BASELINES}
    for training, held_out in folds:
        if not held_out:
            continue
        fitted = [sample[place] for place in training]
        weights = fit(fitted, left_out)
        reading = weights["reading"]
        for place in held_out:
            row = sample[place]
            predicted.answerable[place] = linear(weights["answerable"], row.features)
            predicted.scope[place] = linear(weights["scope"], row.features)
            if row.gold:
                ease = linear(reading, row.features)
                shape = (ease, reading["knots"], reading["rise"], row.gold.size)
                predicted.diffusion[place] = diffusion(*shape)
                for k in KS:
                    predicted.covered[k][place] = coverage(k, *shape)
        if simple:
            for name, k, values in simple_rules(
                [row for row in fitted if row.gold], [sample[place] for place in held_out]
            ):
                predicted.baselines[name][k][held_out] = values
    return predicted


def simple_rules(fitted: Sequence[Row], held_out: Sequence[Row]) -> Iterator[tuple[str, int, np.ndarray]]:
    texts, questions = [row.question for row in fitted], [row.question for row in held_out]
    weight = source_weights(fitted)
    length = FunctionTransformer(lambda listed: np.array([[np.log1p(len(text.split()))] for text in listed]))
    for k in KS:
        y = np.array([row.gold is not None and row.gold.covered(k) for row in fitted])
        yield "constant", k, np.full(len(held_out), np.average(y, weights=weight))
        for name, first in (("question_length", length), ("tfidf_logistic", TfidfVectorizer(sublinear_tf=True))):
            if y.all():
                yield name, k, np.ones(len(held_out))
                continue
            model = make_pipeline(first, LogisticRegression(max_iter=2000))
            model.fit(texts, y, logisticregression__sample_weight=weight)
            yield name, k, model.predict_proba(questions)[:, 1]


def judged(predicted: Predicted) -> dict[str, Any]:
    """All figures: overall, by source, and of the baselines; None where a figure is not defined."""
    names = sorted({row.dataset for row in predicted.rows})
    overall = figures(predicted, np.ones(len(predicted.rows), dtype=bool))
    by_source = {name: figures(predicted, np.array([row.dataset == name for row in predicted.rows])) for name in names}
    within = [
        [own["auroc"][str(k)] for own in by_source.values() if own["n"] and own["auroc"][str(k)] is not None]
        for k in KS
    ]
    overall["auroc_within"] = {str(k): rounded(np.mean(w)) if w else None for k, w in zip(KS, within, strict=True)}
    result = {"overall": overall, "by_source": by_source}
    if predicted.baselines:
        result["baselines"] = {
            name: {
                "overall": of_coverage(predicted, covered, np.ones(len(predicted.rows), dtype=bool)),
                "by_source": {
                    source: of_coverage(predicted, covered, np.array([row.dataset == source for row in predicted.rows]))
                    for source in names
                },
            }
            for name, covered in predicted.baselines.items()
        }
        for source, own in by_source.items():
            constant = result["baselines"]["constant"]["by_source"][source]["brier"]
            if own["n"]:
                own["brier_above_constant"] = {k: rounded(own["brier"][k] - constant[k]) for k in constant}
        above = [own["brier_above_constant"] for own in by_source.values() if own["n"]]
        overall["brier_above_constant"] = {str(k): max(source[str(k)] for source in above) for k in KS}
    return result


def figures(predicted: Predicted, chosen: np.ndarray) -> dict[str, Any]:
    known = [place for place in np.flatnonzero(chosen) if predicted.rows[place].gold]
    golds = [gold for place in known if (gold := predicted.rows[place].gold)]
    scopes = np.log([gold.scope for gold in golds]) if golds else np.zeros(0)
    absent = np.array([row.unanswerable for row in predicted.rows])[chosen]
    return {
        **of_coverage(predicted, predicted.covered, chosen),
        "recall": {str(k): rounded(np.mean([gold.covered(k) for gold in golds])) if golds else None for k in KS},
        "spearman_diffusion": rank_correlation(predicted.diffusion[known], [gold.diffusion for gold in golds]),
        "spearman_scope": rank_correlation(predicted.scope[known], scopes),
        "median_log_scope_error": rounded(np.median(abs(predicted.scope[known] - scopes))) if known else None,
        "scope_auroc_300": auroc(np.array([gold.scope > 300 for gold in golds]), predicted.scope[known]),
        "unanswerable_auroc": auroc(absent, -predicted.answerable[chosen]),
    }


def of_coverage(predicted: Predicted, covered: dict[int, np.ndarray], chosen: np.ndarray) -> dict[str, Any]:
    known = [place for place in np.flatnonzero(chosen) if predicted.rows[place].gold]
    values: dict[str, Any] = {"n": len(known), "auroc": {}, "brier": {}, "ece": {}}
    for k in KS:
        y = np.array([gold.covered(k) for place in known if (gold := predicted.rows[place].gold)], dtype=float)
        p = covered[k][known]
        values["auroc"][str(k)] = auroc(y, p)
        values["brier"][str(k)] = rounded(np.mean((p - y) ** 2)) if known else None
        values["ece"][str(k)] = rounded(calibration_error(p, y)) if known else None
    return values


def calibration_error(p: np.ndarray, y: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over ``bins`` of equal width."""
    place = np.minimum(bins - 1, (p * bins).astype(int))
    groups = [place == number for number in range(bins) if (place == number).any()]
    return float(sum(abs(p[group].mean() - y[group].mean()) * group.mean() for group in groups))


def auroc(y: np.ndarray, p: np.ndarray) -> float | None:
    return rounded(roc_auc_score(y, p)) if len(y) and 0 < np.mean(y) < 1 else None


def rank_correlation(estimated: np.ndarray, gold: Sequence[float] | np.ndarray) -> float | None:
    if len(estimated) < 3 or np.ptp(estimated) == 0 or np.ptp(gold) == 0:
        return None
    return rounded(spearmanr(estimated, gold).statistic)


def rounded(value: Any) -> float:
    return round(float(value), 3)


COLUMNS = ("auroc", "brier", "const", "ece", "recall", "D", "S", "|ln S|", "S>300", "absent")


def line(name: str, values: dict[str, Any], constant: dict[str, Any] | None = None) -> str:
    def cell(value: float | None) -> str:
        return "     –" if value is None else f"{value:6.3f}"

    at = [
        values["auroc"]["4000"],
        values["brier"]["4000"],
        constant and constant["brier"]["4000"],
        values["ece"]["4000"],
    ]
    rest = [values.get("recall", {}).get("4000")]
    rest += [values.get(key) for key in ("spearman_diffusion", "spearman_scope", "median_log_scope_error")]
    rest += [values.get(key) for key in ("scope_auroc_300", "unanswerable_auroc")]
    return f"{name:20} {values['n']:5}  " + "  ".join(map(cell, at + rest))


def report(result: dict[str, Any]) -> Iterator[str]:
    constant = result["baselines"]["constant"]
    yield f"{'coverage(4000)':20} {'n':>5}  " + "  ".join(f"{name:>6}" for name in COLUMNS)
    for name, values in result["by_source"].items():
        yield line(name, values, constant["by_source"][name])
    yield line("all", result["overall"], constant["overall"])
    for name, values in result["baselines"].items():
        yield line(name, values["overall"])
    above = result["overall"]["brier_above_constant"]["4000"]
    yield f"brier above the constant's, in the source where it is most: {above}"
    yield f"within one source, mean: {result['overall']['auroc_within']['4000']}"
    for key in ("auroc", "brier", "ece", "recall"):
        yield f"{key:8} at 1k 2k 4k 8k 16k: " + " ".join(str(result["overall"][key][str(k)]) for k in KS)


def plot(predicted: Predicted, path: Path) -> None:
    """Reliability: of the questions with an estimate of about p, how many had their evidence within k tokens?"""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 6), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    known = [place for place, row in enumerate(predicted.rows) if row.gold]
    for k in KS:
        p = predicted.covered[k][known]
        y = np.array([gold.covered(k) for row in predicted.rows if (gold := row.gold)])
        groups = np.array_split(np.argsort(p), 10)
        axes.plot([p[g].mean() for g in groups], [y[g].mean() for g in groups], marker="o", label=f"{k:,} tokens")
    axes.set(xlabel="coverage(k), estimated", ylabel="share with all evidence in the first k tokens")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), title="Reliability, tenths of the questions by estimate")
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=120)


def ablation(sample: Sequence[Row], folds: Folds) -> Iterator[str]:
    for name, prefixes in {"nothing": (), **GROUPS}.items():
        names = [feature for feature in sample[0].features if feature in prefixes or feature.startswith(prefixes)]
        if name == "corpus":
            names = ["tokens", "documents"]
        yield line(f"without {name}", judged(predictions(sample, folds, names))["overall"])


def learning_curve(sample: Sequence[Row]) -> Iterator[str]:
    """Each source predicted from m of the others, drawn three times; the mean for each m."""
    sources = sorted({row.dataset for row in sample if row.gold})
    known = [row for row in sample if row.gold]
    for m in range(2, len(sources), 2):
        drawn = []
        for seed in range(3):
            folds = []
            for name in sources:
                r = random.Random(f"{name} {m} {seed}")
                others = r.sample([one for one in sources if one != name], m)
                folds.append(
                    (
                        [place for place, row in enumerate(known) if row.dataset in others],
                        [place for place, row in enumerate(known) if row.dataset == name],
                    )
                )
            drawn.append(judged(predictions(known, folds))["overall"])
        keys = ("auroc", "brier")
        values = [np.mean([one[key]["4000"] for one in drawn]) for key in keys]
        values += [np.mean([one[key] for one in drawn]) for key in ("spearman_diffusion", "spearman_scope")]
        values.append(np.mean([one["auroc_within"]["4000"] for one in drawn]))
        yield f"{m:2} sources  auroc {values[0]:.3f}  brier {values[1]:.3f}  D {values[2]:.3f}  S {values[3]:.3f}" + (
            f"  within {values[4]:.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--leave-one-source-out", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="write a reliability plot")
    parser.add_argument("--ablation", action="store_true", help="without each group of features in turn")
    parser.add_argument("--learning-curve", action="store_true", help="sources not seen, by the number of those seen")
    options = parser.parse_args()
    sample = rows(options.folders, options.index)
    folds = by_sources(sample) if options.leave_one_source_out else by_documents(sample)
    predicted = predictions(sample, folds, simple=True)
    result = judged(predicted)
    if options.plot:
        plot(predicted, options.plot)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    print("\n".join(report(result)))
    if options.ablation:
        print("\n".join(ablation(sample, folds)))
    if options.learning_curve:
        print("\n".join(learning_curve(sample)))


if __name__ == "__main__":
    main()
