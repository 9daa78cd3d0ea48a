"""A comparison as one page for a browser: nothing is loaded from anywhere, and text of documents stays text.

``templates/comparison`` has the summary, the tables and the frame of the table of questions. That table is filled by
the page's script from data that the page carries, 25 rows at a time, so that thousands of questions open at once. The
page's policy lets no other script run: it names the hash of this one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from lcrag.report import charts, comparison
from lcrag.report.figures import fixed, number, percent
from lcrag.report.templating import render, source

Value = Mapping[str, Any]
"""``lcrag.compare/1``."""

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
    rows = comparison.rows(value)
    return render(
        "comparison/page.html",
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'",
        style=source("comparison/report.css"),
        script=script,
        value=value,
        headline=comparison.headline(value),
        scored_by=comparison.scored_by(value),
        verdicts=comparison.verdicts(value),
        names=names,
        rows=rows,
        columns=[column for column in COLUMNS if any(row.get(column[1]) is not None for _, row in rows)],
        heat=_heat(value["grid"]),
        forest=charts.forest,
        cost_charts=[
            _cost_chart(value, "input_tokens", "pareto", "tokens per question"),
            _cost_chart(value, "seconds", "pareto_seconds", "seconds"),
        ],
        reliability_chart=_reliability_chart(value["reliability"]["bins"]),
        latency_chart=_latency_chart(value),
        questions={"routes": names, "items": [_question(item, names) for item in value["items"]]},
        answers=[_answers(item, names) for item in value["items"]],
    )


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
    """What the table of questions needs at once."""
    return {
        "id": item["id"],
        "question": item["question"],
        "dataset": item["dataset"],
        "metric": item["metric"],
        "gold": item["answers"],
        "unanswerable": item["unanswerable"],
        "tokens": item["tokens"],
        "diffusion": item["diffusion"],
        "scope": item["scope_tokens"],
        "scores": [item["routes"][name]["score"] for name in names],
        "statuses": [item["routes"][name]["status"] for name in names],
    }


def _answers(item: Value, names: list[str]) -> dict[str, Any]:
    """What is needed when a question is opened or searched. Routes often cite the same passage: it is carried once."""
    places: dict[str, int] = {}
    passages: list[dict[str, Any]] = []
    answers = []
    for name in names:
        answer = item["routes"][name]
        citations = []
        for citation in [] if answer["same_as"] else answer["citations"]:
            key = json.dumps(citation["around"])
            if key not in places:
                places[key] = len(passages)
                passages.append(_utf16(citation["around"]))
            place = {field: citation[field] for field in ("marker", "source", "line", "page")}
            citations.append(place | {"passage": places[key]})
        copied = ("same_as", "input_tokens", "seconds", "predicted", "evidence", "verdict")
        answers.append(
            {
                "answer": None if answer["same_as"] else answer["answer"],
                "plan": _plan(answer),
                **{key: answer[key] for key in copied},
                "citations": citations,
            }
        )
    return {"routes": answers, "passages": passages}


def _plan(answer: Value) -> str:
    """The planned route with its options, then the steps that ran if those differ."""
    options = " ".join(f"{key} {option}" for key, option in (answer["options"] or {}).items())
    plan = f"{answer['pipeline'] or ''} {options}".strip()
    return plan if answer["steps"] in ([], [answer["pipeline"]]) else f"{plan}: {' → '.join(answer['steps'])}"


def _utf16(around: Value) -> dict[str, Any]:
    """The passage with its offsets as the script counts them, in units of UTF-16."""
    text, start, end = around["text"], around["start"], around["end"]

    def units(part: str) -> int:
        return len(part.encode("utf-16-le", "surrogatepass")) // 2

    return {"text": text, "start": units(text[:start]), "end": units(text[:end])}
