"""Compares the answers of all routes to the same questions: ``lcrag.compare/1``, computed from stored results alone.

Pure, and the same for the same seed: seconds are those measured when the answers came. A question that some route could
not answer because the backend failed is left out everywhere, so that all routes are compared on the same questions.
If no question has a gold answer, the backend's own verdict is the score, and reports show it as a verdict, never as
accuracy. ``enough_questions`` says whether the figures are worth showing at all.

    random         a route drawn at random for each question: exactly the mean over the constant routes
    oracle         for each question the cheapest of the constant routes that score best on it
    constant_best  the constant route with the best accuracy, chosen in hindsight on these same questions
    regret         what the router loses to the oracle, and to the best constant route
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from lcrag.comparison import significance
from lcrag.comparison.breakdown import agreement, breakdown, grid, reliability
from lcrag.comparison.dataset import Question
from lcrag.comparison.items import item_of, score_by_verdict, scoring
from lcrag.comparison.points import points_of
from lcrag.comparison.results import ROUTER, Key
from lcrag.comparison.scoring import ABSTAINED, REFUSED
from lcrag.errors import BackendFailed, OverBudget
from lcrag.schemas import COMPARE as SCHEMA

if TYPE_CHECKING:
    from lcrag.comparison.significance import Scores

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
DIGITS: Final = 6
"""Decimal places: more than a reader can use, few enough to be the same on every machine."""
ENOUGH: Final = 10
"""Questions with gold answers from which accuracies are shown. Of five routes and the router are 15 pairs; after Holm's
correction for them exact McNemar cannot be below 0.05 with fewer than 10 questions, whatever the answers are."""

Row = Mapping[str, Any]


def analyse(
    questions: Sequence[Question],
    rows: Mapping[Key, Row],
    routes: Sequence[str],
    *,
    seed: int,
    header: Mapping[str, Any],
) -> dict[str, Any]:
    """``lcrag.compare/1`` of these questions, the constant ``routes`` and the router.

    A route that the budgets refuse for every question (``left_out``) is not compared. ``header``: the settings that the
    results were made with. Questions without a gold answer are among the items, but are only scored if no question has
    one.

    Raises OverBudget if the budgets refuse every constant route for every question, and BackendFailed if no question
    was answered by all routes.
    """
    names = [*routes, ROUTER]
    complete = [question for question in questions if all(_is_answered(rows, question, name) for name in names)]
    if not complete:
        errors = [row["error"]["message"] for row in rows.values() if row["error"]]
        detail = f": {errors[0]}" if errors else ""
        raise BackendFailed(f"no question has an answer by every route{detail}", hint="lcrag doctor")
    answered = {question.id for question in complete}
    left_out = [name for name in routes if all(rows[question.id, name]["status"] == REFUSED for question in complete)]
    if len(left_out) == len(routes):
        reasons = "; ".join(f"{name}: {rows[complete[0].id, name]['reason']}" for name in left_out)
        raise OverBudget(
            f"the budgets refuse every route for every question; for the first one: {reasons}",
            hint="raise the limit, or leave it out",
        )
    names = [name for name in names if name not in left_out]
    items = [item_of(question, {name: rows[question.id, name] for name in names}) for question in complete]
    judged = all(item["metric"] is None for item in items)
    if judged:
        score_by_verdict(items)
    scored = [item for item in items if item["metric"] is not None]
    report = {
        "schema": SCHEMA,
        "questions": len(scored),
        "enough_questions": not judged and len(scored) >= ENOUGH,
        "scoring": scoring(scored, judged),
        "made_with": {
            **{key: header[key] for key in header if key != "schema"},
            "at_once": max(row["at_once"] for row in rows.values()),
            "statistics_seed": seed,
        },
        "left_out": left_out,
        "failed": [question.id for question in questions if question.id not in answered],
        "unscored": len(items) - len(scored),
        **_compare_routes(names, scored, seed),
        "agreement": agreement(names, items),
        "points": points_of(names, items),
        "items": items,
    }
    return {key: _round(part) for key, part in report.items()}


def _is_answered(rows: Mapping[Key, Row], question: Question, name: str) -> bool:
    row = rows.get((question.id, name))
    return row is not None and not row["error"]


def _compare_routes(names: Sequence[str], items: Sequence[dict[str, Any]], seed: int) -> dict[str, Any]:
    import numpy as np

    constants = names[:-1]
    scores = np.array([[item["routes"][name]["score"] for name in names] for item in items], dtype=float)
    table = {name: _route_row(name, items, scores[:, column], seed) for column, name in enumerate(names)}
    for name, share in zip(names, significance.best_in_resamples(scores, seed), strict=True):
        table[name]["best_in_resamples"] = float(share)
    for cost, key in (("input_tokens", "pareto"), ("seconds", "pareto_seconds")):
        front = significance.pareto([(table[name][cost], table[name]["accuracy"]) for name in names])
        for name, on_front in zip(names, front, strict=True):
            table[name][key] = on_front
    oracle_answers = [item["routes"][_oracle_route(item, constants)] for item in items]
    oracle_scores = np.array([answer["score"] for answer in oracle_answers], dtype=float)
    best = max(constants, key=lambda name: (table[name]["accuracy"], -table[name]["input_tokens"]))
    return {
        "routes": [table[name] for name in constants],
        "router": table[ROUTER],
        "random": _random_row(items, constants, scores[:, :-1].mean(axis=1), seed),
        "oracle": _common_row("oracle", oracle_answers, oracle_scores, seed),
        "constant_best": table[best],
        "regret": {
            "oracle": _difference(oracle_scores - scores[:, -1], seed),
            "constant_best": _difference(scores[:, constants.index(best)] - scores[:, -1], seed),
        },
        "pairs": [asdict(pair) for pair in significance.pairs(names, scores, seed)],
        "breakdown": breakdown(names, items),
        "grid": grid(names, items),
        "reliability": reliability(constants, items),
    }


def _route_row(name: str, items: Sequence[Mapping[str, Any]], scores: Scores, seed: int) -> dict[str, Any]:
    """The row of a constant route, or of the router."""
    answers = [item["routes"][name] for item in items]
    answerable = [item["routes"][name] for item in items if not item["unanswerable"]]
    unanswerable = [item["routes"][name] for item in items if item["unanswerable"]]
    evidence = [answer["evidence"] for answer in answerable if answer["evidence"]]
    predicted = [(answer["predicted"], answer["score"]) for answer in answers if answer["predicted"] is not None]
    return _common_row(name, answers, scores, seed) | {
        "exact": _mean([answer["exact"] for answer in answers]),
        "f1": _mean([answer["f1"] for answer in answers]),
        "rouge_l": _mean([answer["rouge_l"] for answer in answers]),
        "answer_words": _mean([len(answer["answer"].split()) for answer in answers if answer["answer"]]),
        "false_found": _mean([answer["status"] not in (*ABSTAINED, REFUSED) for answer in unanswerable]),
        "false_refused": _mean([answer["status"] in ABSTAINED for answer in answerable]),
        "refused": _mean([answer["status"] == REFUSED for answer in answers]),
        "evidence_read": _mean([spans["read"] for spans in evidence]),
        "citation_recall": _mean([spans["recall"] for spans in evidence]),
        "citation_precision": _mean([spans["precision"] for spans in evidence]),
        "predicted": _mean([quality for quality, _ in predicted]),
        "brier": _mean([(quality - value) ** 2 for quality, value in predicted]),
        "same_as": _counts([answer["same_as"] for answer in answers]),
        "took": _counts([answer["pipeline"] for answer in answers]),
    }


def _common_row(name: str, answers: Sequence[Mapping[str, Any]], scores: Scores, seed: int) -> dict[str, Any]:
    """What every row of the table has: the accuracy of these answers, and what they cost on average."""
    import numpy as np

    seconds = np.array([answer["seconds"] for answer in answers])
    correct = float(scores.mean()) * len(answers)
    tokens = sum(answer["input_tokens"] + answer["output_tokens"] for answer in answers)
    return {
        "pipeline": name,
        "n": len(scores),
        "accuracy": float(scores.mean()),
        "ci95": list(significance.interval(scores, seed)),
        "input_tokens": _mean([answer["input_tokens"] for answer in answers]),
        "cached_tokens": _mean([answer["cached_tokens"] for answer in answers]),
        "output_tokens": _mean([answer["output_tokens"] for answer in answers]),
        "calls": _mean([answer["calls"] for answer in answers]),
        "seconds": float(seconds.mean()),
        "seconds_quantiles": [float(value) for value in np.quantile(seconds, QUANTILES)],
        "not_found": _mean([answer["status"] in ABSTAINED for answer in answers]),
        "tokens_per_correct": tokens / correct if correct else None,
        "seconds_per_correct": float(seconds.sum()) / correct if correct else None,
    }


def _random_row(
    items: Sequence[Mapping[str, Any]], constants: Sequence[str], scores: Scores, seed: int
) -> dict[str, Any]:
    """The row of a route drawn at random: all answers of all constant routes have the same weight.

    ``scores``: each question's mean over the constant routes.
    """
    return _common_row("random", [item["routes"][name] for item in items for name in constants], scores, seed)


def _oracle_route(item: Mapping[str, Any], constants: Sequence[str]) -> str:
    """The cheapest of the routes that score best on this question."""
    answers = item["routes"]
    return max(constants, key=lambda name: (answers[name]["score"], -answers[name]["input_tokens"]))


def _difference(values: Scores, seed: int) -> dict[str, Any]:
    return {"difference": float(values.mean()), "ci95": list(significance.bootstrap(values, seed))}


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are not None; None if there are none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _counts(values: Sequence[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(value for value in values if value is not None).items()))


def _round(value: Any) -> Any:
    """The same value with every fraction rounded to DIGITS places."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: _round(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_round(inner) for inner in value]
    return value
