"""The page on which a person asks the documents, and its view of a plan. Nothing is loaded from anywhere else."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

from markupsafe import Markup

from lcrag.report import charts
from lcrag.report.notebook import plan_html
from lcrag.report.plans import options_text, unbeaten
from lcrag.report.templating import render, source
from lcrag.types import Forecast, Plan

POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{}'; connect-src 'self'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def question_page() -> tuple[str, str]:
    """The page, and the policy that lets no script but its own run. It has nothing of the documents in it."""
    script = source("web/ask.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = source("comparison/report.css") + source("web/ask.css")
    return render("web/ask.html", style=style, script=script), POLICY.format(digest)


def plan_view(plan: Plan) -> str:
    """A part of a page: P(correct) against tokens as a chart, then the table and the reason."""
    return plan_chart(plan) + Markup(plan_html(plan))


def plan_chart(plan: Plan) -> Markup:
    """The routes that no other beats; the chosen one is marked."""
    shown = unbeaten(plan)
    listed = ", ".join(f"{_name(one)} {one.quality:.2f} for {one.input_tokens:,}" for one in shown)
    return charts.pareto(
        [_point(one, chosen=one is plan.chosen) for one in shown],
        cost="tokens",
        score="P(correct)",
        title=f"P(correct) against tokens: {listed}",
    )


def _point(forecast: Forecast, *, chosen: bool) -> charts.Point:
    kind = "router" if chosen else "constant"
    certain = (forecast.quality, forecast.quality)
    return charts.Point(_name(forecast), forecast.input_tokens, forecast.quality, certain, forecast.fits, kind)


def _name(forecast: Forecast) -> str:
    options: dict[str, Any] = dict(forecast.options)
    tokens = options.pop("tokens", None)
    size = f" {charts.short(tokens)}" if isinstance(tokens, int) else ""
    return f"{forecast.pipeline}{size} {options_text(options)}".strip()
