"""The items of ``lcrag.compare/1``: a question with every route's answer, scored, and which of the answers agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lcrag.comparison.dataset import Question
from lcrag.comparison.grouping import group
from lcrag.comparison.scoring import METRICS, Score, score

CITATION_FIELDS: Final = ("marker", "source", "start", "end", "line", "page", "part", "quote", "around")

Row = Mapping[str, Any]


def item_of(question: Question, rows: Mapping[str, Row]) -> dict[str, Any]:
    """A question with all its answers, scored where it has a gold answer.

    ``rows``: of every constant route and the router, ``lcrag.comparison.rows``.
    """
    scores = {name: score(question, row["answer"], row["short"], row["status"]) for name, row in rows.items()}
    first = next(iter(rows.values()))
    planned = next((row for row in rows.values() if row["estimate"]), None)
    answers = {name: _answer(row, scores[name]) for name, row in rows.items()}
    return {
        "id": question.id,
        "question": question.question,
        "dataset": question.dataset,
        "task_type": question.task_type,
        "metric": next((value.metric for value in scores.values() if value), None),
        "answers": list(question.answers),
        "unanswerable": question.unanswerable,
        "documents": first["corpus"]["documents"],
        "tokens": first["corpus"]["tokens"],
        **(planned["estimate"] if planned else {"diffusion": None, "scope_tokens": None}),
        "groups": group(question.question, answers),
        "routes": answers,
    }


def _answer(row: Row, value: Score | None) -> dict[str, Any]:
    return {
        "status": row["status"],
        "reason": row.get("reason"),
        "answer": row["answer"],
        "short": row["short"],
        "score": value.value if value else None,
        "exact": value.exact if value else None,
        "f1": value.f1 if value else None,
        "rouge_l": value.rouge_l if value else None,
        "evidence": row["evidence"],
        "points": row.get("points"),
        "verdict": row["verdict"],
        "predicted": row["forecast"]["quality"] if row["forecast"] else None,
        "forecast": row["forecast"],
        "pipeline": row["pipeline"],
        "options": row["options"],
        "steps": row["steps"],
        "same_as": row["same_as"],
        **{key: row["usage"][key] for key in ("input_tokens", "cached_tokens", "output_tokens", "calls", "seconds")},
        "read": row["read"],
        "citations": [{key: citation.get(key) for key in CITATION_FIELDS} for citation in row["citations"]],
    }


def score_by_verdict(items: Sequence[dict[str, Any]]) -> None:
    """Score 1 where the backend said that the passages cited by its own answer suffice."""
    for item in items:
        item["metric"] = "judge"
        for answer in item["routes"].values():
            answer["score"] = float(answer["verdict"] == "yes")


def scoring(items: Sequence[Mapping[str, Any]], judged: bool) -> dict[str, Any]:
    """By which measures these items are scored, and how many by each."""
    if judged:
        text = "the backend's own verdict: do the passages that an answer cites suffice to answer the question?"
        return {"judged": True, "metrics": [{"metric": "judge", "meaning": text, "n": len(items)}]}
    counts = Counter(item["metric"] for item in items)
    metrics = [
        {"metric": metric, "meaning": meaning, "n": counts[metric]}
        for metric, meaning in METRICS.items()
        if counts[metric]
    ]
    return {"judged": False, "metrics": metrics}
