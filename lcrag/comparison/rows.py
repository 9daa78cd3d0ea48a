"""The rows of a results file: what is stored of a plan and an answer, and how an answer is read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from lcrag.comparison.scoring import REFUSED, Place
from lcrag.types import (
    Answer,
    Citation,
    Passage,
    Plan,
    Usage,
)

ANSWER_FIELDS: Final = (
    "status",
    "answer",
    "short",
    "citations",
    "usage",
    "read",
    "steps",
    "evidence",
    "points",
    "verdict",
)


def unique_passages(asked: Sequence[Passage]) -> list[Passage]:
    """Each passage once, however often it was asked."""
    return list({(passage.document_id, passage.start, passage.text): passage for passage in asked}.values())


def places_of(asked: Sequence[Passage]) -> list[Place]:
    """Which characters of which documents these passages hold, as often as they were given."""
    return [
        (passage.document_id, start, end)
        for passage in asked
        for start, end in passage.parts or ((passage.start, passage.end),)
    ]


def holds(passage: Passage, place: Citation) -> bool:
    return passage.document_id == place.document_id and passage.start <= place.start and place.end <= passage.end


def stored_answer(row: Mapping[str, Any]) -> Answer:
    """As much of a stored answer as what follows it needs: what was said, cited, used and read."""
    cited = (Citation(**{key: one[key] for key in one if key != "around"}) for one in row["citations"])
    return Answer(row["answer"], row["status"], tuple(cited), Usage(**row["usage"]), row["read"])


def refused_row(reason: str) -> dict[str, Any]:
    """The row of a route that could not be taken: no model was called."""
    empty: dict[str, Any] = {"answer": "", "short": None, "citations": [], "read": 0, "steps": [], "evidence": None}
    nothing = dict.fromkeys(("forecast", "estimate", "options", "pipeline", "points", "verdict", "same_as"))
    return empty | nothing | {"status": REFUSED, "reason": reason, "usage": asdict(Usage())}


def plan_fields(plan: Plan) -> dict[str, Any]:
    return {
        "pipeline": plan.pipeline,
        "options": stored_options(plan),
        "estimate": {"diffusion": plan.estimate.diffusion, "scope_tokens": plan.estimate.scope_tokens},
        "forecast": {
            "input_tokens": plan.chosen.input_tokens,
            "seconds": plan.chosen.seconds,
            "quality": plan.chosen.quality,
        },
    }


def stored_options(plan: Plan) -> dict[str, Any]:
    """The plan's options as they are read back from JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in plan.options.items()}
