"""Answers, plans and comparisons as HTML for a notebook's output cell.

Styles are inline and colours are inherited, so that they fit light and dark themes and touch nothing around them.
There is no script.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lcrag.ingest.extracted import some
from lcrag.report import answers, comparison
from lcrag.report.conclusions import conclusions, remarks
from lcrag.report.plans import options_text, quality_text, unbeaten
from lcrag.report.templating import render
from lcrag.report.terminal import printable
from lcrag.report.text import MOST_NAMED, contradictions, stated
from lcrag.types import Answer, Plan

_MARKER: Final = re.compile(r"\[(\d+)\]")


def answer_html(answer: Answer, plan: Plan | None) -> str:
    """The answer, its markers linked to the list of its citations: source, line or page, quote.

    ``plan`` is None if no route fits the budget.
    """
    pieces = _MARKER.split(printable(stated(answer)))
    return render(
        "notebook/answer.html",
        answer=answer,
        message=message(answer),
        texts=pieces[::2],
        markers=pieces[1::2],
        citations={str(citation.marker): citation for citation in answer.citations},
        anchor=f"lcrag-{hashlib.sha256(repr(answer).encode()).hexdigest()[:8]}",
        route=None if plan is None else f"{plan.pipeline} {options_text(plan.options)}".strip(),
        reason=None if plan is None else printable(plan.reason),
    )


def message(answer: Answer) -> str:
    """What the status adds to the text; "" for an answer."""
    match answer.status:
        case "answered":
            return ""
        case "contradictory":
            return contradictions(answer)
        case "not_found":
            return "Not in these documents."
        case "not_retrieved":
            read = f"Not in the {answer.tokens_read:,} tokens that were read."
            names = some([source for source, _ in answer.left_out], MOST_NAMED)
            return f"{read} Not read, or only in part: {printable(names)}." if names else read
        case "refused_by_budget":
            return "No route fits the budget."


def plan_html(plan: Plan) -> str:
    """The routes that no other beats, with the chosen one marked, and the reason for the choice."""
    shown = unbeaten(plan)
    return render(
        "notebook/plan.html",
        plan=plan,
        question=printable(plan.question),
        reasons=[printable(reason) for reason in (plan.reason, *plan.counterfactuals)],
        rows=[
            (forecast, options_text(forecast.options), quality_text(forecast, plan.profile), forecast is plan.chosen)
            for forecast in shown
        ],
        hidden=len(plan.forecasts) - len(shown),
    )


def comparison_html(value: Mapping[str, Any]) -> str:
    """``lcrag.compare/1``: the routes with accuracy, interval and tokens, then the conclusions; without enough
    questions the answers side by side."""
    enough = value["enough_questions"]
    return render(
        "notebook/comparison.html",
        headline=printable(comparison.headline(value)),
        scored_by=comparison.scored_by(value),
        statistics=enough,
        rows=comparison.rows(value),
        conclusions=[printable(sentence) for sentence in (conclusions if enough else remarks)(value)],
        judge_note=printable(answers.judge_note(value)),
        shown=[] if enough else [_shown(value, item) for item in value["items"]],
        legend=answers.legend(value),
        totals=answers.totals(value),
    )


def _shown(value: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """A question with its answers: of each group the title, and what its routes say with their sources."""
    return {
        "question": printable(item["question"]),
        "gold": printable(answers.gold(item)),
        "groups": [
            (printable(group.title), [_said(item, names) for names in group.said]) for group in answers.groups(item)
        ],
        "costs": answers.costs(value, item, whole=True),
    }


def _said(item: Mapping[str, Any], names: Sequence[str]) -> tuple[str, str, list[str]]:
    answer = item["routes"][names[0]]
    listed = answers.labels(item, names)
    return printable(listed), printable(answers.said_text(answer)), answers.places(answer)
