"""Answers, plans, errors and events as the JSON that scripts rely on; ``lcrag/schemas`` holds the shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from lcrag.report.text import MOST_NAMED
from lcrag.schemas import ANSWER, ERROR, PLAN
from lcrag.types import Answer, Citation, Conflict, Event, Forecast, Plan, Statement, Trace, Usage

COVERAGE_TOKENS: Final = (1000, 2000, 4000, 8000, 16000)

# Lone surrogates (from file names that are not UTF-8) have no UTF-8 form; the others end lines or steer terminals.
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def dumps(value: Mapping[str, Any]) -> str:
    """One line of JSON, whatever a reader takes for the end of a line. Raises ValueError for infinity and NaN."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def answer_object(
    question: str,
    answer: Answer,
    plan: Plan | None,
    *,
    id: str | int | None,
    backend: str,
    model: str,
    index: Mapping[str, int],
    all_sources: bool = False,
) -> dict[str, Any]:
    """``lcrag.answer/1``. ``index`` has ``documents``, ``chunks``, ``tokens`` and ``skipped``.

    ``plan`` is None only if no route fits the budget (status ``refused_by_budget``). ``all_sources``: name every file
    that was left out, not only ``MOST_NAMED``.
    """
    return {
        "schema": ANSWER,
        "id": id,
        "question": question,
        "answer": answer.text,
        "short": answer.short,
        "status": answer.status,
        "citations": [citation_object(citation) for citation in answer.citations],
        "statements": [
            {
                "text": answer.text[statement.start : statement.end],
                "start": statement.start,
                "end": statement.end,
                "supported": statement.supported,
                "citations": list(statement.citations),
            }
            for statement in answer.statements
        ],
        "dropped_markers": answer.dropped,
        "conflicts": [
            {"markers": list(conflict.markers), "dates": list(conflict.dates), "values": list(conflict.values)}
            for conflict in answer.conflicts
        ],
        "plan": None if plan is None else plan_object(plan),
        "usage": usage_object(answer.usage),
        "read": {
            "tokens": answer.tokens_read,
            "of": index["tokens"],
            "coverage": answer.coverage,
            "complete": answer.tokens_read >= index["tokens"] and not answer.left_out,
            "left_out": {
                "count": len(answer.left_out),
                "files": [
                    {"source": source, "reason": reason}
                    for source, reason in (answer.left_out if all_sources else answer.left_out[:MOST_NAMED])
                ],
            },
        },
        "steps": [
            {"pipeline": step.pipeline, "status": step.status, "usage": usage_object(step.usage)}
            for step in answer.steps
        ],
        "trace": None if answer.trace is None else trace_object(answer.trace),
        "program": answer.program,
        "backend": backend,
        "model": model,
        "index": {key: index[key] for key in ("documents", "chunks", "tokens", "skipped")},
    }


def answer_of(value: Mapping[str, Any]) -> Answer:
    """The answer that ``answer_object`` wrote, as far as it is printed: without its plan and its trace."""
    return Answer(
        value["answer"],
        value["status"],
        tuple(Citation(document_id="", **citation) for citation in value["citations"]),
        Usage(**value["usage"]),
        value["read"]["tokens"],
        short=value["short"],
        statements=tuple(
            Statement(one["start"], one["end"], one["supported"], tuple(one["citations"]))
            for one in value["statements"]
        ),
        dropped=value["dropped_markers"],
        conflicts=tuple(
            Conflict(*(tuple(one[name]) for name in ("markers", "values", "dates"))) for one in value["conflicts"]
        ),
        coverage=value["read"]["coverage"],
        left_out=tuple((file["source"], file["reason"]) for file in value["read"]["left_out"]["files"]),
    )


def citation_object(citation: Citation) -> dict[str, Any]:
    return {
        "marker": citation.marker,
        "source": citation.source,
        "start": citation.start,
        "end": citation.end,
        "line": citation.line,
        "page": citation.page,
        "part": citation.part,
        "quote": citation.quote,
    }


def trace_object(trace: Trace) -> dict[str, Any]:
    return {**asdict(trace), "passages": [asdict(passage) for passage in trace.passages]}


def usage_object(usage: Usage) -> dict[str, Any]:
    return asdict(usage)


def plan_object(plan: Plan) -> dict[str, Any]:
    """``lcrag.plan/1``."""
    return {
        "schema": PLAN,
        "question": plan.question,
        "pipeline": plan.pipeline,
        "options": dict(plan.options),
        "reason": plan.reason,
        "counterfactuals": list(plan.counterfactuals),
        "tokenizer": plan.tokenizer,
        "estimate": {
            "diffusion": plan.estimate.diffusion,
            "scope_tokens": plan.estimate.scope_tokens,
            "coverage": {str(tokens): plan.estimate.covered(tokens) for tokens in COVERAGE_TOKENS},
            "features": dict(plan.estimate.features),
        },
        "forecasts": [_forecast_object(forecast, chosen=forecast is plan.chosen) for forecast in plan.forecasts],
        "profile": {
            "name": plan.profile.name,
            "measured": plan.profile.measured,
            "logged": 0 if plan.profile.learned is None else plan.profile.learned.questions,
            "known": 0 if plan.profile.learned is None else plan.profile.learned.known,
        },
    }


def _forecast_object(forecast: Forecast, *, chosen: bool) -> dict[str, Any]:
    return {
        "pipeline": forecast.pipeline,
        "options": dict(forecast.options),
        "input_tokens": forecast.input_tokens,
        "output_tokens": forecast.output_tokens,
        "calls": forecast.calls,
        "seconds": forecast.seconds,
        "quality": forecast.quality,
        "fits": forecast.fits,
        "cached_tokens": forecast.cached_tokens,
        "kv_tokens": forecast.kv_tokens,
        "evidence": forecast.evidence,
        "chosen": chosen,
    }


def error_object(code: int, kind: str, message: str, hint: str) -> dict[str, Any]:
    """``lcrag.error/1``. ``code`` is the exit code, ``kind`` the error's class."""
    return {"schema": ERROR, "code": code, "kind": kind, "message": message, "hint": hint}


def event_data(event: Event) -> dict[str, Any]:
    """An event's data, ready for JSON; the fields of a plan or a usage take the place of its key."""
    data: dict[str, Any] = {}
    for key, value in event.data.items():
        if isinstance(value, Plan):
            data |= plan_object(value)
        elif isinstance(value, Usage):
            data |= usage_object(value)
        else:
            data[key] = value
    return data
