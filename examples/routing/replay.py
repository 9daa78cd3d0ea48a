"""The router on what real models answered: full context or retrieval, chosen from the text alone.

    python examples/routing/replay.py FILE DOCS [--features FILE] [--repeats 5] [--json]

FILE has one question a line: ``id, question, doc`` (below DOCS), ``length``, ``task_type`` and, for each model, the
probability that its published answer is right under ``full_context`` and under ``chunk_rag``. Documents are dealt into
five folds; for each fold a Profile per model is fitted on the other four and chooses on the fifth. There it sees only
the text of a question: the features of its Estimate under lcrag's own ranking, and the kind of question that its words
suggest. The kinds are learned from ``task_type`` of the four folds; that of the fifth is never used.

A Profile holds each model's use curves in both surroundings (a point for each length) and, in ``shift``, what the
features add to P(correct) of consecutive text: a ridge regression of the difference between the routes, pooled over the
models, since a question that retrieval fails is failed for all of them. Its penalty and its weight are chosen within
the four folds. ``--features`` keeps the estimates, which take minutes to make, in a file.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold

from lcrag.planning.estimate import estimate
from lcrag.planning.profile import builtin_profile
from lcrag.planning.router import choose
from lcrag.planning.use import shifted, used
from lcrag.session import Session
from lcrag.types import Estimate, Forecast, Policy, Prefer, Profile, Settings, Surroundings

FOLDS = 5
ROUTES = ("full_context", "chunk_rag")
TOKENS = {"32k": 32_000, "128k": 128_000}
RAG_TOKENS = 3000
"""Five chunks of 600 tokens, as the benchmark's own retrieval took."""
SEEN = (
    *("entropy_8", "fused_drop_9", "lexical_drop_9", "dense_best", "terms", "tokens", "covered_5", "agreement_10"),
    *("idf_highest", "tokens_50_8"),
    *("diffusion", "answerable", "scope"),
)
KIND_WEIGHT = 6.0
"""A kind, on the scale of features with unit variance."""
PENALTIES, AMPLIFIED = (10.0, 30.0, 100.0), (1.0, 2.0)
"""The ridge shrinks; a sign is decided better by an estimate that is not shrunk. Both are chosen on the training folds.
"""
BOOTSTRAP = 2000

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Data:
    """``p[question, model, route]``; ``features`` of each question's Estimate, standardised."""

    rows: list[dict[str, Any]]
    models: list[str]
    p: Array
    names: list[str]
    features: Array
    length: npt.NDArray[np.str_]
    doc: npt.NDArray[np.str_]
    task: npt.NDArray[np.str_]


def load(file: Path, docs: Path, kept: Path | None) -> Data:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if kept is not None and kept.exists():
        known = json.loads(kept.read_text(encoding="utf-8"))
    else:
        known = dict(estimates(rows, docs))
        if kept is not None:
            kept.write_text(json.dumps(known), encoding="utf-8")
    models = sorted(rows[0]["models"])
    features = np.array([[known[row["id"]][name] for name in SEEN] for row in rows])
    features = (features - features.mean(0)) / np.maximum(1e-9, features.std(0))
    return Data(
        rows,
        models,
        np.array([[[row["models"][model][route] for route in ROUTES] for model in models] for row in rows]),
        list(SEEN),
        features,
        np.array([row["length"] for row in rows]),
        np.array([row["doc"] for row in rows]),
        np.array([row["task_type"] for row in rows]),
    )


def estimates(rows: list[dict[str, Any]], docs: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """The numbers of each question's Estimate, by lcrag's own index of its document."""
    for doc in sorted({row["doc"] for row in rows}):
        with Session.open(Settings((str(docs / doc),), dense="on")) as session:
            for row in (row for row in rows if row["doc"] == doc):
                estimated = estimate(session.rank(row["question"]))
                others = {"diffusion": estimated.diffusion, "answerable": estimated.answerable}
                yield row["id"], {**estimated.features, **others, "scope": math.log(1 + estimated.scope_tokens)}


def kinds(data: Data, train: npt.NDArray[np.intp], places: npt.NDArray[np.intp]) -> Array:
    """P(task) of the questions at ``places`` by their words and features, learned from those in ``train``."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    questions = [row["question"] for row in data.rows]

    def seen(where: npt.NDArray[np.intp], fit: bool) -> Any:
        texts = [questions[place] for place in where]
        counted = words.fit_transform(texts) if fit else words.transform(texts)
        return hstack([counted, csr_matrix(data.features[where] / 4)])

    model = LogisticRegression(C=2.0, max_iter=500).fit(seen(train, True), data.task[train])
    return np.asarray(model.predict_proba(seen(places, False)))


def kinds_for(data: Data, train: npt.NDArray[np.intp], test: npt.NDArray[np.intp]) -> Array:
    """P(task) of all questions of both: those in ``train`` by folds within it, so that both err alike."""
    p = np.zeros((len(data.rows), len(set(data.task[train]))))
    p[test] = kinds(data, train, test)
    for fit, rest in GroupKFold(FOLDS).split(train, groups=data.doc[train]):
        p[train[rest]] = kinds(data, train[fit], train[rest])
    return p


def inputs(data: Data, tasks: Array) -> Array:
    """What the shift is linear in: kinds and features, and both again for long texts alone."""
    both = np.hstack([KIND_WEIGHT * tasks, data.features / math.sqrt(len(SEEN))])
    long = (data.length == "128k")[:, None]
    return np.hstack([both, both * long])


def fit(data: Data, train: npt.NDArray[np.intp], seen: Array, penalty: float, times: float) -> dict[str, Profile]:
    """A Profile per model."""
    difference = data.p[:, :, 0] - data.p[:, :, 1]
    mean = {length: difference[train][data.length[train] == length].mean() for length in TOKENS}
    rest = difference[train].mean(axis=1) - np.array([mean[length] for length in data.length[train]])
    ridge = Ridge(penalty, fit_intercept=True).fit(seen[train], rest)
    shift = {f"x{number}": float(times * weight) for number, weight in enumerate(ridge.coef_)}
    shift["bias"] = float(times * ridge.intercept_)
    profiles = {}
    for number, model in enumerate(data.models):
        curves = {}
        for route, surroundings in enumerate(("consecutive", "retrieved")):
            curves[surroundings] = tuple(
                (tokens, float(data.p[train][data.length[train] == length][:, number, route].mean()))
                for length, tokens in TOKENS.items()
            )
        base = builtin_profile("server", model, 200_000)
        profiles[model] = Profile(
            f"replayed ({model})", "server", model, base.window, curves, base.cost, True, shift={"consecutive": shift}
        )
    return profiles


def routed(data: Data, profiles: dict[str, Profile], place: int, seen: Array, prefer: Prefer = "quality") -> list[bool]:
    """For each model, whether the router takes full context."""
    features = {f"x{number}": float(value) for number, value in enumerate(seen[place])}
    estimated = Estimate(0.5, 100, ((1000, 0.5),), 1.0, features)
    tokens = TOKENS[str(data.length[place])]
    chosen = []
    routes: tuple[tuple[str, Surroundings, int], ...] = (
        ("full_context", "consecutive", tokens),
        ("chunk_rag", "retrieved", RAG_TOKENS),
    )
    for model in data.models:
        profile = profiles[model]
        forecasts = [
            Forecast(
                route, {}, read, 64, 1, 0.0, used(profile, where, tokens) + shifted(profile, where, estimated), True
            )
            for route, where, read in routes
        ]
        chosen.append(choose(forecasts, Policy(prefer), profile.window).pipeline == "full_context")
    return chosen


def gain(data: Data, places: npt.NDArray[np.intp], full: npt.NDArray[np.bool_]) -> float:
    return float(np.where(full, data.p[places, :, 0], data.p[places, :, 1]).mean())


def choices(data: Data, fold: npt.NDArray[np.intp]) -> dict[str, npt.NDArray[np.bool_]]:
    """What each way to choose takes for each question and model, every fold chosen for by the others."""
    shape = data.p.shape[:2]
    names = ("router", "router, balanced", "tf-idf", "per task type", "better constant, learned")
    chosen = {name: np.zeros(shape, bool) for name in names}
    difference = data.p[:, :, 0] - data.p[:, :, 1]
    for number in range(FOLDS):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        seen = inputs(data, kinds_for(data, train, test))
        penalty, times = tuned(data, train, seen)
        profiles = fit(data, train, seen, penalty, times)
        for place in test:
            chosen["router"][place] = routed(data, profiles, int(place), seen)
            chosen["router, balanced"][place] = routed(data, profiles, int(place), seen, "balanced")
            alike = train[data.length[train] == data.length[place]]
            chosen["better constant, learned"][place] = difference[alike].mean(axis=0) > 0
            same = alike[data.task[alike] == data.task[place]]
            chosen["per task type"][place] = difference[same].mean(axis=0) > 0
        chosen["tf-idf"][test] = by_words(data, train, test)
    return chosen


def tuned(data: Data, train: npt.NDArray[np.intp], seen: Array) -> tuple[float, float]:
    """The penalty and the weight that choose best within the training documents."""
    scores = {}
    for penalty in PENALTIES:
        for times in AMPLIFIED:
            gains = []
            for fitted, rest in GroupKFold(FOLDS).split(train, groups=data.doc[train]):
                profiles = fit(data, train[fitted], seen, penalty, times)
                full = np.array([routed(data, profiles, int(place), seen) for place in train[rest]])
                gains.append(gain(data, train[rest], full))
            scores[penalty, times] = float(np.mean(gains))
    return max(scores, key=lambda pair: scores[pair])


def by_words(data: Data, train: npt.NDArray[np.intp], test: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """The contrast: ridge over TF-IDF of the question, and each model's mean difference at this length."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    texts = [row["question"] for row in data.rows]
    difference = data.p[:, :, 0] - data.p[:, :, 1]
    mean = {length: difference[train][data.length[train] == length].mean(axis=0) for length in TOKENS}
    rest = difference[train].mean(axis=1) - np.array([mean[length].mean() for length in data.length[train]])
    model = Ridge(10.0).fit(words.fit_transform([texts[place] for place in train]), rest)
    predicted = model.predict(words.transform([texts[place] for place in test]))
    return np.array([mean[length] + value > 0 for length, value in zip(data.length[test], predicted, strict=True)])


def table(data: Data, repeats: int) -> dict[str, Any]:
    """Mean p, share of full context, and the difference from the better constant with its 95% interval, by length."""
    docs = sorted(set(data.doc))
    runs = []
    for repeat in range(repeats):
        dealt = np.random.default_rng(repeat).permutation(len(docs)) % FOLDS
        runs.append(choices(data, np.array([dealt[docs.index(doc)] for doc in data.doc])))
    chosen = {name: np.mean([run[name] for run in runs], axis=0) for name in runs[0]}
    chosen["full_context"], chosen["chunk_rag"] = np.ones(data.p.shape[:2]), np.zeros(data.p.shape[:2])
    chosen["oracle"] = (data.p[:, :, 0] > data.p[:, :, 1]).astype(float)
    better = np.zeros(data.p.shape[:2])
    for length in TOKENS:
        here = data.length == length
        better[here] = data.p[here, :, 0].mean(axis=0) > data.p[here, :, 1].mean(axis=0)
    chosen["better constant per model"] = better
    result: dict[str, Any] = {"models": data.models, "repeats": repeats, "lengths": {}}
    for length in TOKENS:
        here = np.flatnonzero(data.length == length)
        p = {name: full * data.p[:, :, 0] + (1 - full) * data.p[:, :, 1] for name, full in chosen.items()}
        base = p["better constant per model"]
        result["lengths"][length] = {
            name: {
                "p": float(p[name][here].mean()),
                "full_context": float(chosen[name][here].mean()),
                "difference": float((p[name] - base)[here].mean()),
                "ci95": interval((p[name] - base)[here].mean(axis=1), data.doc[here]),
            }
            for name in sorted(chosen, key=lambda name: float(p[name][here].mean()))
        }
    return result


def interval(values: Array, groups: npt.NDArray[np.str_]) -> list[float]:
    """Of the mean, by drawing whole documents."""
    r = np.random.default_rng(0)
    members = [np.flatnonzero(groups == group) for group in sorted(set(groups))]
    means = [
        values[np.concatenate([members[pick] for pick in r.integers(len(members), size=len(members))])].mean()
        for _ in range(BOOTSTRAP)
    ]
    return [float(edge) for edge in np.percentile(means, [2.5, 97.5])]


def main() -> None:
    parser = argparse.ArgumentParser(description="The router on what real models answered.")
    parser.add_argument("file", type=Path)
    parser.add_argument("docs", type=Path)
    parser.add_argument("--features", type=Path, help="keep the questions' estimates in this file")
    parser.add_argument("--repeats", type=int, default=5, help="ways to deal the documents into folds")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = table(load(args.file, args.docs, args.features), args.repeats)
    if args.json:
        print(json.dumps(result))
        return
    for length, routes in result["lengths"].items():
        print(f"\n{length:28}{'mean p':>8}{'full':>7}{'points over the better constant':>34}")
        for name, figures in routes.items():
            low, high = (100 * edge for edge in figures["ci95"])
            difference = f"{100 * figures['difference']:+.1f}  [{low:+.1f}, {high:+.1f}]"
            print(f"{name:28}{figures['p']:>8.3f}{figures['full_context']:>7.0%}{difference:>34}")


if __name__ == "__main__":
    main()
