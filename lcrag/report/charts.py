"""The charts as inline SVG: numbers in, elements out, colours by class so that a style sheet decides them.

Labels are next to what they name, so there is no legend. Every chart has a title for screen readers, and its numbers
are in a table of the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from markupsafe import Markup

WIDTH: Final = 440
HEIGHT: Final = 340
LEFT, RIGHT, TOP, BOTTOM = 48, 16, 18, 44
CHARACTER: Final = 6.9
"""Width of a letter of a label, about."""
LINE: Final = 15

Scale = Callable[[float], float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Point:
    """A route in a chart of accuracy against cost. ``kind``: constant, router or reference."""

    name: str
    cost: float
    score: float
    ci95: tuple[float, float]
    front: bool
    kind: str


def element(name: str, *children: str | None, **attributes: str | float) -> Markup:
    """One element; plain strings are escaped. ``class_`` is ``class``, other underscores become hyphens."""
    named = Markup().join(
        Markup(' {}="{}"').format(
            key.rstrip("_").replace("_", "-"), f"{value:g}" if isinstance(value, float) else value
        )
        for key, value in attributes.items()
    )
    inner = Markup().join(child for child in children if child is not None)
    return Markup("<{0}{1}>{2}</{0}>").format(name, named, inner)


def chart(height: float, title: str, *children: str) -> Markup:
    return element(
        "svg", element("title", title), *children, viewBox=f"0 0 {WIDTH} {height:g}", role="img", class_="chart"
    )


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
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten between the two; powers of ten alone if there are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if math.log10(high / low) < 2.3 else (1,)
    values = [factor * 10.0**power for power in powers for factor in factors]
    return [value for value in values if low * 0.999 <= value <= high * 1.001]


def short(value: float) -> str:
    """A number for an axis: 500, 2k, 1.5M, 0.05."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def pareto(points: Sequence[Point], *, cost: str, score: str = "accuracy", title: str) -> Markup:
    """A score against cost (logarithmic), intervals as whiskers, a line through the routes that no other beats."""
    costs = [max(point.cost, 1e-3) for point in points]
    low_x, high_x = min(costs) / 1.5, max(costs) * 1.9
    low_y = max(0.0, min(point.ci95[0] for point in points) - 0.03)
    high_y = min(1.0, max(point.ci95[1] for point in points) + 0.03)
    x = logarithmic((low_x, high_x), (LEFT, WIDTH - RIGHT))
    y = linear((low_y, high_y), (HEIGHT - BOTTOM, TOP))
    parts = _axes(x, y, decades(low_x, high_x), ticks(low_y, high_y), cost, score)
    front = sorted((point for point in points if point.front), key=lambda point: point.cost)
    if len(front) > 1:
        corners = [(x(front[0].cost), y(front[0].score))]
        for before, after in pairwise(front):
            corners += [(x(after.cost), y(before.score)), (x(after.cost), y(after.score))]
        parts.append(_polyline(corners, "front"))
    placed = [(x(point.cost) - 5, y(point.score) - 5, x(point.cost) + 5, y(point.score) + 5) for point in points]
    for point in sorted(points, key=lambda point: (point.kind != "router", -point.score)):
        px, py = x(point.cost), y(point.score)
        low, high = y(point.ci95[0]), y(point.ci95[1])
        style = f"{point.kind}{'' if point.front or point.kind == 'reference' else ' dominated'}"
        parts += [
            element("line", x1=px, x2=px, y1=low, y2=high, class_=f"whisker {point.kind}"),
            element("circle", cx=px, cy=py, r=5, class_=f"dot {style}"),
            _label(point.name, px, py, placed, f"label {style}"),
        ]
    return chart(HEIGHT, title, *parts)


def curves(listed: Mapping[str, Sequence[tuple[float, float]]], *, score: str, highest: float, title: str) -> Markup:
    """Lines over the tokens read (logarithmic): ``name: ((tokens, score), …)``, scores from 0 to ``highest``."""
    lengths = [tokens for curve in listed.values() for tokens, _ in curve]
    low, high = min(lengths), max(*lengths, 2 * min(lengths))
    right = WIDTH - RIGHT - 9 - CHARACTER * max(map(len, listed))
    x = logarithmic((low, high), (LEFT, right))
    y = linear((0, highest), (HEIGHT - BOTTOM, TOP))
    parts = _axes(x, y, decades(low, high), ticks(0, highest), "tokens read", score)
    heights = _spread([y(curve[-1][1]) for curve in listed.values()])
    for number, ((name, curve), height) in enumerate(zip(listed.items(), heights, strict=True)):
        parts.append(_polyline([(x(tokens), y(value)) for tokens, value in curve], f"series-{number}"))
        parts.append(element("text", name, x=right + 9, y=height + 4, class_=f"label series-{number}"))
    return chart(HEIGHT, title, *parts)


def _spread(heights: Sequence[float]) -> list[float]:
    """The heights of labels, moved down and then up until LINE is between them and the last is above the axis."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    moved = list(heights)
    for above, below in pairwise(order):
        moved[below] = max(moved[below], moved[above] + LINE)
    moved[order[-1]] = min(moved[order[-1]], HEIGHT - BOTTOM)
    for below, above in pairwise(reversed(order)):
        moved[above] = min(moved[above], moved[below] - LINE)
    return moved


def _polyline(corners: Sequence[tuple[float, float]], style: str) -> Markup:
    return element("polyline", points=" ".join(f"{px:.1f},{py:.1f}" for px, py in corners), class_=style)


def _label(name: str, px: float, py: float, placed: list[Box], style: str) -> Markup:
    """A point's name in the nearest place that is inside the chart and covers nothing of ``placed``, which grows."""
    width = len(name) * CHARACTER
    places: list[tuple[float, str, float, float, Box]] = []
    for rise in (4, -9, 17, -24, 32, -39, 47, -54, 62):
        for anchor, at, start in (("start", px + 9, px + 9), ("end", px - 9, px - 9 - width)):
            box = (start, py + rise - LINE + 4, start + width, py + rise + 3)
            outside = max(0.0, LEFT - box[0]) + max(0.0, box[2] - WIDTH + 2) + max(0.0, TOP - 12 - box[1])
            covered = sum(_overlap(box, other) for other in placed)
            places.append((40 * outside + covered + abs(rise) / 50, anchor, at, py + rise, box))
    _, anchor, lx, ly, box = min(places, key=lambda place: place[0])
    placed.append(box)
    return element("text", name, x=lx, y=ly, text_anchor=anchor, class_=style)


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0


def reliability(bins: Sequence[Mapping[str, Any]], *, title: str) -> Markup:
    """Observed score against forecast P(correct); the area of a dot is the number of answers; the diagonal is ideal."""
    x = linear((0, 1), (LEFT, WIDTH - RIGHT))
    y = linear((0, 1), (HEIGHT - BOTTOM, TOP))
    most = max((group["n"] for group in bins), default=1)
    marks = ticks(0, 1)
    return chart(
        HEIGHT,
        title,
        *_axes(x, y, marks, marks, "P(correct) forecast", "score observed"),
        element("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="ideal"),
        _polyline([(x(group["predicted"]), y(group["observed"])) for group in bins], "front"),
        *(
            element(
                "circle",
                element(
                    "title",
                    f"forecast {group['predicted']:.2f}, observed {group['observed']:.2f}, {group['n']:,} answers",
                ),
                cx=x(group["predicted"]),
                cy=y(group["observed"]),
                r=3 + 9 * math.sqrt(group["n"] / most),
                class_="dot router soft",
            )
            for group in bins
        ),
    )


def latency(rows: Sequence[tuple[str, Sequence[float], str]], *, title: str) -> Markup:
    """Seconds by route on a logarithmic axis: 5% to 95% as a line, the middle half as a bar, the median as a mark.

    ``rows``: name, the five quantiles, kind.
    """
    left, step, floor = 128, 30, 1e-3
    height = TOP + step * len(rows) + BOTTOM
    low = max(floor, min(quantiles[0] for _, quantiles, _ in rows) / 1.3)
    high = max(low * 4, max(quantiles[-1] for _, quantiles, _ in rows) * 1.3)
    x = logarithmic((low, high), (left, WIDTH - RIGHT))
    parts = [_vertical(x, value, height) for value in decades(low, high)]
    for row, (name, quantiles, kind) in enumerate(rows):
        middle = TOP + step * row + step / 2
        first, lower, median, upper, last = (x(max(floor, value)) for value in quantiles)
        parts += [
            element("text", name, x=left - 10, y=middle + 4, text_anchor="end", class_=f"label {kind}"),
            element("line", x1=first, x2=last, y1=middle, y2=middle, class_=f"whisker {kind}"),
            element("rect", x=lower, y=middle - 6, width=max(2.0, upper - lower), height=12, class_=f"box {kind}"),
            element("line", x1=median, x2=median, y1=middle - 9, y2=middle + 9, class_=f"median {kind}"),
        ]
    parts.append(_axis_name("seconds", (left + WIDTH - RIGHT) / 2, height))
    return chart(height, title, *parts)


def forest(value: float, ci95: Sequence[float], domain: tuple[float, float], *, zero: bool, kind: str = "") -> Markup:
    """A dot with its interval, small, for a cell of a table; ``zero`` draws the line of no difference."""
    width, height = 132, 16
    x = linear(domain, (6, width - 6))
    low, high = (min(width - 1.0, max(1.0, x(bound))) for bound in ci95)
    return element(
        "svg",
        element("line", x1=x(0), x2=x(0), y1=0, y2=height, class_="grid") if zero else None,
        element("line", x1=low, x2=high, y1=height / 2, y2=height / 2, class_=f"whisker {kind}"),
        element("circle", cx=x(value), cy=height / 2, r=4, class_=f"dot {kind}"),
        viewBox=f"0 0 {width} {height}",
        class_="forest",
        aria_hidden="true",
    )


def _axes(x: Scale, y: Scale, across: Sequence[float], up: Sequence[float], cost: str, score: str) -> list[Markup]:
    base, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    return [
        *(element("line", x1=LEFT, x2=right, y1=y(value), y2=y(value), class_="grid") for value in up),
        element("line", x1=LEFT, x2=right, y1=base, y2=base, class_="base"),
        *(_tick(f"{value:g}", LEFT - 8, y(value) + 4, "end") for value in up),
        *(_tick(short(value), x(value), base + 18, "middle") for value in across),
        _axis_name(cost, (LEFT + right) / 2, HEIGHT),
        element("text", score, x=LEFT - 40, y=10, text_anchor="start", class_="axis"),
    ]


def _tick(text: str, x: float, y: float, anchor: str) -> Markup:
    return element("text", text, x=x, y=y, text_anchor=anchor, class_="tick")


def _vertical(x: Scale, value: float, height: float) -> Markup:
    return element(
        "g",
        element("line", x1=x(value), x2=x(value), y1=TOP - 6, y2=height - BOTTOM, class_="grid"),
        _tick(short(value), x(value), height - BOTTOM + 18, "middle"),
    )


def _axis_name(text: str, x: float, height: float) -> Markup:
    return element("text", text, x=x, y=height - 6, text_anchor="middle", class_="axis")
