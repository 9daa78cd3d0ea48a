"""How much of what a good answer needs was in what a route read, and for how many tokens.

Coverage and density are those of CRUX (Ju et al. 2025, arXiv 2506.20051), where a model grades whether a passage
answers a sub-question. Here the dataset names statements (``points``), and the check of support that cites answers
decides: it wants shared words, and numbers and names that agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lcrag.comparison.rows import unique_passages
from lcrag.evidence.cite import find_support
from lcrag.types import Passage

PER: Final = 1000
"""Tokens read for which density says how much of the points they hold."""


def points_read(points: Sequence[str], asked: Sequence[Passage]) -> list[bool]:
    """For each point, whether the passages that reached a model support it, one alone or several together."""
    read = unique_passages(asked)
    return [bool(find_support(point, read)) for point in points]


def points_of(names: Sequence[str], items: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Each route's means over the questions that name points; None where none does.

    ``coverage``: the share of the points that what was read supports; ``density``: that share for each PER tokens read;
    ``read``: tokens of the documents. A route that was refused read nothing, and covers nothing.
    """
    listed = [[item["routes"][name] for name in names] for item in items if _has_points(item)]
    if not listed:
        return None
    return {
        "questions": len(listed),
        "routes": [_mean_row(name, answers) for name, answers in zip(names, zip(*listed, strict=True), strict=True)],
    }


def _has_points(item: Mapping[str, Any]) -> bool:
    return any(answer["points"] for answer in item["routes"].values())


def _mean_row(name: str, answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    coverage = [sum(answer["points"]) / len(answer["points"]) if answer["points"] else 0.0 for answer in answers]
    read = [answer["read"] for answer in answers]
    density = [PER * share / tokens if tokens else 0.0 for share, tokens in zip(coverage, read, strict=True)]
    row = {"coverage": coverage, "density": density, "read": read}
    return {"pipeline": name} | {key: sum(values) / len(values) for key, values in row.items()}
