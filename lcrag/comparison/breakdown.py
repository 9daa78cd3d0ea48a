"""Where each route wins: by kind of question, by how hard the evidence is to find; how far forecasts can be trusted.

Works on the items of ``lcrag.compare/1``, which are scored already.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any, Final

from lcrag.comparison.measures import words
from lcrag.comparison.scoring import ABSTAINED, REFUSED

DIFFUSION: Final = (0.2, 0.4, 0.6, 0.8)
"""Equal steps over its range, 0 to 1."""
SCOPE: Final = (30, 100, 300, 1000)
"""Tokens of evidence: a sentence, a paragraph, a page, more."""
LENGTH: Final = (4_000, 16_000, 64_000, 256_000)
"""Tokens of the documents, in steps of a factor of four."""
BINS: Final = 10
"""Of equal width, as usual for the expected calibration error (Guo et al. 2017 use 15)."""

Item = Mapping[str, Any]


def breakdown(names: Sequence[str], items: Sequence[Item]) -> list[dict[str, Any]]:
    """The accuracy of every route by source, task, measure and length of the documents; groups of one kind together."""
    keys: tuple[tuple[str, Callable[[Item], tuple[int, str]]], ...] = (
        ("source", lambda item: (0, item["dataset"])),
        ("task", lambda item: (0, item["task_type"] or "not stated")),
        ("measure", lambda item: (0, item["metric"])),
        ("length", lambda item: _bin(item["tokens"], LENGTH, " tokens")),
    )
    rows = []
    for kind, key in keys:
        groups: dict[tuple[int, str], list[Item]] = {}
        for item in items:
            groups.setdefault(key(item), []).append(item)
        rows += [
            {"by": kind, "group": label, "n": len(group), "accuracy": _accuracy(names, group)}
            for (_, label), group in sorted(groups.items())
        ]
    return rows


def grid(names: Sequence[str], items: Sequence[Item]) -> dict[str, Any]:
    """The accuracy of every route by diffusion and scope, as lcrag estimated them before answering.

    ``diffusion`` and ``scope`` (tokens of evidence) label the two axes; those of a cell are indices of labels. Cells
    without a question are left out.
    """
    cells: dict[tuple[int, int], list[Item]] = {}
    for item in items:
        if item["diffusion"] is not None:
            cell = bisect_left(DIFFUSION, item["diffusion"]), bisect_left(SCOPE, item["scope_tokens"])
            cells.setdefault(cell, []).append(item)
    return {
        "diffusion": _labels(DIFFUSION),
        "scope": _labels(SCOPE),
        "cells": [
            {"diffusion": diffusion, "scope": scope, "n": len(group), "accuracy": _accuracy(names, group)}
            for (diffusion, scope), group in sorted(cells.items())
        ],
    }


def _accuracy(names: Sequence[str], items: Sequence[Item]) -> dict[str, float]:
    return {name: sum(item["routes"][name]["score"] for item in items) / len(items) for name in names}


def _bin(value: float, edges: Sequence[float], unit: str = "") -> tuple[int, str]:
    """The index and the label of the bin, which includes its upper edge."""
    index = bisect_left(edges, value)
    return index, _labels(edges)[index] + unit


def _labels(edges: Sequence[float]) -> list[str]:
    between = [f"{low:,}–{high:,}" for low, high in pairwise(edges)]
    return [f"to {edges[0]:,}", *between, f"over {edges[-1]:,}"]


def reliability(constants: Sequence[str], items: Sequence[Item]) -> dict[str, Any]:
    """How often routes were right, by the P(correct) that was forecast; all constant routes together.

    ``error``: the expected calibration error, the mean distance of the two over answers; None without a forecast.
    """
    bins: list[list[tuple[float, float]]] = [[] for _ in range(BINS)]
    for item in items:
        for name in constants:
            answer = item["routes"][name]
            if answer["predicted"] is not None:
                index = min(BINS - 1, int(answer["predicted"] * BINS))
                bins[index].append((answer["predicted"], answer["score"]))
    rows = [
        {
            "low": index / BINS,
            "high": (index + 1) / BINS,
            "n": len(answers),
            "predicted": sum(predicted for predicted, _ in answers) / len(answers),
            "observed": sum(observed for _, observed in answers) / len(answers),
        }
        for index, answers in enumerate(bins)
        if answers
    ]
    distance = sum(row["n"] * abs(row["predicted"] - row["observed"]) for row in rows)
    return {"bins": rows, "error": distance / sum(row["n"] for row in rows) if rows else None}


def agreement(names: Sequence[str], items: Sequence[Item]) -> dict[str, Any]:
    """How similar the routes' answers are: mean token F1 of every two; 1 if both abstain, 0 if only one does.

    ``consistency``: a route's mean agreement with the other constant routes: self-consistency (Wang et al. 2023) with
    routes in place of samples. An answer that many ways lead to is more often right. The router, which is last in
    ``names``, is not counted among the others, because its answers are theirs.
    """
    answers = [{name: _bag(answer) for name, answer in item["routes"].items()} for item in items]
    matrix = {(name, name): 1.0 for name in names}
    for a, b in combinations(names, 2):
        matrix[a, b] = matrix[b, a] = _mean([_similarity(answer[a], answer[b]) for answer in answers])
    return {
        "names": list(names),
        "matrix": [[matrix[a, b] for b in names] for a in names],
        "consistency": {name: _mean([matrix[name, other] for other in names[:-1] if other != name]) for name in names},
    }


def _bag(answer: Mapping[str, Any]) -> Counter[str] | None:
    """The words of an answer, as often as it has them; None if there is no answer."""
    return None if answer["status"] in (*ABSTAINED, REFUSED) else Counter(words(answer["answer"]))


def _similarity(a: Counter[str] | None, b: Counter[str] | None) -> float:
    if a is None or b is None:
        return float(a is b)
    return 2 * (a & b).total() / (a.total() + b.total()) if a or b else 1.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 1.0
