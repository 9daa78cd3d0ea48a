"""Stored answers and their analysis: a small comparison by hand."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from lcrag.comparison.analysis import analyse
from lcrag.comparison.dataset import Question

HEADER = {"schema": "lcrag.results/1", "backend": "embedded", "model": "m", "profile": "built-in", "seed": 0}
ROUTES = ("chunk_rag", "full_context")

Rows = dict[tuple[str, str], dict[str, Any]]


def question(id: str, *answers: str, **more: Any) -> Question:
    values: dict[str, Any] = {"unanswerable": False, "task_type": "fact"} | more
    return Question(id, values.pop("dataset", "set"), f"Question {id}?", answers, (Path("/a.txt"),), None, **values)


def row(id: str, route: str, answer: str = "", **more: Any) -> dict[str, Any]:
    """A stored answer; "" is one that abstains."""
    tokens = {"chunk_rag": 1000, "full_context": 9000, "router": 1000}.get(route, 500)
    citation = {
        **{"marker": 1, "document_id": "d", "source": "a.txt", "start": 0, "end": 3, "quote": "Ann", "line": 1},
        **{"page": None, "around": {"text": "Ann.", "start": 0, "end": 3}},
    }
    return {
        "id": id,
        "route": route,
        "question": f"Question {id}?",
        "error": None,
        "at_once": 1,
        "corpus": {"documents": 1, "tokens": 9000},
        "pipeline": "chunk_rag" if route == "router" else route,
        "options": {"tokens": 1000},
        "estimate": {"diffusion": 0.5, "scope_tokens": 40},
        "forecast": {"input_tokens": tokens, "seconds": 0.5, "quality": 0.75},
        "status": "answered" if answer else "not_retrieved",
        "answer": answer,
        "short": None,
        "citations": [citation] if answer else [],
        "usage": {"input_tokens": tokens, "cached_tokens": 0, "output_tokens": 10, "calls": 1, "seconds": tokens / 1e4},
        "read": tokens,
        "steps": ["chunk_rag"],
        "evidence": None,
        "points": None,
        "verdict": None,
        "same_as": "chunk_rag" if route == "router" else None,
    } | more


def refused(id: str, route: str, reason: str = "too long") -> dict[str, Any]:
    """The row of a route that the budgets refuse."""
    nothing: dict[str, Any] = dict.fromkeys(("estimate", "forecast", "options", "pipeline", "same_as"))
    return row(id, route, status="refused_by_budget", reason=reason, steps=[], **nothing)


def rows(table: dict[str, dict[str, str]]) -> Rows:
    return {(id, route): row(id, route, answer) for id, answers in table.items() for route, answer in answers.items()}


def small() -> tuple[list[Question], Rows]:
    questions = [question("1", "Ann"), question("2", "Ben"), question("3", "Cid"), question("4", unanswerable=True)]
    return questions, rows(
        {
            "1": {"chunk_rag": "Ann", "full_context": "It is Ann", "router": "Ann"},
            "2": {"chunk_rag": "Bob", "full_context": "Ben", "router": "Bob"},
            "3": {"chunk_rag": "", "full_context": "Cid", "router": ""},
            "4": {"chunk_rag": "", "full_context": "Dan", "router": ""},
        }
    )


def many() -> tuple[list[Question], Rows]:
    """Twelve questions, enough for statistics: those of ``small`` three times."""
    questions, stored = small()
    repeated = [replace(one, id=f"{one.id}{letter}") for letter in "abc" for one in questions]
    again = {
        (f"{id}{letter}", route): one | {"id": f"{id}{letter}"}
        for letter in "abc"
        for (id, route), one in stored.items()
    }
    return repeated, copy.deepcopy(again)


def analysed(
    questions: list[Question], stored: Rows, routes: tuple[str, ...] = ROUTES, seed: int = 0
) -> dict[str, Any]:
    return analyse(questions, stored, routes, seed=seed, header=HEADER)
