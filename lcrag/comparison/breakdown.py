"""Where each route wins: by kind of question, by how hard the evidence is to find, by how far forecasts can be trusted.

Works on the items of ``lcrag.compare/1``, which are scored already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from lcrag.comparison.scoring import ABSTAINED, words

DIFFUSION: Final = (0.2, 0.4, 0.6, 0.8)
SCOPE: Final = (30, 100, 300, 1000)
LENGTH: Final = (4_000, 16_000, 64_000, 256_000)
BINS: Final = 10

Item = Mapping[str, Any]


def breakdown(names: Sequence[str], items: Sequence[Item]) -> list[dict[str, Any]]:
    """The accuracy of every route by source, task, measure and length of the documents; groups of one kind together."""
    kinds: tuple[tuple[str, Callable[[Item], tuple[int, str]]], ...] = (
        ("source", lambda item: (0, item["dataset"])),
        ("task", lambda item: (0, item["task_type"] or "not told")),
        ("measure", lambda item: (0, item["metric"])),
        ("length", lambda item: _bin(item["tokens"], LENGTH, " tokens")),
    )
    found = []
    for kind, key in kinds:
        groups: dict[tuple[int, str], list[Item]] = {}
        for item in items:
            groups.setdefault(key(item), []).append(item)
        found += [
            {"by": kind, "group": label, "n": len(group), "accuracy": _accuracy(names, group)}
            for (_, label), group in sorted(groups.items())
        ]
    return found


def grid(names: Sequence[str], items: Sequence[Item]) -> dict[str, Any]:
    """Diffusion × scope, as lcrag estimated them before answering. Cells without a question are left out.

    ``diffusion`` and ``scope`` (tokens of evidence) name the cells of either side; a cell's are places in them.
    """
    cells: dict[tuple[int, int], list[Item]] = {}
    for item in items:
        if item["diffusion"] is not None:
            place = _bin(item["diffusion"], DIFFUSION)[0], _bin(item["scope_tokens"], SCOPE)[0]
            cells.setdefault(place, []).append(item)
    return {
        "diffusion": _labels(DIFFUSION),
        "scope": _labels(SCOPE),
        "cells": [
            {"diffusion": d, "scope": s, "n": len(group), "accuracy": _accuracy(names, group)}
            for (d, s), group in sorted(cells.items())
        ],
    }


def _accuracy(names: Sequence[str], items: Sequence[Item]) -> dict[str, float]:
    return {name: sum(item["routes"][name]["score"] for item in items) / len(items) for name in names}


def _bin(value: float, edges: Sequence[float], unit: str = "") -> tuple[int, str]:
    place = sum(value > edge for edge in edges)
    return place, _labels(edges)[place] + unit


def _labels(edges: Sequence[float]) -> list[str]:
    between = [f"{low:,}–{high:,}" for low, high in pairwise(edges)]
    return [f"to {edges[0]:,}", *between, f"over {edges[-1]:,}"]


def reliability(constants: Sequence[str], items: Sequence[Item]) -> dict[str, Any]:
    """How often the routes were right where P(correct) was forecast at so much; all constant routes together.

    ``error``: the expected calibration error, the mean distance of the two over answers.
    """
    bins: list[list[tuple[float, float]]] = [[] for _ in range(BINS)]
    for item in items:
        for name in constants:
            said = item["routes"][name]
            if said["predicted"] is not None:
                bins[min(BINS - 1, int(said["predicted"] * BINS))].append((said["predicted"], said["score"]))
    total = sum(map(len, bins))
    found = [
        {
            "low": place / BINS,
            "high": (place + 1) / BINS,
            "n": len(bin),
            "predicted": sum(predicted for predicted, _ in bin) / len(bin),
            "observed": sum(observed for _, observed in bin) / len(bin),
        }
        for place, bin in enumerate(bins)
        if bin
    ]
    apart = sum(one["n"] * abs(one["predicted"] - one["observed"]) for one in found)
    return {"bins": found, "error": apart / total if total else None}


def agreement(names: Sequence[str], items: Sequence[Item]) -> dict[str, Any]:
    """How alike the routes answer: the mean token F1 of every two, 1 where both found nothing, 0 where only one did.

    ``consistency``: a route's mean agreement with the other constant ones, self-consistency (Wang et al. 2023) with
    routes in place of samples; an answer that many ways lead to is more often right. The router is not counted among
    the others, for its answers are theirs.
    """
    counted = [
        {
            name: None if said["status"] in (*ABSTAINED, "refused_by_budget") else Counter(words(said["answer"]))
            for name, said in item["routes"].items()
        }
        for item in items
    ]
    matrix = [[_mean([_alike(one[a], one[b]) for one in counted]) for b in names] for a in names]
    others = [place for place, _ in enumerate(names[:-1])]
    return {
        "names": list(names),
        "matrix": matrix,
        "consistency": {
            name: _mean([matrix[at][other] for other in others if other != at]) for at, name in enumerate(names)
        },
    }


def _alike(a: Counter[str] | None, b: Counter[str] | None) -> float:
    if a is None or b is None:
        return float(a is b)
    return 2 * (a & b).total() / (a.total() + b.total()) if a or b else 1.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 1.0
