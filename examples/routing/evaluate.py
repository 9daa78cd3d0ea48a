"""The router without a model: every route asked, half of the documents to fit a Profile, the other half to judge it.

    python examples/routing/evaluate.py DIR... [--limit 20] [--outcomes FILE] [--index FOLDER] [--json]

Each DIR is a dataset as lcrag.comparison.dataset reads it. A question is right when the answer holds one of the right
answers or cites its evidence; one without an answer when nothing is found. On the documents of one half a Profile is
fitted: use is what share of the answers were right of those whose evidence was likely read. On the other half, and then
the other way round, the router chooses with it. It is compared with every constant route, a random one, a choice by the
question's words (TF-IDF, ridge), and the oracle. ``--outcomes`` keeps the answers, which take most of the
time, in a file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import numpy as np
import numpy.typing as npt
from gold import by_documents
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from lcrag.calibrate.outcomes import falling_curve
from lcrag.comparison.dataset import Question, load
from lcrag.paths import key_of
from lcrag.planning.estimate import estimate
from lcrag.planning.forecast import forecast
from lcrag.planning.profile import builtin_profile
from lcrag.planning.router import choose
from lcrag.session import Session
from lcrag.types import Answer, CorpusSize, Curve, Estimate, Policy, Prefer, Profile, Settings
from pipelines import ChunkRag, FullContext, Pipeline, Run

ROUTES: tuple[Pipeline, ...] = (
    *(ChunkRag(tokens) for tokens in (500, 1000, 2000, 4000, 8000)),
    FullContext(),
)
NAMES = tuple(f"{route.name} {getattr(route, 'tokens', '')}".strip() for route in ROUTES)
PREFERS: tuple[Prefer, ...] = ("quality", "balanced", "speed")
BOOTSTRAP = 2000


def right(question: Question, answer: Answer, sources: dict[str, str]) -> bool:
    if question.unanswerable:
        return answer.status in ("not_found", "not_retrieved")
    text = " ".join(answer.text.lower().split())
    if any(" ".join(answered.lower().split()) in text for answered in question.answers if answered.strip()):
        return True
    return any(
        Path(sources[citation.document_id]) == span.doc and citation.start < span.end and span.start < citation.end
        for citation in answer.citations
        for span in question.evidence or ()
    )


def asked(folder: Path, limit: int, indexes: Path | None, done: set[str]) -> Iterator[dict[str, Any]]:
    """The outcome of every route for ``limit`` questions of each dataset, spread over its documents."""
    questions = load(folder)
    step = max(1, len(questions) // limit)
    sample = [
        question
        for question in questions[::step][:limit]
        if question.id not in done and (question.evidence or question.unanswerable) and not question.options
    ]
    for docs, group in by_documents(sample).items():
        key = key_of(docs)
        settings = Settings(tuple(map(str, docs)), index=indexes / key if indexes else None, backend="embedded")
        with Session.open(settings) as session:
            sources = {document: source for document, source, _ in session.corpus.documents()}
            for question in group:
                ranking = session.rank(question.question)
                estimated = estimate(ranking, reranker=session.reranker is not None)
                routes = []
                for route in ROUTES:
                    run = Run(question.question, session.corpus, ranking, session.backend, session.reranker)
                    answer = route.answer(run)
                    routes.append([right(question, answer, sources), answer.usage.input_tokens])
                yield {
                    "id": question.id,
                    "dataset": folder.name,
                    "docs": key,
                    "question": question.question,
                    "unanswerable": question.unanswerable,
                    "estimate": asdict(estimated),
                    "size": asdict(session.corpus.size),
                    "routes": routes,
                }


def fit(rows: Sequence[dict[str, Any]]) -> Profile:
    """Use where the evidence was likely read, and refusals where there is none, by the tokens read."""
    base = builtin_profile("embedded", "extractive", 4_000_000)
    use: dict[str, Curve] = {}
    absent: dict[str, Curve] = {}
    for surroundings, places in (("retrieved", range(len(ROUTES) - 1)), ("consecutive", [len(ROUTES) - 1])):
        points, nothing = [], []
        for place in places:
            read = [row["routes"][place][1] for row in rows]
            edges = [np.inf] if surroundings == "retrieved" else [*np.quantile(read, (0.25, 0.5, 0.75)), np.inf]
            low = 0.0
            for edge in edges:
                here = [row for row in rows if low <= row["routes"][place][1] < edge]
                low = edge
                there = [row for row in here if not row["unanswerable"]]
                if there:
                    tokens = int(np.median([row["routes"][place][1] for row in there]))
                    likely = sum(covered(row, tokens, surroundings) for row in there)
                    hits = sum(row["routes"][place][0] for row in there)
                    points.append((tokens, min(1.0, (hits + 1) / (likely + 2)), float(len(there))))
                gone = [row for row in here if row["unanswerable"]]
                if gone:
                    tokens = int(np.median([row["routes"][place][1] for row in gone]))
                    hits = sum(row["routes"][place][0] for row in gone)
                    nothing.append((tokens, (hits + 1) / (len(gone) + 2), float(len(gone))))
        use[surroundings] = falling_curve(distinct(points))
        absent[surroundings] = falling_curve(distinct(nothing)) if nothing else ()
    kinds = {"absent": {place: curve for place, curve in absent.items() if curve}}
    return replace(base, name="fitted on the other half", use=use, kinds=kinds, measured=True)


def distinct(points: Sequence[tuple[int, float, float]]) -> list[tuple[int, float, float]]:
    return list({tokens: (tokens, p, weight) for tokens, p, weight in points}.values())


def covered(row: dict[str, Any], tokens: int, surroundings: str) -> float:
    return estimate_of(row).covered(tokens) if surroundings == "retrieved" else 1.0


def estimate_of(row: dict[str, Any]) -> Estimate:
    stored = dict(row["estimate"])
    return Estimate(**{**stored, "coverage": tuple((k, p) for k, p in stored["coverage"])})


def routed(row: dict[str, Any], profile: Profile, prefer: Prefer) -> int:
    """The place of the router's choice among ROUTES."""
    forecasts = forecast(ROUTES, estimate_of(row), CorpusSize(**row["size"]), profile)
    return forecasts.index(choose(forecasts, Policy(prefer), profile.window))


def by_words(train: Sequence[dict[str, Any]], test: Sequence[dict[str, Any]]) -> list[int]:
    """The route that ridge over TF-IDF of the question expects most of, tokens priced as the router prices them."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    seen = words.fit_transform([row["question"] for row in train])
    gains = np.array([[right for right, _ in row["routes"]] for row in train], dtype=float)
    tokens = np.array([[tokens_read for _, tokens_read in row["routes"]] for row in train]).mean(axis=0)
    expected = Ridge(3.0).fit(seen, gains).predict(words.transform([row["question"] for row in test]))
    return [int(place) for place in (expected - 0.02 * np.log2(1 + tokens / 500)).argmax(axis=1)]


def table(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    rates = np.array([[float(one) for one, _ in row["routes"]] for row in rows])
    tokens = np.array([[float(read) for _, read in row["routes"]] for row in rows])
    half = np.array([int(row["docs"], 16) % 2 for row in rows])
    chosen: dict[str, npt.NDArray[np.intp]] = {name: np.full(len(rows), place) for place, name in enumerate(NAMES)}
    made = {f"router, {prefer}": np.zeros(len(rows), int) for prefer in PREFERS} | {"tf-idf": np.zeros(len(rows), int)}
    for side in (0, 1):
        train = [row for row, at in zip(rows, half, strict=True) if at != side]
        test = [place for place, at in enumerate(half) if at == side]
        profile = fit(train)
        for prefer in PREFERS:
            made[f"router, {prefer}"][test] = [routed(rows[place], profile, prefer) for place in test]
        made["tf-idf"][test] = by_words(train, [rows[place] for place in test])
    chosen |= made
    best = (rates - tokens / 1e9).argmax(axis=1)
    chosen["oracle"] = best
    each = np.arange(len(rows))
    constant = rates.mean(axis=0).argmax()
    result = [
        {
            "route": name,
            "rate": float(rates[each, places].mean()),
            "tokens": float(tokens[each, places].mean()),
            "difference": float((rates[each, places] - rates[:, constant]).mean()),
            "ci95": interval(rates[each, places] - rates[:, constant]),
        }
        for name, places in chosen.items()
    ]
    mean = {"route": "random", "rate": float(rates.mean()), "tokens": float(tokens.mean())}
    gap = rates.mean(axis=1) - rates[:, constant]
    result.append({**mean, "difference": float(gap.mean()), "ci95": interval(gap)})
    return sorted(result, key=lambda one: float(str(one["rate"])))


def interval(values: npt.NDArray[np.float64]) -> list[float]:
    r = np.random.default_rng(0)
    means = r.choice(values, (BOOTSTRAP, len(values))).mean(axis=1)
    return [float(edge) for edge in np.percentile(means, [2.5, 97.5])]


def main() -> None:
    parser = argparse.ArgumentParser(description="The router without a model: half to fit, half to judge.")
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--limit", type=int, default=20, help="questions of each dataset")
    parser.add_argument("--outcomes", type=Path, help="keep what was asked in this file")
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if args.outcomes and args.outcomes.exists():
        rows = [json.loads(line) for line in args.outcomes.read_text(encoding="utf-8").splitlines()]
    done = {row["id"] for row in rows}
    for folder in args.folders:
        for row in asked(folder, args.limit, args.index, done):
            rows.append(row)
            if args.outcomes:
                with args.outcomes.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
    if len({int(row["docs"], 16) % 2 for row in rows}) < 2:
        sys.exit("all documents are in one half: name more datasets, or raise --limit")
    routes = table(rows)
    if args.json:
        print(json.dumps({"questions": len(rows), "routes": routes}))
        return
    print(f"{len(rows)} questions\n{'route':22}{'rate':>7}{'tokens':>9}{'points over the best constant':>34}")
    for route in routes:
        low, high = (100 * edge for edge in route["ci95"])
        print(
            f"{route['route']:22}{route['rate']:>7.3f}{route['tokens']:>9,.0f}"
            f"{100 * route['difference']:>+14.1f}  [{low:+.1f}, {high:+.1f}]"
        )


if __name__ == "__main__":
    main()
