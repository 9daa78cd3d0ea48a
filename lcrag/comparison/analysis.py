"""What the answers of all routes to the same questions say: ``lcrag.compare/1``, made from stored results alone.

Pure, and the same for the same seed: seconds are those that were measured when the answers came. Questions that some
route has no answer to, for a fault of the backend, are left out of everything, so that all routes are compared on the
same ones. With no gold at all, the backend's own verdict takes the place of a score, and is named so.

    random         a route drawn at random for each question: the mean over the constant routes, exactly
    oracle         for each question the cheapest of the constant routes that score best on it
    constant_best  the constant route with the best accuracy, chosen in hindsight on these same questions
    regret         what the router loses to the oracle, and to the best constant route
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from lcrag.comparison import significance as statistics
from lcrag.comparison.breakdown import agreement, breakdown, grid, reliability
from lcrag.comparison.dataset import Question
from lcrag.comparison.results import Key
from lcrag.comparison.scoring import ABSTAINED, METRICS, Score, score
from lcrag.schemas import COMPARE as SCHEMA

if TYPE_CHECKING:
    from lcrag.comparison.significance import Scores

ROUTER: Final = "router"
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
DIGITS: Final = 6

Row = Mapping[str, Any]


def analyse(
    questions: Sequence[Question],
    rows: Mapping[Key, Row],
    routes: Sequence[str],
    *,
    seed: int,
    header: Mapping[str, Any],
) -> dict[str, Any]:
    """``lcrag.compare/1`` of these questions and constant ``routes``, and of the router.

    A route that could be taken for no question (``left_out``) is not compared. ``header``: what the results were made
    with. Questions without a gold answer are among the items, but not scored unless there is no gold at all.
    """
    names = [*routes, ROUTER]
    complete = [
        question
        for question in questions
        if all((row := rows.get((question.id, name))) is not None and not row["error"] for name in names)
    ]
    failed = [question.id for question in questions if question not in complete]
    left_out = [
        name
        for name in routes
        if complete and all(rows[question.id, name]["status"] == "refused_by_budget" for question in complete)
    ]
    names = [name for name in names if name not in left_out]
    items = [_item(question, {name: rows[question.id, name] for name in names}) for question in complete]
    judged = all(item["metric"] is None for item in items)
    for item in items:
        _settle(item, judged)
    scored = [item for item in items if item["metric"] is not None]
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "questions": len(scored),
        "scoring": _scoring(scored, judged),
        "made_with": {
            **{key: header[key] for key in header if key != "schema"},
            "at_once": max((row["at_once"] for row in rows.values()), default=1),
            "statistics_seed": seed,
        },
        "left_out": left_out,
        "failed": failed,
        "unscored": len(items) - len(scored),
    }
    value |= _compared(names, scored, seed)
    value["agreement"] = agreement(names, items)
    value["items"] = items
    return {key: rounded(part) for key, part in value.items()}


def _compared(names: Sequence[str], items: Sequence[dict[str, Any]], seed: int) -> dict[str, Any]:
    import numpy as np

    constants = names[:-1]
    shape = (len(items), len(names))
    scores = np.array([[item["routes"][name]["score"] for name in names] for item in items], dtype=float).reshape(shape)
    made = {name: _route(name, items, scores[:, at], seed) for at, name in enumerate(names)}
    for cost, key in (("input_tokens", "pareto"), ("seconds", "pareto_seconds")):
        front = statistics.pareto([(made[name][cost], made[name]["accuracy"]) for name in names])
        for name, on in zip(names, front, strict=True):
            made[name][key] = on
    chosen = _oracle(items, constants)
    oracle = np.array([item["routes"][name]["score"] for item, name in zip(items, chosen, strict=True)], dtype=float)
    best = max(constants, key=lambda name: (made[name]["accuracy"], -made[name]["input_tokens"]))
    return {
        "routes": [made[name] for name in constants],
        "router": made[ROUTER],
        "random": _mean(items, constants, scores[:, :-1].mean(axis=1), seed),
        "oracle": _of([item["routes"][name] for item, name in zip(items, chosen, strict=True)], "oracle", oracle, seed),
        "constant_best": made[best],
        "regret": {
            "oracle": _difference(oracle - scores[:, -1], seed),
            "constant_best": _difference(scores[:, constants.index(best)] - scores[:, -1], seed),
        },
        "pairs": [asdict(pair) for pair in statistics.pairs(names, scores, seed)],
        "breakdown": breakdown(names, items),
        "grid": grid(names, items),
        "reliability": reliability(constants, items),
    }


def _item(question: Question, rows: Mapping[str, Row]) -> dict[str, Any]:
    """A question with all its answers; scores still to be settled."""
    given = {name: score(question, row["answer"], row["short"], row["status"]) for name, row in rows.items()}
    metric = next((one.metric for one in given.values() if one), None)
    planned = next((row for row in rows.values() if row["estimate"]), None)
    estimate = planned["estimate"] if planned else {"diffusion": None, "scope_tokens": None}
    return {
        "id": question.id,
        "question": question.question,
        "dataset": question.dataset,
        "task_type": question.task_type,
        "metric": metric,
        "answers": list(question.answers),
        "unanswerable": question.unanswerable,
        "documents": next(iter(rows.values()))["corpus"]["documents"],
        "tokens": next(iter(rows.values()))["corpus"]["tokens"],
        **estimate,
        "routes": {name: _said(row, given[name]) for name, row in rows.items()},
    }


def _said(row: Row, given: Score | None) -> dict[str, Any]:
    quality = row["forecast"]["quality"] if row["forecast"] else None
    return {
        "status": row["status"],
        "answer": row["answer"],
        "short": row["short"],
        "score": given.value if given else None,
        "exact": given.exact if given else None,
        "f1": given.f1 if given else None,
        "rouge_l": given.rouge_l if given else None,
        "evidence": row["evidence"],
        "verdict": row["verdict"],
        "predicted": quality,
        "pipeline": row["pipeline"],
        "options": row["options"],
        "steps": row["steps"],
        "same_as": row["same_as"],
        "input_tokens": row["usage"]["input_tokens"],
        "cached_tokens": row["usage"]["cached_tokens"],
        "output_tokens": row["usage"]["output_tokens"],
        "calls": row["usage"]["calls"],
        "seconds": row["usage"]["seconds"],
        "read": row["read"],
        "citations": [
            {key: citation[key] for key in ("marker", "source", "start", "end", "line", "page", "quote", "around")}
            for citation in row["citations"]
        ],
    }


def _settle(item: dict[str, Any], judged: bool) -> None:
    """Without any gold the verdict is the score: 1 where the backend said yes of its own answer's passages."""
    if judged:
        item["metric"] = "judge"
        for said in item["routes"].values():
            said["score"] = float(said["verdict"] == "yes")


def _scoring(items: Sequence[Mapping[str, Any]], judged: bool) -> dict[str, Any]:
    if judged:
        text = "the backend's own verdict: do the passages that an answer cites suffice to answer the question?"
        return {"judged": True, "metrics": [{"metric": "judge", "meaning": text, "n": len(items)}]}
    counts = {metric: sum(item["metric"] == metric for item in items) for metric in METRICS}
    listed = [{"metric": metric, "meaning": METRICS[metric], "n": n} for metric, n in counts.items() if n]
    return {"judged": False, "metrics": listed}


def _route(name: str, items: Sequence[Mapping[str, Any]], scores: Scores, seed: int) -> dict[str, Any]:
    said = [item["routes"][name] for item in items]
    row = _of(said, name, scores, seed)
    answerable = [one for one, item in zip(said, items, strict=True) if not item["unanswerable"]]
    absent = [one for one, item in zip(said, items, strict=True) if item["unanswerable"]]
    predicted = [(one["predicted"], one["score"]) for one in said if one["predicted"] is not None]
    row |= {
        "exact": _share([one["exact"] for one in said]),
        "f1": _share([one["f1"] for one in said]),
        "rouge_l": _share([one["rouge_l"] for one in said]),
        "answer_words": _share([len(one["answer"].split()) for one in said if one["answer"]]),
        "false_found": _share([one["status"] not in (*ABSTAINED, "refused_by_budget") for one in absent]),
        "false_refused": _share([one["status"] in ABSTAINED for one in answerable]),
        "refused": _share([one["status"] == "refused_by_budget" for one in said]),
        "evidence_read": _share([one["evidence"]["read"] for one in answerable if one["evidence"]]),
        "citation_recall": _share([one["evidence"]["recall"] for one in answerable if one["evidence"]]),
        "citation_precision": _share([one["evidence"]["precision"] for one in answerable if one["evidence"]]),
        "predicted": _share([quality for quality, _ in predicted]),
        "brier": _share([(quality - value) ** 2 for quality, value in predicted]),
        "same_as": _counts([one["same_as"] for one in said]),
        "took": _counts([one["pipeline"] for one in said]),
    }
    return row


def _of(said: Sequence[Mapping[str, Any]], name: str, scores: Scores, seed: int) -> dict[str, Any]:
    """What every row of the table has: the accuracy of these answers, and what they cost."""
    import numpy as np

    seconds = np.array([one["seconds"] for one in said])
    tokens = sum(one["input_tokens"] + one["output_tokens"] for one in said)
    right = float(scores.sum())
    return {
        "pipeline": name,
        "n": len(said),
        "accuracy": float(scores.mean()),
        "ci95": list(statistics.interval(scores, seed)),
        "input_tokens": _share([one["input_tokens"] for one in said]),
        "cached_tokens": _share([one["cached_tokens"] for one in said]),
        "output_tokens": _share([one["output_tokens"] for one in said]),
        "calls": _share([one["calls"] for one in said]),
        "seconds": float(seconds.mean()),
        "seconds_quantiles": [float(value) for value in np.quantile(seconds, QUANTILES)],
        "not_found": _share([one["status"] in ABSTAINED for one in said]),
        "tokens_per_correct": tokens / right if right else None,
        "seconds_per_correct": float(seconds.sum()) / right if right else None,
    }


def _mean(items: Sequence[Mapping[str, Any]], constants: Sequence[str], scores: Scores, seed: int) -> dict[str, Any]:
    """The row of a route drawn at random: every answer of every constant route counts the same."""
    said = [item["routes"][name] for item in items for name in constants]
    right = float(scores.sum()) * len(constants)
    row = _of(said, "random", scores, seed) | {"n": len(items)}
    tokens = sum(one["input_tokens"] + one["output_tokens"] for one in said)
    return row | {
        "tokens_per_correct": tokens / right if right else None,
        "seconds_per_correct": sum(one["seconds"] for one in said) / right if right else None,
    }


def _oracle(items: Sequence[Mapping[str, Any]], constants: Sequence[str]) -> list[str]:
    """For each question the cheapest of the routes that score best."""

    def rank(item: Mapping[str, Any], name: str) -> tuple[float, float]:
        said = item["routes"][name]
        return said["score"], -said["input_tokens"]

    return [max(constants, key=lambda name, item=item: rank(item, name)) for item in items]  # type: ignore[misc]


def _difference(values: Scores, seed: int) -> dict[str, Any]:
    return {"difference": float(values.mean()), "ci95": list(statistics.bootstrap(values, seed))}


def _share(values: Sequence[float | None]) -> float | None:
    """The mean of those that are there, None without any."""
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None


def _counts(values: Sequence[str | None]) -> dict[str, int]:
    found = [value for value in values if value is not None]
    return {value: found.count(value) for value in sorted(set(found))}


def rounded(value: Any) -> Any:
    """The same with every fraction to DIGITS places: what a reader can use, and the same on every machine."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(inner) for inner in value]
    return value
