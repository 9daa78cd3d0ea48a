"""The charts as inline SVG: numbers in, elements out, colours by class so that a page's style decides them.

Labels stand beside what they name, so there is no legend. Every chart has a title for those who do not see it, and its
numbers stand in a table of the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from lcrag.report.markup import Markup, tag

WIDTH: Final = 440
LEFT, RIGHT, TOP, BOTTOM = 48, 16, 18, 44
CHARACTER: Final = 6.9
"""Width of a letter of a label, about."""
LINE: Final = 15

Scale = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Point:
    """A route in a chart of accuracy against cost. ``kind``: constant, router or reference."""

    name: str
    cost: float
    score: float
    ci95: tuple[float, float]
    front: bool
    kind: str


def chart(height: float, title: str, *children: Any, width: float = WIDTH) -> Markup:
    return tag("svg", tag("title", title), *children, viewbox=f"0 0 {width:g} {height:g}", role="img", class_="chart")


def linear(domain: tuple[float, float], target: tuple[float, float]) -> Scale:
    (low, high), (start, end) = domain, target
    return lambda value: start + (value - low) / ((high - low) or 1) * (end - start)


def logarithmic(domain: tuple[float, float], target: tuple[float, float]) -> Scale:
    scale = linear((math.log10(domain[0]), math.log10(domain[1])), target)
    return lambda value: scale(math.log10(max(value, domain[0])))


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between the two, about so many."""
    raw = (high - low) / about
    if raw <= 0:
        return [low]
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * 0.999)
    return [
        round(number * step, 10) for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten between the two; powers of ten alone where there are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if math.log10(high / low) < 2.3 else (1,)
    found = [factor * 10.0**power for power in powers for factor in factors]
    return [value for value in found if low * 0.999 <= value <= high * 1.001]


def short(value: float) -> str:
    """A number for an axis: 500, 2k, 1.5M, 0.05."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def pareto(points: Sequence[Point], *, cost: str, title: str) -> Markup:
    """Accuracy against cost (logarithmic), intervals as whiskers, a line through those that nothing beats."""
    height = 340
    costs = [max(point.cost, 1e-3) for point in points]
    low_x, high_x = min(costs) / 1.5, max(costs) * 1.9
    low_y = max(0.0, min(point.ci95[0] for point in points) - 0.03)
    high_y = min(1.0, max(point.ci95[1] for point in points) + 0.03)
    x = logarithmic((low_x, high_x), (LEFT, WIDTH - RIGHT))
    y = linear((low_y, high_y), (height - BOTTOM, TOP))
    parts: list[Markup] = _axes(x, y, decades(low_x, high_x), ticks(low_y, high_y), height, cost, "accuracy")
    front = sorted((point for point in points if point.front), key=lambda point: point.cost)
    if len(front) > 1:
        steps = [f"{x(front[0].cost):.1f},{y(front[0].score):.1f}"]
        for before, after in pairwise(front):
            steps += [f"{x(after.cost):.1f},{y(before.score):.1f}", f"{x(after.cost):.1f},{y(after.score):.1f}"]
        parts.append(tag("polyline", points=" ".join(steps), class_="front"))
    placed: list[tuple[float, float, float, float]] = [
        (x(point.cost) - 5, y(point.score) - 5, x(point.cost) + 5, y(point.score) + 5) for point in points
    ]
    for point in sorted(points, key=lambda point: (point.kind != "router", -point.score)):
        px, py = x(point.cost), y(point.score)
        low, high = y(point.ci95[0]), y(point.ci95[1])
        style = f"{point.kind}{'' if point.front or point.kind == 'reference' else ' dominated'}"
        anchor, lx, ly = _label(point.name, px, py, placed)
        parts += [
            tag("line", x1=px, x2=px, y1=low, y2=high, class_=f"whisker {point.kind}"),
            tag("circle", cx=px, cy=py, r=5, class_=f"dot {style}"),
            tag("text", point.name, x=lx, y=ly, text_anchor=anchor, class_=f"label {style}"),
        ]
    return chart(height, title, *parts)


def _label(
    name: str, px: float, py: float, placed: list[tuple[float, float, float, float]]
) -> tuple[str, float, float]:
    """Where a point's name stands: the first place near it that is inside and covers nothing yet."""
    wide = len(name) * CHARACTER
    best: tuple[float, tuple[str, float, float], tuple[float, float, float, float]] | None = None
    for rise in (4, -9, 17, -24, 32, -39, 47, -54, 62):
        for anchor, at, start in (("start", px + 9, px + 9), ("end", px - 9, px - 9 - wide)):
            box = (start, py + rise - LINE + 4, start + wide, py + rise + 3)
            outside = max(0.0, LEFT - box[0]) + max(0.0, box[2] - WIDTH + 2) + max(0.0, TOP - 12 - box[1])
            covered = sum(_shared(box, other) for other in placed)
            cost = 40 * outside + covered + abs(rise) / 50
            if best is None or cost < best[0]:
                best = cost, (anchor, at, py + rise), box
    assert best is not None
    placed.append(best[2])
    return best[1]


def _shared(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    tall = min(one[3], other[3]) - max(one[1], other[1])
    return wide * tall if wide > 0 and tall > 0 else 0.0


def reliability(bins: Sequence[Mapping[str, Any]], *, title: str) -> Markup:
    """Observed score against forecast P(correct); the area of a dot is the number of answers; the diagonal is ideal."""
    height = 340
    x = linear((0, 1), (LEFT, WIDTH - RIGHT))
    y = linear((0, 1), (height - BOTTOM, TOP))
    most = max((one["n"] for one in bins), default=1)
    line = " ".join(f"{x(one['predicted']):.1f},{y(one['observed']):.1f}" for one in bins)
    marks = ticks(0, 1)
    return chart(
        height,
        title,
        *_axes(x, y, marks, marks, height, "P(correct) forecast", "score observed"),
        tag("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="ideal"),
        tag("polyline", points=line, class_="front"),
        *(
            tag(
                "circle",
                tag("title", f"forecast {one['predicted']:.2f}, observed {one['observed']:.2f}, {one['n']:,} answers"),
                cx=x(one["predicted"]),
                cy=y(one["observed"]),
                r=3 + 9 * math.sqrt(one["n"] / most),
                class_="dot router soft",
            )
            for one in bins
        ),
    )


def latency(rows: Sequence[tuple[str, Sequence[float], str]], *, title: str) -> Markup:
    """Seconds by route on a logarithmic axis: 5% to 95% as a line, the middle half as a bar, the median as a mark.

    ``rows``: name, the five quantiles, kind.
    """
    left, row = 128, 30
    height = TOP + row * len(rows) + BOTTOM
    floor = 1e-3
    low = max(floor, min(quantiles[0] for _, quantiles, _ in rows) / 1.3)
    high = max(low * 4, max(quantiles[-1] for _, quantiles, _ in rows) * 1.3)
    x = logarithmic((low, high), (left, WIDTH - RIGHT))
    parts = [_vertical(x, value, height) for value in decades(low, high)]
    for place, (name, quantiles, kind) in enumerate(rows):
        middle = TOP + row * place + row / 2
        first, lower, median, upper, last = (x(max(floor, value)) for value in quantiles)
        parts += [
            tag("text", name, x=left - 10, y=middle + 4, text_anchor="end", class_=f"label {kind}"),
            tag("line", x1=first, x2=last, y1=middle, y2=middle, class_=f"whisker {kind}"),
            tag("rect", x=lower, y=middle - 6, width=max(2.0, upper - lower), height=12, class_=f"box {kind}"),
            tag("line", x1=median, x2=median, y1=middle - 9, y2=middle + 9, class_=f"median {kind}"),
        ]
    parts.append(_name("seconds", (left + WIDTH - RIGHT) / 2, height - 6))
    return chart(height, title, *parts)


def forest(value: float, ci95: Sequence[float], domain: tuple[float, float], *, zero: bool, kind: str = "") -> Markup:
    """A dot with its interval, small, for a cell of a table; ``zero`` draws the line of no difference."""
    width, height = 132, 16
    x = linear(domain, (6, width - 6))
    low, high = (min(width - 1.0, max(1.0, x(bound))) for bound in ci95)
    return tag(
        "svg",
        tag("line", x1=x(0), x2=x(0), y1=0, y2=height, class_="grid") if zero else None,
        tag("line", x1=low, x2=high, y1=height / 2, y2=height / 2, class_=f"whisker {kind}"),
        tag("circle", cx=x(value), cy=height / 2, r=4, class_=f"dot {kind}"),
        viewbox=f"0 0 {width} {height}",
        class_="forest",
        aria_hidden="true",
    )


def _axes(
    x: Scale, y: Scale, across: Sequence[float], up: Sequence[float], height: float, cost: str, score: str
) -> list[Markup]:
    lines = [tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(value), y2=y(value), class_="grid") for value in up]
    names = [tag("text", f"{value:g}", x=LEFT - 8, y=y(value) + 4, text_anchor="end", class_="tick") for value in up]
    return [
        *lines,
        tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=height - BOTTOM, y2=height - BOTTOM, class_="base"),
        *names,
        *(tag("text", short(v), x=x(v), y=height - BOTTOM + 18, text_anchor="middle", class_="tick") for v in across),
        _name(cost, (LEFT + WIDTH - RIGHT) / 2, height - 6),
        tag("text", score, x=LEFT - 40, y=10, text_anchor="start", class_="axis"),
    ]


def _vertical(x: Scale, value: float, height: float) -> Markup:
    return tag(
        "g",
        tag("line", x1=x(value), x2=x(value), y1=TOP - 6, y2=height - BOTTOM, class_="grid"),
        tag("text", short(value), x=x(value), y=height - BOTTOM + 18, text_anchor="middle", class_="tick"),
    )


def _name(text: str, x: float, y: float) -> Markup:
    return tag("text", text, x=x, y=y, text_anchor="middle", class_="axis")
