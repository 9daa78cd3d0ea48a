"""Coverage and density: how much of what a good answer needs a route read."""

from __future__ import annotations

from typing import Any

import pytest
from support.results import analysed, question, row

from lcrag.comparison.points import points_read
from lcrag.report.answers import points
from lcrag.report.comparison import report
from lcrag.report.page import page
from lcrag.types import Passage

WALL = "The sea wall was begun in 1959 and finished in 1962 by Brae Marine of Great Marrick."
COST = "Its repair in 2023 cost £96,000, paid by the county."
ROUTES = ("chunk_rag", "full_context")


def passage(text: str, start: int = 0) -> Passage:
    return Passage(1, "d", "wall.md", start, start + len(text), text, 20)


def value(*of_questions: tuple[list[bool] | None, list[bool] | None]) -> dict[str, Any]:
    """A comparison in which chunk_rag (1,000 tokens read) and full_context (9,000) read these points."""
    questions = [question(str(place), "Ann") for place in range(len(of_questions))]
    stored = {}
    for asked, (some, all_of_it) in zip(questions, of_questions, strict=True):
        stored[asked.id, "chunk_rag"] = row(asked.id, "chunk_rag", "Ann [1]", points=some)
        stored[asked.id, "full_context"] = row(asked.id, "full_context", "Ann [1]", points=all_of_it)
        stored[asked.id, "router"] = row(asked.id, "router", "Ann [1]", points=some)
    return analysed(questions, stored, routes=ROUTES)


def test_points_read_are_those_that_the_passages_support() -> None:
    wanted = [
        "The sea wall was finished in 1962.",
        "The sea wall was finished in 1972.",
        "Brae Marine built the sea wall.",
        "The repair cost £96,000.",
    ]
    assert points_read(wanted, [passage(WALL)]) == [True, False, True, False]
    assert points_read(wanted, [passage(WALL), passage(COST, 99), passage(WALL)]) == [True, False, True, True]
    assert points_read(wanted, []) == [False] * 4


def test_comparison_has_coverage_and_density_of_each_route() -> None:
    found = value(([True, False], [True, True]), ([False, False], [True, False]), (None, None))["points"]
    assert found["questions"] == 2
    assert found["routes"] == [
        {"pipeline": "chunk_rag", "coverage": 0.25, "density": 0.25, "read": 1000},
        {"pipeline": "full_context", "coverage": 0.75, "density": pytest.approx(0.75 / 9, abs=1e-6), "read": 9000},
        {"pipeline": "router", "coverage": 0.25, "density": 0.25, "read": 1000},
    ]


def test_route_that_was_refused_covers_nothing() -> None:
    found = value(([True, True], None))["points"]
    assert [one["coverage"] for one in found["routes"]] == [1.0, 0.0, 1.0]


def test_comparison_without_points_says_nothing_of_them() -> None:
    compared = value((None, None))
    assert compared["points"] is None
    assert points(compared) is None
    assert "coverage" not in report(compared, width=80, colour=False).lower()
    assert 'id="points"' not in page(compared)


def test_reports_show_coverage_and_density() -> None:
    compared = value(([True, False], [True, True]))
    text = report(compared, width=80, colour=False)
    [line] = [line for line in text.splitlines() if line.startswith("  full_context") and "100%" in line]
    assert line.split() == ["full_context", "100%", "0.11", "9,000"]
    assert "points of 1 question" in text
    made = page(compared)
    assert '<a href="#points">Points</a>' in made
    assert "<td>100%</td>" in made
