"""A comparison as one page for a browser: nothing is loaded from anywhere, and text of documents stays text.

It opens with the answers side by side. Accuracies, tests and charts follow where there are enough questions with gold
answers for them.

``templates/comparison`` has the summary, the tables and the frames of the answers and of the table of questions. Both
are filled by the page's script from data that the page carries: of fewer than ALL_AT_ONCE questions all answers, else
those of one at a time and 25 rows of the table, so that thousands of questions open at once. The page's policy lets no
other script run: it names the hash of this one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from lcrag.report import answers, charts, comparison
from lcrag.report.conclusions import conclusions, remarks
from lcrag.report.figures import fixed, number, percent
from lcrag.report.templating import render, source

Value = Mapping[str, Any]
"""``lcrag.compare/1``."""

ALL_AT_ONCE: Final = 10

COLUMNS: Final[tuple[tuple[str, str, Callable[[float | None], str]], ...]] = (
    ("tokens", "input_tokens", number),
    ("seconds", "seconds", fixed),
    ("tokens per correct", "tokens_per_correct", number),
    ("seconds per correct", "seconds_per_correct", lambda seconds: fixed(seconds, 1)),
    ("not found", "not_found", percent),
    ("false found", "false_found", percent),
    ("false refused", "false_refused", percent),
    ("evidence read", "evidence_read", percent),
    ("citation recall", "citation_recall", percent),
    ("citation precision", "citation_precision", percent),
    ("exact match", "exact", percent),
    ("token F1", "f1", fixed),
    ("words per answer", "answer_words", number),
)
"""Of the table of routes: its head, its key in a row, how it is written. A column that is empty is left out."""


def page(value: Value) -> str:
    """``lcrag.compare/1`` as a whole HTML document; the same value gives the same bytes."""
    script = source("comparison/report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    names = ["router", *(row["pipeline"] for row in value["routes"])]
    many = len(value["items"]) >= ALL_AT_ONCE
    return render(
        "comparison/page.html",
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'",
        style=source("comparison/report.css"),
        script=script,
        value=value,
        headline=comparison.headline(value),
        scored_by=comparison.scored_by(value),
        conclusions=conclusions(value) if value["enough_questions"] else remarks(value),
        judge_note=answers.judge_note(value),
        legend=answers.legend(value),
        totals=answers.totals(value),
        points=answers.points(value),
        points_note=answers.POINTS,
        many=many,
        names=names,
        statistics=_statistics(value) if value["enough_questions"] else None,
        questions={"routes": names, "many": many, "items": [_question(item, names) for item in value["items"]]},
        details=[_details(value, item, names) for item in value["items"]],
    )


def _statistics(value: Value) -> dict[str, Any]:
    """What the sections of accuracies show."""
    rows = comparison.rows(value)
    return {
        "rows": rows,
        "columns": [column for column in COLUMNS if any(row.get(column[1]) is not None for _, row in rows)],
        "heat": _heat(value["grid"]),
        "forest": charts.forest,
        "cost_charts": [
            _cost_chart(value, "input_tokens", "pareto", "tokens per question"),
            _cost_chart(value, "seconds", "pareto_seconds", "seconds"),
        ],
        "reliability_chart": _reliability_chart(value["reliability"]["bins"]),
        "latency_chart": _latency_chart(value),
    }


def _heat(grid: Value) -> dict[str, Any]:
    """The cells of the grid by rows: diffusion falls from row to row, scope rises from column to column."""
    cells = {(cell["diffusion"], cell["scope"]): cell for cell in grid["cells"]}
    columns = sorted({scope for _, scope in cells})
    return {
        "columns": [grid["scope"][scope] for scope in columns],
        "rows": [
            (grid["diffusion"][diffusion], [cells.get((diffusion, scope)) for scope in columns])
            for diffusion in sorted({diffusion for diffusion, _ in cells}, reverse=True)
        ],
    }


def _cost_chart(value: Value, key: str, front: str, cost: str) -> str:
    points = [
        charts.Point(row["pipeline"], row[key], row["accuracy"], tuple(row["ci95"]), bool(row.get(front)), kind)
        for kind, row in comparison.rows(value)
    ]
    listed = ", ".join(f"{point.name} {point.score:.2f} for {point.cost:,.3g}" for point in points)
    return charts.pareto(points, cost=cost, title=f"Accuracy against {cost}: {listed}")


def _reliability_chart(bins: list[Value]) -> str | None:
    listed = ", ".join(f"{group['predicted']:.2f} gave {group['observed']:.2f}" for group in bins)
    return charts.reliability(bins, title=f"Observed score against forecast P(correct): {listed}") if bins else None


def _latency_chart(value: Value) -> str:
    rows = [
        (row["pipeline"], row["seconds_quantiles"], kind) for kind, row in comparison.rows(value) if kind != "reference"
    ]
    listed = ", ".join(f"{name} median {quantiles[2]:.2f}" for name, quantiles, _ in rows)
    return charts.latency(rows, title=f"Seconds per answer: {listed}")


def _question(item: Value, names: list[str]) -> dict[str, Any]:
    """What the table of questions needs at once. A judge's verdicts are no scores."""
    judged = item["metric"] == "judge"
    return {
        "id": item["id"],
        "question": item["question"],
        "dataset": item["dataset"],
        "unanswerable": item["unanswerable"],
        "diffusion": item["diffusion"],
        "scope": item["scope_tokens"],
        "groups": len(item["groups"]),
        "scores": [None if judged else item["routes"][name]["score"] for name in names],
        "statuses": [item["routes"][name]["status"] for name in names],
    }


def _details(value: Value, item: Value, names: list[str]) -> dict[str, Any]:
    """The answers to a question side by side. Routes often cite the same passage: it is carried once.

    ``said`` holds places in ``names``: routes that gave the same text with the same sources are together.
    """
    costs = answers.costs(value, item, whole=True)
    passages: list[dict[str, Any]] = []
    places: dict[str, int] = {}
    return {
        "metric": item["metric"],
        "tokens": item["tokens"],
        "gold": answers.gold(item),
        "choice": names.index(answers.choice(item)),
        "groups": [
            {"title": group.title, "said": [[names.index(name) for name in said] for said in group.said]}
            for group in answers.groups(item)
        ],
        "costs": {"heads": costs.heads, "rows": [[names.index(name), cells] for name, _, cells in costs.rows]},
        "routes": [_answer(item, name, passages, places) for name in names],
        "passages": passages,
    }


def _answer(item: Value, name: str, passages: list[dict[str, Any]], places: dict[str, int]) -> dict[str, Any] | None:
    """What a route said; None for a router that took over the answer of another route. New passages are added."""
    answer = item["routes"][name]
    if answer["same_as"]:
        return None
    citations = []
    for citation in answer["citations"]:
        key = json.dumps(citation["around"])
        if key not in places:
            places[key] = len(passages)
            passages.append(_utf16(citation["around"]))
        place = f"[{citation['marker']}] {answers.place(citation)}"
        citations.append({"place": place, "passage": places[key]})
    return {
        "label": answers.label(name, answer),
        "verdict": answers.verdict(item, name),
        "answered": not answers.says_nothing(answer),
        "text": answers.said_text(answer),
        "evidence": answer["evidence"],
        "citations": citations,
    }


def _utf16(around: Value) -> dict[str, Any]:
    """The passage with its offsets as the script counts them, in units of UTF-16."""
    text, start, end = around["text"], around["start"], around["end"]

    def units(part: str) -> int:
        return len(part.encode("utf-16-le", "surrogatepass")) // 2

    return {"text": text, "start": units(text[:start]), "end": units(text[:end])}
